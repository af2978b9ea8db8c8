"""What pages of PDF files show, for the final scan, and how their strings are written.

Written apart from the masking code. Each reading costs time linear in its size. Nothing here
raises.
"""

import re
from binascii import unhexlify
from collections.abc import Callable

from conversation_tracker.core.base.octets import Octets

MOST = 4 * 1024 * 1024
"""Octets of a page that are read."""

NO_MARKS = bytes.maketrans(b"()\\", b"   ")
"""Writes blanks for what has a meaning of its own in a string."""

# Each begins with a character, and not with what is before it: so it is found at many times the
# speed among octets that are no page.
_STRING = re.compile(
    rb"\((?<!\\\()((?>[^()\\]*+(?>(?:\\.[^()\\]*+)*)))\)|<([0-9a-fA-F\s]{2,})>|(T[dDm*]\b|ET\b|-(?:[2-9]\d\d|\d{4,9})(?!\d))",
    re.DOTALL,
)
_SHOWING = re.compile(rb"BT(?<![^\0\s]BT)[\0\s/(<\[]")
_FILTERS = re.compile(rb"/F(?:ilter)?\b\s{0,9}(\[[^\]]{0,500}\]|/\w{1,40}|null)")
_FILTER = re.compile(rb"/(A85|ASCII85|AHx|ASCIIHex|LZW|RL|RunLength|Fl)(?:ate)?(?:Decode)?\b")
_MOST_FILTERS = 4
_NO_TEXT = bytes({*range(9), *range(14, 32), *range(127, 256)})
_BEGINNING = 4096
_STRETCH, _BEFORE = 200_000, 8_000
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|\r\n|.)", re.DOTALL)
_MEANINGS = {
    **dict(zip((b"n", b"r", b"t", b"b", b"f"), (b"\n", b"\r", b"\t", b"\b", b"\f"), strict=True)),
    **dict.fromkeys((b"\n", b"\r", b"\r\n"), b""),  # a string goes on behind it
}
_DIGITS = re.compile(rb"(?<!<)<([0-9a-fA-F\s]{2,})>")
_GAP = re.compile(rb"\)[^()]*+\(")
# What stands between two strings that are not side by side; a blank may be a move and no more.
_STEP = rb"-(?:[2-9]\d\d|\d{4,9})(?!\d)"
_MOVE = re.compile(
    rb"\)(?>(?>[^()TE-]+|T(?![dDm*])|E(?!T)|(?!%s)-)*)(?:T[dDm*]|ET|-)[^()]*+\(" % _STEP
)
_LINE = re.compile(rb"\(([^()]*+\)\s*+['\"])")  # shown on the next line, as is told behind it
_LINE_END = re.compile(rb"[ \t]{0,9}(?:\r\n?|\n)|.", re.DOTALL)
_NAMED = re.compile(rb"[2-7][0-9A-Fa-f]")
_BREAK = b"\0\n"  # of two octets, as each character may have


def skip_line_end(data: Octets, at: int) -> int:
    """Return where a stream begins, by the place behind the word for it."""
    found = _LINE_END.match(data[at : at + 16])
    return at + found.end() if found is not None else at


def read_names(told: bytes) -> bytes:
    """Undo what is escaped in the names of a dictionary; the same object if nothing is."""
    if b"#" not in told:
        return told
    first, *rest = told.split(b"#")
    return first + b"".join(
        bytes.fromhex(each[:2].decode("ascii")) + each[2:]
        if _NAMED.match(each) is not None
        else b"#" + each
        for each in rest
    )


def find_filters(told: bytes) -> list[bytes]:
    """Return what undoes the filters of a stream, in this order, as its dictionary tells.

    Where they are named in another object, whatever its dictionary names is one.
    """
    value = _FILTERS.search(told)
    return _FILTER.findall(told if value is None else value[1])[:_MOST_FILTERS]


def decode_ascii85(text: bytes) -> bytes:
    """Decode the digits of a stream of a PDF file, whatever else is among them."""
    digits = text.translate(None, b" \t\r\n\0\f").removeprefix(b"<~").partition(b"~")[0]
    digits = digits.replace(b"z", b"!!!!!")
    out = bytearray()
    for at in range(0, len(digits), 5):
        group = digits[at : at + 5]
        number = 0
        for digit in group.ljust(5, b"u"):
            number = number * 85 + (digit - 33) % 85
        out += (number & 0xFFFFFFFF).to_bytes(4, "big")[: len(group) - 1]
    return bytes(out)


