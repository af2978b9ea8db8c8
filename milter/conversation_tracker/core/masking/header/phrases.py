"""Display names that mail programs would split: rewritten so that each stays with its mailbox.

A name with a bare comma is two mailboxes to a strict reader, one with brackets is none, and raw
octets beyond ASCII are read in as many ways as there are readers. Large providers refuse such mail
(RFC 5322 section 3.4, RFC 2047 section 5). Nothing here raises on any value.
"""

import re
from collections.abc import Callable

from conversation_tracker.core.base.limits import check_each, no_limit
from conversation_tracker.core.model.address import find_mailboxes
from conversation_tracker.core.syntax.encoded_words import (
    ENCODED,
    WORD,
    cut_units,
    decode_words,
    encode_words,
)
from conversation_tracker.core.syntax.splicing import splice
from conversation_tracker.core.syntax.tokens import ANGLE, CHUNK, SIGN, split_tokens

_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]++"
_WORD = rb'(?>%s|"(?>(?:[^"\\]|\\.)*)"|\((?>(?:[^()\\]|\\.)*)\)|[ \t\r\n]++)' % _ATOM
_SPEC = rb'(?>%s|"(?>(?:[^"\\]|\\.)*)")@(?>%s|\[[^\[\]\\ ]*+\])' % (_ATOM, _ATOM)
# RFC 5322 section 3.4, with dots in names, as many write them (section 4.1).
_MAILBOX = re.compile(
    rb"(?:(?>%s*)<[ \t]*+%s[ \t]*+>|[ \t\r\n]*+%s)(?>(?:[ \t\r\n]++|\((?>(?:[^()\\]|\\.)*)\))*)"
    % (_WORD, _SPEC, _SPEC),
    re.DOTALL,
)
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
    words = _Spans([match.span() for match in ENCODED.finditer(value)] if b"=?" in value else [])
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


def make_mailbox(value: bytes, check: Callable[[], None] = no_limit) -> bytes:
    """Write the one mailbox of a value so that every reader takes it for one.

    Args:
        value: a raw value, folded or not.
        check: raises `Overdue` when the time is over.

    Returns:
        The value; the same object where it is a mailbox (RFC 5322 section 3.4), or none is found,
        or several. `Help: John (at work <a@b>` becomes `"Help: John (at work" <a@b>`; a group of
        one becomes that one.
    """
    if not value.isascii() or _MAILBOX.fullmatch(value) is not None:
        return value
    boxes = find_mailboxes(value, check)
    if len(boxes) != 1 or boxes[0].address is None:
        return value
    written = value[boxes[0].start : boxes[0].end]
    if re.fullmatch(_SPEC, written) is None:
        return value
    name = value[: boxes[0].start].strip(b" \t\r\n<")
    if value.rstrip(b" \t\r\n").endswith(b";"):
        name = name.removesuffix(b":")
    return (_write_name(name) if name else b"") + b"<" + written + b">"


class _Spans:
    """Spans of a value, asked in order."""

    def __init__(self, spans: list[tuple[int, int]]) -> None:
        self._left = spans[::-1]

    def __contains__(self, place: int) -> bool:
        while self._left and self._left[-1][1] <= place:
            self._left.pop()
        return bool(self._left) and self._left[-1][0] <= place


def _decode_name(name: bytes) -> str:
    """Decode a name whose quoted pairs are still to be read: in encoded words there are none."""
    if b"=?" not in name:
        return decode_words(name)
    return "".join(
        each.text.replace("\\", "\\\\") if each.kind == WORD else each.text
        for each in cut_units(name, 0, len(name))
    )


def _write_name(name: bytes) -> bytes:
    """Write a name as a quoted string, or as encoded words where it is not ASCII."""
    text = _ESCAPED.sub(r"\1", " ".join(_decode_name(name).split()))
    if not text.isascii() or not text.isprintable():
        return encode_words(text) + b" "
    return b'"' + text.replace("\\", "\\\\").replace('"', '\\"').encode() + b'" '
