"""Header values in raw octets beyond ASCII, written so that no server must take SMTPUTF8 for them.

Display names and text become encoded words (RFC 2047), parameters are written after RFC 2231.
Addresses stay: a local part has no other form (RFC 6532). Nothing here raises on any value.
"""

from collections.abc import Callable

from conversation_tracker.core.base.header_names import ADDRESS_HEADERS
from conversation_tracker.core.base.limits import check_each, no_limit
from conversation_tracker.core.masking.header.phrases import quote_names
from conversation_tracker.core.syntax import parameters
from conversation_tracker.core.syntax.encoded_words import decode_words, encode_words
from conversation_tracker.core.syntax.folding import MAX_VALUE, make_safe
from conversation_tracker.core.syntax.splicing import splice
from conversation_tracker.core.syntax.tokens import COMMENT, split_tokens

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


def _write(name: bytes, value: bytes, check: Callable[[], None]) -> bytes:
    if name in ADDRESS_HEADERS:
        new = quote_names(_encode_comments(value, check), check)
        return value if new is value else make_safe(new)
    if name in _WITH_PARAMETERS:
        new = parameters.write_ascii(value)
        return value if new is value else make_safe(new)
    return encode_words(decode_words(value, check))


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