def repeat_runs(packed: bytes, check: Callable[[], None]) -> bytes:
    """Write out the runs of a stream of a PDF file.

    Args:
        packed: the stream.
        check: raises when the time for the message is over.
    """
    out, at = bytearray(), 0
    while at < len(packed) and packed[at] != 128 and len(out) < MOST:
        size = packed[at] + 1
        run = packed[at + 1 : at + 2] * (258 - size)
        out += packed[at + 1 : at + 1 + size] if size <= 128 else run
        at += 1 + (size if size <= 128 else 1)
    check()
    return bytes(out)


def from_digits(text: bytes) -> bytes:
    """Decode hexadecimal digits up to the `>` behind them."""
    return decode_digits(text.partition(b">")[0])


def is_page(content: Octets) -> bool:
    """Whether a stream of a PDF file may show strings, rather than be a picture or a font.

    Half of what begins it is text, as of titles in UTF-16, or an object that shows some begins in
    it.
    """
    head = content[:_BEGINNING]
    text = len(head.translate(None, _NO_TEXT)) * 20 >= len(head) * 9
    return text or _SHOWING.search(content[:MOST]) is not None


def read_page(content: Octets) -> Octets:
    """Return a page with the strings it shows behind it, joined and where they stand apart.

    A large page is read in stretches: each small string takes much room until it is joined.
    """
    text, at = content[:MOST], 0
    pieces: list[bytes] = []
    while len(text) - at > _STRETCH:
        end = max(text.rfind(each, at, at + _STRETCH) for each in (b")", b">")) + 1
        end = end or at + _STRETCH
        pieces += _read_stretch(text[_find_begin(text, at) : end])
        at = end
    pieces += _read_stretch(text[_find_begin(text, at) :])
    return b"\n".join([text, *pieces]) if pieces else content


def _find_begin(text: bytes, at: int) -> int:
    """Find where a stretch begins: with strings that are in the one before, too."""
    begin = max(0, at - _BEFORE)
    return max(begin, text.find(b"(", begin, at)) if begin else 0


def _read_stretch(text: bytes) -> tuple[bytes, ...]:
    """Return the strings of a page, or of a stretch of one; none if it shows none."""
    shown = _DIGITS.sub(_write_digits, text) if b"<" in text else text
    if b"\\" in shown:
        shown = _ESCAPE.sub(_write_escape, shown)
    shown = shown[max(0, shown.find(b"(")) : shown.rfind(b")") + 1]
    if not shown:
        return ()
    lines = _LINE.sub(rb"T*(\1", shown) if b"'" in shown or b'"' in shown else shown
    return _GAP.sub(b"", shown), _GAP.sub(b"", _MOVE.sub(_BREAK, lines))


def find_strings(page: bytes) -> list[bytes | None]:
    """Return the strings of a page, decoded; None where the position changes."""
    return [
        None if moved else decode_digits(digits) if digits else unescape(plain)
        for plain, digits, moved in _STRING.findall(page)
    ]


def decode_digits(digits: bytes) -> bytes:
    """Decode hexadecimal digits, whatever blanks are among them."""
    plain = digits if digits.isalnum() else b"".join(digits.split())
    return unhexlify(plain + b"0" if len(plain) % 2 else plain)


def unescape(plain: bytes) -> bytes:
    """Decode what stands between parentheses."""
    return _ESCAPE.sub(_decode_escape, plain) if b"\\" in plain else plain


def _write_digits(match: re.Match[bytes]) -> bytes:
    return b"(%s)" % decode_digits(match[1]).translate(NO_MARKS)


def _write_escape(match: re.Match[bytes]) -> bytes:
    return _decode_escape(match).translate(NO_MARKS)


def _decode_escape(match: re.Match[bytes]) -> bytes:
    if match[1].isdigit() and match[1] < b"8":
        return bytes((int(match[1], 8) & 255,))
    return _MEANINGS.get(match[1], match[1])
