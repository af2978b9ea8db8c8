r"""The strings of PDF files (ISO 32000-1 section 7.3.4), and what a page shows with them.

Programs part a text where two letters stand closer or where a line ends, and many write no blanks,
but move on. So a page is read twice: with all strings joined, and with those parted that do not
stand side by side. Nothing here raises; each reading costs time linear in its size.
"""

import re
from binascii import unhexlify
from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets

_PLAIN = rb"(?>(?>[^()\\]+|\\(?s:.))*)"
STRING = rb"\((?<!\\\()(%b(?>(?>\(%b\)%b)*))\)|(?<!<)<([0-9A-Fa-f\s]*+)>" % (_PLAIN, _PLAIN, _PLAIN)
"""A string in parentheses, which may hold others, or in digits: a group for each."""

# Strings are shown between BT and ET only (section 9.4.1).
_TEXT_OBJECT = re.compile(rb"BT(?<![^\0\s]BT)[\0\s(<\[/]")
_BINARY = bytes({*range(9), *range(14, 32), *range(127, 256)})
_HEAD = 4096
_PIECE, _OVERLAP = 256 * 1024, 8192
_SHOWN = re.compile(
    # A string that holds another one ends there.
    rb"\(((?>[^()\\]*+(?>(?:\\.[^()\\]*+)*)))(?:\)|(?=\()|\Z)|<([0-9A-Fa-f\s]*)>"
    rb"|\b(?:(T[dDm*]|ET)|(Tf))(?!\w)|['\"]|-(?:[2-9][0-9]{2}|[0-9]{4,9})(?![0-9])",
    re.DOTALL,
)
_DIGITS = re.compile(rb"(?<!<)<([0-9A-Fa-f\s]*+)>")
_PAIR = re.compile(rb"\\([0-7]{1,3}|\r?\n|.)", re.DOTALL)
_NAMED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f", b"\n": b"", b"\r\n": b""}
_NO_PARENTHESES = bytes.maketrans(b"()", b"  ")
# What stands between two strings: a move by a blank's width or more, in thousandths of an em; what
# does not move to another place; anything at all.
_BLANK = re.compile(rb"\)\s{0,9}-(?:[2-9][0-9]{2}|[0-9]{4,9})(?:\.[0-9]*+)?\s{0,9}\(")
_BESIDE = re.compile(rb"\)(?>(?>[^()TE]+|T(?![dDm*])|E(?!T))*)\(")
_BETWEEN = re.compile(rb"\)[^()]*+\(")
_ON_NEXT_LINE = re.compile(rb"(\([^()]*+\))\s{0,9}['\"]")  # the operator is behind its string
# With a null: so nothing is shifted where each character has two octets.
_SPACE, _BREAK = b"\0 ", b"\0\n"


def decode(plain: bytes | None, digits: bytes | None) -> bytes:
    """Return what a string stands for, by the groups of `STRING`."""
    return unescape(plain) if plain is not None else decode_hex(digits or b"")


def unescape(string: bytes) -> bytes:
    """Return what a string in parentheses stands for, without these (section 7.3.4.2)."""
    if b"\\" not in string:
        return string
    return _PAIR.sub(_read_pair, string)


def decode_hex(digits: bytes) -> bytes:
    """Return what a string in digits stands for (section 7.3.4.3)."""
    if not digits.isalnum():
        digits = b"".join(digits.split())
    return unhexlify(digits + b"0" if len(digits) % 2 else digits)


def shows_text(content: Octets) -> bool:
    """Whether a stream is a page or objects, rather than a picture or a font."""
    if content.find(b"(") < 0 > content.find(b"<"):
        return False
    head = content[:_HEAD]
    mostly_text = len(head.translate(None, _BINARY)) >= len(head) * 0.8
    return mostly_text or _TEXT_OBJECT.search(content) is not None


def read_page(content: bytes) -> Iterator[bytes]:
    """Yield a page's text: its strings joined, and parted where they do not stand side by side.

    Parentheses in them are blanks. A large page is read in pieces, each with the end of the one
    before: while they are put together, short strings take sixty times their room.
    """
    for piece in _cut(content):
        yield from _read_piece(piece)


def _cut(content: bytes) -> Iterator[bytes]:
    begin = at = 0
    while len(content) - at > _PIECE:
        end = content.rfind(b")", at, at + _PIECE) + 1 or at + _PIECE
        yield content[begin:end]
        at, begin = end, max(0, end - _OVERLAP)
        begin = max(begin, content.find(b"(", begin, at))
    yield content[begin:] if begin else content


def _read_piece(content: bytes) -> Iterator[bytes]:
    if b"<" in content:
        content = _DIGITS.sub(_write_digits, content)
    if b"\\" in content:
        for escaped in (b"\\\\", b"\\(", b"\\)"):
            content = content.replace(escaped, b" ")
        content = _PAIR.sub(_write_octet, content)
    content = content[max(0, content.find(b"(")) : content.rfind(b")") + 1]
    yield _BETWEEN.sub(b"", content)
    if b"'" in content or b'"' in content:
        content = _ON_NEXT_LINE.sub(rb"T*\1", content)
    yield _BETWEEN.sub(_BREAK, _BESIDE.sub(b"", _BLANK.sub(_SPACE, content)))


def _write_digits(match: re.Match[bytes]) -> bytes:
    return b"(%b)" % decode_hex(match[1]).translate(_NO_PARENTHESES)


def _write_octet(match: re.Match[bytes]) -> bytes:
    return _read_pair(match).translate(_NO_PARENTHESES)


def _read_pair(match: re.Match[bytes]) -> bytes:
    written = match[1]
    if b"0" <= written < b"8":
        return bytes((int(written, 8) & 255,))
    return _NAMED.get(written, written)


def iter_strings(content: bytes) -> Iterator[bytes | None]:
    """Yield the strings of a page; None where the position changes, b"" where the font does."""
    for match in _SHOWN.finditer(content):
        if match[1] is not None:
            yield unescape(match[1])
        elif match[2] is not None:
            yield decode_hex(match[2])
        else:
            yield b"" if match[4] is not None else None
