"""PDF files (ISO 32000-1): their streams without filters, and what stands between.

Nothing here raises.
"""

import re
from binascii import unhexlify
from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container import compressed, decompressing
from conversation_tracker.core.masking.container.budget import Unpacking

_MAGIC = b"%PDF-"
_NEAR = 1024  # octets that may stand before a file's first
_STREAM = re.compile(rb"stream[ \t]{0,9}(?:\r\n?|\n)")  # most readers bear more than \r\n and \n
_PICTURE = re.compile(rb"/Subtype\s{0,9}/Image\b")
_MAX_PICTURE = 1024 * 1024  # octets of a picture that are looked at: nobody reads its dots
_DEFLATED = re.compile(rb"/Fl(?:ateDecode)?\b")
_ESCAPED = re.compile(rb"#([2-7][0-9A-Fa-f])")
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
    # Few messages need these.
    from conversation_tracker.core.masking.container.document import pdf_encryption, pdf_filters

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
        told = data[max(at, begin.start() - _NEAR) : begin.start()].rpartition(b"obj")[2]
        if b"#" in told:  # names may be escaped (section 7.3.5)
            told = _ESCAPED.sub(lambda found: unhexlify(found[1]), told)
        is_picture = _PICTURE.search(told) is not None
        decoded = None if is_picture else pdf_filters.decode(data, (start, end), told, unpacking)
        if decoded is not None:
            packed, start, last = decoded, 0, len(decoded)
        limit = unpacking.limit_for(last - start)
        if is_picture:
            limit = min(limit, _MAX_PICTURE)
        at = end + len(b"endstream")
        sure = _DEFLATED.search(told) is not None
        yield unpacking.keep(_inflate(packed, start, last, limit, sure=sure))
    between.append((at, len(data)))
    if key is not None or any(_CODED.search(data, *span) for span in between):
        yield unpacking.keep(piece for span in between for piece in iter_windows(data, *span))


def _inflate(data: Octets, start: int, end: int, limit: int, *, sure: bool) -> Iterator[bytes]:
    """Decompress as much of a span as can be; what is not compressed stays.

    Of some that is not, a few octets come out, too: so it follows, if its dictionary is not sure.
    """
    nothing = True
    if compressed.is_zlib(data[start : start + 2]):
        for piece in decompressing.open_deflate(data, start + 2, end, limit):
            nothing = False
            yield piece
    if nothing or not sure:
        yield b"" if nothing else b"\n"
        yield from iter_windows(data, start, min(end, start + limit))
