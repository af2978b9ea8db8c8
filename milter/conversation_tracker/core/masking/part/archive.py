r"""Zip files, the documents made of them, and PDF: unpacked to look for addresses, within limits.

What is compressed shows nothing as bytes. Nothing is written: a hit can only be reported, or the
whole file removed. Of a file over a limit, what lies within it is looked at; of an encrypted or
broken one, what can be read. The work is bounded by the limits, whatever a file says of itself.
Nothing here raises.
"""

import base64
import html
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from conversation_tracker.core.base.means import ENDLESS, LARGE, Means, Octets, windows
from conversation_tracker.core.masking.text.address_finder import People

MAX_TOTAL = 64 * 1024 * 1024
"""Octets unpacked of the files of one message that are looked at together."""
MAX_RATIO = 200
"""Octets unpacked for one octet packed."""
MAX_MEMBERS = 2_000
"""Files in an archive, or streams in a PDF file, those further inside included."""
MAX_DEPTH = 3
"""Archives inside each other."""

_MAX_TEXT = 4 * 1024 * 1024  # octets of one page or document that are read as text
_SLACK = 64 * 1024  # octets that any member may have, whatever its ratio
_CHUNK = 64 * 1024
_OVERLAP = 4096  # octets seen twice, so that nothing is hidden by where a window ends
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_ENTRY = b"PK\x01\x02"
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, KeyError)

_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,99}<[?!A-Za-z]")
_PARAGRAPH = re.compile(rb"</(?:\w+:)?(?:p|h|si|row|c|v|is|td|tr|li|div)>|<(?:\w+:)?(?:br|tab)\b")
_TAG = re.compile(rb"<[^<>]*>")
_STREAM = re.compile(rb"stream\r?\n")
# Strings are shown between BT and ET only (ISO 32000-1 section 9.4.1).
_TEXT_OBJECT = re.compile(rb"(?:\A|[\0\s])BT[\0\s(<\[/]")
_BINARY = bytes({*range(9), *range(14, 32), *range(127, 256)})
_HEAD = 4096
_PICTURE = re.compile(rb"/Subtype\s{0,9}/Image\b")
_MAX_PICTURE = 1024 * 1024  # octets of a picture that are looked at: nobody reads its dots
_ASCII85 = re.compile(rb"/(?:ASCII85Decode|A85)\b")
_SHOWN = re.compile(
    # A string that holds another one ends there.
    rb"\(((?>(?:[^()\\]|\\.)*))(?:\)|(?=\()|\Z)|<([0-9A-Fa-f\s]*)>|(\bT[jJdDm*](?![\w])|\bET\b|['\"])",
    re.DOTALL,
)
_PAIR = re.compile(rb"\\(?:([0-7]{1,3})|\r?\n|(.))", re.DOTALL)


