"""The texts of documents, for the final scan: pages of PDF, markup, RTF, letters, Excel's records.

Written apart from the masking code. Each reading costs time linear in its size. Nothing here
raises.
"""

import html
import quopri
import re
from binascii import unhexlify
from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.scanning.parts import is_message
from conversation_tracker.core.scanning.text import decodings

MOST = 4 * 1024 * 1024
"""Octets of a document that are read as text."""

_MARK = re.compile(rb"\s*(?:\xef\xbb\xbf)?<[?!a-zA-Z]")
_WIDE = (b"\xff\xfe", b"\xfe\xff")
_TAG = re.compile(rb"<[^<>]*>")
_BORDER = re.compile(rb"<(?=/?(?:\w+:)?(?:p|h|si|row|c|v|is|t[dr]|li|div|br|tab)\b)")
# A number of many digits is too long for Python.
_ZEROS, _NO_CHARACTER = re.compile(rb"&#0+(?=[0-9])"), re.compile(rb"&#[0-9]{8,}+;?")
_CODE = re.compile(rb"\\'([0-9a-f]{2})|\\u(\d{1,5}) ?\??|\\[a-z]{1,32}-?\d{0,9} ?|[{}\r\n]", re.I)
# Each begins with a character, and not with what is before it: so it is found at many times the
# speed among octets that are no page.
_STRING = re.compile(
    rb"\((?<!\\\()((?>[^()\\]*+(?>(?:\\.[^()\\]*+)*)))\)|<([0-9a-fA-F\s]{2,})>|(T[dDm*]\b|ET\b)",
    re.DOTALL,
)
_SHOWING = re.compile(rb"BT(?<![^\0\s]BT)[\0\s/(<\[]")
_NO_TEXT = bytes({*range(9), *range(14, 32), *range(127, 256)})
_BEGINNING = 4096
_BASED = re.compile(
    rb"base64[ \t]*\r?\n(?>(?:[!-9;-~]++:[^\n]*+\n|[ \t][^\n]*+\n)*)\r?\n([A-Za-z0-9+/=\s]++)"
)
_OCTAL = re.compile(rb"\\([0-7]{3})|\\(.)", re.DOTALL)
_SHORT_NAMES = bytes.maketrans(b"nrtbf", b"\n\r\t\b\f")
_CONTINUED = re.compile(rb"\x3c\0.[\0-\x20][\0\1]", re.DOTALL)
_KNOWN = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    b"\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
    b"\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def is_document(data: Octets) -> bool:
    """Whether data is text with marks, or a letter."""
    marked = _MARK.match(data) is not None or data.startswith((b"{\\rt", *_WIDE))
    return marked or is_message(data)


def iter_texts(data: Octets) -> Iterator[bytes]:
    """Yield what a document's text reads as without its marks."""
    text = data[:MOST]
    if text.startswith(_WIDE):
        text = text.decode("utf-16", "replace").encode("utf-8", "replace")
        yield text
    if _MARK.match(text) is not None:
        shown = _TAG.sub(b"", _BORDER.sub(b"\n<", text))
        yield shown
        if b"&" in text:
            for each in (text, shown):
                plain = _NO_CHARACTER.sub(b" ", _ZEROS.sub(b"&#", each)).decode("utf-8", "replace")
                yield html.unescape(plain).encode("utf-8", "replace")
    elif text.startswith(b"{\\rt"):
        yield _CODE.sub(_decode_hex, text)
    else:
        yield quopri.decodestring(text)
        for block in _BASED.findall(text):
            yield decodings.decode_base64(block)


def read_records(data: bytes) -> bytes:
    """Take out what parts a string of an Excel sheet that goes on in the next record."""
    return _CONTINUED.sub(b"", data)


def read_rich_text(packed: bytes, most: int) -> bytes:
    """Decompress RTF as Outlook does: literals, and pieces of the last 4,096 octets.

    Args:
        packed: what stands behind the mark and the check sum.
        most: octets that may come out.
    """
    out = bytearray(_KNOWN)
    at = 0
    while at < len(packed) and len(out) < len(_KNOWN) + most:
        flags, at = packed[at], at + 1
        for bit in range(8):
            if not flags & 1 << bit:
                out += packed[at : at + 1]
                at += 1
                continue
            pair, at = int.from_bytes(packed[at : at + 2], "big"), at + 2
            back = (len(out) - (pair >> 4)) & 4095
            if not 0 < back <= len(out) or at > len(packed):
                at = len(packed)
                break
            for _ in range((pair & 15) + 2):
                out.append(out[-back])
    return bytes(out[len(_KNOWN) :])


def decode_ascii85(text: bytes) -> bytes:
    """Decode the digits of a stream of a PDF file, whatever else is among them."""
    digits = text.strip().removesuffix(b"~>").translate(None, b" \t\r\n\0\f")
    out = bytearray()
    for at in range(0, len(digits), 5):
        group = digits[at : at + 5]
        number = 0
        for digit in group.ljust(5, b"u"):
            number = number * 85 + (digit - 33) % 85
        out += (number & 0xFFFFFFFF).to_bytes(4, "big")[: len(group) - 1]
    return bytes(out)


def from_digits(text: bytes) -> bytes:
    """Decode hexadecimal digits up to the `>` behind them."""
    return _decode_digits(text.partition(b">")[0])


def is_page(content: Octets) -> bool:
    """Whether a stream of a PDF file may show strings, rather than be a picture or a font.

    Half of what begins it is text, as of titles in UTF-16, or an object that shows some begins in
    it.
    """
    head = content[:_BEGINNING]
    text = len(head.translate(None, _NO_TEXT)) * 20 >= len(head) * 9
    return text or _SHOWING.search(content[:MOST]) is not None


def read_page(content: Octets) -> Octets:
    """Return a page with the strings it shows behind it, joined and where they stand apart."""
    text = content[:MOST]
    if b"(" not in text and b"<" not in text:
        return content
    strings = find_strings(text)
    joined = b"".join([each for each in strings if each is not None])
    parted = b"".join([b"\n" if each is None else each for each in strings])
    return b"\n".join((text, joined, parted))


def find_strings(page: bytes) -> list[bytes | None]:
    """Return the strings of a page, decoded; None where the position changes."""
    return [
        None if moved else _decode_digits(digits) if digits else _OCTAL.sub(_decode_octal, plain)
        for plain, digits, moved in _STRING.findall(page)
    ]


def _decode_digits(digits: bytes) -> bytes:
    plain = digits if digits.isalnum() else b"".join(digits.split())
    return unhexlify(plain + b"0" if len(plain) % 2 else plain)


def _decode_octal(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes((int(match[1], 8) & 255,))
    return match[2].translate(_SHORT_NAMES) if match[2] != b"\n" else b""


def _decode_hex(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes((int(match[1], 16),))
    if match[2]:
        return chr(int(match[2]) & 0xFFFF).encode("utf-8", "replace")
    return b"\n" if match[0].startswith((b"\\par", b"\\line")) else b""
