"""Display names in address headers, removed from one mailbox and kept at all others."""

import re
from collections.abc import Iterator
from functools import lru_cache

from conversation_tracker.core.model.address import Mailbox, find_mailboxes
from conversation_tracker.core.syntax.encoded_words import clean, encode_words

_WORD = re.compile(r"\w+")


def remove_name(value: bytes, address: str, name: str = "") -> bytes:
    """Take the display name of one address out of an address header (RFC 5322 section 3.4).

    Args:
        value: a raw value, folded or not.
        address: the address, as it stands there.
        name: that name, which goes from other addresses too: people have several.

    Returns:
        The list of the value's mailboxes, the one without name or comment; what stood in the place
        of an address and is none goes too, for it may be the name. The same object if neither the
        address nor the name is there.
    """
    boxes = [box for box in find_mailboxes(value) if box.address is not None]
    words = _sort_words(name)
    gone = [
        str(box.address) == address or (bool(words) and words == _sort_words(box.name))
        for box in boxes
    ]
    if not any(gone):
        return value
    return b",\n ".join(_write_mailboxes(boxes, gone))


@lru_cache(maxsize=64)
def _sort_words(name: str) -> str:
    """Return a name in any order of its words; "" if it has none."""
    return " ".join(sorted(_WORD.findall(name.casefold())))


def _write_mailboxes(boxes: list[Mailbox], gone: list[bool]) -> Iterator[bytes]:
    for box, goes in zip(boxes, gone, strict=True):
        name = "" if goes else clean(box.name)
        yield (_write_phrase(name) + b" " if name else b"") + f"<{box.address}>".encode()


def _write_phrase(name: str) -> bytes:
    """Write a display name as a quoted string, or as encoded words where it is not ASCII."""
    if not name.isascii() or not name.isprintable():
        return encode_words(name)
    return b'"' + name.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'
