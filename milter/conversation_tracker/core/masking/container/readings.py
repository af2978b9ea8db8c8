r"""What a document's text reads as, where a program cuts it into runs: RTF, markup, spreadsheets.

Each reading costs time linear in its size. Nothing here raises.
"""

import re
from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.syntax.references import unescape

RTF = b"{\\rt"
SHEET = (b"\x09\x08\x10\0", b"\x09\x08\x08\0", b"\x09\x04\x06\0", b"\x09\x02\x06\0", b"\x09\0\4\0")

_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,99}<[?!A-Za-z]")
_PARAGRAPH = re.compile(
    rb"<(?=/(?:\w+:)?(?:p|h|si|row|c|v|is|td|tr|li|div)>|(?:\w+:)?(?:br|tab)\b)"
)
_TAG = re.compile(rb"<[^<>]*>")
# Hexadecimal octets and characters by number; breaks; other words, marks and groups.
_RTF = re.compile(
    rb"\\'([0-9a-fA-F]{2})|\\u(-?[0-9]{1,5})(?: |(?=[^0-9 ]|\Z))(?:\\'[0-9a-fA-F]{2}|\?)?"
    rb"|(\\(?:par|line|cell|row|tab|sect|page)\b ?)|\\([-_~{}\\])"
    rb"|\\[a-zA-Z]{1,32}(?:-?[0-9]{1,10})? ?|\\.|[{}\r\n]",
    re.DOTALL,
)
_FOLD = re.compile(rb"(?:\r\n|\n)[ \t]|=(?:\r\n|\n)")
_FOLDED = (b"\n ", b"\n\t", b"=\n", b"=\r\n")  # one of these is in each
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_JOINED = {b"-": b"", b"_": b"-", b"~": b" "}
_CONTINUED = 0x3C
_MOST_RECORD = 8224


def find_wide(data: Octets) -> str | None:
    """Return the encoding of a text in wide characters; None for any other."""
    head = data[:8]
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return codec
    if len(head) < 8 or not head[0] | head[1]:
        return None
    if not any(head[1::2]) and all(head[::2]):
        return "utf-16-le"
    return "utf-16-be" if not any(head[::2]) and all(head[1::2]) else None


def unfold(text: bytes) -> bytes:
    """Join lines that calendars, cards and quoted-printable part; the same object if none is."""
    return _FOLD.sub(b"", text) if any(each in text for each in _FOLDED) else text


def is_markup(data: Octets) -> bool:
    """Whether data begins as XML or HTML."""
    return _MARKUP.match(data) is not None


def read_markup(markup: bytes) -> Iterator[bytes]:
    """Yield the text of a document's markup, which programs part into runs at will."""
    text = _TAG.sub(b"", _PARAGRAPH.sub(b"\n<", markup))
    yield text
    if b"&" in markup:
        for each in (markup, text):
            yield unescape(each.decode("utf-8", "replace")).encode("utf-8", "replace")


def read_rtf(data: bytes) -> bytes:
    """Return the text of RTF, whose control words may stand inside other words."""
    return _RTF.sub(_read_plain, data)


def _read_plain(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return bytes.fromhex(match[1].decode("ascii"))
    if match[2] is not None:
        return chr(int(match[2]) % 65536).encode("utf-8", "replace")
    if match[3] is not None:
        return b"\n"
    return _JOINED.get(match[4], match[4]) if match[4] is not None else b""


def read_sheet(data: Octets) -> Iterator[bytes]:
    """Yield the records of an Excel stream (MS-XLS), those that others continue joined.

    A continued string begins with an octet that says how wide its characters are.
    """
    at = 0
    while at + 4 <= len(data):
        head = data[at : at + 4]
        kind, size = int.from_bytes(head[:2], "little"), int.from_bytes(head[2:], "little")
        record = data[at + 4 : at + 4 + min(size, _MOST_RECORD)]
        yield record[1:] if kind == _CONTINUED else (b"" if at == 0 else b"\n") + record
        at += 4 + size
