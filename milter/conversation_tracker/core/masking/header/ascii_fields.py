"""Header values in raw octets beyond ASCII, rewritten so that no server needs SMTPUTF8 for them.

Display names and text become encoded words (RFC 2047), parameters are written after RFC 2231.
Addresses stay: a local part has no other form (RFC 6532). Identifiers and other tokens stay tokens,
since no encoded word may stand for them (RFC 2047 section 5).
Nothing here raises on any value.
"""

import re
from collections.abc import Callable

from conversation_tracker.core.base.header_names import ADDRESS_HEADERS, IDENTIFYING
from conversation_tracker.core.base.limits import check_each, no_limit
from conversation_tracker.core.masking.header.phrases import quote_names
from conversation_tracker.core.syntax import parameters
from conversation_tracker.core.syntax.encoded_words import decode_words, encode_words
from conversation_tracker.core.syntax.folding import MAX_VALUE, make_safe
from conversation_tracker.core.syntax.splicing import splice
from conversation_tracker.core.syntax.tokens import COMMENT, split_tokens

_STRUCTURED = frozenset(
    b"""
    content-transfer-encoding mime-version date resent-date
    list-id list-help list-unsubscribe list-unsubscribe-post list-subscribe list-post list-owner
    list-archive
    """.split()
)
_BRACKETED = re.compile(rb"<[^<>]*>|[^\s<>]+")
_RAW = re.compile(rb"[\x80-\xff]")
_WITH_PARAMETERS = (b"content-type", b"content-disposition")


def write_ascii(name: bytes, value: bytes, check: Callable[[], None] = no_limit) -> bytes:
    """Write a field's value in ASCII, but for addresses in it.

    Args:
        name: the field's name in lower case.
        value: its raw value, folded or not.
        check: raises `Overdue` when the time is over.

    Returns:
        The value; the same object if it is ASCII, or too long once written so. It decodes to the
        same text.
    """
    if value.isascii():
        return value
    written = _write(name, value, check)
    return written if len(written) <= MAX_VALUE else value


def quote_raw(value: bytes) -> bytes:
    """Write each octet beyond ASCII in percent form (RFC 3986 section 2.1)."""
    return _RAW.sub(lambda octet: b"%%%02X" % octet[0][0], value)


def _write(name: bytes, value: bytes, check: Callable[[], None]) -> bytes:
    if name in ADDRESS_HEADERS:
        new = quote_names(_encode_comments(value, check), check)
        return value if new is value else make_safe(new)
    if name in _WITH_PARAMETERS:
        new = parameters.write_ascii(value)
        return value if new is value else make_safe(new)
    if name in IDENTIFYING or name in _STRUCTURED:
        if len(value) > MAX_VALUE:  # it would grow
            return value
        new = _encode_comments(value, check)
        return make_safe(_encode_tokens(new, check, words=name in _STRUCTURED))
    return encode_words(decode_words(value, check))


def _encode_tokens(value: bytes, check: Callable[[], None], *, words: bool) -> bytes:
    """Write raw octets in percent form: in a link it says the same.

    Where words stand outside of angle brackets, these become encoded words.
    """
    found = check_each(_BRACKETED.finditer(value), check)
    return splice(
        value,
        [
            (
                each.start(),
                each.end(),
                encode_words(decode_words(each[0], check))
                if words and not each[0].startswith(b"<")
                else quote_raw(each[0]),
            )
            for each in found
            if not each[0].isascii()
        ],
    )


def _encode_comments(value: bytes, check: Callable[[], None]) -> bytes:
    comments = (
        (start, end)
        for kind, start, end in check_each(split_tokens(value, check), check)
        if kind == COMMENT
    )
    return splice(
        value,
        [
            (
                start,
                end,
                b"(" + encode_words(decode_words(value[start + 1 : end - 1], check)) + b")",
            )
            for start, end in comments
            if not value[start:end].isascii() and value.endswith(b")", start, end)
        ],
    )
