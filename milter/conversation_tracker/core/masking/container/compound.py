"""Compound files (MS-CFB): old Office documents, Outlook's messages, and many another program's.

A stream lies in sectors all over the file, so an address may be cut in two; here the sectors are
followed, and each stream is given whole. Chains that run in circles end. Nothing here raises.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from conversation_tracker.core.base.limits import EVERY
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.container.budget import Unpacking

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_HEAD = 512
_MOST_IN_HEAD = 109  # sectors of the table that the header names
_LAST = 0xFFFFFFFA  # from here on, numbers name no sector: end of a chain, free, and the like
_ENTRY = 128
_STREAM, _ROOT = 2, 5


@dataclass(frozen=True, slots=True)
class _CompoundFile:
    """A compound file with its table of sectors."""

    data: Octets
    shift: int
    table: tuple[int, ...]

    @property
    def size(self) -> int:
        """Octets of a sector."""
        return 1 << self.shift

    @property
    def most(self) -> int:
        """Sectors that the file can have."""
        return (len(self.data) >> self.shift) + 1

    def read_sector(self, number: int) -> bytes:
        at = (number + 1) << self.shift
        return self.data[at : at + self.size]


@dataclass(frozen=True, slots=True)
class _Small:
    """Where short streams lie: a stream by itself, and its table."""

    data: bytes
    table: tuple[int, ...]
    shift: int


def open_compound(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Yield the streams of a compound file, each whole."""
    head = data[:_HEAD]
    if len(head) < _HEAD:
        return
    shift, small_shift = struct.unpack_from("<HH", head, 30)
    if not 7 <= shift <= 16 or not 2 <= small_shift <= shift:
        return
    file = _CompoundFile(data, shift, ())
    file = _CompoundFile(data, shift, _read_table(file, head, unpacking))
    [first] = struct.unpack_from("<I", head, 48)
    least, first_small = struct.unpack_from("<II", head, 56)
    listed = b"".join(_follow_chain(file, first, unpacking))
    entries = [*_read_entries(listed)]
    small = None
    left = len(data)  # streams that share their sectors are of no program's making
    for kind, start, size in entries:
        if left <= 0 or not unpacking.allows_another():
            return
        if kind == _ROOT:
            table = _read_numbers(b"".join(_follow_chain(file, first_small, unpacking)))
            inner = b"".join(_follow_chain(file, start, unpacking, size))
            small = _Small(inner, table, small_shift)
            left -= len(inner)
        elif size >= least or small is None:
            content = unpacking.keep(_follow_chain(file, start, unpacking, min(size, left)))
            left -= len(content)
            yield content
        else:
            content = unpacking.keep(_follow_small_chain(small, start, size))
            left -= len(content)
            yield content


def _read_table(file: _CompoundFile, head: bytes, unpacking: Unpacking) -> tuple[int, ...]:
    """Read which sector follows which (section 2.3), in as many sectors as there can be."""
    sectors = [*struct.unpack_from(f"<{_MOST_IN_HEAD}I", head, 76)]
    [following] = struct.unpack_from("<I", head, 68)
    seen: set[int] = set()
    while following < _LAST and following not in seen and len(seen) < file.most:
        unpacking.limits.check()
        seen.add(following)
        *more, following = _read_numbers(file.read_sector(following)) or (_LAST,)
        sectors += more
    numbers: list[int] = []
    known: set[int] = set()
    for sector in sectors[: file.most]:
        if sector >= _LAST or sector in known:
            continue
        known.add(sector)
        numbers += _read_numbers(file.read_sector(sector))
    return tuple(numbers[: file.most])


def _follow_chain(
    file: _CompoundFile, first: int, unpacking: Unpacking, size: int | None = None
) -> Iterator[bytes]:
    """Go along a chain of sectors, never twice through one."""
    left = len(file.data) if size is None else min(size, len(file.data))
    seen: set[int] = set()
    number = first
    while number < _LAST and left > 0 and number not in seen:
        if not len(seen) % EVERY:
            unpacking.limits.check()
        seen.add(number)
        piece = file.read_sector(number)[:left]
        if not piece:
            return
        left -= len(piece)
        yield piece
        if number >= len(file.table):
            return
        number = file.table[number]


def _follow_small_chain(small: _Small, first: int, size: int) -> Iterator[bytes]:
    seen: set[int] = set()
    number, left = first, size
    while number < len(small.table) and left > 0 and number not in seen:
        seen.add(number)
        at = number << small.shift
        piece = small.data[at : at + min(left, 1 << small.shift)]
        left -= len(piece)
        yield piece
        number = small.table[number]


def _read_entries(listed: bytes) -> Iterator[tuple[int, int, int]]:
    """Return each stream's kind, first sector and size, the one that has the short ones first."""
    found = []
    for at in range(0, len(listed) - _ENTRY + 1, _ENTRY):
        kind = listed[at + 66]
        start, size = struct.unpack_from("<IQ", listed, at + 116)
        if kind in (_STREAM, _ROOT):
            # Version 3 leaves rubbish in the upper half of a size.
            found.append((kind, start, size & 0xFFFFFFFF))
    found.sort(key=lambda entry: entry[0] != _ROOT)
    return iter(found)


def _read_numbers(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])
