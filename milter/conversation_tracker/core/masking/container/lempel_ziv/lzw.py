"""LZW: files of `compress` (`.Z`), and the streams of old PDF files (ISO 32000-1 section 7.4.4).

Each number names an octet, or what one of the numbers before gave with one octet more. So all that
a number names stands in what has come out: where, and how long it is. Nothing here raises but what
asking for the time raises.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.container.budget import Unpacking

COMPRESS = b"\x1f\x9d"

_MOST = 2 * 1024 * 1024  # octets of a file: the work is done number by number
_MOST_OUT = 8 * 1024 * 1024
_CLEAR, _NARROW = 256, 9
_EVERY = 1024
_WIDEST, _BLOCKS = 0x1F, 0x80


class Numbering(NamedTuple):
    """How numbers are written.

    Attributes:
        order: which bits of an octet come first.
        widest: bits of a number.
        first: the first number that names several octets.
        early: how many numbers before it is needed one more bit is written.
        padded: numbers of one width fill groups of eight.
    """

    order: Literal["big", "little"] = "big"
    widest: int = 12
    first: int = 258
    early: int = 1
    padded: bool = False


def open_compress(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack a file of `compress`."""
    packed = data[3:_MOST]
    if not unpacking.allows_another() or not unpacking.allows_text(len(packed)) or not packed:
        return
    flags = data[2:3][0]
    first = 257 if flags & _BLOCKS else 256
    kind = Numbering("little", min(max(flags & _WIDEST, _NARROW), 16), first, 0, padded=True)
    limit = unpacking.limit_for(len(packed))
    yield unpacking.keep(iter([unpack(packed, kind, limit, unpacking.limits.check)]))


def unpack(data: bytes, kind: Numbering, limit: int, check: Callable[[], None]) -> bytes:
    """Unpack numbers, as far as they mean something.

    Args:
        data: the numbers.
        kind: how they are written.
        limit: octets that may come out.
        check: asks for the time.
    """
    order, widest, first, early, padded = kind
    out = bytearray()
    named: list[tuple[int, int]] = []  # where it stands, and its length
    last, total = len(data) * 8, min(limit, _MOST_OUT)
    data += bytes(2)
    at = group = begin = size = steps = 0
    width = _NARROW
    while at + width <= last and len(out) < total:
        if not (steps := steps + 1) % _EVERY:
            check()
        octets = int.from_bytes(data[at >> 3 : (at >> 3) + 3], order)
        shift = at & 7 if order == "little" else 24 - width - (at & 7)
        number = octets >> shift & (1 << width) - 1
        at += width
        wider = width
        if number == _CLEAR and first > _CLEAR:
            named.clear()
            size, wider = 0, _NARROW
        else:
            if size and first + len(named) < 1 << widest:
                named.append((begin, size + 1))
            begin = len(out)
            if number < _CLEAR:
                out.append(number)
            elif 0 <= number - first < len(named):
                start, size = named[number - first]
                piece = out[start : start + size]
                out += piece
                out += piece[: size - len(piece)]  # it ends with how it begins
            else:
                break
            size = len(out) - begin
            if first + len(named) + early >= 1 << width and width < widest:
                wider += 1
        if wider != width or (number == _CLEAR and first > _CLEAR):
            if padded:
                at = group + -(-(at - group) // (8 * width)) * 8 * width
                group = at
            width = wider
    return bytes(out)
