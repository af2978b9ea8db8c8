"""The timeline of an order: read from the database, as a table or as JSON.

Only what `tracker_reader` may read is read here, so no real address can come out. Every alias is in
hard form. How a table is laid out is in `text_table`, the printable page in `html`. A store or
order that does not exist is a `Failure`; what a message holds never makes one.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conversation_tracker.base.failure import NO, Failure
from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.model import message
from conversation_tracker.database import timelines
from conversation_tracker.database.connection import Connection
from conversation_tracker.support import text_table

_WORST_FIRST = ("bounced", "refused", "delayed", "accepted", "sent")
_TITLES = ("time", "direction", "from", "to", "subject", "text", "files", "state")
_NEVER_NARROWED = (0, 1, 7)


@dataclass(frozen=True, slots=True)
class TimelineDelivery:
    """What became of one recipient's copy.

    Attributes:
        alias: the recipient's, in hard form.
        role: the recipient's.
        state: accepted, delayed, sent, bounced or refused.
        status: enhanced status code (RFC 3463), "" if there is none.
        reason: what the remote said, masked; for refused mail our own reply.
    """

    alias: str
    role: str
    state: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One message of a timeline, as it was recorded: masked, aliases in hard form.

    Attributes:
        id: the database's number for it; None where the message was refused, and nothing kept.
        at: when it came, in local time.
        direction: outbound (to the buyer), inbound (from the buyer) or internal.
        role: the sender's; the claimed one, where the verdict is flagged.
        alias: the sender's.
        name: the sender's display name, "" if there is none.
        subject: decoded.
        first_words: the beginning of the text, on one line.
        attachment_names: file names.
        size: octets as it came.
        automatic: no person wrote it.
        verdict: trusted, verified, unverified or failed; flagged where the sender claims to be a
            participant or the store, and is not.
        notes: how many people were left out ("left out: N"), the parts that held an address and are
            no text, and signatures that were removed:
            number, media type and kind of each.
        deliveries: one for each recipient, in the order they joined.
    """

    id: int | None
    at: datetime
    direction: str
    role: str
    alias: str
    name: str
    subject: str
    first_words: str
    attachment_names: tuple[str, ...]
    size: int
    automatic: bool
    verdict: str
    notes: tuple[str, ...]
    deliveries: tuple[TimelineDelivery, ...]

    @property
    def worst(self) -> TimelineDelivery | None:
        """Return the delivery that went worst."""
        found = sorted(self.deliveries, key=lambda each: _WORST_FIRST.index(each.state))
        return found[0] if found else None

    @property
    def state(self) -> str:
        """Sum the deliveries' states up: the worst of them."""
        return self.worst.state if self.worst else "accepted"

    @property
    def sender(self) -> str:
        """Return the sender's role and name, after a warning where they are only claimed."""
        warning = "FORGED? " if self.verdict == "flagged" else ""
        return f"{warning}{self.role} {self.name}".rstrip()

    @property
    def recipients(self) -> str:
        """Return the recipients' roles, each with how many there are if more than one."""
        roles = [delivery.role for delivery in self.deliveries]
        counted = {role: roles.count(role) for role in roles}
        return ", ".join(r if count == 1 else f"{count} {r}s" for r, count in counted.items())


def read_timeline(connection: Connection, store: str, number: str) -> list[TimelineEntry]:
    """Read the timeline of an order, oldest message first.

    Args:
        connection: a connection of a role that may read the timeline.
        store: the store's name.
        number: the order's number.

    Raises:
        Failure: no such store, or no such order.
        DatabaseError: the database does not answer.
    """
    if not timelines.has_store(connection, store):
        raise Failure(NO, f"no such store: {store}")
    if not timelines.has_order(connection, store, number):
        raise Failure(NO, f"no such order: {number} of store {store}")
    messages = timelines.fetch_messages(connection, store, number)
    return [_read_entry(row, recipients) for row, recipients in messages]


def _read_entry(row: Sequence[Any], recipients: Sequence[Sequence[str]]) -> TimelineEntry:
    (
        number,
        at,
        direction,
        role,
        alias,
        name,
        subject,
        words,
        files,
        size,
        automatic,
        verdict,
        notes,
    ) = row
    deliveries = tuple(TimelineDelivery(*each) for each in recipients)
    return TimelineEntry(
        number, at.astimezone(), direction, role, alias, name, subject, words, tuple(files), size,
        automatic, verdict, tuple(notes), deliveries,
    )  # fmt: skip


def read_text(connection: Connection, entry: TimelineEntry) -> str:
    """Return the readable text of a recorded message; "" if it has none, or is gone by now."""
    raw = b"" if entry.id is None else timelines.fetch_raw(connection, entry.id, entry.at)
    headers, body = message.parse(raw)
    content = [(h.name, h.value) for h in headers if h.key.startswith(b"content-")]
    try:
        return message_body.read_text(message_body.read_structure(content, body), body)
    except message_body.TooComplex:
        return ""


def as_table(entries: Sequence[TimelineEntry], cells: int) -> Iterator[str]:
    """Lay a timeline out as a table, one line for each message.

    Args:
        entries: the messages.
        cells: how wide the terminal is.

    Returns:
        The lines, without line ends.
    """
    return text_table.lay_out(
        _TITLES, [_write_row(entry) for entry in entries], cells, _NEVER_NARROWED
    )


def _write_row(entry: TimelineEntry) -> tuple[str, ...]:
    status = entry.worst.status if entry.worst else ""
    return (
        f"{entry.at:%Y-%m-%d %H:%M}",
        entry.direction,
        entry.sender,
        entry.recipients,
        entry.subject,
        entry.first_words,
        ", ".join(entry.attachment_names),
        f"{entry.state} {status}".rstrip(),
    )


def as_json(connection: Connection, entries: Sequence[TimelineEntry]) -> Iterator[str]:
    """Write a timeline as a JSON array (RFC 8259) in ASCII, one object for each message.

    Texts are read one by one, so that a long timeline needs little memory.

    Returns:
        The pieces; together they are the array, with a line end.
    """
    yield "["
    for place, entry in enumerate(entries):
        yield ",\n" if place else "\n"
        yield json.dumps(_write_object(entry, read_text(connection, entry)), indent=2)
    yield "\n]\n" if entries else "]\n"


def _write_object(entry: TimelineEntry, body: str) -> dict[str, object]:
    return {
        "id": entry.id,
        "date": entry.at.isoformat(),
        "direction": entry.direction,
        "from": entry.alias,
        "fromName": entry.name,
        "fromRole": None if entry.verdict == "flagged" else entry.role,
        "to": [delivery.alias for delivery in entry.deliveries if delivery.alias],
        "recipients": [
            {
                "alias": d.alias,
                "role": d.role,
                "state": d.state,
                "status": d.status,
                "reason": d.reason,
            }
            for d in entry.deliveries
        ],
        "subject": entry.subject,
        "firstWords": entry.first_words,
        "body": body,
        "hasAttachment": bool(entry.attachment_names),
        "attachmentNames": list(entry.attachment_names),
        "state": entry.state,
        "size": entry.size,
        "automatic": entry.automatic,
        "verdict": entry.verdict,
        "notes": list(entry.notes),
    }
