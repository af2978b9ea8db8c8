"""What the timeline keeps of a message: a record, masked for everybody.

No field of a record holds a real address or a soft alias; the message itself is kept as everybody
could see it, without trace headers. Where the final scan still finds an address, that place is left
out and the rest is kept: no message goes unrecorded.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Literal, NamedTuple

from conversation_tracker.core.base.header_names import ADDRESS_HEADERS
from conversation_tracker.core.base.limits import UNLIMITED, Overdue
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.header.display_names import remove_name
from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.masking.part.attachment import choose_fate
from conversation_tracker.core.model import automatic
from conversation_tracker.core.model.address import find_mailboxes
from conversation_tracker.core.model.alias import NotAnAlias, decode
from conversation_tracker.core.model.conversation import (
    Conversation,
    Direction,
    MappedId,
    Participant,
)
from conversation_tracker.core.model.first_pass import Verdict
from conversation_tracker.core.model.message import Header, Message, render
from conversation_tracker.core.model.plan import Record, Refusal
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.rules import claims
from conversation_tracker.core.rules.authentication import find_verdict
from conversation_tracker.core.rules.joining import find_mentions
from conversation_tracker.core.rules.record_texts import (
    mask_author_name,
    mask_refused_subject,
    mask_texts,
)
from conversation_tracker.core.scanning.hits import Hit
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.views import calendar_ids
from conversation_tracker.core.views.copies import make_scanner
from conversation_tracker.core.views.leaking_parts import find_leaking_parts
from conversation_tracker.core.views.message_ids import map_ids
from conversation_tracker.core.views.view import View, read_structure

_NOT_KEPT = b"[The body holds an address that cannot be masked, and is not kept.]\r\n"


class _Content(NamedTuple):
    """What a record keeps of the message itself; of one that was recorded before, nothing."""

    sender_name: str = ""
    message_id: str = ""
    subject: str = ""
    first_words: str = ""
    attachment_names: tuple[str, ...] = ()
    raw: Octets = b""
    identifiers: tuple[MappedId, ...] = ()
    notes: tuple[str, ...] = ()
    again: bool = True


def make_record(
    message: Message,
    conversation: Conversation,
    author: Participant,
    to: Sequence[tuple[Participant, str]],
    verdict: Verdict | Literal["flagged"],
    scanner: Scanner,
    alias_domains: Collection[str] = (),
    *,
    own: bool = False,
) -> Record:
    """Return what is recorded of a message in one conversation.

    Args:
        message: the message.
        conversation: the conversation with everybody who takes part.
        author: who wrote it.
        to: who gets it, each with a fresh bounce token.
        verdict: whether the author is who they claim to be.
        scanner: looks for everybody who takes part.
        alias_domains: all alias domains; another order's soft alias holds an address as well.
        own: it is the store's own mail.

    Returns:
        The record: everybody in hard form, without trace headers.

    Raises:
        TooComplex: the body's structure is over the limits.
    """
    view = View(conversation, None, alias_domains=alias_domains, limits=message.limits)
    shown = view.open_signature(message)
    kept, body, view, name = _mask_message(shown, view, scanner, author)
    content = _Content(
        *mask_texts(view, shown, kept, body, scanner, name),
        raw=render(kept, body, message.limits),
        identifiers=_identifiers(message, conversation),
        notes=_make_notes(message, shown, view, body),
        again=False,
    )
    return _record(message, conversation, author, to, verdict, content, own=own)


def make_repeat(
    message: Message,
    conversation: Conversation,
    author: Participant,
    to: Sequence[tuple[Participant, str]],
    verdict: Verdict | Literal["flagged"],
    *,
    own: bool = False,
) -> Record:
    """Return what is recorded of a copy of a message whose first pass has recorded all else.

    Arguments and errors are those of `make_record`.
    """
    return _record(message, conversation, author, to, verdict, _Content(), own=own)


def _record(
    message: Message,
    conversation: Conversation,
    author: Participant,
    to: Sequence[tuple[Participant, str]],
    verdict: Verdict | Literal["flagged"],
    content: _Content,
    *,
    own: bool,
) -> Record:
    sender = conversation.find_owner(message.sender) if message.sender is not None else None
    return Record(
        order=conversation.order.id,
        joined=conversation.new_participants,
        digest=message.digest,
        queue_id=message.arrival.queue_id,
        direction=_choose_direction(message, conversation, author, (each for each, _ in to)),
        sender=author.token,
        return_path=sender.token if sender is not None else None,
        recipients=tuple((participant.token, bounce) for participant, bounce in to),
        sender_name=content.sender_name,
        message_id=content.message_id,
        subject=content.subject,
        first_words=content.first_words,
        size=message.size,
        attachment_names=content.attachment_names,
        automatic=automatic.is_automatic(message),
        auto_reply=automatic.is_answer(message),
        raw=content.raw,
        identifiers=content.identifiers,
        verdict=verdict,
        first_pass=not message.arrival.split,
        notes=content.notes,
        own=own,
        brief=message.is_brief,
        mentioned=tuple(dict.fromkeys(find_mentions(message, conversation))),
        again=content.again,
    )


def _identifiers(message: Message, conversation: Conversation) -> tuple[MappedId, ...]:
    """Return the identifiers to map back: of the message, and of invitations in it."""
    invited = calendar_ids.map_ids(message, read_structure(message), conversation)
    found = {each.ours: each for each in (*map_ids(message, conversation), *invited)}
    return tuple(found.values())


def _make_notes(message: Message, shown: Message, view: View, kept: Octets) -> tuple[str, ...]:
    """Return what holds an address and is no text, which signatures go, how many are left out.

    If the message was taken out of its signature, its own parts are listed after that.
    """
    part = read_structure(message)
    clean, found = view.clean_parts, list[message_body.UnmaskedPart]()
    for each in (message, shown) if shown is not message else (message,):
        found += message_body.find_unmasked_parts(
            read_structure(each), each.body, view.others, each.limits, clean, view.condemned
        )
    numbers = {each.number for each in found}
    policy = view.conversation.store.attachments_with_address
    signatures = message_body.find_removed_signatures(part, message.body, kept, clean.unsigned)
    parts = (
        f"{each.number} {each.type} {each.kind}{choose_fate(each.kind, policy)}"
        for each in (*found, *(each for each in signatures if each.number not in numbers))
    )
    left = len(view.conversation.left_out)
    return (*parts, f"left out: {left}") if left else tuple(parts)


def make_refusal(
    message: Message,
    conversation: Conversation,
    recipient: str | None,
    reply: Reply,
    authserv_id: str = "",
) -> Refusal:
    """Return what is recorded of a message that was refused.

    Args:
        message: the message.
        conversation: a conversation it was for, as it was before: nobody joins by being refused.
        recipient: token of the participant it was for.
        reply: what it was refused with.
        authserv_id: whose Authentication-Results to believe, "" for nobody's. Who did not write
            what claims to be theirs is not named.
    """
    view = View(conversation, None)
    author = conversation.find_owner(message.author) if message.author is not None else None
    # The time for it may be over; of what may be long, only the beginning is looked at.
    short = replace(message, limits=UNLIMITED)
    found = find_verdict(short, authserv_id)
    if claims.has_false_claim(message, conversation, found):
        author = None
    return Refusal(
        order=conversation.order.id,
        digest=message.digest,
        author=author.token if author is not None else None,
        recipient=recipient,
        subject=mask_refused_subject(view, short, make_scanner(conversation, None, short)),
        reply=str(reply),
    )


def invited(message: Message) -> list[str]:
    """Return the identifiers in a message's invitations, in angle brackets; none if refused."""
    with suppress(message_body.TooComplex, Overdue):
        return calendar_ids.find_references(message, read_structure(message))
    return []


