"""Addresses that do not stand in clear, masked: in links, in base64, behind escapes, spelled out.

What each of these is, and how it is rewritten, is in `links`, `encoded`, `escapes` and
`rare_spellings`; here is only their order. Nothing here raises.
"""

from functools import partial

from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.text import (
    encoded,
    escapes,
    links,
    quoted_words,
    rare_spellings,
)


def mask_obfuscations(text: str, mask: Mask, *, tagged: bool = True) -> str:
    """Mask what does not stand in clear.

    Args:
        text: decoded text, or HTML source, with what stands in clear masked already.
        mask: gives a text with addresses replaced.
        tagged: as for `rare_spellings.mask_readings`.

    Returns:
        The text; the same object if nothing changed.
    """
    clean = mask.clean_parts
    if clean is not None and clean.in_plain:
        return text
    inside = _mask_in_token if mask.thorough else None  # few mails have such
    new = links.mask_links(text, mask, inside=inside)
    new = encoded.mask_encodings(new, mask, partial(mask_block, mask=mask))
    new = escapes.mask_escapes(new, mask)
    new = rare_spellings.mask_readings(new, mask, tagged=tagged)
    if new is not text and clean is not None:
        clean.hid = True
    return new


def _mask_in_token(text: str, mask: Mask) -> str:
    deep = partial(rare_spellings.mask_readings, mask=mask)
    return deep(encoded.mask_encodings(text, mask, deep))


def mask_words(text: str, mask: Mask) -> str:
    """Mask encoded words (RFC 2047) that stand in running text; arguments as above."""
    return quoted_words.mask_words(text, partial(_mask_all, mask=mask))


def _mask_all(text: str, mask: Mask) -> str:
    return mask_obfuscations(mask(text), mask)


def mask_block(text: str, mask: Mask) -> str:
    """Mask text that was base64, which may be a message as it travels; arguments as above."""
    return mask_words(_mask_all(text, mask), mask)


def possible(data: bytes, mask: Mask) -> bool:
    """Return whether `mask_obfuscations` might change text with these bytes as its ASCII."""
    readable = b"://" in data or escapes.possible(data) or encoded.possible(data, mask)
    return readable or rare_spellings.may_hide(data, mask)
