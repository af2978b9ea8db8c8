"""A large body as the difference from another: what both share, and what it has of its own.

A message of several orders is recorded once for each, and these records differ in aliases alone:
whole, forty of them need forty times the room. Nothing here is guessed: what is taken from the
other body was compared octet by octet, so a delta gives exactly what it was made of.

Pure. Time is linear in both lengths; where they share too little there is no delta.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from conversation_tracker.core.base.octets import LARGE, Octets, Slices

_WINDOW = 65_536  # octets compared at once
_PROBE = 64  # octets by which the way back is found
_STEP = 256  # octets passed over where it is not found
_FAR = 16  # steps after which it is looked for everywhere ahead
_PIECES = 20_000

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Delta:
    """Octets that are made of spans of others, and of their own; a slice is a copy.

    Attributes:
        base: what the spans are of.
        pieces: spans of it (start and end), and octets, in their order.
    """

    base: Octets = field(repr=False)
    pieces: tuple[Span | bytes, ...] = field(repr=False)
    _ends: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Note where each piece ends."""
        object.__setattr__(self, "_ends", tuple(accumulate(map(_size_of, self.pieces))))

    def __len__(self) -> int:
        """Return how many octets it stands for."""
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: slice, /) -> bytes:
        """Return a slice, whose step is 1."""
        start, end, _ = index.indices(len(self))
        return b"".join(self._slices(start, end))

    def _slices(self, start: int, end: int) -> Iterator[bytes]:
        for number in range(bisect_right(self._ends, start), len(self.pieces)):
            piece = self.pieces[number]
            size = _size_of(piece)
            begins = self._ends[number] - size
            if begins >= end:
                return
            first, last = max(start - begins, 0), min(end - begins, size)
            if isinstance(piece, bytes):
                yield piece[first:last]
            else:
                yield self.base[piece[0] + first : piece[0] + last]


def make_delta(base: Octets, new: Slices, check: Callable[[], None]) -> Delta | None:
    """Describe octets by what they share with others.

    Args:
        base: the others.
        new: the octets.
        check: raises where the time for the message is over.

    Returns:
        The delta; None where more than a megabyte would be its own.
    """
    pieces: list[Span | bytes] = []
    own = at = place = misses = 0
    last = 0  # where the octets begin that no piece has yet
    while at < len(new):
        check()
        same = _count_same(base, place, new, at)
        if same >= _PROBE or (same and at + same == len(new)):
            pieces += [new[last:at]] if last < at else []
            pieces.append((place, place + same))
            at, place, misses = at + same, place + same, 0
            last = at
            continue
        found = _find(base, place, new[at : at + _PROBE], misses)
        if found >= 0:
            place = found
            continue
        own, misses, at = own + _STEP, misses + 1, at + _STEP
        if own > LARGE or len(pieces) > _PIECES:
            return None
    pieces += [new[last:]] if last < len(new) else []
    return Delta(base, tuple(pieces))


def _size_of(piece: Span | bytes) -> int:
    return len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]


def _count_same(base: Slices, place: int, new: Slices, at: int) -> int:
    """Return how many octets are the same from two places on."""
    begun = at
    while True:
        one, other = base[place : place + _WINDOW], new[at : at + _WINDOW]
        if one == other and one:
            place, at = place + len(one), at + len(one)
            continue
        return at - begun + _count_common(one, other)


def _count_common(one: bytes, other: bytes) -> int:
    """Return how many octets two pieces begin with alike."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _find(base: Octets, place: int, probe: bytes, misses: int) -> int:
    """Find where octets go on in the other body: nearby, or now and then anywhere ahead."""
    if len(probe) < _PROBE:
        return -1
    far = misses % _FAR == _FAR - 1 and (misses + 1).bit_count() == 1
    return base.find(probe, place, len(base) if far else min(len(base), place + _WINDOW))
