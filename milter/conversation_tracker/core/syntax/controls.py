"""Characters that nobody sees and that do harm where a text is shown: terminals, pages, names."""

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_UNSEEN_ASCII = {ord(each): None for each in map(chr, range(128)) if _UNSEEN.match(each)}


def clean_text(text: str) -> str:
    """Return a text without control characters, lone surrogates and marks of direction.

    Tabs and LF stay.
    """
    return text.translate(_UNSEEN_ASCII) if text.isascii() else _UNSEEN.sub("", text)
