"""Messages kept as files, and mailboxes of them (mbox): their parts without transfer encodings.

Nothing here raises.
"""

import re
from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.container.budget import MAX_TEXT, Unpacking
from conversation_tracker.core.syntax import mime, transfer

_BEGINNING = 8192  # octets looked at for the fields of a message
_FIELD = re.compile(
    rb"^(from|to|cc|sender|reply-to|received|date|subject|message-id|mime-version|return-path"
    rb"|content-type|content-transfer-encoding|delivered-to):",
    re.MULTILINE | re.IGNORECASE,
)
_FIRST = re.compile(rb"\s*[!-9;-~]{1,998}[ \t]*:|From ")
# The first time of day on a line is enough: to go back to each would cost its length again.
_NEXT = re.compile(rb"^From (?>(?:(?!\d\d:\d\d)[^\r\n])*)\d\d:\d\d[^\r\n]*+\n", re.MULTILINE)


def make_letter(entity: bytes) -> bytes:
    """Make what is taken for a message of an entity, which may have one field only."""
    return b"MIME-Version: 1.0\r\n" + entity


def is_letter(data: Octets) -> bool:
    """Whether data begins as a message or a mailbox does."""
    beginning = data[:_BEGINNING]
    names = {match[1].lower() for match in _FIELD.finditer(beginning)}
    return len(names) > 1 and _FIRST.match(beginning) is not None


def open_letter(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Yield the encoded parts of the messages; the others stand in the file as they are."""
    if len(data) > 4 * MAX_TEXT or not unpacking.allows_text(len(data)):
        return
    at = 0
    for border in _NEXT.finditer(data):
        if border.start() > at:
            yield from _iter_parts(data[at : border.start()], unpacking)
        at = border.end()
    yield from _iter_parts(data[at:], unpacking)


def _iter_parts(message: bytes, unpacking: Unpacking) -> Iterator[Octets]:
    if not unpacking.allows_another():
        return
    try:
        part = mime.read_structure(
            [(b"Content-Type", b"message/rfc822")], message, unpacking.limits
        )
    except mime.TooComplex:
        return
    yield from _decode_part(part, message, unpacking)


def _decode_part(part: mime.Part, body: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    for each in part.walk():
        if each.embedded is not None:
            inner, inside = each.embedded
            yield from _decode_part(inside, inner, unpacking)
        elif not each.children and each.encoding in transfer.ENCODINGS:
            if not unpacking.allows_another():
                return
            yield unpacking.keep(transfer.decode_pieces(body, *each.content, each.encoding))
