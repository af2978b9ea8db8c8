"""The edits that make copies of a message: one recipient's own, or the queued one for several.

What a header or body becomes is `view`'s to say; here it becomes actions of the milter protocol.
"""

from collections.abc import Iterator, Sequence

from conversation_tracker.core.conversation import Conversation, Participant
from conversation_tracker.core.message import INTERNAL, PASS, Message
from conversation_tracker.core.plan import (
    AddHeader,
    AddRecipient,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    ReplaceBody,
)
from conversation_tracker.core.verdict import Verdict
from conversation_tracker.core.view import View


def one(message: Message, view: View, to: Participant, *, protected: bool) -> Iterator[Edit]:
    """Give the edits that make a message with one recipient their own copy.

    Args:
        message: the message.
        view: the conversation as the recipient sees it.
        to: the recipient, who has an address.
        protected: the author is a person to protect.

    Raises:
        TooComplex: the body's structure is over the limits.
    """
    conversation = view.conversation
    yield from changed(message, view.headers(message, protected=protected))
    for header in view.added(message):
        yield AddHeader(header.name, header.value)
    body = view.body(message) if conversation.store.mask_body else message.body
    if body is not message.body:
        yield ReplaceBody(body)
    [recipient] = message.recipients
    if not recipient.outsider:
        yield DeleteRecipient(recipient.raw)
        yield AddRecipient(str(to.address))


def changed(message: Message, values: Sequence[bytes | None]) -> Iterator[ChangeHeader]:
    """Give the edits that make a message's header fields have these values.

    Args:
        message: the message.
        values: one for each field; the same object changes nothing, None deletes it.

    Returns:
        The edits, last field first, so that none moves the index of a later one.
    """
    seen: dict[bytes, int] = {}
    edits = []
    for header, value in zip(message.headers, values, strict=True):
        seen[header.key] = seen.get(header.key, 0) + 1
        if value is not header.value:
            edits.append(ChangeHeader(header.name, seen[header.key], value))
    return reversed(edits)


def several(message: Message, conversation: Conversation, found: Verdict) -> Iterator[Edit]:
    """Give the edits for mail that the splitter will take apart: aliases in the envelope only.

    The digest travels along, so that each copy finds the record that the first pass made, and so
    does what was found out about the author.

    Args:
        message: the message.
        conversation: the conversation that outsiders among its recipients have joined.
        found: whether the author is who they claim to be.
    """
    gone = INTERNAL | {b"bcc"}
    values = [None if h.key in gone else h.value for h in message.headers]
    yield from changed(message, values)
    yield AddHeader(PASS, f"{message.digest.hex()} {found}".encode("ascii"))
    yield from _aliases(message, conversation)


def _aliases(message: Message, conversation: Conversation) -> Iterator[Edit]:
    """Leave one alias for each participant in the envelope.

    Deleting a recipient deletes every repetition of the same text, and what was added as well: so
    a text that stays, or is added, is never deleted.
    """
    texts: dict[str, list[bytes]] = {}
    outside: dict[str, list[bytes]] = {}
    for recipient in message.recipients:
        if recipient.token is not None:
            texts.setdefault(recipient.token, []).append(recipient.raw)
        elif recipient.outsider and recipient.address is not None:
            participant = conversation.of(recipient.address)
            if participant is not None:
                outside.setdefault(participant.token, []).append(recipient.raw)
    for token in dict.fromkeys([*texts, *outside]):
        named = texts.get(token, [])
        kept = next((raw for raw in named if named.count(raw) == 1), None)
        for raw in dict.fromkeys([*named, *outside.get(token, [])]):
            if raw != kept:
                yield DeleteRecipient(raw)
        participant = conversation.with_token(token)
        if kept is None and participant is not None:
            yield AddRecipient(conversation.alias(participant))
