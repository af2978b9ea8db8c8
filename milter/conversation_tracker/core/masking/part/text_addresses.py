"""Which addresses stand in a message's text, whosever they are.

An order may know more people than are read with it. Where it does, the database is asked for whom a
message writes of; so this finds what reads as an address, in decoded text, and no trick: who hides
an address hides one that nobody knows from a copy. Nothing here raises, but what the time raises.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

from conversation_tracker.core.base.limits import Limits
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.part import large, leaf
from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.syntax import charset
from conversation_tracker.core.syntax.mime import Part
from conversation_tracker.core.syntax.references import unescape

MOST = 1_000
"""Addresses that are looked for, of one message."""

_LOCAL_BACKWARD = re.compile(r"[^\s<>()\[\]\\,;:@\"]{1,64}")
_DOMAIN = re.compile(r"[^\s<>()\[\]\\,;:@\"'/?&=#]{1,253}")
_AROUND = ".'*_-!|~`/="
_OFTEN = 256


def find_addresses(part: Part, body: Octets, limits: Limits) -> Iterator[Address]:
    """Yield the addresses in the text of a message, attached messages included.

    Args:
        part: its structure.
        body: its body.
        limits: the time there is for it.
    """
    if part.embedded is not None:
        data, inside = part.embedded
        yield from find_addresses(inside, data, limits)
        return
    for child in part.children:
        yield from find_addresses(child, body, limits)
    if part.children or part.is_multipart or leaf.find_by_type(part) is None:
        return
    pieces = (
        large.decode_pieces(part, body)
        if large.is_large(part)
        else [leaf.decode_content(part, body)]
    )
    for piece in pieces:
        limits.check()
        if b"@" in piece or b"%40" in piece or b"&" in piece:
            yield from find_in_text(charset.decode_text(piece, part.charset), limits)


def find_in_text(text: str, limits: Limits) -> Iterator[Address]:
    """Yield the addresses in a text, entities and percent escapes read."""
    if "&" in text:
        text = unescape(text)
    if "%" in text:
        text = unquote(text)
    count, at = 0, text.find("@")
    while at >= 0:
        if not (count := count + 1) % _OFTEN:
            limits.check()
        local = _LOCAL_BACKWARD.match(text[max(0, at - 64) : at][::-1])
        domain = _DOMAIN.match(text, at + 1)
        if local is not None and domain is not None:
            named = f"{local[0][::-1].lstrip(_AROUND)}@{domain[0].rstrip(_AROUND)}"
            with suppress(AddressError):
                yield Address.parse(named)
        at = text.find("@", at + 1)
