"""What the timeline keeps of a message: a record, masked for good.

No real address and no soft alias gets into a record, in whatever field; the message itself is kept
as everybody could see it, without what only its way added.
"""

import re
from collections.abc import Collection, Sequence
from typing import Literal

from conversation_tracker.core import body as mime
from conversation_tracker.core.address import mailboxes
from conversation_tracker.core.conversation import Conversation, Direction, Participant
from conversation_tracker.core.headers import decoded
from conversation_tracker.core.message import Header, Message, render
from conversation_tracker.core.plan import Record, Refusal
from conversation_tracker.core.replies import Reply
from conversation_tracker.core.thread import mapped, shown
from conversation_tracker.core.verdict import Verdict
from conversation_tracker.core.view import View, structure

_WORDS = 200
_SUBJECT = 1000
_IDENTIFIER = 500
_ANY_ADDRESS = re.compile(r"(?<![^\s<>(),;:\"'])(?![0-9a-f]{32}@)[^\s<>(),;:\"']+@[^\s<>(),;:\"']+")


def record(
    message: Message,
    conversation: Conversation,
    author: Participant,
    to: Sequence[tuple[Participant, str]],
    verdict: Verdict | Literal["flagged"],
    alias_domains: Collection[str] = (),
) -> Record:
    """Give what is recorded of a message in one conversation.

    Args:
        message: the message.
        conversation: the conversation with everybody who takes part.
        author: who wrote it.
        to: who gets it, each with a fresh bounce token.
        verdict: whether the author is who they claim to be.
        alias_domains: all alias domains; another order's soft alias holds an address as well.

    Returns:
        The record: everybody in hard form, and nothing that the way added.

    Raises:
        TooComplex: the body's structure is over the limits.
    """
    view = View(conversation, None, alias_domains=alias_domains)
    values = view.headers(message, protected=True)
    kept = tuple(
        Header(header.name, value)
        for header, value in zip(message.headers, values, strict=True)
        if value is not None
    )
    body = view.body(message)
    part = structure(message)
    sender = conversation.of(message.sender) if message.sender is not None else None
    return Record(
        order=conversation.order.id,
        joined=conversation.joined,
        digest=message.digest,
        queue_id=message.arrival.queue_id,
        direction=_direction(author, [participant for participant, _ in to]),
        sender=author.token,
        return_path=sender.token if sender is not None else None,
        recipients=tuple((participant.token, bounce) for participant, bounce in to),
        sender_name=view.text(_author_name(message)),
        message_id=_message_id(view, message),
        subject=_text(view, message, b"subject")[:_SUBJECT],
        first_words=" ".join(view.text(mime.text(part, message.body)).split())[:_WORDS],
        size=message.size,
        attachment_names=tuple(view.text(n) for n in mime.attachment_names(part, message.body)),
        automatic=message.automatic,
        auto_reply=message.auto_reply,
        raw=render(kept, body),
        identifiers=tuple(mapped(message, conversation)),
        verdict=verdict,
    )


def refusal(
    message: Message, conversation: Conversation, recipient: str | None, reply: Reply
) -> Refusal:
    """Give what is recorded of a message that was refused.

    Args:
        message: the message.
        conversation: a conversation it was for, as it was before: nobody joins by being refused.
        recipient: token of the participant it was for.
        reply: what it was refused with.
    """
    view = View(conversation, None)
    author = conversation.of(message.author) if message.author is not None else None
    return Refusal(
        order=conversation.order.id,
        digest=message.digest,
        author=author.token if author is not None else None,
        recipient=recipient,
        subject=_anonymous(_text(view, message, b"subject")[:_SUBJECT]),
        reply=str(reply),
    )


def _anonymous(text: str) -> str:
    """Take every address out of a text: a stranger's has no alias that could stand for it."""
    return _ANY_ADDRESS.sub("[address]", text)


def _direction(author: Participant, to: Sequence[Participant]) -> Direction:
    if author.role == "buyer":
        return "inbound"
    return "outbound" if any(participant.role == "buyer" for participant in to) else "internal"


def _message_id(view: View, message: Message) -> str:
    value = shown(message.first(b"message-id") or b"", view.conversation, None, {})
    return view.text(decoded(value)).strip()[:_IDENTIFIER]


def _author_name(message: Message) -> str:
    found = mailboxes(message.first(b"from") or b"")
    return found[0].name if found else ""


def _text(view: View, message: Message, name: bytes) -> str:
    return view.text(decoded(message.first(name) or b""))
