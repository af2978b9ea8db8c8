"""Identifiers of invitations: which of them reveal somebody, and what stands for those.

A UID (RFC 5545 section 3.8.4.7) is often made under its author's own domain, or with their address
in it, as a Message-ID is; ours stands for it in the same way, and in what comes back it is the
original again, octet for octet: else no program would know the answer for one to its own
invitation. To whoever has the same domain it tells nothing new, so they see the original in every
message. Nothing here raises, but what the time for a message raises.
"""

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from urllib.parse import unquote_to_bytes

from conversation_tracker.core.masking.part import invitation
from conversation_tracker.core.model.conversation import Conversation, MappedId, Participant
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.syntax.mime import Part
from conversation_tracker.core.views.message_ids import (
    find_person,
    is_made_under,
    make_identifier,
    named_in,
)

MOST = 100
"""Identifiers of one message that are mapped back, and that are asked for."""

_LONGEST = 1_000  # characters of one that is mapped back
_UNKEPT = re.compile("[\0\ud800-\udfff]")  # what no database keeps in a text
_MOST_TOKENS = 5
_TOKEN = re.compile(r"[A-Za-z0-9_\-]{12,}+")
_DIGITS = re.compile(r"(?:[0-9A-Fa-f]{2}){16,}")
# What Exchange writes before somebody else's UID in one of its own (MS-OXOCAL section 2.2.1.27).
_FOREIGN = b"vCal-Uid\x01\0\0\0"


def map_ids(message: Message, part: Part, conversation: Conversation) -> Iterator[MappedId]:
    """Yield the identifiers of a message's invitations that reveal somebody, each once.

    Args:
        message: the message.
        part: its structure.
        conversation: the conversation with everybody who takes part.
    """
    author = conversation.find_owner(message.author) if message.author is not None else None
    for value in _find_identifiers(message, part):
        owner = _find_owner(value, conversation, author)
        if owner is not None and len(value) <= _LONGEST and _UNKEPT.search(value) is None:
            original = f"<{value}>"
            new = make_identifier(original.encode("utf-8"), conversation.order)
            yield MappedId(new, original, owner.owner or owner.token)


def find_references(message: Message, part: Part) -> list[str]:
    """Return the identifiers in a message's invitations, in angle brackets as Message-IDs are.

    One that no database keeps is none of ours.

    Args:
        message: the message.
        part: its structure.
    """
    found = _find_identifiers(message, part)
    return [f"<{value}>" for value in found if _UNKEPT.search(value) is None]


def find_stand_in(
    value: str, conversation: Conversation, to: Participant | None, known: Mapping[str, MappedId]
) -> str:
    """Return what stands for an identifier.

    Args:
        value: it, as it stands in a calendar.
        conversation: the conversation with everybody who takes part.
        to: the reader, None for the record.
        known: the identifiers of ours that the database knows, by themselves, in angle brackets.

    Returns:
        Ours; the original where its reader may see it; the value where it reveals nobody.
    """
    mine = known.get(f"<{value}>")
    if mine is not None:
        original = mine.original[1:-1]
        return original if _is_for(original, mine.token, conversation, to) else value
    owner = _find_owner(value, conversation)
    if owner is None or _is_for(value, owner.owner or owner.token, conversation, to):
        return value
    return make_identifier(f"<{value}>".encode("utf-8", "replace"), conversation.order)[1:-1]


def read_invited(message: Message, part: Part) -> invitation.Invited:
    """Return what a message's own invitations say, which is read once.

    Args:
        message: the message.
        part: its structure.
    """
    return message.part_cache.invited(
        partial(invitation.read_invited, part, message.body, message.limits)
    )


def _find_identifiers(message: Message, part: Part) -> list[str]:
    return list(dict.fromkeys(read_invited(message, part).identifiers[:MOST]))


def _find_owner(
    value: str, conversation: Conversation, author: Participant | None = None
) -> Participant | None:
    """Return who made an identifier: whose address is in it, else whose domain is."""
    for written in _iter_readings(value):
        owner = named_in(written, conversation) or find_person(written, conversation, author)
        if owner is not None:
            return owner
    return None


def _is_for(value: str, token: str, conversation: Conversation, to: Participant | None) -> bool:
    """Return whether a reader sees an original: it is theirs, or says no more than their domain."""
    if to is None or to.address is None:
        return False
    whose, domain = to.owner or to.token, to.address.domain
    readings = _iter_readings(value)
    if any(named_in(written, conversation, whose) is not None for written in readings):
        return False
    return token == whose or any(is_made_under(written, domain) for written in readings)


def _iter_readings(value: str) -> list[bytes]:
    """Return an identifier, and what stands in it escaped, in hexadecimal digits or in base64."""
    written = value.encode("utf-8", "replace")
    found = [written]
    if "%" in value:
        found.append(unquote_to_bytes(written))
    if _DIGITS.fullmatch(value):
        whole, inside, foreign = bytes.fromhex(value).partition(_FOREIGN)
        found.append((foreign if inside else whole).strip(b"\0"))
    for token in islice(_TOKEN.findall(value), _MOST_TOKENS):
        with suppress(ValueError):  # of a length that no octets have
            found.append(b64decode(token + "=" * (-len(token) % 4), b"-_"))
    return [b"<" + each + b">" for each in found]
