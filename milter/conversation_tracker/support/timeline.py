"""The timeline of an order: read from the database, as a table, as JSON or as a page.

Only what `tracker_reader` may read is read here, so no real address can come out. Every alias is in
hard form. How a table is laid out is in `text_table`, the page in the room `pages`. A store or
order that does not exist is a `Failure`; what a message holds never makes one.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conversation_tracker.base.failure import NO, Failure, hide_addresses
from conversation_tracker.core.model import message
from conversation_tracker.core.reading import text
from conversation_tracker.core.syntax.mime import TooComplex, read_structure
from conversation_tracker.database import timelines
from conversation_tracker.database.connection import Connection
from conversation_tracker.pages.links import Links
from conversation_tracker.pages.order import render_order
from conversation_tracker.pages.pictures import put_pictures
from conversation_tracker.support import text_table

_WORST_FIRST = ("bounced", "refused", "delayed", "accepted", "sent")
_TITLES = ("time", "direction", "from", "to", "subject", "text", "files", "state")
_NEVER_NARROWED = (0, 1, 7)
_WAITING = "waiting"  # the mark of a message that the publisher has not read yet
_ORDER = (
    "id date direction from fromName fromRole to recipients subject firstWords body hasAttachment"
    " attachmentNames attachments state size automatic verdict notes"
).split()


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
    find_order(connection, store, number)
    messages = timelines.fetch_messages(connection, store, number)
    return [_read_entry(row, recipients) for row, recipients in messages]


def find_order(connection: Connection, store: str, number: str) -> None:
    """See that there is an order.

    Raises:
        Failure: no such store, or no such order.
    """
    if not timelines.has_store(connection, store):
        raise Failure(NO, f"no such store: {hide_addresses(store)}")
    if not timelines.has_order(connection, store, number):
        raise Failure(NO, hide_addresses(f"no such order: {number} of store {store}"))


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


def as_json(connection: Connection, store: str, number: str) -> Iterator[str]:
    """Write a timeline as a JSON array (RFC 8259) in ASCII: the messages of `conversation`.

    They are read page by page, so that a long timeline needs little memory. Of a message that the
    publisher has not read yet, the text is read here.

    Args:
        connection: a connection of a role that may read the timeline.
        store: the store's name.
        number: the order's number.

    Returns:
        The pieces; together they are the array, with a line end.

    Raises:
        Failure: no such store, or no such order.
    """
    find_order(connection, store, number)
    return _write_array(connection, timelines.iter_conversation(connection, store, number))


def as_page(connection: Connection, store: str, number: str) -> Iterator[str]:
    """Write a timeline as one HTML page that needs nothing else, not even a script.

    Messages are read page by page, and so is what each is shown as. Of a message that the publisher
    has not read yet, the text is read here.

    Args:
        connection: a connection of a role that may read the timeline.
        store: the store's name.
        number: the order's number.

    Returns:
        The pieces of the page.

    Raises:
        Failure: no such store, or no such order.
    """
    find_order(connection, store, number)
    messages = timelines.iter_conversation(connection, store, number)
    order = timelines.fetch_order(connection, store, number) | {
        "messages": (read_waiting(connection, each) for each in messages)
    }
    return render_order(
        order, Links(), alone=True, html=lambda message: _read_html(connection, message)
    )


def _read_html(connection: Connection, message: int) -> str | None:
    """Read the HTML of a message, with its own pictures in it."""
    found = timelines.fetch_html(connection, message)
    if found is None:
        return None
    return put_pictures(found, lambda file: timelines.fetch_file(connection, message, file))


def _write_array(connection: Connection, messages: Iterator[dict[str, Any]]) -> Iterator[str]:
    empty = True
    for each in messages:
        yield "[\n" if empty else ",\n"
        empty = False
        yield json.dumps(_write_object(connection, each), indent=2)
    yield "[]\n" if empty else "\n]\n"


def _write_object(connection: Connection, found: dict[str, Any]) -> dict[str, Any]:
    """Put a message's times into local time, and its fields in an order that reads well."""
    found = _read_text(connection, found)
    found["date"] = datetime.fromisoformat(found["date"]).astimezone().isoformat()
    return {name: found[name] for name in (*filter(found.__contains__, _ORDER), *found)}


def read_waiting(connection: Connection, found: dict[str, Any]) -> dict[str, Any]:
    """Read the text of a message that is still to be read, and say so no more."""
    marks = [each for each in found["marks"] if each != _WAITING]
    return _read_text(connection, found) | {"marks": marks}


def _read_text(connection: Connection, found: dict[str, Any]) -> dict[str, Any]:
    """Read the text of a message that the publisher has not read yet."""
    if _WAITING not in found["marks"]:
        return found
    at = datetime.fromisoformat(found["date"])
    return found | {"body": _read_recorded(timelines.fetch_raw(connection, found["id"], at))}


def _read_recorded(raw: bytes) -> str:
    headers, body = message.parse(raw)
    content = [(h.name, h.value) for h in headers if h.key.startswith(b"content-")]
    try:
        return text.read_text(read_structure(content, body), body).body
    except TooComplex:
        return ""
