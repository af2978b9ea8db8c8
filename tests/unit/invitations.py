"""Letters from a carrier, invitations where they do not say otherwise, and what becomes of them."""

from collections.abc import Mapping

from builders import BUYER, CARRIER, SHOP, B, applied, counter, mail, order, written

from conversation_tracker.core.model.conversation import Conversation, MappedId
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.rules.planning import plan

TALK = order(BUYER, SHOP, CARRIER)


def letter(body: str | bytes, *fields: str, author: str = CARRIER) -> bytes:
    """Write a message with this body; the fields declare a calendar where they say nothing."""
    head = fields or ("Content-Type: text/calendar; charset=utf-8",)
    text = written(author, *head, body="").encode()
    return text.rstrip(b"\n") + b"\n\n" + (body.encode() if isinstance(body, str) else body)


def done(
    raw: bytes,
    *,
    to: str = B,
    conversation: Conversation = TALK,
    known: Mapping[str, MappedId] | None = None,
    sender: str = CARRIER,
) -> tuple[Plan, Message]:
    """Plan a message and apply it."""
    row = mail(raw, conversation, to=to, sender=sender)
    found = plan(row.message, row.conversations, counter(), None, known)
    assert found.reply is None, found.reply
    return found, applied(row.message, found)
