"""What deciding on one message may use: its time, and room for what memory should not hold.

The core has no clock and no files; both come from outside, through the message. Where time is over
`check` raises `Overdue`; `planning` makes it a reply.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from conversation_tracker.core.base.octets import Octets, iter_windows

T = TypeVar("T")

MAX_FIELDS = 1_000
"""Header fields of a message."""
MAX_FIELDS_OCTETS = 512 * 1024
"""Octets of a message's header fields together."""
EVERY = 256
"""Steps within one field, or one text, after which the time is asked for again."""
MAX_SECONDS = 10.0
"""Seconds of processor time for a message of few octets; then it is refused permanently."""
MOST_SECONDS = 25.0
"""The same for the largest."""
# For each second more. A few kB may use up the ten, so this gives an attacker nothing new.
_OCTETS_A_SECOND = 2 * 1024 * 1024
MAX_WAIT = 120.0
"""Seconds one message may take by the clock after waiting for its turn; then it is deferred."""


class Overdue(Exception):
    """The time for a message is over.

    Attributes:
        hopeless: it used up the processor time that is for it, and would again.
    """

    def __init__(self, *, hopeless: bool) -> None:
        """Return whether another try is worth it."""
        super().__init__()
        self.hopeless = hopeless


def find_seconds(octets: int) -> float:
    """Return how many seconds of processor time a message may use.

    Args:
        octets: the size of its body.
    """
    return min(MAX_SECONDS + octets / _OCTETS_A_SECOND, MOST_SECONDS)


def no_limit() -> None:
    """Check nothing: the time is unlimited."""


def check_each(items: Iterable[T], check: Callable[[], None]) -> Iterable[T]:
    """Give items and ask for the time at every so many of them.

    Args:
        items: what is gone through.
        check: raises `Overdue` when the time is over.
    """
    if isinstance(items, list) and len(items) < EVERY:
        return items
    return _iter_checked(items, check)


def _iter_checked(items: Iterable[T], check: Callable[[], None]) -> Iterable[T]:
    for number, item in enumerate(items, 1):
        if not number % EVERY:
            check()
        yield item


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may use.

    Attributes:
        check: raises `Overdue` when its time is over; asked often, so it must be cheap.
        store: keeps octets that come in pieces, outside of memory if they are many.
    """

    check: Callable[[], None] = no_limit
    store: Callable[[Iterable[bytes]], Octets] = b"".join


UNLIMITED = Limits()
"""Time and memory without limits, for what is small or nobody waits for."""


def replace_spans(data: Octets, edits: Iterable[tuple[int, int, Octets]], limits: Limits) -> Octets:
    """Replace spans of a body.

    Args:
        data: the body.
        edits: start, end and new octets of each span, ascending and not overlapping.
        limits: where to keep the new body.

    Returns:
        The new body; the same object if there is nothing to replace.
    """
    edits = list(edits)
    return limits.store(_iter_pieces(data, edits)) if edits else data


def _iter_pieces(data: Octets, edits: Iterable[tuple[int, int, Octets]]) -> Iterable[bytes]:
    position = 0
    for start, end, new in edits:
        yield from iter_windows(data, position, start)
        yield from iter_windows(new, 0, len(new))
        position = end
    yield from iter_windows(data, position, len(data))
