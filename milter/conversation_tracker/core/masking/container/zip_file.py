"""Zip files and the documents made of them (APPNOTE.TXT), wherever in a file they begin.

Members are unpacked whatever their check sums and sizes say, and found by their own headers where
the directory is broken or missing. Encrypted ones stay closed; names stand in clear. Nothing here
raises.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from conversation_tracker.core.base.limits import EVERY
from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container import decompressing
from conversation_tracker.core.masking.container.budget import Unpacking

MAGIC = (b"PK\x03\x04", b"PK\x05\x06", b"PK00PK\x03\x04", b"PK\x07\x08PK\x03\x04")

_LOCAL, _ENTRY, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_LOCAL_SIZE, _ENTRY_SIZE, _END_SIZE = 30, 46, 22
_TAIL = 65535 + _END_SIZE  # octets in which the end record begins, with a comment behind it
_ENCRYPTED = 1
_UNKNOWN = (0, 0xFFFFFFFF)
# Flags, method, packed size, three sizes of what stands behind, where the member begins.
_READ_ENTRY = struct.Struct("<8xHH8xI4xHHH8xI").unpack
_STORED, _DEFLATED, _BZIP2, _LZMA, _ZSTANDARD, _XZ = 0, 8, 12, 14, 93, 95
_OPENERS: dict[int, decompressing.Opener] = {
    _DEFLATED: decompressing.open_deflate,
    _BZIP2: decompressing.open_bzip2,
    _ZSTANDARD: decompressing.open_zstandard,
    _XZ: decompressing.open_xz,
}


@dataclass(frozen=True, slots=True)
class _Member:
    method: int
    flags: int
    packed: int
    at: int


def is_zip(data: Octets) -> bool:
    """Whether data is a zip file, or ends as one that something else stands before."""
    return data.startswith(MAGIC) or _find_end(data) is not None


def open_zip(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack a zip file's members, those that something unknown compressed apart."""
    left = 2 * len(data) + 1024  # members that share their octets are no file's of good faith
    for member in _iter_members(data, unpacking.limits.check):
        if left < 0 or not unpacking.allows_another():
            return
        span = _find_span(data, member)
        left -= span[1] - span[0]
        if member.flags & _ENCRYPTED or span[0] > span[1]:
            continue
        if member.method == _STORED:
            yield unpacking.limits.store(iter_windows(data, *span))
        elif (packed := _decompress(data, member.method, span, unpacking)) is not None:
            yield unpacking.keep(packed)


def _decompress(
    data: Octets, method: int, span: tuple[int, int], unpacking: Unpacking
) -> decompressing.Packed | None:
    start, end = span
    limit = unpacking.limit_for(end - start)
    if method == _LZMA:  # section 5.8.8: version, size of the properties, and these
        size = int.from_bytes(data[start + 2 : start + 4], "little")
        properties = data[start + 4 : start + 4 + size]
        return decompressing.open_lzma(data, start + 4 + size, end, limit, properties)
    opener = _OPENERS.get(method)
    return opener(data, start, end, limit) if opener is not None else None


def _find_span(data: Octets, member: _Member) -> tuple[int, int]:
    """Find a member's packed octets, behind its local header (section 4.3.7)."""
    name, extra = (
        int.from_bytes(data[at : at + 2], "little") for at in (member.at + 26, member.at + 28)
    )
    start = member.at + _LOCAL_SIZE + name + extra
    if member.packed not in _UNKNOWN:
        return start, min(start + member.packed, len(data))
    # What streams were written to knows the size behind the octets only.
    following = data.find(_LOCAL, start)
    return start, following if following >= 0 else len(data)


def _iter_members(data: Octets, check: Callable[[], None]) -> Iterator[_Member]:
    end = _find_end(data)
    found = False
    for member in _read_directory(data, end, check) if end is not None else ():
        found = True
        yield member
    if not found:
        yield from _read_local_headers(data)


def _find_end(data: Octets) -> int | None:
    """Find the end record, behind the directory."""
    at = data.rfind(_END, max(0, len(data) - _TAIL))
    if at < 0 or len(data) - at < _END_SIZE:
        return None
    return at


def _read_directory(data: Octets, end: int, check: Callable[[], None]) -> Iterator[_Member]:
    """Yield the directory (section 4.3.12), shifted by what stands before the file."""
    record = data[end : end + _END_SIZE]
    size, offset = (int.from_bytes(record[at : at + 4], "little") for at in (12, 16))
    at = end - size
    shift = at - offset
    if at < 0 or not data.startswith(_ENTRY, at):
        # The directory of a file over 4 GB has one more record between; or it is broken.
        at, shift = data.find(_ENTRY), 0
    steps = 0
    while at >= 0 and data.startswith(_ENTRY, at):
        if not (steps := steps + 1) % EVERY:
            check()
        entry = data[at : at + _ENTRY_SIZE]
        if len(entry) < _ENTRY_SIZE:
            return
        flags, method, packed, *behind, begin = _READ_ENTRY(entry)
        if data.startswith(_LOCAL, begin + shift):
            begin += shift
        if data.startswith(_LOCAL, begin):
            yield _Member(method, flags, packed, begin)
        at += _ENTRY_SIZE + sum(behind)


def _read_local_headers(data: Octets) -> Iterator[_Member]:
    """Yield the members by their own headers."""
    at = data.find(_LOCAL)
    while at >= 0:
        head = data[at : at + _LOCAL_SIZE]
        flags, method = (int.from_bytes(head[i : i + 2], "little") for i in (6, 8))
        packed = int.from_bytes(head[18:22], "little")
        yield _Member(method, flags, packed, at)
        step = packed if packed not in _UNKNOWN and at + packed < len(data) else 0
        at = data.find(_LOCAL, at + _LOCAL_SIZE + step)