def _mask_message(
    message: Message, view: View, scanner: Scanner, author: Participant
) -> tuple[tuple[Header, ...], Octets, View, str]:
    """Return what is kept of the message itself, masked, without what could not be; and the view.

    The author's display name, which comes last, is kept once, as the record's sender_name, so that
    it can be erased; beside another address of theirs it would stay. The view leaves out what the
    scan wants removed.
    """
    kept, name = _keep_fields(message, view, author)
    try:
        headers, body, hits = _masked(kept, message, view, scanner)
        if hits:
            if _are_inside(hits):
                view = view.without(find_leaking_parts(message, view, scanner))
            kept, name = _keep_fields(message, view.without(view.condemned), author)
            headers, body, hits = _masked(kept, message, view, scanner)
        return *_remove_leaks(headers, body, hits, view, scanner), view, name
    except message_body.Unmaskable:
        return tuple(h for h in kept if not h.key.startswith(b"content-")), _NOT_KEPT, view, name


def _keep_fields(
    message: Message, view: View, author: Participant
) -> tuple[tuple[Header, ...], str]:
    """Return the header fields that are kept, masked, without the author's name; and that."""
    values = view.headers(message, protected=True)
    alias = f"{author.token}@{view.conversation.order.alias_domain}"
    name = mask_author_name(view, message)  # what is hidden in the fields is known by now
    fields = [
        header.change(remove_name(value, alias, name) if header.key in ADDRESS_HEADERS else value)
        for header, value in zip(message.headers, values, strict=True)
        if value is not None
    ]
    return tuple(fields), name


