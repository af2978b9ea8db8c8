"""What kind a part is that holds an address and is no text, and what becomes of it.

Keys, certificates, signatures and TNEF always go: a message can be read without them. In pictures
the address is overwritten. Every other file that cannot be masked is the store's decision.
Nothing here raises.
"""

from functools import partial
from typing import Literal

from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.container import openpgp, search, written_files
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.container.message_file import make_letter
from conversation_tracker.core.masking.container.search import holds_address, is_container
from conversation_tracker.core.masking.part import (
    binary_values,
    calendar,
    certificates,
    envelope,
    leaf,
    media,
    uuencoded_files,
)
from conversation_tracker.core.syntax import charset
from conversation_tracker.core.syntax.mime import Part

Kind = Literal["identity", "archive", "encrypted", "media", "signature", "property", "binary"]
"""What a part is that is no text.

A key, certificate, signature or card; a file that is compressed or holds others, a document; an
encrypted message that names its recipients; a picture, sound or film in which the address can be
overwritten; the signature of a text that was masked; a calendar or card without the property that
held it; anything else.
"""

Policy = Literal["flag", "remove", "refuse"]
"""What becomes of a part that holds an address and cannot be masked."""

_PGP = b"-----BEGIN PGP MESSAGE"


def find_kind(
    part: Part, data: bytes, people: People, unpacking: Unpacking | None = None
) -> Kind | None:
    """Return what a leaf is that holds an address and is no text; None for any other.

    Args:
        part: the leaf.
        data: its content, without its transfer encoding.
        people: whose addresses to look for.
        unpacking: what may be unpacked of it; None for what one file may.
    """
    how = leaf.choose_leaf(part, data, people)
    if how is calendar.mask_calendar:
        return _find_kind_of_lines(part, data, people, unpacking)
    if how is not None:
        return _find_kind_of_octets(part, data, how, people)
    if certificates.is_one(part, data):
        return _find_kind_of_identity(part, data, people, unpacking)
    if not holds_address(data, people, unpacking):
        return None
    if is_container(data):
        return "archive"
    shows = media.is_media(part.type, data)
    hidden = shows and not holds_address(media.overwrite_addresses(data, people), people, unpacking)
    return "media" if hidden else "binary"


def remove_properties(
    part: Part, data: bytes, people: People, unpacking: Unpacking | None = None
) -> bytes:
    """Leave out the properties of a calendar or card whose files hold an address.

    Args:
        part: the leaf.
        data: its content, without its transfer encoding.
        people: whose addresses to look for.
        unpacking: what may be unpacked of the files; None for what one file may.

    Returns:
        The content; the same object where none goes, and for any other leaf.
    """
    if not binary_values.may_stand_in(data):
        return data
    if leaf.choose_leaf(part, data, people) is not calendar.mask_calendar:
        return data
    return binary_values.remove_properties(data, partial(_goes, people=people, unpacking=unpacking))


def remove_packed_blocks(
    part: Part, data: bytes, people: People, unpacking: Unpacking | None = None
) -> bytes:
    """Remove OpenPGP messages from a text that are only packed, not encrypted, and hold an address.

    Args:
        part: the leaf.
        data: its content, without its transfer encoding.
        people: whose addresses to look for.
        unpacking: what may be unpacked of them; None for what one file may.

    Returns:
        The content; the same object where none goes, and where the leaf is no text.
    """
    if _PGP not in data or leaf.choose_leaf(part, data, people) is None:
        return data
    return certificates.remove_blocks(data, people, partial(_is_packed, people, unpacking))


def mask_uuencoded_files(
    part: Part, data: bytes, mask: Mask, people: People, unpacking: Unpacking | None = None
) -> bytes:
    """Mask the uuencoded files that stand in a text; others written in letters may go.

    Args:
        part: the leaf.
        data: its content.
        mask: gives a text with addresses replaced.
        people: whose addresses to look for in files that are no text.
        unpacking: what may be unpacked of these; None for what one file may.

    Returns:
        The content; the same object if nothing changed, and where the leaf is no text.
    """
    if not (uuencoded_files.may_stand_in(data) or written_files.may_stand_in(data)):
        return data
    if leaf.choose_leaf(part, data, people) is None:
        return data
    holds = partial(holds_address, people=people, unpacking=unpacking)
    data = written_files.remove_files(data, holds)
    return uuencoded_files.mask_files(data, mask, holds, markup=part.type.endswith("html"))


def mask_further_files(
    raw: bytes, mask: Mask, people: People, unpacking: Unpacking | None = None
) -> bytes:
    """Mask what follows in a uuencoded part after the file that is its content.

    Args:
        raw: the part's content as it stands in the message.
        mask: gives a text with addresses replaced.
        people: whose addresses to look for in files that are no text.
        unpacking: what may be unpacked of these; None for what one file may.

    Returns:
        The content; the same object if nothing changed.
    """
    holds = partial(holds_address, people=people, unpacking=unpacking)
    return uuencoded_files.mask_files(raw, mask, holds, further=True)


def _is_packed(people: People, unpacking: Unpacking | None, data: bytes) -> bool:
    return openpgp.is_message(data) and holds_address(data, people, unpacking)


def _goes(value: bytes, people: People, unpacking: Unpacking | None) -> bool:
    return people.in_bytes(value) or (
        is_container(value) and holds_address(value, people, unpacking)
    )


def _find_kind_of_lines(
    part: Part, data: bytes, people: People, unpacking: Unpacking | None
) -> Kind | None:
    """Return what content lines are that have files in them with an address."""
    left = remove_properties(part, data, people, unpacking)
    if left is data:
        return None
    lost = any(map(people.in_bytes, binary_values.decode_values(left)))
    return "identity" if lost else "property"


def _find_kind_of_octets(part: Part, data: bytes, how: leaf.Leaf, people: People) -> Kind | None:
    """Return what other octets are that are said to be text; None for text.

    As text they are masked; an address may be left, which begins behind an octet that is a letter
    there.
    """
    if not search.is_full_of_controls(data) or charset.is_wide(data):
        return None
    if not people.in_bytes(data):  # then none is left, and to mask it takes far longer
        return None
    left = how(data, part.charset, people.mask)[0]
    if not people.in_bytes(left):
        return None
    return "identity" if certificates.is_one(part, data) else "binary"


def _find_kind_of_identity(
    part: Part, data: bytes, people: People, unpacking: Unpacking | None
) -> Kind | None:
    form = envelope.read_form(data)
    inner = certificates.octets(data) if form in ("compressed", "other") else b""
    if form == "other" and inner:  # signed
        inner = make_letter(inner)
    if not (
        certificates.holds_address(data, people, partial(_is_packed, people, unpacking))
        or holds_address(data, people, unpacking)
        or holds_address(inner, people, unpacking)
    ):
        return None
    if form == "encrypted":
        return "encrypted"
    return "archive" if form == "compressed" else "identity"


def choose_fate(kind: Kind, policy: Policy) -> str:
    """Return what becomes of a part in the copies, for the timeline; "" if its kind implies it."""
    if kind in ("media", "signature", "property", "identity"):
        return ""
    return {"flag": " flagged", "remove": " removed", "refuse": " refused"}[policy]


def always_goes(kind: Kind) -> bool:
    """Whether a part of this kind is always removed, whatever the store's settings."""
    return kind == "identity"


def always_stays(kind: Kind) -> bool:
    """Whether a part of this kind stays, since no address is left in it."""
    return kind in ("media", "property")