class _File(io.RawIOBase):
    """Octets, as what reads files wants them."""

    def __init__(self, data: Octets) -> None:
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: len(self._data)}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        found = self._data[self._at : self._at + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


@dataclass(slots=True)
class Unpacking:
    """What may still be unpacked: one for all files of a message that are looked at together.

    Attributes:
        means: where to keep what is unpacked.
        octets: how many.
        text: octets that are read as text.
        members: files in archives and streams in PDF files.
    """

    means: Means = ENDLESS
    octets: int = MAX_TOTAL
    text: int = 4 * _MAX_TEXT
    members: int = MAX_MEMBERS


def is_one(data: Octets) -> bool:
    """Tell whether data is a zip file or a PDF file, whatever its type says."""
    return data.startswith(_ZIP) or _is_pdf(data)


def found(data: Octets, people: People, unpacking: Unpacking | None = None) -> bool:
    """Tell whether a zip or PDF file holds one of the people's addresses.

    Args:
        data: the file.
        people: whom to look for.
        unpacking: what may be unpacked, which gets less; None if this is the only file.
    """
    return _held(data, people, unpacking or Unpacking(), 0)


def _is_pdf(data: Octets) -> bool:
    return b"%PDF-" in data[:1024]


def _held(data: Octets, people: People, budget: Unpacking, depth: int) -> bool:
    if _seen(data, people):
        return True
    if data.startswith(_ZIP):
        if depth >= MAX_DEPTH:
            return False
        return any(_held(each, people, budget, depth + 1) for each in _members(data, budget))
    if _is_pdf(data):
        return any(_held_page(each, people, budget) for each in _streams(data, budget))
    if _MARKUP.match(data):
        budget.text -= len(data)
        return budget.text > 0 and any(
            people.found(text) for window in _windows(data) for text in _texts(window)
        )
    return False


def _seen(data: Octets, people: People) -> bool:
    return any(map(people.found, _windows(data)))


def _windows(data: Octets) -> Iterator[bytes]:
    """Go through octets in pieces, each beginning with the end of the one before."""
    before = b""
    for piece in windows(data, 0, len(data)):
        yield before + piece
        before = piece[-_OVERLAP:]


def _texts(markup: bytes) -> Iterator[bytes]:
    """Give the text of a document's markup, which programs part into runs at will."""
    text = _TAG.sub(b"", _PARAGRAPH.sub(rb"\n\g<0>", markup))
    yield text
    if b"&" in markup:
        for each in (markup, text):
            yield html.unescape(each.decode("utf-8", "replace")).encode("utf-8", "replace")


def _members(data: Octets, budget: Unpacking) -> Iterator[Octets]:
    """Unpack a zip file's members."""
    if sum(each.count(_ENTRY) for each in windows(data, 0, len(data))) > MAX_MEMBERS:
        return
    try:
        file = zipfile.ZipFile(io.BufferedReader(_File(data)))
    except _BROKEN:
        return
    for info in file.infolist():
        budget.members -= 1
        if budget.members < 0 or budget.octets <= 0:
            return
        if info.compress_type in _METHODS and not info.flag_bits & 1:
            yield _unpacked(data, info, budget)


def _unpacked(data: Octets, info: zipfile.ZipInfo, budget: Unpacking) -> Octets:
    """Unpack a member, whatever its checksum and sizes say (APPNOTE.TXT section 4.3.7)."""
    at = info.header_offset
    name, extra = (int.from_bytes(data[i : i + 2], "little") for i in (at + 26, at + 28))
    start = at + 30 + name + extra
    end = min(start + info.compress_size, len(data))
    if info.compress_type == zipfile.ZIP_DEFLATED:
        limit = min(budget.octets, max(0, end - start) * MAX_RATIO + _SLACK)
        content = _inflated(data, start, end, limit, budget.means, -zlib.MAX_WBITS)
    else:
        content = budget.means.store(windows(data, start, end))
    budget.octets -= len(content)
    return content


def _streams(data: Octets, budget: Unpacking) -> Iterator[Octets]:
    """Unpack a PDF file's compressed streams (ISO 32000-1 section 7.3.8)."""
    at = 0
    while (begin := _STREAM.search(data, at)) is not None:
        budget.members -= 1
        if budget.members < 0 or budget.octets <= 0:
            return
        end = data.find(b"endstream", begin.end())
        end = end if end >= 0 else len(data)
        packed, start, last = data, begin.end(), end
        if _ASCII85.search(data, max(at, begin.start() - 512), begin.start()):
            packed = _from_ascii85(data[start:end])
            start, last = 0, len(packed)
        limit = min(budget.octets, (last - start) * MAX_RATIO + _SLACK)
        if _PICTURE.search(data, max(at, data.rfind(b"obj", at, begin.start())), begin.start()):
            limit = min(limit, _MAX_PICTURE)
        at = end + len(b"endstream")
        content = _inflated(packed, start, last, limit, budget.means)
        budget.octets -= len(content)
        yield content


def _from_ascii85(packed: bytes) -> bytes:
    try:
        return base64.a85decode(packed.strip().removeprefix(b"<~").removesuffix(b"~>"))
    except ValueError:
        return packed


def _inflated(
    data: Octets, start: int, end: int, limit: int, means: Means, bits: int = zlib.MAX_WBITS
) -> Octets:
    """Decompress as much of a span as can be, up to a limit; what is not compressed stays."""
    content = means.store(_inflating(data, start, end, limit, bits))
    return content if len(content) else means.store(windows(data, start, min(end, start + limit)))


def _inflating(data: Octets, start: int, end: int, limit: int, bits: int) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(bits)
    packed = iter(windows(data, start, end, _CHUNK))
    left = b""
    while limit > 0 and not unpacker.eof:
        left = left or next(packed, b"")
        if not left:
            return
        try:
            piece = unpacker.decompress(left, min(limit, LARGE))
        except zlib.error:
            return
        left = unpacker.unconsumed_tail
        limit -= len(piece)
        yield piece


def _held_page(content: Octets, people: People, budget: Unpacking) -> bool:
    if _seen(content, people):
        return True
    budget.text -= len(content)
    if budget.text < 0 or content.find(b"(") < 0 > content.find(b"<"):
        return False
    if _is_binary(content) and not _TEXT_OBJECT.search(content):
        return False
    return any(people.found(text) for text in _page_texts(content[:_MAX_TEXT]))


def _is_binary(content: Octets) -> bool:
    """Tell whether a stream is an image or a font, rather than a page or objects."""
    head = content[:_HEAD]
    return len(head.translate(None, _BINARY)) < len(head) * 0.8


def _page_texts(content: bytes) -> Iterator[bytes]:
    """Give a page's text: all strings together, and parted where the position changes."""
    joined: list[bytes] = []
    parted: list[bytes] = []
    for match in _SHOWN.finditer(content):
        if match[3] is not None:
            parted.append(b"\n")
            continue
        text = _unescaped(match[1]) if match[1] is not None else _from_hex(match[2])
        joined.append(text)
        parted.append(text)
    yield b"".join(joined)
    yield b"".join(parted)


def _unescaped(string: bytes) -> bytes:
    if b"\\" not in string:
        return string
    return _PAIR.sub(
        lambda m: bytes((int(m[1], 8) & 0xFF,)) if m[1] else m[2] or b"",
        string,
    )


def _from_hex(digits: bytes) -> bytes:
    digits = b"".join(digits.split())
    return bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
