"""Addresses that do not stand in clear, masked: in links, in base64, behind escapes, spelled.

What each of these is, and how it is written anew, is the affair of `links`, `encoded`, `escapes`
and `spelled`; here is only their order. Nothing here raises.
"""

from collections.abc import Callable

from conversation_tracker.core.masking.text import encoded, escapes, links, spelled

Mask = Callable[[str], str]


def masked(text: str, mask: Mask, *, tagged: bool = True) -> str:
    """Mask what does not stand in clear.

    Args:
        text: decoded text, or HTML source, with what stands in clear masked already.
        mask: gives a text with addresses replaced.
        tagged: as for `spelled.mask_spelled`.

    Returns:
        The text; the same object if nothing changed.
    """
    text = escapes.masked(encoded.masked(links.masked(text, mask), mask), mask)
    return spelled.mask_spelled(text, mask, tagged=tagged)


def possible(data: bytes, mask: Mask) -> bool:
    """Say whether `masked` might change text whose ASCII stands as these bytes."""
    readable = b"://" in data or encoded.possible(data, mask) or escapes.possible(data)
    return readable or spelled.may_spell(data, mask)
