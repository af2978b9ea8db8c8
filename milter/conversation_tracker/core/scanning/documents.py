"""The texts of documents, for the final scan: markup, RTF, letters, Excel's records.

Written apart from the masking code. Each reading costs time linear in its size. Nothing here
raises.
"""

import quopri
import re
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
# It matches, too, where no content follows: other fields behind would be gone through again.
_BASED = re.compile(
    rb"base64[ \t]*\r?\n(?>(?:[!-9;-~]++:[^\n]*+\n|[ \t][^\n]*+\n)*)"
    rb"(?:\r?\n([A-Za-z0-9+/=\s]++))?"
)
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
            from html import unescape  # its table is large, and few files need it

            for each in (text, shown):
                plain = _NO_CHARACTER.sub(b" ", _ZEROS.sub(b"&#", each)).decode("utf-8", "replace")
                yield unescape(plain).encode("utf-8", "replace")
    elif text.startswith(b"{\\rt"):
        yield _CODE.sub(_decode_hex, text)
    else:
        yield quopri.decodestring(text)
        for block in filter(None, _BASED.findall(text)):
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


def _decode_hex(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes((int(match[1], 16),))
    if match[2]:
        return chr(int(match[2]) & 0xFFFF).encode("utf-8", "replace")
    return b"\n" if match[0].startswith((b"\\par", b"\\line")) else b""