def _masked(
    kept: tuple[Header, ...], message: Message, view: View, scanner: Scanner
) -> tuple[tuple[Header, ...], Octets, list[Hit]]:
    """Mask the body; what the scan still finds in it and in the header fields comes along."""
    body = view.body(message)
    headers = tuple(
        h.change(value)
        for h in kept
        if (value := message_body.make_content_field(h.key, h.value, message.body, body))
        is not None
    )
    return headers, body, scanner.scan(headers, body)


def _remove_leaks(
    headers: tuple[Header, ...], body: Octets, hits: Sequence[Hit], view: View, scanner: Scanner
) -> tuple[tuple[Header, ...], Octets]:
    """Leave out of a masked message whatever still shows an address."""
    if not hits:
        return headers, body
    from conversation_tracker.core.views.cut_leaks import cut_leaks  # few messages need it

    values, body = cut_leaks(headers, [each.value for each in headers], body, view, scanner)
    headers = tuple(h.change(v) for h, v in zip(headers, values, strict=True) if v is not None)
    if _are_inside(hits) and _are_inside(scanner.scan(headers, body)):
        headers = tuple(h for h in headers if not h.key.startswith(b"content-"))
        body = _NOT_KEPT
    return tuple(h for h in headers if not scanner.scan([h], b"")), body


def _are_inside(hits: Iterable[Hit]) -> bool:
    """Return whether any of these is in the body."""
    return any(not hit.in_header for hit in hits)


def _choose_direction(
    message: Message, conversation: Conversation, author: Participant, to: Iterable[Participant]
) -> Direction:
    """Return a message's direction as a whole.

    The sender's server may hand in each recipient apart, in any order: so those that the header
    names count as well.
    """
    if author.role == "buyer":
        return "inbound"
    people = chain(to, _list_named(message, conversation))
    to_buyer = any(conversation.role(participant) == "buyer" for participant in people)
    return "outbound" if to_buyer else "internal"


def _list_named(message: Message, conversation: Conversation) -> Iterator[Participant]:
    """Yield the participants in To and Cc, be it by address or by alias."""
    for value in chain(message.values(b"to"), message.values(b"cc")):
        for mailbox in find_mailboxes(value, message.limits.check):
            if mailbox.address is not None:
                found = conversation.find_owner(mailbox.address)
                with suppress(NotAnAlias):
                    alias = decode(mailbox.address, (conversation.order.alias_domain,))
                    found = found or conversation.find_by_alias(alias)
                if found is not None:
                    yield found
