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

from conversation_tracker.core.people import People

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
    rb"\(((?>(?:[^()\\]|\\.)*))\)|<([0-9A-Fa-f\s]*)>|(\bT[jJdDm*](?![\w])|\bET\b|['\"])", re.DOTALL
)
_PAIR = re.compile(rb"\\(?:([0-7]{1,3})|\r?\n|(.))", re.DOTALL)


@dataclass(slots=True)
class _Budget:
    """What may still be unpacked."""

    octets: int = MAX_TOTAL
    text: int = 4 * _MAX_TEXT
    members: int = MAX_MEMBERS


def is_one(data: bytes) -> bool:
    """Tell whether data is a zip file or a PDF file, whatever its type says."""
    return data.startswith(_ZIP) or _is_pdf(data)


def found(data: bytes, people: People) -> bool:
    """Tell whether a zip or PDF file holds one of the people's addresses.

    Args:
        data: the file.
        people: whom to look for.
    """
    return _held(data, people, _Budget(), 0)


def _is_pdf(data: bytes) -> bool:
    return b"%PDF-" in data[:1024]


def _held(data: bytes, people: People, budget: _Budget, depth: int) -> bool:
    if people.found(data):
        return True
    if data.startswith(_ZIP):
        if depth >= MAX_DEPTH:
            return False
        return any(_held(each, people, budget, depth + 1) for each in _members(data, budget))
    if _is_pdf(data):
        return any(_held_page(each, people, budget) for each in _streams(data, budget))
    if _MARKUP.match(data):
        budget.text -= len(data)
        return budget.text > 0 and any(people.found(text) for text in _texts(data))
    return False


def _texts(markup: bytes) -> Iterator[bytes]:
    """Give the text of a document's markup, which programs part into runs at will."""
    text = _TAG.sub(b"", _PARAGRAPH.sub(rb"\n\g<0>", markup))
    yield text
    if b"&" in markup:
        for each in (markup, text):
            yield html.unescape(each.decode("utf-8", "replace")).encode("utf-8", "replace")


def _members(data: bytes, budget: _Budget) -> Iterator[bytes]:
    """Unpack a zip file's members."""
    if data.count(_ENTRY) > MAX_MEMBERS:
        return
    try:
        file = zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN:
        return
    for info in file.infolist():
        budget.members -= 1
        if budget.members < 0 or budget.octets <= 0:
            return
        if info.compress_type in _METHODS and not info.flag_bits & 1:
            yield _unpacked(data, info, budget)


def _unpacked(data: bytes, info: zipfile.ZipInfo, budget: _Budget) -> bytes:
    """Unpack a member, whatever its checksum and sizes say (APPNOTE.TXT section 4.3.7)."""
    at = info.header_offset
    name, extra = (int.from_bytes(data[i : i + 2], "little") for i in (at + 26, at + 28))
    start = at + 30 + name + extra
    packed = data[start : start + info.compress_size]
    if info.compress_type == zipfile.ZIP_DEFLATED:
        limit = min(budget.octets, len(packed) * MAX_RATIO + _SLACK)
        packed = _inflated(packed, limit, -zlib.MAX_WBITS)
    budget.octets -= len(packed)
    return packed


def _streams(data: bytes, budget: _Budget) -> Iterator[bytes]:
    """Unpack a PDF file's compressed streams (ISO 32000-1 section 7.3.8)."""
    at = 0
    while (begin := _STREAM.search(data, at)) is not None:
        budget.members -= 1
        if budget.members < 0 or budget.octets <= 0:
            return
        end = data.find(b"endstream", begin.end())
        end = end if end >= 0 else len(data)
        packed = data[begin.end() : end]
        if _ASCII85.search(data, max(at, begin.start() - 512), begin.start()):
            packed = _from_ascii85(packed)
        limit = min(budget.octets, len(packed) * MAX_RATIO + _SLACK)
        if _PICTURE.search(data, max(at, data.rfind(b"obj", at, begin.start())), begin.start()):
            limit = min(limit, _MAX_PICTURE)
        at = end + len(b"endstream")
        content = _inflated(packed, limit)
        budget.octets -= len(content)
        yield content


def _from_ascii85(packed: bytes) -> bytes:
    try:
        return base64.a85decode(packed.strip().removeprefix(b"<~").removesuffix(b"~>"))
    except ValueError:
        return packed


def _inflated(packed: bytes, limit: int, bits: int = zlib.MAX_WBITS) -> bytes:
    """Decompress as much as can be, up to a limit; what is not compressed stays."""
    unpacker = zlib.decompressobj(bits)
    data = bytearray()
    try:
        for at in range(0, len(packed), _CHUNK):
            data += unpacker.decompress(packed[at : at + _CHUNK], limit - len(data))
            if len(data) >= limit or unpacker.eof:
                break
    except zlib.error:
        pass
    return bytes(data) or packed[:limit]


def _held_page(content: bytes, people: People, budget: _Budget) -> bool:
    if people.found(content):
        return True
    budget.text -= len(content)
    if budget.text < 0 or not (b"(" in content or b"<" in content):
        return False
    if _is_binary(content) and not _TEXT_OBJECT.search(content):
        return False
    return any(people.found(text) for text in _page_texts(content[:_MAX_TEXT]))


def _is_binary(content: bytes) -> bool:
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
