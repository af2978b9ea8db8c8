"""Character references of HTML (HTML Living Standard, section 13.2.5.72), of any length.

`html.unescape` raises ValueError over a number of more digits than Python reads. Its table takes
half a megabyte of each worker, so it is loaded with the first text that needs it. Nothing here
raises.
"""

import re

_LONG = re.compile(r"&#([0-9]{1000,}+)")
_MOST_DIGITS = 7
_NO_CHARACTER = "&#1114112"


def unescape(text: str) -> str:
    """Return a text as `html.unescape` decodes it, whatever numbers stand in it.

    Args:
        text: a source, or a piece of it.
    """
    from html import unescape as decode

    return decode(_LONG.sub(_shorten, text) if "&#" in text else text)


def escape(text: str, *, quote: bool = True) -> str:
    """Return a text as source: with references for what is markup.

    Args:
        text: any text.
        quote: for quotation marks too, as in an attribute.
    """
    from html import escape as encode

    return encode(text, quote=quote)


def _shorten(match: re.Match[str]) -> str:
    """Write a number without the zeros before it; one that is too large is no character's."""
    digits = match[1].lstrip("0")
    return f"&#{digits or 0}" if len(digits) <= _MOST_DIGITS else _NO_CHARACTER
