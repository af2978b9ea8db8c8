"""Characters without width, which a reader does not see inside an address.

Nothing here raises.
"""

import re
from collections.abc import Collection

INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff]"
)
"""One of them: Unicode's Default_Ignorable_Code_Point, annotations between lines, and objects."""

# The same in UTF-8, and letters that are ASCII in lower case, with what they are.
_RARE = [
    *(
        (each.encode(), b"")
        for each in "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u3164\ufeff\uffa0"
    ),
    ("\u212a".encode(), b"k"),
    ("\u0130".encode(), b"i"),
]
_LETTERS = [written for written, meant in _RARE if meant]
_ASCII, _BEYOND = bytes(range(0x80)), bytes(range(0x80, 0x100))
_OTHERS = re.compile(
    rb"\xe2(?:\x80[\x8b-\x8f\xaa-\xae]|\x81[\xa0-\xaf])|\xe1\xa0[\x8b-\x8f]"
    rb"|\xef(?:\xb8[\x80-\x8f]|\xbf[\xb0-\xbc])|\xf3\xa0[\x80-\xbf][\x80-\xbf]"
    rb"|\xf0(?:\x9b\xb2[\xa0-\xa3]|\x9d\x85[\xb3-\xba])"
)
_LEADING = (b"\xe2", b"\xe1\xa0", b"\xef", b"\xf3\xa0", b"\xf0\x9b\xb2", b"\xf0\x9d\x85")


def drop_invisible(text: str) -> str:
    """Return a text as a reader sees it: without characters that have no width."""
    return text if text.isascii() else INVISIBLE.sub("", text)


def may_show(data: bytes, words: Collection[bytes]) -> bool:
    """Return, cheaply, whether octets may show one of some words that are not in them as they are.

    Args:
        data: octets whose ASCII is in lower case.
        words: the words, in ASCII and lower case.
    """
    clear = data.translate(None, _BEYOND)  # whatever of the rest has no width
    for word in words:
        if word in clear:
            break
    else:
        if not any(letter in data for letter in _LETTERS):
            return False
    shown = drop_from_octets(data)
    return any(word in shown for word in words)


def drop_from_octets(data: bytes) -> bytes:
    """Return octets as a reader sees them in lower case, if they are UTF-8: without such as well.

    Args:
        data: octets whose ASCII is in lower case.
    """
    beyond = data.translate(None, _ASCII)  # of most texts, little: and what is looked for is there
    for written, meant in _RARE:  # each is found at many times the speed of a pattern
        if written in beyond:
            data = data.replace(written, meant)
    return _OTHERS.sub(b"", data) if any(each in beyond for each in _LEADING) else data
