"""Header blocks of parts in raw octets beyond ASCII, written so that no server needs SMTPUTF8.

Postfix asks for it wherever such a block stands, not only in front of the message. What is signed
stays as it is. Nothing here raises, but what the time raises.
"""

from collections.abc import Iterator

from conversation_tracker.core.base.limits import Limits, replace_spans
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.header.ascii_fields import write_ascii
from conversation_tracker.core.syntax.fields import FIELD, iter_field_spans
from conversation_tracker.core.syntax.mime import Part

Edit = tuple[int, int, Octets]


def write_ascii_headers(part: Part, body: Octets, limits: Limits) -> Octets:
    """Write the header blocks of all parts in ASCII, but for addresses in them.

    Args:
        part: the structure that `mime.read_structure` gave for this body.
        body: the raw body.
        limits: the time there is for it, and where to keep a large body.

    Returns:
        The body; the same object where nothing is to change.
    """
    return replace_spans(body, _edits(part, body, limits), limits)


def _edits(part: Part, body: Octets, limits: Limits) -> Iterator[Edit]:
    limits.check()
    start, end = part.header
    block = body[start:end]
    if not block.isascii():
        spans = iter_field_spans(block, limits.check)
        new = b"".join(_write_line(block[first:last], limits) for first, last in spans)
        if new != block:
            yield start, end, new
    if part.type != "multipart/signed":
        for child in part.children:
            yield from _edits(child, body, limits)


def _write_line(line: bytes, limits: Limits) -> bytes:
    match = FIELD.fullmatch(line) if not line.isascii() else None
    if match is None:
        return line
    value = match[3].replace(b"\r\n", b"\n")
    new = write_ascii(match[1].lower(), value, limits.check)
    if new is value:
        return line
    if b"\r\n" in line:
        new = new.replace(b"\n", b"\r\n")
    return match[1] + match[2] + new + (match[4] or b"")
