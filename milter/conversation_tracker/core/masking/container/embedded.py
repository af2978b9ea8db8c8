"""Compressed files inside other files: programs that unpack themselves, packages, images.

They are found by how they begin, wherever that is. Nothing here raises.
"""

from collections.abc import Iterator
from itertools import islice

from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container import compressed, decompressing, seven_zip
from conversation_tracker.core.masking.container.budget import Unpacking

BZIP2 = b"1AY&SY"
"""What stands in the beginning of each bzip2 file, and in no text."""

# Nobody looks in pictures for other files, and they are large and many.
_PICTURES = (b"\xff\xd8\xff", b"GIF8", b"\x89PNG\r\n")
_BEGINNINGS: dict[bytes, decompressing.Opener] = {
    compressed.GZIP: compressed.open_gzip_member,
    b"BZh": decompressing.open_bzip2,
    compressed.XZ: decompressing.open_xz,
    b"\x28\xb5\x2f\xfd": decompressing.open_zstandard,
}
_ZLIB = (b"\x78\x9c", b"\x78\xda", b"\x78\x01")
# Sound, film and pictures, which hold none: RIFF, Matroska, Ogg, MPEG; of those like MP4, the type.
_MEDIA = (b"RIFF", b"\x1aE\xdf\xa3", b"OggS", b"ID3", b"\xff\xfb", b"\0\0\1")
_NO_VALUES = (*_PICTURES, *_MEDIA)
_TYPE = b"ftyp"
_HEAD = 1024  # octets with a null in them, which no text has
_MOST_TRIED = 1_000  # places that may only look like it
_IS_BZIP2 = compressed.BZIP2.match
_MOST = 100  # of each kind
_SIZE_OF_BZIP2 = 10


def is_in(data: Octets) -> bool:
    """Whether something that may be compressed stands inside data."""
    marked = any(data.find(each) >= 0 for each in (*_BEGINNINGS, seven_zip.MAGIC))
    return marked or next(_find_values(data), None) is not None


def open_embedded(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Decompress what begins anywhere in a file but at its beginning."""
    if data.startswith(_PICTURES):
        return
    for beginning, opener in _BEGINNINGS.items():
        end = 1
        for at in islice(_places(data, beginning), _MOST):
            is_none = beginning == b"BZh" and not _IS_BZIP2(data[at : at + _SIZE_OF_BZIP2])
            if at < end or is_none:
                continue
            if not unpacking.allows_another():
                return
            packed = opener(data, at, len(data), unpacking.limit_for(len(data) - at))
            yield unpacking.keep(packed)
            end = packed.end
    yield from _inflate_values(data, unpacking)
    at = data.find(seven_zip.MAGIC, 1)
    if at > 0 and unpacking.allows_another():
        yield unpacking.limits.store(iter_windows(data, at, len(data)))


def _inflate_values(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Decompress what a program compressed with zlib, as values and records are."""
    for at in _find_values(data):
        if not unpacking.allows_another():
            return
        limit = unpacking.limit_for(len(data) - at)
        yield unpacking.keep(decompressing.open_deflate(data, at + 2, len(data), limit))


def _find_values(data: Octets) -> Iterator[int]:
    """Yield where something compressed stands, for each way to begin in turn."""
    if b"\0" not in data[:_HEAD] or data.startswith(_NO_VALUES) or data.startswith(_TYPE, 4):
        return
    for beginning in _ZLIB:
        for at in islice(_places(data, beginning), _MOST_TRIED):
            if compressed.is_surely_zlib(data[at : at + compressed.PROBE]):
                yield at


def _places(data: Octets, beginning: bytes) -> Iterator[int]:
    at = data.find(beginning, 1)
    while at >= 0:
        yield at
        at = data.find(beginning, at + 1)
