"""Display names that mail programs would split: rewritten so that each stays with its mailbox.

A name with a bare comma is two mailboxes to a strict reader, one with brackets is none, and raw
octets beyond ASCII are read in as many ways as there are readers. Large providers refuse such mail
(RFC 5322 section 3.4, RFC 2047 section 5). Nothing here raises on any value.
"""

import re
from collections.abc import Callable

from conversation_tracker.core.base.limits import check_each, no_limit
from conversation_tracker.core.syntax.encoded_words import ENCODED, decode_words, encode_words
from conversation_tracker.core.syntax.splicing import splice
from conversation_tracker.core.syntax.tokens import ANGLE, CHUNK, SIGN, split_tokens

_ESCAPED = re.compile(r'\\(.)|"')


def quote_names(value: bytes, check: Callable[[], None] = no_limit) -> bytes:
    """Quote or encode the display names in an address header that need it.

    Args:
        value: a raw value, folded or not.
        check: raises `Overdue` when the time is over.

    Returns:
        The value; the same object where every name may stay. `Doe, John <a@b>` becomes
        `"Doe, John" <a@b>`, `[Shop] John <a@b>` `"[Shop] John" <a@b>`; a name in raw octets
        becomes encoded words in UTF-8.
    """
    if value.isascii() and b"[" not in value and b"]" not in value and _is_parted_well(value):
        return value
    edits: list[tuple[int, int, bytes]] = []
    words = _Spans([match.span() for match in ENCODED.finditer(value)])
    start, parted, addressed = -1, False, False
    for kind, begin, end in check_each(split_tokens(value, check), check):
        sign = value[begin:end] if kind == SIGN else b""
        if sign and sign in b'"(\\':
            return value  # what is never closed: each program ends it elsewhere
        within = begin in words
        if (within and sign and sign in b",:;") or (sign == b"," and start >= 0 and not addressed):
            parted = True
        elif sign and sign in b",:;":
            start, parted, addressed = -1, False, False
        elif sign and sign in b"[]":
            start, parted = begin if start < 0 else start, True
        elif kind == ANGLE:
            name = value[max(start, 0) : begin] if start >= 0 else b""
            if not addressed and (parted or not name.isascii()):
                edits.append((start, begin, _write_name(name)))
            start, parted, addressed = begin, False, True
        else:
            start = begin if start < 0 else start
            addressed = addressed or (kind == CHUNK and b"@" in value[begin:end] and not within)
    return splice(value, edits) if edits else value


def _is_parted_well(value: bytes) -> bool:
    """Whether each comma may well stand between two addresses."""
    return b"," not in value or all(b"@" in part for part in value.split(b","))


class _Spans:
    """Spans of a value, asked in order."""

    def __init__(self, spans: list[tuple[int, int]]) -> None:
        self._left = spans[::-1]

    def __contains__(self, place: int) -> bool:
        while self._left and self._left[-1][1] <= place:
            self._left.pop()
        return bool(self._left) and self._left[-1][0] <= place


def _write_name(name: bytes) -> bytes:
    """Write a name as a quoted string, or as encoded words where it is not ASCII."""
    text = _ESCAPED.sub(r"\1", " ".join(decode_words(name).split()))
    if not text.isascii() or not text.isprintable():
        return encode_words(text) + b" "
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'" '
