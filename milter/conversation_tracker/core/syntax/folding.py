"""Keeps lines within the length that SMTP carries, and header values free of what would end them.

Postfix would cut a longer line, inside an alias, after the signer; and a masked address
is often longer than the real one. A header line is folded before a blank it has (RFC 5322 section
2.2.3), so that unfolding gives the same value. Where it has none, text is written as encoded words
(RFC 2047), and anything else is broken after a comma or the like, where a blank most likely means
nothing. Lines of text are broken in the same places. Nothing here raises.
"""

import re
from collections.abc import Iterator

from conversation_tracker.core.syntax.encoded_words import decode_words, encode_words

LONGEST = 998
"""Octets of a line without its end (RFC 5321 section 4.5.3.1.6)."""
MAX_VALUE = 60_000
"""Octets of a field's value, above which milters get and give nothing whole."""
TEXTS = frozenset({b"subject", b"comments", b"keywords", b"content-description", b"thread-topic"})
"""Names, in lower case, of fields that are text and nothing else (RFC 5322 section 2.2.1)."""
_SIGNS = (b",", b";", b">")  # of lists, parameters, identifiers: behind them a blank may stand
_WORDS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@._-+")
_UNSAFE = re.compile(rb"(\r\n(?=[ \t]))|\r|\0|\n(?![ \t])")


def find_line_end(raw: bytes) -> bytes:
    """Return what ends the lines of a text: CRLF if any of them ends so, else LF."""
    return b"\r\n" if b"\r\n" in raw else b"\n"


def fold_header(name: bytes, value: bytes) -> bytes:
    """Fold a header's value where a line of it is too long.

    Args:
        name: the field's name, which stands in the first line.
        value: the value, folded with LF or not at all.

    Returns:
        The value; the same object if no line is too long.
    """
    first = len(name) + 2
    lines = value.split(b"\n")
    if first + len(lines[0]) <= LONGEST and all(len(line) <= LONGEST for line in lines):
        return value
    folded = [*_cut_line(lines[0], LONGEST - first)]
    for line in lines[1:]:
        folded += _cut_line(line, LONGEST)
    room = LONGEST - first
    if len(folded[0]) <= room and all(len(line) <= LONGEST for line in folded):
        return b"\n".join(folded)
    key = name.strip().lower()
    if key in TEXTS or key.startswith(b"x-"):
        words = (b"\n " if first > LONGEST // 2 else b"") + encode_words(decode_words(value))
        if len(words) <= MAX_VALUE:
            return words
    return b"\n".join(
        b"\n ".join(_cut_behind(each, LONGEST if number else max(room, 1)))
        for number, each in enumerate(folded)
    )


def break_line(data: bytes, line_end: bytes) -> bytes:
    """Break a line of text that is too long.

    Args:
        data: the line without its end.
        line_end: what to put between its parts.

    Returns:
        The line; the same object if it is not too long.
    """
    if len(data) <= LONGEST:
        return data
    return line_end.join(
        part for piece in _cut_line(data, LONGEST) for part in _cut_behind(piece, LONGEST)
    )


def _cut_line(line: bytes, room: int) -> Iterator[bytes]:
    """Cut a line before blanks, each piece as long as there is room for."""
    start = 0
    while len(line) - start > room:
        at = max(
            line.rfind(b" ", start + 1, start + room), line.rfind(b"\t", start + 1, start + room)
        )
        if at <= start or not line[start:at].strip():
            after = [
                i for i in (line.find(b" ", start + room), line.find(b"\t", start + room)) if i > 0
            ]
            if not after:
                break
            at = min(after)
        yield line[start:at]
        start, room = at, LONGEST
    yield line[start:]


def _cut_behind(line: bytes, room: int) -> Iterator[bytes]:
    """Cut a line behind a sign, else behind what is in no address, else anywhere."""
    start, first = 0, len(line) - len(line.lstrip(b" \t"))
    while len(line) - start > room:
        end = start + room
        at = max(line.rfind(sign, max(first, start + room // 2), end) for sign in _SIGNS) + 1
        if not at:
            places = (n for n in range(end, max(first, start), -1) if line[n - 1] not in _WORDS)
            at = next(places, end)
        yield line[start:at]
        start, room = at, LONGEST - 1
    yield line[start:]


def make_safe(value: bytes) -> bytes:
    """Remove what no header value may hold, so that a broken one becomes no second header."""
    if b"\n" not in value and b"\r" not in value and b"\0" not in value:
        return value
    return _UNSAFE.sub(lambda match: b"\n" if match[1] else b" ", value)
