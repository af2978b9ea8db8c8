"""PDF files (ISO 32000-1): their streams, without filters and encryption, and what is between.

Nothing here raises.
"""

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container import compressed, decompressing
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.container.document import pdf_encryption, pdf_page

_MAGIC = b"%PDF-"
_NEAR = 1024  # octets that may stand before a file's first
_STREAM = re.compile(rb"stream\r?\n")
_PICTURE = re.compile(rb"/Subtype\s{0,9}/Image\b")
_MAX_PICTURE = 1024 * 1024  # octets of a picture that are looked at: nobody reads its dots
_ASCII85 = re.compile(rb"/(?:ASCII85Decode|A85)\b")
_HEXADECIMAL = re.compile(rb"/(?:ASCIIHexDecode|AHx)\b")
_NO_DIGIT = re.compile(rb"[^0-9A-Fa-f]+")
_BLANKS = b"\0\t\n\f\r "
_WINDOW = 64 * 1024  # octets that are decoded at once: what is made of them is many times larger
_CODED = re.compile(rb"<[0-9A-Fa-f\s]{16}|\\[0-3][0-7]{2}")  # a string in digits


def is_pdf(data: Octets) -> bool:
    """Whether data is a PDF file; what only speaks of one has no objects."""
    if _MAGIC not in data[:_NEAR]:
        return False
    return data.startswith(_MAGIC) or data.find(b"endobj") >= 0 or data.find(b"stream") >= 0


def open_pdf(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack a PDF file's streams (section 7.3.8), the beginning only of pictures.

    Last come the objects between them, if strings stand there that do not show as octets, as of
    who wrote it (section 14.3.3), or all if they were encrypted.
    """
    key = pdf_encryption.find_key(data)
    if key is not None:
        data = unpacking.keep(pdf_encryption.decrypt(data, key, unpacking.limits.check))
    at = 0
    between: list[tuple[int, int]] = []
    while (begin := _STREAM.search(data, at)) is not None:
        if not unpacking.allows_another():
            return
        between.append((at, begin.start()))
        end = data.find(b"endstream", begin.end())
        end = end if end >= 0 else len(data)
        packed, start, last = data, begin.end(), end
        decode = _find_decoder(data, max(at, begin.start() - 512), begin.start())
        if decode is not None:
            decoded = unpacking.keep(_decode(data, start, end, decode, unpacking))
            packed, start, last = (decoded, 0, len(decoded)) if len(decoded) else (data, start, end)
        limit = unpacking.limit_for(last - start)
        if _PICTURE.search(data, max(at, data.rfind(b"obj", at, begin.start())), begin.start()):
            limit = min(limit, _MAX_PICTURE)
        at = end + len(b"endstream")
        yield unpacking.keep(_inflate(packed, start, last, limit))
    between.append((at, len(data)))
    if key is not None or any(_CODED.search(data, *span) for span in between):
        yield unpacking.keep(piece for span in between for piece in iter_windows(data, *span))


_Decoder = tuple[Callable[[bytes], bytes], int, Callable[[bytes], bytes]]
"""Gives the digits alone of written octets; how many digits make a group; and decodes groups."""


def _find_decoder(data: Octets, start: int, end: int) -> _Decoder | None:
    """Return how a stream is decoded whose dictionary ends in a span; None if it is binary."""
    if _ASCII85.search(data, start, end):
        return _read_ascii85, 5, base64.a85decode
    if _HEXADECIMAL.search(data, start, end):
        return lambda written: _NO_DIGIT.sub(b"", written), 2, pdf_page.decode_hex
    return None


def _read_ascii85(written: bytes) -> bytes:
    """Return the digits of ASCII85 up to its end, a group of nulls written out."""
    written = written.translate(None, _BLANKS).removeprefix(b"<~")
    return written.partition(b"~")[0].replace(b"z", b"!!!!!")


def _decode(
    data: Octets, start: int, end: int, decoder: _Decoder, unpacking: Unpacking
) -> Iterator[bytes]:
    """Decode a span window by window, up to where it is broken."""
    read_digits, size, decode = decoder
    digits, left = b"", unpacking.octets
    for written in iter_windows(data, start, end, _WINDOW):
        unpacking.limits.check()
        digits += read_digits(written)
        whole = len(digits) - len(digits) % size
        try:
            piece = decode(digits[:whole])
        except ValueError:
            return
        digits = digits[whole:]
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return
    with suppress(ValueError):
        yield decode(digits)


def _inflate(data: Octets, start: int, end: int, limit: int) -> Iterator[bytes]:
    """Decompress as much of a span as can be; what is not compressed stays."""
    nothing = True
    if compressed.is_zlib(data[start : start + 2]):
        for piece in decompressing.open_deflate(data, start + 2, end, limit):
            nothing = False
            yield piece
    if nothing:
        yield from iter_windows(data, start, min(end, start + limit))
