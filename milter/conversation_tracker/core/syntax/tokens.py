"""The words and signs of a structured header value (RFC 5322 section 3.2), as spans of raw bytes.

Only where things begin and end is found here; what they mean is the business of `address` and
`headers`. Every value is cut in time linear in its length, comments nested to any depth without
recursion, and nothing raises. What is opened and never closed is a sign like any other.
"""

import re
from collections.abc import Callable

from conversation_tracker.core.base.limits import EVERY, no_limit

CHUNK = 1
"""Kind of token: atoms, dots and at signs without a blank, `john@example.com` in one piece."""
ANGLE = 2
"""Kind of token: one chunk in angle brackets."""
STRING = 3
"""Kind of token: a quoted string with its quotes."""
PAIR = 4
"""Kind of token: a backslash and a character outside quotes."""
SIGN = 5
"""Kind of token: one special character."""
COMMENT = 6
"""Kind of token: a comment with all it holds."""

Token = tuple[int, int, int]
"""Kind, start and end."""

BLANKS = b" \t\r\n"

_ATOMS = rb'[^ \t\r\n()<>\[\]:;\\,"]'
# A domain literal belongs to its chunk; it may hold colons, which part groups elsewhere.
_LITERAL = rb"(?<=@)\[[^ \t\r\n()<>\[\]\\,;\"@]*+\]"
_CHUNK = rb"(?:" + _ATOMS + rb"|" + _LITERAL + rb")" + _ATOMS + rb"*+"
# Repeated groups are atomic, (?>(?:...)*): the possessive (?:...)*+ matches wrongly before 3.11.5.
_CHUNK += rb"(?>(?:" + _LITERAL + _ATOMS + rb"*+)*)"
_STRING = rb'"[^"\\]*+(?>(?:\\.[^"\\]*+)*)"'
_TOKEN = re.compile(
    rb"[ \t\r\n]*+(?:(" + _CHUNK + rb")|(<" + _CHUNK + rb">)|(" + _STRING + rb")"
    rb'|(\\.)|([()<>\[\]:;\\,"]))',
    re.DOTALL,
)
_PAREN = re.compile(rb"\\.|[()]", re.DOTALL)
_OPEN = ord("(")


def split_tokens(value: bytes, check: Callable[[], None] = no_limit) -> list[Token]:
    """Cut a value into tokens, in order and not overlapping; blanks are between them.

    Args:
        value: a raw header value, folded or not.
        check: raises `Overdue` when the time is over.
    """
    found: list[Token] = []
    closers: dict[int, int] | None = None
    position, end = 0, len(value.rstrip(BLANKS))
    while position < end:
        for match in _TOKEN.finditer(value, position, end):
            kind = match.lastindex or 0
            start, position = match.span(kind)
            if kind == SIGN and value[start] == _OPEN:
                break
            found.append((kind, start, position))
            if not len(found) % EVERY:
                check()
        else:
            break
        if closers is None or start not in closers:
            closers = _find_closers(value, start, end, closers)
        after = closers.get(start, -1)
        if after > 0:
            found.append((COMMENT, start, after))
            position = after
        else:
            found.append((SIGN, start, position))
        if not len(found) % EVERY:
            check()
    return found


def _find_closers(
    value: bytes, start: int, end: int, known: dict[int, int] | None
) -> dict[int, int]:
    """Find where the comment at `start` ends.

    Once one stays open to the end of the value, all parentheses behind it have been seen: the
    same answers serve for them, and no byte is looked at a third time.
    """
    if known is not None and -1 in known:
        return known
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for match in _PAREN.finditer(value, start, end):
        sign = match[0]
        if sign == b"(":
            opened.append(match.start())
        elif sign == b")":
            pairs[opened.pop()] = match.end()
            if not opened:
                return pairs
    pairs[-1] = end
    return pairs
