"""What is to happen to a message: the rules, as one pure function from values to a plan.

`refused` looks at the message alone, `named_order` tells whether a store's own mail names an
order, `plan` does the rest once the conversations are known. No clock, no randomness of its own,
no I/O: fresh tokens come from the caller. A message that cannot be masked is refused with
554 5.6.0; nothing here raises over what a message holds.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from conversation_tracker.core import body as mime
from conversation_tracker.core import replies
from conversation_tracker.core.address import Address, mailboxes
from conversation_tracker.core.alias import in_domains
from conversation_tracker.core.conversation import (
    Conversation,
    Direction,
    Participant,
    Role,
    Store,
    TooManyParticipants,
)
from conversation_tracker.core.headers import decoded
from conversation_tracker.core.message import INTERNAL, PASS, Header, Message, render
from conversation_tracker.core.plan import (
    UNTOUCHED,
    AddHeader,
    AddRecipient,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    Plan,
    Record,
    ReplaceBody,
)
from conversation_tracker.core.view import View, structure

HOP_LIMIT = 5
"""How often a message may go through a tracker."""

Mint = Callable[[], str]

_JOINING = (b"from", b"sender", b"reply-to", b"to", b"cc")
_AUTHORS = (b"from", b"sender", b"reply-to")
_WORDS = 200
_SUBJECT = 1000
_NUMBER = 200


def refused(message: Message, alias_domains: Collection[str]) -> replies.Reply | None:
    """Tell whether a message must not pass, whoever it is for.

    A From in an alias domain is never a participant: the signer behind us signs what carries it,
    so it is only ever ours. With our hop header it came back, without it is forged.

    Args:
        message: the message.
        alias_domains: all alias domains.

    Returns:
        The reply to refuse it with, or None.
    """
    if message.hops >= HOP_LIMIT:
        return replies.LOOP
    named = [m.address for value in message.values(b"from") for m in mailboxes(value)]
    for address in (*named, message.author):
        if address is not None and in_domains(address.domain, alias_domains):
            return replies.LOOP if message.hops else replies.FORGED_SENDER
    return None


def own_mail(message: Message, stores: Mapping[str, Store]) -> Store | None:
    """Tell whose own mail a message is.

    Args:
        message: the message.
        stores: the stores by each of their sender domains.

    Returns:
        The store, if the client is trusted and the author is in one of its sender domains.
    """
    if not message.arrival.trusted or message.arrival.split or message.author is None:
        return None
    return stores.get(message.author.domain)


def named_order(message: Message, store: Store) -> str | None:
    """Read the order's number from the store's order header.

    Args:
        message: the store's own mail.
        store: the store.

    Returns:
        The number, or None if the header is absent, empty, or too long to be one.
    """
    value = message.first(store.order_header.encode("ascii").lower())
    number = decoded(value).strip() if value is not None else ""
    return number if 0 < len(number) <= _NUMBER else None


def plan(
    message: Message,
    conversations: Sequence[Conversation],
    mint: Mint,
    own: Store | None = None,
) -> Plan:
    """Decide what happens to a message.

    Args:
        message: the message; its recipients name the conversations they belong to.
        conversations: the conversations of its recipients, or the one a store's own mail names.
        mint: gives a fresh random token, 32 hexadecimal digits.
        own: the store whose own mail it is.

    Returns:
        The plan.
    """
    if not conversations:
        return UNTOUCHED
    if message.author is None and message.first(b"from") is None:
        return Plan(reply=replies.NO_SENDER)
    if message.arrival.split and len(message.recipients) > 1:
        # The splitter's transport does not split; passing this on would go round for ever.
        return Plan(reply=replies.TRY_LATER)
    try:
        return _planned(message, conversations, mint, own)
    except TooManyParticipants:
        return Plan(reply=replies.TOO_MANY_PARTICIPANTS)
    except (mime.TooComplex, _Unreadable):
        return Plan(reply=replies.CANNOT_MASK)


class _Unreadable(ValueError):
    """An address that an answer would go to, or that gets a copy, is none."""


def _check_readable(message: Message) -> None:
    authors = (m for name in _AUTHORS for value in message.values(name) for m in mailboxes(value))
    if any(mailbox.address is None for mailbox in authors):
        raise _Unreadable
    if any(r.token is None and r.address is None for r in message.recipients):
        raise _Unreadable


def _planned(
    message: Message, conversations: Sequence[Conversation], mint: Mint, own: Store | None
) -> Plan:
    _check_readable(message)
    first, *others = conversations
    if any(_unwelcome(message, conversation, own) for conversation in conversations):
        return Plan(reply=replies.SENDER_REFUSED)
    groups = [_gathered(message, first, _outsiders(message), mint, own)]
    groups += [_gathered(message, conversation, [], mint, own) for conversation in others]
    recipients = [_recipients(message, group, outsiders=i == 0) for i, group in enumerate(groups)]
    records = tuple(
        _record(message, group, to, mint) for group, to in zip(groups, recipients, strict=True)
    )
    if len(message.recipients) == 1:
        [to] = recipients[0]
        edits = tuple(_copy(message, groups[0], to))
        bounces_to = None if message.null else to.token
        return Plan(edits=edits, records=records, bounces_to=bounces_to)
    return Plan(edits=tuple(_queued(message, groups[0])), records=records)


def _unwelcome(message: Message, conversation: Conversation, own: Store | None) -> bool:
    if own is not None or conversation.store.unknown_senders == "accept":
        return False
    author = message.author
    return author is None or conversation.of(author) is None


def _outsiders(message: Message) -> list[Address]:
    return [r.address for r in message.recipients if r.token is None and r.address is not None]


def _gathered(
    message: Message,
    conversation: Conversation,
    outsiders: Sequence[Address],
    mint: Mint,
    own: Store | None,
) -> Conversation:
    """Let everybody join who takes part in a message: recipients, header addresses, return path."""
    for address in outsiders:
        wanted: Role = "buyer" if own is not None and not conversation.has("buyer") else "partner"
        conversation = conversation.join(address, wanted, mint)
    domains = (conversation.order.alias_domain,)
    for address in _joining(message):
        if in_domains(address.domain, domains) is None:
            conversation = conversation.join(address, "partner", mint)
    if message.sender is not None and in_domains(message.sender.domain, domains) is None:
        conversation = conversation.join(message.sender, "return", mint)
    return conversation


def _joining(message: Message) -> Iterator[Address]:
    if message.author is not None:
        yield message.author
    for name in _JOINING:
        for value in message.values(name):
            for mailbox in mailboxes(value):
                if mailbox.address is not None:
                    yield mailbox.address


def _recipients(
    message: Message, conversation: Conversation, *, outsiders: bool
) -> list[Participant]:
    """Give the participants of one conversation that a message goes to, each once."""
    found: dict[str, Participant] = {}
    for recipient in message.recipients:
        participant = None
        if recipient.order == conversation.order.id and recipient.token is not None:
            participant = conversation.with_token(recipient.token)
        elif recipient.order is None and outsiders and recipient.address is not None:
            participant = conversation.of(recipient.address)
        if participant is not None:
            found.setdefault(participant.token, participant)
    return list(found.values())


def _author(message: Message, conversation: Conversation) -> Participant:
    participant = conversation.of(message.author) if message.author is not None else None
    if participant is None:
        raise _Unreadable
    return participant


def _copy(message: Message, conversation: Conversation, to: Participant) -> Iterator[Edit]:
    """Give the edits that make a message one recipient's own copy."""
    view = View(conversation, to)
    protected = _author(message, conversation).role != "store"
    yield from _header_edits(message, view.headers(message, protected=protected))
    for header in view.added(message):
        yield AddHeader(header.name, header.value)
    body = view.body(message) if conversation.store.mask_body else message.body
    if body is not message.body:
        yield ReplaceBody(body)
    raw, real = message.recipients[0].raw, str(to.address)
    if raw.strip(b"<>") != real.encode("utf-8"):
        yield DeleteRecipient(raw)
        yield AddRecipient(real)


