"""How files begin in which something is packed, for the final scan: what is worth carving.

Written apart from the masking code. Nothing here raises.
"""

import zlib
from collections.abc import Iterator
from contextlib import suppress

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.scanning import documents, packets, sectors, tables
from conversation_tracker.core.scanning.back_references import COMPRESS, LZ4, LZ4_LEGACY
from conversation_tracker.core.scanning.text import lettered

ZIP, GZIP, SEVEN, STREAM, RTF = (
    b"PK\3\4",
    b"\x1f\x8b\x08",
    b"7z\xbc\xaf\x27\x1c",
    b"stream",
    b"LZFu",
)
BZIP, XZ, ZSTANDARD = b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
BEGINNINGS = (GZIP, BZIP, XZ, ZSTANDARD, ZIP, SEVEN, RTF, STREAM)
"""What begins wherever it stands."""
COMPRESSED_DATA = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09"  # RFC 3274
PNG, LZIP = b"\x89PNG", b"LZIP\1"
_PICTURES = (b"\xff\xd8\xff", b"GIF8")  # large and many, and nobody looks for files in them
_PDF = b"%PDF-"
_ZLIB = (b"\x78\x01", b"\x78\x9c", b"\x78\xda")
_MEDIA = (b"\0\0\1", b"RIFF", b"ID3", b"\xff\xfb", b"OggS", b"\x1aE\xdf\xa3")
_NO_RECORDS = (*_PICTURES, *_MEDIA, PNG)
_BEGINNING = 1024
_MOST_TRIED = 1_000
_END_OF_ZIP = b"PK\5\6"
FILES = (
    *(LZ4, LZ4_LEGACY, COMPRESS, GZIP, BZIP, XZ, ZSTANDARD, b"PK", SEVEN, sectors.MAGIC, b"%PDF"),
    *(b"!<arch>\n", b"\x78\x9f\x3e\x22", b"\x5d\0", tables.SQLITE, tables.CABINET, LZIP),
    *(bytes((n,)) + b"\x2a\x4d\x18" for n in range(0x50, 0x60)),
)
"""How such files begin."""


def is_file(data: Octets) -> bool:
    """Whether data is a file in which something may be packed, whatever is said of it."""
    if data.startswith(FILES):
        return True
    head = data[:2]
    if head[:1] == b"\x78" and len(head) == 2 and not int.from_bytes(head, "big") % 31:
        return True
    if data[257:262] == b"ustar" or COMPRESSED_DATA in data[:64] or _PDF in data[:1024]:
        return True
    return data.rfind(_END_OF_ZIP, max(0, len(data) - 65557)) >= 0


def has_file(data: Octets) -> bool:
    """Whether data is such a file, or has one inside."""
    if is_file(data) or data.startswith(PNG) or packets.unpack(data)[0]:
        return True
    midst = (GZIP, BZIP, XZ, ZSTANDARD, SEVEN)
    if not data.startswith(_PICTURES) and any(data.find(each) >= 0 for each in midst):
        return True
    return next(iter_deflated(data), None) is not None


def may_hold_more(data: Octets) -> bool:
    """Return, cheaply, whether more may be read in data than stands there: what `carving` finds."""
    if has_file(data) or documents.is_document(data) or is_deflated(data) or data[:1] == b"\x5d":
        return True
    # Many programs hold the word of a PDF's streams: without its header there is none.
    midst = (ZIP, RTF, _PDF, tables.CABINET, *lettered.MARKS)
    return not data.startswith(_PICTURES) and any(data.find(each) >= 0 for each in midst)


def iter_deflated(data: Octets) -> Iterator[int]:
    """Yield where something stands in an unknown file that zlib compressed, a value or record."""
    head = data[:_BEGINNING]
    if b"\0" not in head or head.startswith(_NO_RECORDS) or head[4:8] == b"ftyp" or is_file(data):
        return
    for mark in _ZLIB:
        at = data.find(mark, 1)
        for _ in range(_MOST_TRIED):
            if at < 0:
                break
            with suppress(zlib.error):
                if zlib.decompressobj(-15).decompress(data[at + 2 : at + 500], 500):
                    yield at
            at = data.find(mark, at + 2)


def is_deflated(data: Octets) -> bool:
    """Return whether data begins as Deflate with a header does (RFC 1950), whatever its window."""
    head = data[:2]
    return len(head) == 2 and head[0] & 15 == 8 and not int.from_bytes(head, "big") % 31
