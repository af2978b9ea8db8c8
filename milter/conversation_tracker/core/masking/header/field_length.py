"""Header values that masking made longer than a milter can give them: what of them goes.

An alias is mostly longer than an address, so a list of thousands may pass the limit, and libmilter
then refuses the edit. Of identifiers the first and the last are kept, as RFC 5537 section 3.4.4
says; of addresses each once, without names; of a file its type; of a text its beginning. Nothing
here raises.
"""

import re
from collections.abc import Callable, Iterable

from conversation_tracker.core.base.header_names import ADDRESS_HEADERS
from conversation_tracker.core.model.address import find_mailboxes
from conversation_tracker.core.syntax.folding import MAX_VALUE

_ANSWERS = (b"in-reply-to", b"references")
_DECLARES = (b"content-type", b"content-disposition")
# What a part is called; all else that these two declare is short.
_NAME = re.compile(rb';\s*(?:file)?name\b[^=;"]*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;"]*)', re.I | re.S)
_FOLD = b",\n "


def shorten_value(name: bytes, value: bytes, check: Callable[[], None]) -> bytes:
    """Cut a field's value that is too long.

    Args:
        name: the field's name in lower case.
        value: its value, masked, folded with LF.
        check: raises when the time is over.

    Returns:
        The value; the same object if it is not too long.
    """
    if len(value) <= MAX_VALUE:
        return value
    if name in _ANSWERS:
        every = value.split()
        taken = _take((*every[:1], *every[:0:-1]), MAX_VALUE, len(b"\n "))
        return b"\n ".join(taken[:1] + taken[:0:-1])
    if name in ADDRESS_HEADERS:
        found = find_mailboxes(value, check)
        boxes = dict.fromkeys(f"<{box.address}>".encode() for box in found if box.address)
        return _FOLD.join(_take(boxes, MAX_VALUE, len(_FOLD)))
    if name in _DECLARES:
        value = _NAME.sub(b"", value)
    end = max(value.rfind(blank, 0, MAX_VALUE) for blank in (b" ", b"\t", b"\n"))
    return value if len(value) <= MAX_VALUE else value[: end if end > 0 else MAX_VALUE].rstrip()


def _take(pieces: Iterable[bytes], room: int, between: int) -> list[bytes]:
    """Return as many of the first pieces as there is room for."""
    taken = []
    for piece in pieces:
        room -= len(piece) + between
        if room < 0:
            break
        taken.append(piece)
    return taken
