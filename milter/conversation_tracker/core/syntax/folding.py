"""Keeps lines within what SMTP carries, and header values free of what would end them.

Postfix would cut a longer line, in the middle of an alias, and a masked address is often longer
than the real one. A header line is folded before a blank it has (RFC 5322 section 2.2.3), so that
unfolding gives the same value; a line of text is broken at one. A line without any blank stays as
it is. Nothing here raises.
"""

import re
from collections.abc import Iterator

LONGEST = 998
"""Octets of a line without its end (RFC 5321 section 4.5.3.1.6)."""
_UNSAFE = re.compile(rb"(\r\n(?=[ \t]))|\r|\0|\n(?![ \t])")


def header(name: bytes, value: bytes) -> bytes:
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
    folded = [*_pieces(lines[0], LONGEST - first)]
    for line in lines[1:]:
        folded += _pieces(line, LONGEST)
    return b"\n".join(folded)


def text(data: bytes) -> bytes:
    """Break the lines of a text that are too long.

    Args:
        data: text with LF or CR LF.

    Returns:
        The text; the same object if no line is too long.
    """
    if len(data) <= LONGEST:
        return data
    end = b"\n" if b"\n" in data and b"\r\n" not in data else b"\r\n"
    lines = data.split(end)
    if max(map(len, lines)) <= LONGEST:
        return data
    return end.join(end.join(_pieces(line, LONGEST)) for line in lines)


def _pieces(line: bytes, room: int) -> Iterator[bytes]:
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


def safe(value: bytes) -> bytes:
    """Remove what no header value may hold, so that a broken one becomes no second header."""
    return _UNSAFE.sub(lambda match: b"\n" if match[1] else b" ", value)