def _header_edits(message: Message, values: Sequence[bytes | None]) -> Iterator[ChangeHeader]:
    """Give the differences, last field first, so that no edit moves a later one's index."""
    seen: dict[bytes, int] = {}
    edits = []
    for header, value in zip(message.headers, values, strict=True):
        seen[header.key] = seen.get(header.key, 0) + 1
        if value is not header.value:
            edits.append(ChangeHeader(header.name, seen[header.key], value))
    return reversed(edits)


def _queued(message: Message, conversation: Conversation) -> Iterator[Edit]:
    """Give the edits for mail that the splitter will take apart: aliases in the envelope only.

    The digest travels along, so that each copy finds the record that the first pass made.
    """
    gone = INTERNAL | {b"bcc"}
    values = [None if h.key in gone else h.value for h in message.headers]
    yield from _header_edits(message, values)
    yield AddHeader(PASS, message.digest.hex().encode("ascii"))
    taken: set[str] = set()
    for recipient in message.recipients:
        token = recipient.token
        if token is None and recipient.address is not None:
            participant = conversation.of(recipient.address)
            if participant is not None:
                token = participant.token
                yield DeleteRecipient(recipient.raw)
                if token not in taken:
                    yield AddRecipient(conversation.alias(participant))
        elif token in taken:
            yield DeleteRecipient(recipient.raw)
        taken.add(token or "")


def _record(
    message: Message, conversation: Conversation, to: Sequence[Participant], mint: Mint
) -> Record:
    """Give what the timeline keeps: everybody in hard form, and nothing the way added."""
    view = View(conversation, None)
    values = view.headers(message, protected=True)
    kept = tuple(
        Header(header.name, value)
        for header, value in zip(message.headers, values, strict=True)
        if value is not None
    )
    body = view.body(message)
    part = structure(message)
    author = _author(message, conversation)
    sender = conversation.of(message.sender) if message.sender is not None else None
    return Record(
        order=conversation.order.id,
        joined=conversation.joined,
        digest=message.digest,
        queue_id=message.arrival.queue_id,
        direction=_direction(author, to),
        sender=author.token,
        return_path=sender.token if sender is not None else None,
        recipients=tuple((participant.token, mint()) for participant in to),
        sender_name=view.text(_author_name(message)),
        message_id=_text(view, message, b"message-id"),
        subject=_text(view, message, b"subject")[:_SUBJECT],
        first_words=" ".join(view.text(mime.text(part, message.body)).split())[:_WORDS],
        size=message.size,
        attachment_names=tuple(view.text(n) for n in mime.attachment_names(part, message.body)),
        automatic=message.automatic,
        raw=render(kept, body),
    )


def _direction(author: Participant, to: Sequence[Participant]) -> Direction:
    if author.role == "buyer":
        return "inbound"
    return "outbound" if any(participant.role == "buyer" for participant in to) else "internal"


def _author_name(message: Message) -> str:
    found = mailboxes(message.first(b"from") or b"")
    return found[0].name if found else ""


def _text(view: View, message: Message, name: bytes) -> str:
    return view.text(decoded(message.first(name) or b""))
