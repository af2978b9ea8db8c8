"""What the database's rows say, as values of core.

No SQL is run here; `repository` asks, and hands its rows over. A row that is not of the form the
functions of sql/ give is a fault of ours, and raises what comes up.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Conversation, MappedId, Order, Participant
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.reports.bounce import Delivery

# In the order of tracker.conversations.
_SETTINGS = (
    "name",
    "mask",
    "issuer_mask",
    "sender_domains",
    "order_header",
    "mask_body",
    "attachments_with_address",
    "unknown_senders",
    "spoofed_senders",
    "participant_limit",
    "guest_limit",
)

# Columns of tracker.stores that have the same few words in every row.
_WORDS = (
    "mask",
    "issuer_mask",
    "order_header",
    "attachments_with_address",
    "unknown_senders",
    "spoofed_senders",
    "unnamed_mail",
)

_MANY = 50  # identifiers; of more, tracker.conversations gives one more

Status = Literal["live", "expired", "inactive"]


@dataclass(frozen=True, slots=True)
class Lookup:
    """What an alias or an order's number led to.

    Attributes:
        status: live, expired, or inactive where the store is switched off.
        token: the participant's, where an alias was asked for and stands for one.
        conversation: the order with its store and participants.
    """

    status: Status
    token: str | None
    conversation: Conversation


@dataclass(frozen=True, slots=True)
class Directory:
    """What each message is checked against: all alias domains, and each sender domain's store.

    Attributes:
        alias_domains: all of them.
        senders: the stores by each of their sender domains.
        inactive: the names of the stores that are switched off.
        secret: what the first pass signs its findings with.
        version: equal as long as nothing of this changes.
        suspects: whether each is condemned, by the keyed digest of the message.
    """

    alias_domains: frozenset[str]
    senders: dict[str, Store]
    inactive: frozenset[str]
    secret: bytes = field(default=b"", repr=False)
    version: object = field(default=None, repr=False, compare=False)
    suspects: dict[bytes, bool] = field(default_factory=dict, repr=False)


def read_lookup(row: Sequence[Any]) -> Lookup:
    """Read a row of type tracker.conversation."""
    status, token, store, order, number, ref, alias_domain, participants, identifiers = row
    people = read_people(participants)
    conversation = Conversation(
        _read_settings(store),
        Order(order, number, ref, alias_domain),
        tuple(each for each in people if each.role != "return"),
        _read_identifiers(identifiers) if identifiers else (),
        tuple(each for each in people if each.role == "return"),
    )
    return Lookup(status, token.hex if token is not None else None, conversation)


def read_people(lines: str | None) -> list[Participant]:
    """Read lines of tracker.people: participants, and return addresses."""
    return [_read_participant(line) for line in lines.split("\n")] if lines else []


def _read_participant(line: str) -> Participant:
    token, standing, role, address = line.split(" ", 3)
    returns = role == "return"
    return Participant(
        token.replace("-", ""),
        role,  # type: ignore[arg-type]
        Address.parse(address) if address else None,
        introduced=standing in ("introduced", "handed-out"),
        handed_out=standing == "handed-out",
        owner=(standing.replace("-", "") or None) if returns else None,
    )


def _read_identifiers(lines: Sequence[str]) -> tuple[MappedId, ...] | None:
    if len(lines) > _MANY:
        return None
    parts = (line.split(" ", 2) for line in lines)
    found = tuple(MappedId(ours, text, token.replace("-", "")) for ours, token, text in parts)
    return found if all(each.original for each in found) else None


def read_delivery(row: Sequence[Any]) -> Delivery:
    """Read a row of type tracker.delivery."""
    bounce, author, return_path, at, subject, original_id, state = row[9:]
    conversation = read_lookup(row[:9]).conversation.admit_return_address(row[1].hex)
    return Delivery(
        bounce=bounce.hex,
        conversation=conversation,
        recipient=row[1].hex,
        author=author.hex,
        return_path=return_path.hex if return_path is not None else None,
        at=at,
        subject=subject,
        original_id=original_id,
        state=state,
    )


def read_stores(text: str) -> list[tuple[Store, bool]]:
    """Read rows of tracker.stores as one JSON text; there may be many thousand.

    Each row becomes a store as soon as it is read, and what is set alike is kept once: so ten
    thousand take 8 MB of a worker, of which they would take 20.

    Args:
        text: an array of objects.

    Returns:
        Each store, and whether it is active.
    """
    found: list[tuple[Store, bool]] = json.loads(text, object_hook=_read_row)
    return found


def _read_row(row: dict[str, Any]) -> tuple[Store, bool]:
    for name in _WORDS:
        if name in row:
            row[name] = sys.intern(row[name])
    return read_store(row), row["active"]


def read_store(row: dict[str, Any]) -> Store:
    """Read a row of tracker.stores, as far as mail needs it."""
    return Store(
        name=row["name"],
        mask=row["mask"],
        issuer_mask=row["issuer_mask"],
        sender_domains=frozenset(row["sender_domains"]),
        order_header=row["order_header"],
        mask_body=row["mask_body"],
        attachments_with_address=row["attachments_with_address"],
        unknown_senders=row["unknown_senders"],
        spoofed_senders=row["spoofed_senders"],
        participant_limit=row["participant_limit"],
        submitters=frozenset(row.get("submitters", ())),
        guest_limit=row["guest_limit"],
        unnamed_mail=row.get("unnamed_mail", "pass"),
    )


@lru_cache(maxsize=1000)
def _read_settings(text: str) -> Store:
    """Read a store as tracker.conversation has it; a store that was changed has another text."""
    return read_store(dict(zip(_SETTINGS, json.loads(text), strict=True)))
