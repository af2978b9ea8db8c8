"""SQLite databases: the values in their pages, each by itself (its file format, sections 1.6, 2.1).

In a page one value touches the next, and a number that is written as a letter touches the first:
among the octets alone, an address looks like somebody else's. Nothing here raises.
"""

from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets

MAGIC = b"SQLite format 3\0"

_HEAD = 100  # octets of the file's header, in its first page
_LEAF_TABLE, _LEAF_INDEX, _INNER_INDEX = 13, 10, 2
_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0)
_FIRST_BLOB = 12
_VARINT = 9  # octets at most


def find_page_size(data: Octets) -> int:
    """Return the octets of a page; 0 if the file says none that can be."""
    size = int.from_bytes(data[16:18], "big")
    size = 65536 if size == 1 else size
    return 0 if size < 512 or size & (size - 1) else size


def read_pages(data: Octets) -> Iterator[bytes]:
    """Yield the pages as of long values.

    Each begins with the number of the next page, and may interrupt a text.
    """
    if size := find_page_size(data):
        for at in range(0, len(data), size):
            yield data[at + 4 : at + size]


def read_values(data: Octets) -> Iterator[bytes]:
    """Yield the values of the rows in each page, a line end behind each.

    No page gives more than its own octets, whatever it says of itself.
    """
    if size := find_page_size(data):
        for at in range(0, len(data), size):
            yield from _read_page(data[at : at + size], 0 if at else _HEAD)


def _read_page(page: bytes, start: int) -> Iterator[bytes]:
    kind = page[start] if start < len(page) else 0
    if kind not in (_LEAF_TABLE, _LEAF_INDEX, _INNER_INDEX):
        return
    head = start + (12 if kind == _INNER_INDEX else 8)
    left = len(page)
    for at in range(head, head + 2 * int.from_bytes(page[start + 3 : start + 5], "big"), 2):
        place = int.from_bytes(page[at : at + 2], "big")
        if left <= 0 or not head <= place < len(page):
            return
        _, place = _read_number(page, place + 4 * (kind == _INNER_INDEX))  # octets of all
        if kind == _LEAF_TABLE:
            _, place = _read_number(page, place)  # the row's number
        for value in _read_row(page, place, left):
            left -= len(value) + 1
            yield value + b"\n"
        left -= 1


def _read_row(page: bytes, start: int, most: int) -> Iterator[bytes]:
    size, at = _read_number(page, start)
    end = place = start + size
    while at < min(end, len(page)) and most > 0:
        kind, at = _read_number(page, at)
        octets = (kind - _FIRST_BLOB) // 2 if kind >= _FIRST_BLOB else _SIZES[kind]
        value = page[place : place + min(octets, most)]
        place += octets
        most -= len(value) + 1
        yield value if kind >= _FIRST_BLOB else b""


def _read_number(page: bytes, at: int) -> tuple[int, int]:
    """Read a number of one to nine octets; give it, and what is behind."""
    number = 0
    for octet in page[at : at + _VARINT]:
        at += 1
        number = number << 7 | octet & 0x7F
        if octet < 0x80:
            break
    return number, max(at, 1)
