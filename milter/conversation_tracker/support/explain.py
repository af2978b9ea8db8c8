"""What would happen to a message: the milter's own rules, rehearsed, and the result in plain lines.

`explain` asks `filter.Filter`, as the milter does, through one transaction that is rolled back
before anything is shown; nothing is changed, announced or sent. A database that gives no answer is
a `Failure`, not a reply, because the reply would say less. Of real addresses only the recipient's
own are shown: they are in the edits.
"""

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from conversation_tracker.base.failure import TEMPORARY, USAGE, Failure, one_line
from conversation_tracker.core.model import message as messages
from conversation_tracker.core.model.address import Address, AddressError, find_mailboxes
from conversation_tracker.core.model.conversation import Conversation, Participant
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.plan import Edit, Record
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.reports.bounce import Mark
from conversation_tracker.core.rules import postmaster
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.faults import DatabaseError, make_failure
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.recording import Outcome
from conversation_tracker.database.repository import Rehearsal
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.transaction import Transaction
from conversation_tracker.support.addresses import (
    RehearsalResult,
    describe_addresses,
    describe_participant,
)

T = TypeVar("T")

_LINE_END = re.compile(rb"\r?\n")
_LONGEST = 200  # characters of an edit; a To of a thousand addresses says no more


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found out: the lines to show, and whether the mail would be taken."""

    lines: tuple[str, ...]
    taken: bool


@dataclass(frozen=True, slots=True)
class Envelope:
    """What SMTP would say about the message.

    Attributes:
        recipients: what each RCPT TO names, without angle brackets.
        sender: what MAIL FROM names, "" or "<>" for the null sender; None takes From's address.
        trusted: the client authenticated, or is in a trusted network.
        user: the name it authenticated as, "" if it did not.
    """

    recipients: tuple[str, ...]
    sender: str | None = None
    trusted: bool = False
    user: str = ""


class _Witness(Rehearsal):
    """A rehearsal that remembers what was asked of it, and why it gave no answer."""

    def __init__(self, conninfo: str) -> None:
        super().__init__(conninfo)
        self.records: tuple[Record, ...] = ()
        self.usage: dict[int, str] = {}
        self.marks: tuple[Mark, ...] = ()
        self.conversations: dict[int, Conversation] = {}
        self.unavailable: DatabaseUnavailable | None = None

    def record(self, records: Sequence[Record]) -> tuple[Outcome, dict[str, str]]:
        for record in records:
            if (shares := super().shares(record)) is not None:
                self.usage[record.order] = shares.describe(own=record.own)
        answer = super().record(records)
        self.records = tuple(records)
        for record in records:
            found = self.again(record.order)
            if found is not None:
                self.conversations[record.order] = found.conversation
        return answer

    def mark(self, bounce: str, mark: Mark, report: bytes | None = None) -> bool:
        changed = super().mark(bounce, mark, report)
        if changed:
            self.marks = (*self.marks, mark)
        return changed

    def _run(self, work: Callable[[Connection], T], locks: Sequence[Hashable] = ()) -> T:
        try:
            return super()._run(work, locks)
        except DatabaseUnavailable as error:
            self.unavailable = error
            raise


@dataclass(slots=True)
class _RehearsalOutcome:
    """What the rehearsal gave, for the lines to be made of once it is over."""

    transaction: Transaction = field(default_factory=Transaction)
    message: Message | None = None
    refused: list[tuple[str, Reply]] = field(default_factory=list)
    reply: Reply | None = None
    edits: tuple[Edit, ...] = ()
    return_path: str | None = None
    what: str = "untouched"
    discard: bool = False
    records: tuple[Record, ...] = ()
    marks: tuple[Mark, ...] = ()
    conversations: dict[int, Conversation] = field(default_factory=dict)
    shares: dict[int, str] = field(default_factory=dict)


def explain(
    conninfo: str, raw: bytes, envelope: Envelope, authserv_id: str = "", reader: str = ""
) -> Explanation:
    """Return what would happen to a message.

    Args:
        conninfo: a libpq URI or connection string; the role must be able to do what mail does.
        raw: the message with any line ends.
        envelope: what SMTP would say about it.
        authserv_id: whose Authentication-Results to believe, "" for nobody's.
        reader: who gets the mail to an alias domain's postmaster, "" for the mail host's own.

    Returns:
        The explanation.

    Raises:
        Failure: the envelope names no addresses, or the database gives no answer.
    """
    headers, body = messages.parse(raw)
    transaction = Transaction(
        null=_is_null(envelope), trusted=envelope.trusted or bool(envelope.user), user=envelope.user
    )
    message = Message(
        _find_sender(envelope, headers),
        (),
        headers,
        _LINE_END.sub(b"\r\n", body),
        transaction.make_arrival("explain"),
        null=transaction.null,
    )
    try:
        rehearsal = _Witness(conninfo)
    except DatabaseUnavailable as error:
        raise _make_failure(error, conninfo) from None
    try:
        rehearsal.open()
        directory = rehearsal.directory()
        filter = Filter(rehearsal, lambda: directory, authserv_id, reader)
        rehearsed = _rehearse(rehearsal, filter, transaction, message, envelope.recipients)
    except DatabaseUnavailable as error:
        raise _make_failure(error, conninfo) from None
    except DatabaseError as error:
        raise make_failure(error, conninfo) from None
    finally:
        # Before anything is shown: a pager must not hold the order's row locked.
        rehearsal.close()
    if rehearsal.unavailable is not None:
        raise _make_failure(rehearsal.unavailable, conninfo)
    return Explanation(tuple(_write_lines(rehearsed)), rehearsed.reply is None)


def _find_sender(envelope: Envelope, headers: Sequence[messages.Header]) -> Address | None:
    if envelope.sender is None:
        values = (header.value for header in headers if header.key == b"from")
        found = find_mailboxes(next(values, b""))
        return found[0].address if found else None
    if _is_null(envelope):
        return None
    try:
        return Address.parse(_strip_brackets(envelope.sender))
    except AddressError as error:
        raise Failure(USAGE, f"--from is no mail address: {error}") from None


def _is_null(envelope: Envelope) -> bool:
    return envelope.sender is not None and not _strip_brackets(envelope.sender)


def _strip_brackets(text: str) -> str:
    return text.strip().removeprefix("<").removesuffix(">")


def _rehearse(
    rehearsal: _Witness,
    filter: Filter,
    transaction: Transaction,
    message: Message,
    recipients: Sequence[str],
) -> _RehearsalOutcome:
    """Go through RCPT and the end of the message as the milter does."""
    found = _RehearsalOutcome(transaction)
    for recipient in recipients:
        reply = filter.accept_recipient(transaction, f"<{_strip_brackets(recipient)}>".encode())
        if reply is not None:
            found.refused.append((recipient, reply))
            found.reply = reply
    if not transaction.recipients or rehearsal.unavailable:
        return found
    whole = Message(
        message.sender,
        tuple(transaction.recipients),
        message.headers,
        message.body,
        message.arrival,
        message.null,
    )
    found.message = whole
    outcome = filter.decide(transaction, whole)
    found.reply = outcome.plan.reply
    found.edits = outcome.plan.edits
    found.what = outcome.what
    found.discard = outcome.plan.discard
    found.marks = rehearsal.marks
    found.return_path = outcome.return_path
    found.records = rehearsal.records if outcome.orders else ()
    found.conversations = rehearsal.conversations
    found.shares = rehearsal.usage
    return found


def _make_failure(error: DatabaseUnavailable, conninfo: str) -> Failure:
    cause: BaseException | None = error
    while isinstance(cause, DatabaseUnavailable):  # it is said anew where it is counted
        cause = cause.__context__
    if isinstance(cause, DatabaseError):
        return make_failure(cause, conninfo)
    return Failure(TEMPORARY, f"the database cannot be reached: {error}")


def _write_lines(found: _RehearsalOutcome) -> Iterator[str]:
    for recipient in found.transaction.recipients:
        yield f"recipient {_display(recipient.raw)}: {_describe_recipient(found, recipient)}"
    for text, reply in found.refused:
        yield f"recipient {one_line(text)}: refused, {reply}"
    yield f"decision: {_describe_decision(found)}"
    if found.return_path is not None:
        fresh = ", a fresh bounce address" if found.return_path else ""
        yield f"  set sender <{found.return_path}>{fresh}"
    for edit in found.edits:
        yield f"  {_shorten(one_line(str(edit)))}"
    if found.message is not None:
        people = found.conversations or found.transaction.conversations
        yield from describe_addresses(
            RehearsalResult(
                found.message, found.edits, found.what, found.reply, found.transaction, people
            )
        )
    for order, share in found.shares.items():
        known = found.conversations.get(order) or found.transaction.conversations.get(order)
        where = f" of {_describe_order(known)}" if known is not None else ""
        yield f"share{where} in this hour: {share}"
    for mark in found.marks:
        yield " ".join(
            filter(None, ("mark: the delivery is", mark.state, mark.status, mark.reason))
        )
    for record in found.records:
        yield from _describe_record(record, found.conversations[record.order])
    yield "nothing was changed; aliases and bounce addresses that are new differ each time"


def _describe_decision(found: _RehearsalOutcome) -> str:
    if found.reply is not None:
        return f"refuse, {found.reply}"
    if found.discard:
        return "take it, and forward it to nobody"
    match found.what:
        case "forwarded":
            return "record and forward it"
        case "split":
            return "record it, and queue it for the splitter: one copy for each recipient"
        case "untouched" if postmaster.goes_to_postmasters(found.transaction.recipients):
            return "pass it on to the postmaster as it came: it belongs to no order"
        case "returned":
            return "make it a notification to the author that names the alias only"
        case _:
            return "let it pass untouched: it belongs to no order"


def _describe_recipient(found: _RehearsalOutcome, recipient: messages.Recipient) -> str:
    if recipient.bounce is not None:
        delivery = found.transaction.deliveries[recipient.bounce]
        who = _describe_role(delivery.conversation, delivery.recipient)
        return f"bounce address of a delivery to the {who}"
    if recipient.postmaster:
        return "the postmaster of an alias domain"
    if recipient.order is None or recipient.token is None:
        return "no alias"
    return (
        f"the {_describe_role(found.transaction.conversations[recipient.order], recipient.token)}"
    )


def _describe_role(conversation: Conversation, token: str) -> str:
    participant = conversation.find_by_token(token)
    role = participant.role if participant is not None else "nobody"
    return f"{role} of {_describe_order(conversation)}"


def _describe_order(conversation: Conversation) -> str:
    return one_line(f"order {conversation.order.number} of store {conversation.store.name}")


def _describe_record(record: Record, conversation: Conversation) -> Iterator[str]:
    people = {p.token: p for p in (*record.joined, *conversation, *conversation.apart)}
    to = (describe_participant(people[token], conversation) for token, _bounce in record.recipients)
    author = people[record.sender]
    if record.verdict == "flagged":
        # The sender is not who they claim to be.
        people[author.token] = author = replace(author, role="partner")
    yield f"record: {_describe_order(conversation)}"
    yield f"  direction: {record.direction}{', automatic' if record.automatic else ''}"
    yield f"  from: {describe_participant(author, conversation)}"
    yield f"  to: {', '.join(to)}"
    yield f"  subject: {one_line(record.subject)}"
    yield f"  text: {one_line(record.first_words)}"
    yield f"  files: {one_line(', '.join(record.attachment_names)) or 'none'}"
    yield f"  size: {record.size} octets"
    yield f"  sender: {record.verdict}"
    if record.joined:
        joined = (describe_participant(people[p.token], conversation) for p in record.joined)
        yield f"  joins: {', '.join(joined)}"
    for note in record.notes:
        yield f"  note: {one_line(note)}"
    handed = [describe_participant(people[token], conversation) for token in sorted(record.shown)]
    if handed:
        yield f"  hands out the soft alias of: {', '.join(handed)}"
    for participant in sorted(people.values(), key=lambda each: not each.introduced):
        if participant.address is not None:
            who = describe_participant(participant, conversation)
            yield f"  takes part: {who}, {_describe_standing(participant)}"


def _describe_standing(participant: Participant) -> str:
    """Return what somebody is in an order, and whether their soft alias resolves."""
    if participant.role == "return":
        return "a Reply-To address or return path"
    if not participant.introduced:
        return "guest"
    return "introduced, soft alias handed out" if participant.handed_out else "introduced"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _display(raw: bytes) -> str:
    return one_line(raw.decode("utf-8", "replace").removeprefix("<").removesuffix(">"))
