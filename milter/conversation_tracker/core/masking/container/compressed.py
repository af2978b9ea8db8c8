"""Compressed files: gzip, zlib, bzip2, xz, lzma, lzip, Zstandard.

RFC 1950, 1952 and 8878. Streams that follow each other are one file to most programs, and what
stands behind the last one may be a file of its own. Nothing here raises.
"""

import re
import zlib
from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.container import decompressing
from conversation_tracker.core.masking.container.budget import Unpacking

GZIP = b"\x1f\x8b\x08"
BZIP2 = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
XZ = b"\xfd7zXZ\0"
LZIP = b"LZIP\x01"
PROBE = 512
"""Octets that tell whether something is compressed."""

ZSTANDARD = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")
_HEAD, _EXTRA, _NAME, _COMMENT, _SUM = 10, 4, 8, 16, 2
_TRAILER = 8
_LZIP_HEAD, _LZIP_TRAILER = 6, 20
_LZIP_PROPERTIES = b"\x5d\xff\xff\xff\xff"  # its window is no larger than what comes out
_NUL = b"\0"


def is_lzma(data: Octets) -> bool:
    """Whether data begins as an lzma file does, which has no magic number."""
    head = data[:13]
    if len(head) < 13 or head[0] >= 225:
        return False
    window, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:13], "little")
    low = window & -window
    usual = window >= 4096 and window in (low, low * 3, 2**32 - 1)
    return usual and (size == 2**64 - 1 or 0 < size < 2**38) and data[13:14] == b"\0"


def open_gzip(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack a gzip file: all its members joined, and what stands behind them."""
    return _open(data, unpacking, GZIP, open_gzip_member, _TRAILER)


def open_bzip2(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack a bzip2 file; as `open_gzip`."""
    return _open(data, unpacking, b"BZh", decompressing.open_bzip2)


def open_xz(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack an xz file; as `open_gzip`."""
    return _open(data, unpacking, XZ, decompressing.open_xz)


def open_lzip(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack an lzip file; as `open_gzip`."""
    return _open(data, unpacking, LZIP, _open_lzip_member, _LZIP_TRAILER)


def open_zstandard(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack a Zstandard file: all its frames joined."""
    if unpacking.allows_another():
        limit = unpacking.limit_for(len(data))
        yield unpacking.keep(decompressing.open_zstandard(data, 0, len(data), limit))


def open_lzma(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack an lzma file, as xz made them once."""
    limit = unpacking.limit_for(len(data))
    packed = decompressing.open_lzma(data, 13, len(data), limit, data[:5])
    if packed is not None and unpacking.allows_another():
        yield unpacking.keep(packed)


def open_zlib(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack octets that a program compressed with zlib and wrote as they are."""
    if unpacking.allows_another():
        limit = unpacking.limit_for(len(data))
        yield unpacking.keep(decompressing.open_deflate(data, 2, len(data), limit))


def is_zlib(data: Octets) -> bool:
    """Whether data begins as what zlib compresses does; one of a thousand other files does."""
    head = data[:2]
    return (
        len(head) == 2
        and head[0] & 0x0F == 8
        and head[0] >> 4 <= 7
        and not head[1] & 0x20
        and int.from_bytes(head, "big") % 31 == 0
    )


def is_surely_zlib(data: Octets) -> bool:
    """Whether data that begins so goes on so, as text that happens to begin so does not."""
    try:
        return bool(zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[2:PROBE], PROBE))
    except zlib.error:
        return False


def _open(
    data: Octets,
    unpacking: Unpacking,
    magic: bytes,
    opener: decompressing.Opener,
    trailer: int = 0,
) -> Iterator[Octets]:
    at = 0

    def unpack() -> Iterator[bytes]:
        nonlocal at
        left = unpacking.limit_for(len(data))
        while left > 0 and data.startswith(magic, at) and unpacking.allows_another():
            packed = opener(data, at, len(data), left)
            for piece in packed:
                left -= len(piece)
                yield piece
            if packed.end <= at:
                return
            at = _skip_padding(data, packed.end + trailer)

    yield unpacking.keep(unpack())
    if 0 < at < len(data) and unpacking.allows_another():
        yield unpacking.limits.store(iter([data[at:]]))


def _skip_padding(data: Octets, at: int) -> int:
    """Pass over null octets, with which tapes and xz fill up."""
    while data.startswith(_NUL, at):
        piece = data[at : at + 4096]
        at += len(piece) - len(piece.lstrip(_NUL))
    return at


def _open_lzip_member(data: Octets, start: int, end: int, limit: int) -> decompressing.Packed:
    packed = decompressing.open_lzma(data, start + _LZIP_HEAD, end, limit, _LZIP_PROPERTIES)
    assert packed is not None
    return packed


def open_gzip_member(data: Octets, start: int, end: int, limit: int) -> decompressing.Packed:
    """Decompress one member of a gzip file; arguments as of `Packed`."""
    return decompressing.open_deflate(data, _skip_header(data, start), end, limit)


def _skip_header(data: Octets, start: int) -> int:
    """Find where a gzip member's compressed octets begin (RFC 1952 section 2.3)."""
    flags = data[start + 3 : start + 4]
    if not flags:
        return len(data)
    at = start + _HEAD
    if flags[0] & _EXTRA:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for flag in (_NAME, _COMMENT):
        if flags[0] & flag:
            nul = data.find(_NUL, at)
            at = nul + 1 if nul >= 0 else len(data)
    return at + (2 if flags[0] & _SUM else 0)
