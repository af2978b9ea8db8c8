"""Display names in address headers, taken from one mailbox and left to all others."""

from collections.abc import Iterator

from conversation_tracker.core.address import Mailbox, mailboxes
from conversation_tracker.core.syntax.words import clean, encoded


def without_name(value: bytes, address: str) -> bytes:
    """Take the display name of one address out of an address header (RFC 5322 section 3.4).

    Args:
        value: a raw value, folded or not.
        address: the address, as it stands there.

    Returns:
        The list of the value's mailboxes, the one without name or comment; what stood in the place
        of an address and is none goes too, for it may be the name. The same object if the address
        is not there.
    """
    boxes = [box for box in mailboxes(value) if box.address is not None]
    if not any(str(box.address) == address for box in boxes):
        return value
    return b",\n ".join(_written(boxes, address))


def _written(boxes: list[Mailbox], address: str) -> Iterator[bytes]:
    for box in boxes:
        name = "" if str(box.address) == address else clean(box.name)
        yield (_phrase(name) + b" " if name else b"") + f"<{box.address}>".encode()


def _phrase(name: str) -> bytes:
    """Write a display name as a quoted string, or as encoded words where it is not ASCII."""
    if not name.isascii() or not name.isprintable():
        return encoded(name)
    return b'"' + name.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'
