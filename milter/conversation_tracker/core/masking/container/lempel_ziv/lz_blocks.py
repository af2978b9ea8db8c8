"""Files of LZ4 frames, and of Snappy as Apple's Pages, Numbers and Keynote have inside.

Both write words as they are, and words that stood before as where these stand: so an address whose
domain was there before shows in two pieces. Nothing here raises.
"""

from collections.abc import Callable, Iterator

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.container.budget import Unpacking

LZ4 = b"\x04\x22\x4d\x18"
LZ4_OLD = b"\x02\x21\x4c\x18"

_MOST = 2 * 1024 * 1024  # octets of a file: the work is done step by step
_WINDOW = 64 * 1024  # octets that a block refers back to
_PLAIN, _SIZE = 1 << 31, (1 << 31) - 1
_INDEPENDENT, _BLOCK_SUM, _CONTENT_SIZE, _DICTIONARY = 0x20, 0x10, 0x08, 0x01
_LARGEST_CHUNK = 128 * 1024  # octets of Snappy; Apple's have 64 KiB at most, unpacked

_Decode = Callable[[bytes, bytearray, int], None]


def is_lz4(data: Octets) -> bool:
    """Whether data begins as an LZ4 file does, today's or the old kind."""
    return data.startswith((LZ4, LZ4_OLD))


def is_snappy(data: Octets) -> bool:
    """Whether data begins as Apple's files of Snappy do: a null and three octets of length."""
    if not data.startswith(b"\0"):
        return False
    size = int.from_bytes(data[1:4], "little")
    end = 4 + size
    chunk = 0 < size <= _LARGEST_CHUNK and end <= len(data)
    return chunk and (end == len(data) or data.startswith(b"\0", end))


def open_lz4(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Decompress an LZ4 file."""
    return _open(data, unpacking, _iter_lz4_blocks, _decode_lz4)


def open_snappy(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Decompress one of Apple's files."""
    return _open(data, unpacking, _iter_chunks, _decode_snappy)


_Block = tuple[bytes, bool, bool]
"""Its octets; whether they are as they were; whether it refers to those before."""


def _open(
    data: Octets,
    unpacking: Unpacking,
    split: Callable[[bytes], Iterator[_Block]],
    decode: _Decode,
) -> Iterator[Octets]:
    packed = data[:_MOST]
    if not unpacking.allows_another() or not unpacking.allows_text(len(packed)):
        return

    def unpack() -> Iterator[bytes]:
        left = unpacking.limit_for(len(packed))
        window = b""
        for block, plain, linked in split(packed):
            unpacking.limits.check()
            out = bytearray(window if linked else b"")
            begin = len(out)
            if plain:
                out += block
            else:
                decode(block, out, begin + left)
            yield bytes(out[begin:])
            left -= len(out) - begin
            if left <= 0:
                return
            window = bytes(out[-_WINDOW:])

    yield unpacking.keep(unpack())


def _iter_lz4_blocks(data: bytes) -> Iterator[_Block]:
    """Yield the blocks of all frames (LZ4 frame format, version 1.6.1)."""
    at = 0
    while data.startswith((LZ4, LZ4_OLD), at):
        old = data.startswith(LZ4_OLD, at)
        flags = 0 if old else (data[at + 4 : at + 5] or b"\0")[0]
        at += 4
        if not old:
            at += 3 + 8 * bool(flags & _CONTENT_SIZE) + 4 * bool(flags & _DICTIONARY)
        first = True
        while (size := int.from_bytes(data[at : at + 4], "little")) and at + 4 <= len(data):
            if old and data.startswith((LZ4, LZ4_OLD), at):
                break
            start, at = at + 4, at + 4 + (size & _SIZE)
            linked = not (old or first or flags & _INDEPENDENT)
            yield data[start:at], not old and size >= _PLAIN, linked
            first = False
            at += 4 * bool(flags & _BLOCK_SUM)
        else:
            at += 4 + 4 * bool(flags & 0x04)


def _iter_chunks(data: bytes) -> Iterator[_Block]:
    at = 0
    while data.startswith(b"\0", at) and at + 4 <= len(data):
        start, at = at + 4, at + 4 + int.from_bytes(data[at + 1 : at + 4], "little")
        yield data[start:at], False, False


def _decode_lz4(block: bytes, out: bytearray, most: int) -> None:
    """Decode a block as far as it goes: words, and places of words before."""
    at, end = 0, len(block)
    while at < end and len(out) < most:
        token, at = block[at], at + 1
        size, at = _read_length(block, token >> 4, at)
        out += block[at : at + min(size, most)]
        at += size
        if at + 2 > end:
            return
        back, at = block[at] | block[at + 1] << 8, at + 2
        size, at = _read_length(block, token & 15, at)
        if not _repeat(out, back, min(size + 4, most - len(out))):
            return


def _read_length(block: bytes, size: int, at: int) -> tuple[int, int]:
    if size == 15:
        while at < len(block):
            more, at = block[at], at + 1
            size += more
            if more < 255:
                break
    return size, at


def _decode_snappy(block: bytes, out: bytearray, most: int) -> None:
    at, end = 0, len(block)
    while at < end and block[at] & 0x80:  # the length, which what follows tells as well
        at += 1
    at += 1
    while at < end and len(out) < most:
        tag, at = block[at], at + 1
        kind, size = tag & 3, (tag >> 2) + 1
        if kind == 0:
            if size > 60:
                more = size - 60
                size, at = int.from_bytes(block[at : at + more], "little") + 1, at + more
            out += block[at : at + min(size, most)]
            at += size
            continue
        if kind == 1:
            low = int.from_bytes(block[at : at + 1], "little")
            size, back, at = (tag >> 2 & 7) + 4, tag >> 5 << 8 | low, at + 1
        else:
            width = 2 if kind == 2 else 4
            back, at = int.from_bytes(block[at : at + width], "little"), at + width
        if at > end or not _repeat(out, back, min(size, most - len(out))):
            return


def _repeat(out: bytearray, back: int, size: int) -> bool:
    """Write again what stood so far back; what goes on beyond the end is that again."""
    start = len(out) - back
    if back <= 0 or start < 0:
        return False
    piece = out[start : start + size]
    out += piece if len(piece) == size else (piece * (size // len(piece) + 1))[:size]
    return True
