"""Header values with control characters in them: addresses behind colours and character sets.

And such as show only where nothing is shown for a control character, in encoded words (RFC 2047),
too. Everything else reads one as a blank (`encoded_words`). Nothing here raises.
"""

from functools import partial

from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.text.rare_spellings import mask_readings, mask_unseen
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.syntax import charset
from conversation_tracker.core.syntax.encoded_words import (
    ENCODED,
    decode_with_controls,
    encode_words,
)
from conversation_tracker.core.syntax.splicing import splice

_PRINTED = bytes((0x09, 0x0A, 0x0D, *range(0x20, 0x7F)))
_WRITTEN = bytes.maketrans(b"\0\r", b"  ")


def may_hold_sequences(value: bytes) -> bool:
    """Return, cheaply, whether `mask_sequences` might change a raw header value, or one of many."""
    return b"=?" in value or bool(value.translate(None, _PRINTED))


def mask_sequences(value: bytes, mask: Mask) -> bytes:
    """Mask a raw header value in which such stand; the same object if nothing changed."""
    new = value
    if value.translate(None, _PRINTED):
        if b"\x1b" in value or (b"\x9b" in value and _holds_sequence(value)):
            new = charset.change_text(new, "", lambda text: mask_readings(mask(text), mask))[0]
        new = charset.change_text(new, "", partial(mask_unseen, mask=mask))[0]
    if b"=?" in new:
        new = _mask_words(new, mask)
    # A header field that is written may have neither.
    return value if new is value else new.translate(_WRITTEN)


def _holds_sequence(value: bytes) -> bool:
    """Return whether a value has a sequence that begins with one character (ECMA-48, CSI)."""
    if b"\xc2\x9b" in value:
        return True
    try:
        value.decode("utf-8")
    except ValueError:
        return True  # of latin-1, it is that character by itself
    return False


def mask_field(header: Header, mask: Mask) -> Header:
    """Mask such in a field; the same object if nothing changed."""
    return header.change(mask_sequences(header.value, mask))


def _mask_words(value: bytes, mask: Mask) -> bytes:
    edits: list[tuple[int, int, bytes]] = []
    for word in ENCODED.finditer(value):
        mask.limits.check()
        text = decode_with_controls(word)
        if text is not None and (new := mask_unseen(text, mask)) != text:
            edits.append((*word.span(), encode_words(new)))
    return splice(value, edits) if edits else value
