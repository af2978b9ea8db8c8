"""What `check` finds out about webhooks: events that were given up, receivers that take none.

Of a URL nothing is shown but its host.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.database.publishing.webhooks import WebhookState

_BEHIND = timedelta(minutes=1)
_LONG = timedelta(hours=1)
_LOST = timedelta(days=7)

_RETRY = "mend the receiver, then run conversation-tracker webhooks retry"
_MEND = {
    "private-address": "its host leads inside: see allow_private in the configuration",
    "not-https": "give it a URL with https: without, it only goes inside, with allow_private = yes",
    "certificate": "its certificate is not one that this host's authorities know for that name",
    "no-address": "the name system knows no address of its host",
    "unreachable": "nobody answers at its host and port",
    "timeout": "it must answer within 15 seconds, and work afterwards",
}


def check(states: Sequence[WebhookState], now: datetime) -> Iterator[CheckLine]:
    """Judge the webhooks.

    Args:
        states: all of them.
        now: the time.
    """
    troubles = [line for state in states for line in _judge(state, now)]
    yield from troubles
    if states and not troubles:
        yield ok(f"webhooks: {len(states)}, their receivers take what is sent")


def _judge(state: WebhookState, now: datetime) -> Iterator[CheckLine]:
    name = f"webhook {state.webhook} of store {state.store} ({state.host})"
    if state.gone_at is not None and not state.active:
        yield note(
            f"{name} is not active: its receiver answered 410",
            "delete it, or give it another URL and make it active",
        )
    if state.lost_at is not None and now - state.lost_at < _LOST:
        yield note(f"{name} lost events: they left the feed before its receiver took them")
    if not state.active:
        return
    said = f" (last answer: {state.said})" if state.said else ""
    if state.dead:
        yield wrong(f"{name}: {state.dead} events were given up after a day{said}", _RETRY)
    behind = timedelta() if state.behind_since is None else now - state.behind_since
    if behind > _BEHIND:
        what = f"{name} has not got what happened {_describe(behind)} ago{said}"
        mend = _MEND.get(
            state.said or "", "see conversation-tracker webhooks list, and its receiver's own log"
        )
        yield wrong(what, mend) if behind > _LONG else note(what, mend)


def _describe(time: timedelta) -> str:
    minutes = int(time.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"
