"""Files in small pieces, for the final scan: rows of SQLite, blocks of cabinets, names in tar.

Written apart from the masking code. Nothing here raises.
"""

import zlib
from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets

SQLITE, CABINET = b"SQLite format 3\0", b"MSCF\0\0\0\0"
TAR = b"ustar"
"""What stands in the header of each file in a tar file, 257 octets behind its beginning."""

_TREES = {13: 8, 10: 8, 2: 12}  # kinds of pages with rows in them, and where these are listed
_WIDTHS = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0]
_BLOCK_SIGN, _WINDOW = b"CK", 32_768
_MOST_BLOCKS = _MOST_HEADERS = 2_000
_NAMES = (slice(0, 100), slice(157, 257), slice(265, 297), slice(297, 345), slice(345, 512))


def find_names(data: Octets) -> Iterator[bytes]:
    """Yield the names in a tar file's headers, which nothing parts from other fields."""
    at = data.find(TAR)
    for _ in range(_MOST_HEADERS):
        if at < 0:
            return
        head = data[max(0, at - 257) : at + 255]
        yield from (head[each] for each in _NAMES)
        at = data.find(TAR, at + 5)


def find_pages(data: Octets) -> Iterator[bytes]:
    """Yield the pages of a database, each whole."""
    size = int.from_bytes(data[16:18], "big")
    size = 0x10000 if size == 1 else size
    if size >= 512:
        for at in range(0, len(data), size):
            yield data[at : at + size]


def find_cells(data: Octets) -> Iterator[bytes]:
    """Yield the texts in a database's rows, one to a line."""
    for number, page in enumerate(find_pages(data)):
        tree = page[0 if number else 100 :][:1]
        rows = _TREES.get(tree[0] if tree else 0)
        if rows is not None:
            lines = b"\n".join(_split_rows(page, rows + (0 if number else 100), tree[0]))
            yield lines + b"\n"


def _split_rows(page: bytes, listed: int, kind: int) -> Iterator[bytes]:
    budget = 2 * len(page)  # pages may list the same row many times
    count_at = listed - (9 if kind == 2 else 5)
    count = int.from_bytes(page[count_at : count_at + 2], "big")
    for number in range(count):
        at = int.from_bytes(page[listed + 2 * number : listed + 2 * number + 2], "big")
        if budget <= 0 or not at:
            return
        at += 4 if kind == 2 else 0
        for _ in range(2 if kind == 13 else 1):
            at = _varint(page, at)[1]
        size, types = _varint(page, at)
        value = at + size
        while types < value <= len(page) and types < at + size and budget > 0:
            code, types = _varint(page, types)
            width = (code - 12) >> 1 if code > 11 else _WIDTHS[code]
            if code > 11:
                yield page[value : value + min(width, budget)]
            budget -= 1 + min(width, len(page))
            value += width
        budget -= 1


def _varint(page: bytes, at: int) -> tuple[int, int]:
    value, end = 0, at + 9
    while at < end:
        octet = page[at] if at < len(page) else 0
        value, at = (value << 7) + (octet & 127), at + 1
        if octet < 128:
            break
    return value, at


def inflate_blocks(data: Octets, start: int, limit: int) -> Iterator[bytes]:
    """Yield what the blocks of a cabinet file inflate to, each with the one before it in mind.

    Args:
        data: where it stands.
        start: where it begins.
        limit: how many octets may come out.
    """
    at, last, tries = data.find(_BLOCK_SIGN, start), b"", 0
    while at >= 0 and limit > 0 and tries < _MOST_BLOCKS:
        tries += 1
        packed = data[at + 2 : at + 2 + 2 * _WINDOW]
        try:
            last = zlib.decompressobj(-15, last).decompress(packed, _WINDOW)
        except zlib.error:
            at = data.find(_BLOCK_SIGN, at + 1)
            continue
        limit -= len(last)
        yield last
        at = data.find(_BLOCK_SIGN, at + 2)
