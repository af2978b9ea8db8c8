"""OpenPGP messages that are signed or only packed, not encrypted (RFC 9580): anybody reads them.

Text lies in them compressed, or in pieces. What is encrypted shows nothing. Nothing here raises.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container import decompressing
from conversation_tracker.core.masking.container.budget import Unpacking

_COMPRESSED, _LITERAL, _ONE_PASS, _SIGNATURE, _MARKER = 8, 11, 4, 2, 10
_BEGIN = (_COMPRESSED, _LITERAL, _ONE_PASS, _SIGNATURE, _MARKER)
_OPENERS: dict[int, tuple[int, decompressing.Opener]] = {
    1: (0, decompressing.open_deflate),
    2: (2, decompressing.open_deflate),
    3: (0, decompressing.open_bzip2),
}
_FORMATS = b"btumU"  # of literal data
_VERSIONS = b"\x03\x04\x05\x06"
_MOST_PACKETS = 100
_MOST_PIECES = 100_000


@dataclass(frozen=True, slots=True)
class _Packet:
    """A packet: its type, and where the pieces of its content stand."""

    tag: int
    pieces: tuple[tuple[int, int], ...]
    end: int


def is_message(data: Octets) -> bool:
    """Whether data begins as such a message does."""
    head = data[:1]
    if not head or not head[0] & 0x80:
        return False
    packet = _read(data, 0)
    if packet is None or packet.tag not in _BEGIN or not packet.pieces:
        return False
    first = data[packet.pieces[0][0] : packet.pieces[0][0] + 1]
    if packet.tag == _COMPRESSED:
        return bool(first) and first[0] in _OPENERS
    if packet.tag == _LITERAL:
        return bool(first) and first in _FORMATS
    return packet.tag == _MARKER or (bool(first) and first in _VERSIONS)


def is_compressed(data: Octets) -> bool:
    """Whether data begins with compressed octets, as no text does."""
    packet = _read(data, 0)
    return packet is not None and packet.tag == _COMPRESSED and is_message(data)


def open_message(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Decompress what is compressed in a message, and join what is in pieces."""
    at = 0
    for _ in range(_MOST_PACKETS):
        packet = _read(data, at)
        if packet is None or not unpacking.allows_another():
            return
        at = packet.end
        if packet.tag not in (_COMPRESSED, _LITERAL):
            continue
        content = unpacking.limits.store(
            piece for start, end in packet.pieces for piece in iter_windows(data, start, end)
        )
        if packet.tag == _LITERAL:  # before the octets of the file stand its name and date
            begin = 6 + int.from_bytes(content[1:2], "big")
            yield content[2 : begin - 4]
            yield unpacking.limits.store(iter_windows(content, begin, len(content)))
        elif (found := _OPENERS.get(content[:1][0] if len(content) else 0)) is not None:
            skipped, opener = found
            limit = unpacking.limit_for(len(content))
            yield unpacking.keep(opener(content, 1 + skipped, len(content), limit))


def _read(data: Octets, at: int) -> _Packet | None:
    """Read a packet's header (section 4.2); None where there is none."""
    head = data[at : at + 6]
    if len(head) < 2 or not head[0] & 0x80:
        return None
    if head[0] & 0x40:
        pieces, end = _pieces(data, at + 1)
        return _Packet(head[0] & 0x3F, pieces, end)
    size = (1, 2, 4, 0)[head[0] & 3]
    start = at + 1 + size
    length = int.from_bytes(head[1 : 1 + size], "big") if size else len(data)
    end = min(start + length, len(data))
    return _Packet(head[0] >> 2 & 0x0F, ((start, end),), end)


def _pieces(data: Octets, at: int) -> tuple[tuple[tuple[int, int], ...], int]:
    """Find the pieces of a content whose lengths are given one by one (section 4.2.1)."""
    pieces: list[tuple[int, int]] = []
    for _ in range(_MOST_PIECES):
        head = data[at : at + 5]
        first = head[0] if head else 0
        partial = 224 <= first < 255
        if first < 192:
            size, length = 1, first
        elif first < 224:
            size, length = 2, (first - 192 << 8) + int.from_bytes(head[1:2], "big") + 192
        elif partial:
            size, length = 1, 1 << (first & 0x1F)
        else:
            size, length = 5, int.from_bytes(head[1:5], "big")
        start = min(at + size, len(data))
        at = min(start + length, len(data))
        pieces.append((start, at))
        if not partial or at >= len(data):
            break
    return tuple(pieces), at
