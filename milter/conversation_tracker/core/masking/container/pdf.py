"""PDF files (ISO 32000-1): their compressed streams, and the strings that a page shows.

Nothing here raises.
"""

import base64
import re
from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container import compressed, decompressing
from conversation_tracker.core.masking.container.budget import Unpacking

_MAGIC = b"%PDF-"
_NEAR = 1024  # octets that may stand before a file's first
_STREAM = re.compile(rb"stream\r?\n")
# Strings are shown between BT and ET only (section 9.4.1).
_TEXT_OBJECT = re.compile(rb"(?:\A|[\0\s])BT[\0\s(<\[/]")
_BINARY = bytes({*range(9), *range(14, 32), *range(127, 256)})
_HEAD = 4096
_PICTURE = re.compile(rb"/Subtype\s{0,9}/Image\b")
_MAX_PICTURE = 1024 * 1024  # octets of a picture that are looked at: nobody reads its dots
_ASCII85 = re.compile(rb"/(?:ASCII85Decode|A85)\b")
_HEXADECIMAL = re.compile(rb"/(?:ASCIIHexDecode|AHx)\b")
_NO_DIGIT = re.compile(rb"[^0-9A-Fa-f]+")
_SHOWN = re.compile(
    # A string that holds another one ends there.
    rb"\(((?>(?:[^()\\]|\\.)*))(?:\)|(?=\()|\Z)|<([0-9A-Fa-f\s]*)>|(\bT[jJdDm*](?![\w])|\bET\b|['\"])",
    re.DOTALL,
)
_PAIR = re.compile(rb"\\(?:([0-7]{1,3})|\r?\n|(.))", re.DOTALL)


def is_pdf(data: Octets) -> bool:
    """Whether data is a PDF file; what only speaks of one has no objects."""
    if _MAGIC not in data[:_NEAR]:
        return False
    return data.startswith(_MAGIC) or data.find(b"endobj") >= 0 or data.find(b"stream") >= 0


def open_pdf(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack a PDF file's streams (section 7.3.8), the beginning only of pictures."""
    at = 0
    while (begin := _STREAM.search(data, at)) is not None:
        if not unpacking.allows_another():
            return
        end = data.find(b"endstream", begin.end())
        end = end if end >= 0 else len(data)
        packed, start, last = data, begin.end(), end
        if _ASCII85.search(data, max(at, begin.start() - 512), begin.start()):
            packed = _decode_ascii85(data[start:end])
            start, last = 0, len(packed)
        elif _HEXADECIMAL.search(data, max(at, begin.start() - 512), begin.start()):
            packed = _decode_hex(_NO_DIGIT.sub(b"", data[start:end]))
            start, last = 0, len(packed)
        limit = unpacking.limit_for(last - start)
        if _PICTURE.search(data, max(at, data.rfind(b"obj", at, begin.start())), begin.start()):
            limit = min(limit, _MAX_PICTURE)
        at = end + len(b"endstream")
        yield unpacking.keep(_inflate(packed, start, last, limit))


def _decode_ascii85(packed: bytes) -> bytes:
    try:
        return base64.a85decode(packed.strip().removeprefix(b"<~").removesuffix(b"~>"))
    except ValueError:
        return packed


def _inflate(data: Octets, start: int, end: int, limit: int) -> Iterator[bytes]:
    """Decompress as much of a span as can be; what is not compressed stays."""
    nothing = True
    if compressed.is_zlib(data[start : start + 2]):
        for piece in decompressing.open_deflate(data, start + 2, end, limit):
            nothing = False
            yield piece
    if nothing:
        yield from iter_windows(data, start, min(end, start + limit))


def shows_text(content: Octets) -> bool:
    """Whether a stream is a page or objects, rather than a picture or a font."""
    if content.find(b"(") < 0 > content.find(b"<"):
        return False
    head = content[:_HEAD]
    mostly_text = len(head.translate(None, _BINARY)) >= len(head) * 0.8
    return mostly_text or _TEXT_OBJECT.search(content) is not None


def read_page(content: bytes) -> Iterator[bytes]:
    """Yield a page's text: all strings together, and parted where the position changes."""
    joined: list[bytes] = []
    parted: list[bytes] = []
    for match in _SHOWN.finditer(content):
        if match[3] is not None:
            parted.append(b"\n")
            continue
        text = _unescape(match[1]) if match[1] is not None else _decode_hex(match[2])
        joined.append(text)
        parted.append(text)
    yield b"".join(joined)
    yield b"".join(parted)


def _unescape(string: bytes) -> bytes:
    if b"\\" not in string:
        return string
    return _PAIR.sub(
        lambda m: bytes((int(m[1], 8) & 0xFF,)) if m[1] else m[2] or b"",
        string,
    )


def _decode_hex(digits: bytes) -> bytes:
    digits = b"".join(digits.split())
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
