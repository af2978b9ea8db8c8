"""Addresses that do not stand in clear, masked: those in links, in base64 and behind escapes.

What each of these is, and how it is written anew, is the affair of `links`, `encoded` and
`escapes`; here is only their order. Nothing here raises.
"""

from collections.abc import Callable

from conversation_tracker.core.masking.text import encoded, escapes, links

Mask = Callable[[str], str]


def masked(text: str, mask: Mask) -> str:
    """Mask what does not stand in clear.

    Args:
        text: decoded text, or HTML source, with what stands in clear masked already.
        mask: gives a text with addresses replaced.

    Returns:
        The text; the same object if nothing changed.
    """
    return escapes.masked(encoded.masked(links.masked(text, mask), mask), mask)


def possible(data: bytes, mask: Mask) -> bool:
    """Say whether `masked` might change text whose ASCII stands as these bytes."""
    return b"://" in data or encoded.possible(data, mask) or escapes.possible(data)
