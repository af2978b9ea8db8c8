"""LZ4, Snappy and LZW for the final scan: words, and where words stood that come again.

Written apart from the masking code, and simply: of each block, as far as it goes. Nothing here
raises, but what asking for the time raises.
"""

from collections.abc import Callable, Iterator

LZ4, LZ4_LEGACY = b'\x04"M\x18', b"\x02!L\x18"
COMPRESS = b"\x1f\x9d"

MOST = 2 * 1024 * 1024
"""Octets that are read; twice as many may come out."""


def holds_chunks(data: bytes) -> bool:
    """Return whether data begins as the files inside Apple's documents do.

    Args:
        data: the content, or how it begins.
    """
    length = int.from_bytes(data[1:4], "little")
    return data[:1] == b"\0" and 0 < length <= 131_072 and data[4 + length : 5 + length] in b"\0"


def unpack_chunks(data: bytes, check: Callable[[], None]) -> bytes:
    """Unpack such a file: each chunk is Snappy.

    Args:
        data: its first `MOST` octets.
        check: raises when the time for the message is over.
    """
    out = bytearray()
    at = 0
    while data[at : at + 1] == b"\0" and len(out) < 2 * MOST:
        check()
        length = int.from_bytes(data[at + 1 : at + 4], "little")
        chunk = data[at + 4 : at + 4 + length]
        begin = next((n + 1 for n, each in enumerate(chunk[:5]) if each < 128), 5)
        out += _copy(_snappy(chunk, begin), b"")
        at += 4 + length
    return bytes(out)


def unpack_lz4(data: bytes, check: Callable[[], None]) -> bytes:
    """Unpack frames of LZ4 from the beginning of data on; arguments as above."""
    out = bytearray()
    at = 0
    while at < min(len(data), MOST) and len(out) < 2 * MOST:
        if data[at : at + 4] == LZ4:
            flags = data[at + 4] if at + 4 < len(data) else 0
            at += 7 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0)
            sums, legacy = 4 if flags & 16 else 0, False
            last = 4 if flags & 4 else 0
        elif data[at : at + 4] == LZ4_LEGACY:
            at, sums, last, legacy = at + 4, 0, 0, True
        else:
            break
        while at + 4 <= len(data) and len(out) < 2 * MOST:
            check()
            told = int.from_bytes(data[at : at + 4], "little")
            if legacy and data[at : at + 4] in (LZ4, LZ4_LEGACY):
                break
            at += 4
            if not told:
                at += last
                break
            block = data[at : at + (told & 0x7FFFFFFF)]
            at += len(block) + sums
            raw = told >> 31 and not legacy
            out += block if raw else _copy(_lz4(block), bytes(out[-65536:]))
    return bytes(out)


Step = tuple[bytes, int, int]
"""Octets as they are; then how far back the next ones stood, and how many these are."""


def _copy(steps: Iterator[Step], before: bytes) -> bytes:
    out = bytearray(before)
    for plain, back, times in steps:
        out += plain
        if not times:
            continue
        if not 0 < back <= len(out) or len(out) > 2 * MOST:
            break
        times = min(times, MOST)
        start = len(out) - back
        again = bytes(out[start : start + times])  # no more than is needed: back may be far
        while len(again) < times:
            again += again
        out += again[:times]
    return bytes(out[len(before) :])


def _lz4(block: bytes) -> Iterator[Step]:
    at = 0
    while at < len(block):
        token = block[at]
        plain, at = _count(block, at + 1, token >> 4)
        words, at = block[at : at + plain], at + plain
        back = int.from_bytes(block[at : at + 2], "little")
        if at + 2 > len(block):
            yield words, 0, 0
            return
        times, at = _count(block, at + 2, token & 15)
        yield words, back, times + 4


def _count(block: bytes, at: int, first: int) -> tuple[int, int]:
    total, more = first, first == 15
    while more and at < len(block):
        total += block[at]
        more, at = block[at] == 255, at + 1
    return total, at


def _snappy(chunk: bytes, at: int) -> Iterator[Step]:
    while at < len(chunk):
        tag, at = chunk[at], at + 1
        if not tag & 3:
            more = max(0, (tag >> 2) - 59)
            length = int.from_bytes(chunk[at : at + more], "little") if more else tag >> 2
            at += more
            yield chunk[at : at + length + 1], 0, 0
            at += length + 1
            continue
        octets = (0, 1, 2, 4)[tag & 3]
        back = int.from_bytes(chunk[at : at + octets], "little")
        at += octets
        if octets == 1:
            yield b"", back | tag >> 5 << 8, (tag >> 2 & 7) + 4
        else:
            yield b"", back, (tag >> 2) + 1


def unpack_compress(data: bytes, check: Callable[[], None]) -> bytes:
    """Unpack what `compress` made; arguments as above."""
    flags = data[2] if len(data) > 2 else 0
    codes = _iter_padded_codes(data[3:], max(9, min(flags & 31, 16)), clears=flags > 127)
    return _build(codes, 257 if flags > 127 else 256, check)


def unpack_lzw(data: bytes, check: Callable[[], None], *, late: bool = False) -> bytes:
    """Unpack a stream of a PDF file.

    Args:
        data: the stream.
        check: raises when the time for the message is over.
        late: whether a code gets one more bit only when it needs it.
    """
    return _build(_iter_codes(data[:MOST], early=not late), 258, check)


def _build(codes: Iterator[int], first: int, check: Callable[[], None]) -> bytes:
    """Put together what codes stand for: those from `first` on for more than one octet."""
    out, words, before = bytearray(), [bytes((n,)) for n in range(256)], b""
    words += [b""] * (first - 256)
    for turn, code in enumerate(codes):
        if not turn % 1024:
            check()
        if code == 256 and first > 256:
            del words[first:]
            before = b""
            continue
        if code > len(words) or len(out) > 2 * MOST or (code == len(words) and not before):
            break
        word = words[code] if code < len(words) else before + before[:1]
        if before:
            words.append(before + word[:1])
        out += word
        before = word
        if not word:  # the end
            break
    return bytes(out)


def _iter_codes(data: bytes, *, early: bool) -> Iterator[int]:
    held, bits, width, count = 0, 0, 9, 258 + early
    fresh = True
    for octet in data:
        held, bits = held << 8 | octet, bits + 8
        if bits < width:
            continue
        bits -= width
        code, held = held >> bits, held & (1 << bits) - 1
        yield code
        if code == 256:
            width, count, fresh = 9, 258 + early, True
            continue
        count += not fresh
        fresh = False
        width = max(width, min(count.bit_length(), 12))


def _iter_padded_codes(data: bytes, widest: int, *, clears: bool) -> Iterator[int]:
    """Yield codes that stand in groups of eight, with those behind left out when they widen."""
    at, width = 0, 9
    while at < len(data):
        count = (1 << width - 1) if width > 9 else 256 - clears
        fresh = width == 9
        cleared = False
        while at < len(data) and not cleared and (width == widest or count > 0):
            group = int.from_bytes(data[at : at + width], "little")
            many = (len(data[at : at + width]) * 8) // width
            at += width
            for n in range(many):
                code = group >> n * width & (1 << width) - 1
                yield code
                if clears and code == 256:
                    cleared = True
                    break
                count -= not fresh
                fresh = False
                if not count and width < widest:
                    break
        width = 9 if cleared else min(width + 1, widest)
