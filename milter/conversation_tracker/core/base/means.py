"""What deciding on one message may use: its time, and room for what memory should not hold.

The core has no clock and no files; both come from outside, through the message. Where time is over
`check` raises `Overdue`; `rewrite` makes it a reply.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, SupportsIndex, TypeVar

T = TypeVar("T")

LARGE = 1024 * 1024
"""Octets of a body, or of one part, from which on it is not held in memory as a whole."""
MAX_FIELDS = 1_000
"""Header fields of a message."""
MAX_FIELDS_OCTETS = 512 * 1024
"""Octets of a message's header fields together."""
EVERY = 256
"""Steps within one field, or one text, after which the time is asked for again."""
MAX_SECONDS = 10.0
"""Seconds of processor time for one message; then it is refused for good."""
MAX_WAIT = 120.0
"""Seconds one message may take by the clock, its turn awaited; then it is refused for now."""


class Overdue(Exception):
    """The time for a message is over.

    Attributes:
        hopeless: it used up the processor time that is for it, and would again.
    """

    def __init__(self, *, hopeless: bool) -> None:
        """Say whether another try is worth it."""
        super().__init__()
        self.hopeless = hopeless


class Slices(Protocol):
    """Octets that are only gone through; a slice is a copy."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: slice, /) -> bytes: ...


class Octets(Slices, Protocol):
    """What bytes and a file that is mapped into memory have in common."""

    def __buffer__(self, flags: int, /) -> memoryview: ...
    def find(self, sub: bytes, start: int = ..., end: int = ..., /) -> int:
        """Find octets, from the left."""

    def rfind(self, sub: bytes, start: int = ..., end: int = ..., /) -> int:
        """Find octets, from the right."""

    def startswith(
        self,
        prefix: bytes | tuple[bytes, ...],
        start: SupportsIndex | None = ...,
        end: SupportsIndex | None = ...,
        /,
    ) -> bool:
        """Tell whether octets begin here."""

    def endswith(
        self,
        suffix: bytes | tuple[bytes, ...],
        start: SupportsIndex | None = ...,
        end: SupportsIndex | None = ...,
        /,
    ) -> bool:
        """Tell whether octets end here."""


def never() -> None:
    """Let everything take its time."""


def asked(items: Iterable[T], check: Callable[[], None]) -> Iterable[T]:
    """Go through items and ask for the time at every so many of them.

    Args:
        items: what is gone through.
        check: raises `Overdue` when the time is over.
    """
    for number, item in enumerate(items, 1):
        if not number % EVERY:
            check()
        yield item


@dataclass(frozen=True, slots=True)
class Means:
    """What may be used for one message.

    Attributes:
        check: raises `Overdue` when its time is over; asked often, so it must be cheap.
        store: keeps octets that come in pieces, outside of memory if they are many.
    """

    check: Callable[[], None] = never
    store: Callable[[Iterable[bytes]], Octets] = b"".join


def check_of(mask: object) -> Callable[[], None]:
    """Give what asks for the time of a mask that has `means`, as `View` has."""
    means: Means | None = getattr(mask, "means", None)
    return never if means is None else means.check


ENDLESS = Means()
"""Time and memory without an end, for what is small or nobody waits for."""


def windows(data: Slices, start: int, end: int, size: int = LARGE) -> Iterable[bytes]:
    """Go through a span of octets in pieces of at most `size`."""
    return (data[at : min(at + size, end)] for at in range(start, end, size))


def count(data: Octets, sub: bytes) -> int:
    """Count how often octets stand in others, without overlapping."""
    number, at = 0, data.find(sub)
    while at >= 0:
        number, at = number + 1, data.find(sub, at + len(sub))
    return number


def replaced(data: Octets, edits: Iterable[tuple[int, int, Octets]], means: Means) -> Octets:
    """Replace spans of a body.

    Args:
        data: the body.
        edits: start, end and new octets of each span, ascending and not overlapping.
        means: where to keep the new body.

    Returns:
        The new body; the same object if there is nothing to replace.
    """
    edits = list(edits)
    return means.store(_pieces(data, edits)) if edits else data


def _pieces(data: Octets, edits: Iterable[tuple[int, int, Octets]]) -> Iterable[bytes]:
    position = 0
    for start, end, new in edits:
        yield from windows(data, position, start)
        yield from windows(new, 0, len(new))
        position = end
    yield from windows(data, position, len(data))
