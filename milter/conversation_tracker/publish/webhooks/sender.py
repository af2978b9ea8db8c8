"""One turn of one webhook: some of its events, one after another, over one connection.

It has a thread of its own, so that a slow receiver keeps nobody waiting, and touches no database:
what comes of each event is handed back as soon as it is known.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from conversation_tracker.base import timeouts
from conversation_tracker.publish.webhooks.client import Answer, Postbox, Trust
from conversation_tracker.publish.webhooks.destination import Unsendable, read_url
from conversation_tracker.publish.webhooks.payload import FeedEvent, make_body, make_identifier
from conversation_tracker.publish.webhooks.schedule import Pauses, choose_pauses, count_failure
from conversation_tracker.publish.webhooks.signing import sign

GONE = 410


@dataclass(frozen=True, slots=True)
class Task:
    """What one turn sends.

    Attributes:
        webhook: its id.
        url: where to.
        secrets: what to sign with.
        failures: events that failed at the receiver since the last that did not.
        events: each with the number of its tries so far.
    """

    webhook: int
    url: str = field(repr=False)
    secrets: Sequence[str] = field(repr=False)
    failures: int
    events: Sequence[tuple[int, FeedEvent]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one event.

    Attributes:
        webhook: its id.
        url: where it went.
        position: the event's.
        answer: the receiver's.
        failures: events that have failed at the receiver by now, one after another.
        before: the same, before this try.
        pauses: what is waited for, None if the receiver has it.
    """

    webhook: int
    url: str = field(repr=False)
    position: int
    answer: Answer
    failures: int
    before: int
    pauses: Pauses | None


def send(
    task: Task,
    *,
    allow_private: bool,
    trust: Trust,
    is_stopped: Callable[[], bool],
    clock: Callable[[], float] = time.time,
    draw: Callable[[], float] = random.random,
) -> Iterator[Attempt]:
    """Send events until all are sent, the receiver fails, or the turn is over.

    Args:
        task: what to send.
        allow_private: addresses of this host and its network are good as well.
        trust: whose certificates are believed.
        is_stopped: whether to end.
        clock: tells the time, in seconds since 1970.
        draw: gives numbers from 0 to 1 by chance.

    Yields:
        What came of each event that was tried.
    """
    ends = time.monotonic() + timeouts.get().webhook_turn_seconds
    failures = task.failures
    with _open(task, allow_private=allow_private, trust=trust) as session:
        for tries, event in task.events:
            if is_stopped() or time.monotonic() > ends:
                return
            answer = _post(session, task, event, int(clock()))
            before, pauses = failures, None
            if answer.taken:
                failures = 0
            else:
                known = (answer.status, tries + 1)
                failures = count_failure(*known, failures, answer.wait)
                pauses = choose_pauses(*known, failures, answer.wait, draw)
            yield Attempt(task.webhook, task.url, event.position, answer, failures, before, pauses)
            if answer.status == GONE or (pauses is not None and pauses.receiver):
                return


class _Nowhere:
    """Stands for a session where there is nothing to connect to."""

    def __init__(self, why: str) -> None:
        self._answer = Answer(why)

    def __enter__(self) -> "_Nowhere":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def post(self, _headers: Mapping[str, str], _body: bytes) -> Answer:
        return self._answer


def _open(task: Task, *, allow_private: bool, trust: Trust) -> Postbox | _Nowhere:
    try:
        return Postbox(read_url(task.url), allow_private=allow_private, trust=trust)
    except Unsendable as error:
        return _Nowhere(error.why)


def _post(session: Postbox | _Nowhere, task: Task, event: FeedEvent, timestamp: int) -> Answer:
    identifier, body = make_identifier(event), make_body(event)
    headers = {
        "webhook-id": identifier,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(task.secrets, identifier, timestamp, body),
    }
    return session.post(headers, body)
