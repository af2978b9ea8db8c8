"""Which parts of a message hold an address and are no text, and what each of them is.

What becomes of them is decided in `message_body`. Nothing here raises.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from conversation_tracker.core.base.limits import UNLIMITED, Limits
from conversation_tracker.core.base.octets import Octets, count
from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.part import attachment, large, leaf
from conversation_tracker.core.masking.part.attachment import Kind
from conversation_tracker.core.model.part_cache import CleanParts
from conversation_tracker.core.syntax import charset, transfer
from conversation_tracker.core.syntax.mime import Part

UNSIGNED = "[A signature was removed: it, or the signed text, held an address.]"
"""What stands in the place of a signature."""


@dataclass(frozen=True, slots=True)
class UnmaskedPart:
    """A part that holds an address and is no text.

    Attributes:
        number: its number, as in "2.1" (RFC 9051 section 6.4.5); "1" if it is the whole body.
        type: its media type.
        kind: what it is.
    """

    number: str
    type: str
    kind: Kind


def find_unmasked_parts(
    part: Part,
    body: Octets,
    people: People,
    limits: Limits = UNLIMITED,
    clean_parts: CleanParts | None = None,
    condemned: Collection[int] = (),
) -> tuple[UnmaskedPart, ...]:
    """Find the parts that hold an address and are no text.

    Args:
        part: the structure that `read` gave for this body.
        body: the raw body.
        people: whose addresses to look for.
        limits: where to keep what is unpacked.
        clean_parts: the parts that are known to hold none of these.
        condemned: the identities of leaves that are removed whatever is found in them.

    Returns:
        One item for each such part, in their order.
    """
    unpacking = Unpacking(limits)
    found = []
    for number, each, around in _number_leaves(part, body, ""):
        known = clean_parts is not None and id(each) in clean_parts.files
        kind = None if known else find_kind(each, around, people, unpacking)
        if kind is None and id(each) in condemned:
            kind = "binary"
        if kind is not None:
            found.append(UnmaskedPart(number or "1", each.type, kind))
    return tuple(found)


def iter_files(
    part: Part, body: Octets, people: People, mask: Mask, limits: Limits = UNLIMITED
) -> Iterator[tuple[Part, Octets]]:
    """Yield the leaves that are no text, whatever they are said to be, with their decoded content.

    Args:
        part: the structure that `read` gave for this body.
        body: the raw body.
        people: as for `find_unmasked_parts`.
        mask: masks those that are text all the same, but for control characters in it.
        limits: where to keep large content.
    """
    for _, each, around in _number_leaves(part, body, ""):
        if large.is_large(each):
            if large.is_opaque(each, around):
                yield each, each.store(around, limits)
            continue
        data = leaf.decode_content(each, around)
        if leaf.choose_leaf(each, data, people) is None:
            yield each, data
        elif charset.is_no_text(data):
            yield each, leaf.mask_piece(each, data, mask, people)[0] if _is_utf8(data) else data


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except ValueError:
        return False
    return True


def find_removed_signatures(
    part: Part, old: Octets, new: Octets, texts: Collection[int] = ()
) -> tuple[UnmaskedPart, ...]:
    """Find the signatures that `mask_body` may have removed; arguments as of `make_content_field`.

    Args:
        part: the structure that `read` gave for the body.
        old: the body as it was.
        new: the body as `masked` gave it.
        texts: the identities of leaves in whose text a signature was removed.

    Returns:
        One item for each of these texts, and for each signature of the message, where at least one
        was removed.
    """
    note = UNSIGNED.encode("ascii")
    some = count(new, note) != count(old, note)
    return tuple(
        UnmaskedPart(number or "1", each.type, "signature")
        for number, each, _ in (_number_leaves(part, old, "") if some or texts else ())
        if id(each) in texts or (some and each.type.endswith("-signature"))
    )


def find_kind(part: Part, body: Octets, people: People, unpacking: Unpacking) -> Kind | None:
    """Return what a leaf is that holds an address and cannot be masked; None for any other."""
    if large.is_large(part):
        return large.find_kind(part, body, people, unpacking)
    data = leaf.decode_content(part, body)
    found = attachment.find_kind(part, data, people, unpacking)
    at = transfer.find_padding(body, *part.content, part.encoding) if found is None else 0
    return attachment.find_kind(part, data[:at], people, unpacking) if at else found


def is_leaf(part: Part) -> bool:
    """Whether a part holds content, and no other parts."""
    return not (part.children or part.is_multipart or part.embedded)


def _number_leaves(part: Part, body: Octets, number: str) -> Iterator[tuple[str, Part, Octets]]:
    """Yield the leaves with their numbers and the body each stands in."""
    if part.embedded is not None:
        data, inside = part.embedded
        yield from _number_leaves(inside, data, number)
    elif is_leaf(part):
        yield number, part, body
    elif part.is_message:  # the message inside has the number of the part it is
        yield from _number_leaves(part.children[0], body, number)
    else:
        for count, child in enumerate(part.children, 1):
            yield from _number_leaves(child, body, f"{number}.{count}" if number else str(count))
