"""The command `webhooks`: how each webhook is doing, as a table or as JSON.

Neither a secret nor the path of a URL is shown, which may be one as well.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from conversation_tracker.database.publishing.webhooks import WebhookState
from conversation_tracker.support import text_table

_TITLES = ("id", "store", "host", "events", "state", "waiting", "dead", "last answer", "delivered")
_NEVER_NARROWED = (0, 4, 5, 6, 7, 8)


def write_table(states: Sequence[WebhookState], cells: int) -> Iterator[str]:
    """Lay the webhooks out as a table.

    Args:
        states: the webhooks.
        cells: how wide the terminal is.

    Returns:
        The lines, without line ends.
    """
    return text_table.lay_out(
        _TITLES, [_write_row(state) for state in states], cells, _NEVER_NARROWED
    )


def _write_row(state: WebhookState) -> tuple[str, ...]:
    return (
        str(state.webhook),
        state.store,
        state.host,
        ", ".join(state.events) or "all",
        state.condition,
        str(state.waiting),
        str(state.dead),
        state.said or "",
        f"{state.delivered_at.astimezone():%Y-%m-%d %H:%M}" if state.delivered_at else "",
    )


def write_json(states: Iterable[WebhookState]) -> str:
    """Write the webhooks as a JSON array, one object for each."""
    return json.dumps(
        [
            {
                "id": state.webhook,
                "store": state.store,
                "host": state.host,
                "events": list(state.events),
                "active": state.active,
                "state": state.condition,
                "waiting": state.waiting,
                "dead": state.dead,
                "lastAnswer": state.said,
                "delivered": _write_time(state.delivered_at),
                "failingSince": _write_time(state.failing_since),
                "behindSince": _write_time(state.behind_since),
                "lost": _write_time(state.lost_at),
            }
            for state in states
        ],
        indent=1,
    )


def _write_time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
