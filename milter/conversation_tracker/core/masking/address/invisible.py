"""Characters without width, which a reader does not see inside an address.

Nothing here raises.
"""

import re

INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
"""One of them."""

# The same in UTF-8, and letters that are ASCII in lower case. A pattern that begins with a set of
# octets is the fastest.
_OCTETS = re.compile(
    rb"[\xc2\xc4\xcd\xd8\xe1\xe2\xef](?:(?<=\xc2)\xad|(?<=\xc4)\xb0|(?<=\xcd)\x8f"
    rb"|(?<=\xd8)\x9c|(?<=\xe1)\xa0\x8e|(?<=\xef)\xbb\xbf"
    rb"|(?<=\xe2)(?:\x80[\x8b-\x8f\xaa-\xae]|\x81[\xa0-\xa4\xa6-\xa9]|\x84\xaa))"
)
_LETTERS = {"\u212a".encode(): b"k", "\u0130".encode(): b"i"}


def drop_invisible(text: str) -> str:
    """Return a text as a reader sees it: without characters that have no width."""
    return text if text.isascii() else INVISIBLE.sub("", text)


def drop_from_octets(data: bytes) -> bytes:
    """Return octets as a reader sees them in lower case, if they are UTF-8: without such as well.

    Args:
        data: octets whose ASCII is in lower case.
    """
    return _OCTETS.sub(lambda found: _LETTERS.get(found[0], b""), data)
