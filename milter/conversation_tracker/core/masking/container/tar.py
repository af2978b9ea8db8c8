"""Tar files (POSIX.1-2017, pax) and Unix archives (ar): the files in them, one behind the other.

What is not compressed in them is found without this; here is what lies in files inside. Nothing
here raises.
"""

import re
from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container.budget import Unpacking

AR = b"!<arch>\n"

_BLOCK = 512
_SUM = slice(148, 156)
# Names of a file, of what it links to, of its owners, and of its folder: nothing parts these.
_NAMES = ((0, 100), (157, 257), (265, 297), (297, 329), (345, 500))
_SIZE = slice(124, 136)
_OCTAL = re.compile(rb"[ 0]*([0-7]*)[ \0]*")
_POSITIVE = bytes(range(0x80))  # octets with a sign that are no less than none
_AR_HEAD = 60
_DECIMAL = re.compile(rb"\s*([0-9]{1,12})\s*")


def is_tar(data: Octets) -> bool:
    """Whether data begins with the header of a file in a tar file."""
    head = data[:_BLOCK]
    return len(head) == _BLOCK and _is_header(head)


def open_tar(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Yield the files in a tar file, and of each header the names in it."""
    at = 0
    while at + _BLOCK <= len(data):
        head = data[at : at + _BLOCK]
        if not _is_header(head):  # the end, or octets that got lost
            at += _BLOCK
            unpacking.limits.check()
            continue
        if not unpacking.allows_another():
            return
        if b"@" in head:
            yield b"\n".join([head[start:end] for start, end in _NAMES])
        size = _read_size(head[_SIZE])
        start, end = at + _BLOCK, min(at + _BLOCK + size, len(data))
        if start < end:
            yield unpacking.limits.store(iter_windows(data, start, end))
        at = start + -(-size // _BLOCK) * _BLOCK


def open_ar(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Yield the files in a Unix archive, as Debian's packages are."""
    at = len(AR)
    while at + _AR_HEAD <= len(data) and unpacking.allows_another():
        size = _DECIMAL.match(data[at + 48 : at + 58])
        if size is None:
            return
        start = at + _AR_HEAD
        end = min(start + int(size[1]), len(data))
        yield unpacking.limits.store(iter_windows(data, start, end))
        at = end + (end & 1)


def _is_header(head: bytes) -> bool:
    """Whether a block's check sum is right, counted with or without signs."""
    wanted = _OCTAL.match(head[_SUM])
    if wanted is None or not wanted[1]:
        return False
    rest = head[:148] + b" " * 8 + head[156:]
    total = sum(rest)
    signed = total - 256 * len(rest.translate(None, _POSITIVE))
    return int(wanted[1], 8) in (total, signed)


def _read_size(field: bytes) -> int:
    """Read a file's size: octal digits, or what GNU tar writes of large ones."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    digits = _OCTAL.match(field)
    return int(digits[1], 8) if digits is not None and digits[1] else 0
