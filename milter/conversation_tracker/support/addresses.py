"""What `explain` shows of addresses: where each stood, what became of it, what is in each copy.

No line holds a real address. Nothing here raises.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from conversation_tracker.base.failure import one_line
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.conversation import Conversation, Participant
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.plan import Edit
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.scanning.hits import Hit
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.views import copies
from conversation_tracker.core.views.address_positions import find_positions
from conversation_tracker.core.views.view import View
from conversation_tracker.milter.transaction import Transaction


@dataclass(frozen=True, slots=True)
class RehearsalResult:
    """What a rehearsal gave.

    Attributes:
        message: the message.
        edits: what makes it the copy that leaves, or the queued one.
        what: what is to happen, as of `filter.Outcome`.
        reply: what it is refused with, None if it is not.
        transaction: with the recipients.
        known: the conversations by their order's id, with everybody who takes part.
    """

    message: Message
    edits: tuple[Edit, ...]
    what: str
    reply: Reply | None
    transaction: Transaction
    known: Mapping[int, Conversation]


def describe_addresses(found: RehearsalResult) -> Iterator[str]:
    """Yield the lines."""
    yield from _describe_hits(found)
    yield from _describe_positions(found)


def _describe_hits(found: RehearsalResult) -> Iterator[str]:
    """Return where each participant's address was found, and what becomes of it there."""
    idle = found.what in ("returned", "untouched") and found.reply is None
    for conversation in () if idle else found.known.values():
        scanner = copies.make_scanner(conversation, None, found.message)
        left = None if found.what == "split" else _find_leaks(found, conversation, scanner)
        for hit in scanner.scan(found.message.headers, found.message.body):
            whose = conversation.find_by_token(hit.token)
            if whose is not None:
                became = _describe_change(hit, left, found.transaction)
                who = describe_participant(whose, conversation)
                yield f"found: {who} in {one_line(hit.channel)}: {became}"


def _describe_positions(found: RehearsalResult) -> Iterator[str]:
    """Describe where each copy shows the reader's own address, and where each other's alias."""
    if found.reply is not None or found.what not in ("forwarded", "split"):
        return
    for recipient in found.transaction.recipients:
        conversation = found.known.get(recipient.order or 0)
        if conversation is None or recipient.token is None:
            continue
        reader = conversation.find_by_token(recipient.token)
        if reader is None or reader.address is None:
            continue
        edits = found.edits
        if found.what == "split":
            scanner = copies.make_scanner(conversation, reader, found.message)
            view, make = _make_copy(found, conversation, reader, scanner)
            edits = copies.make_safe_copy(found.message, view, scanner, make)
        copy = copies.apply_edits(found.message, edits)
        yield from map(one_line, find_positions(*copy, conversation, reader, found.message.limits))


def _make_copy(
    found: RehearsalResult, conversation: Conversation, reader: Participant, scanner: Scanner
) -> tuple[View, Callable[..., Iterator[Edit]]]:
    """Return one reader's view, and what makes their copy's edits with it on the second pass."""
    author = conversation.find_owner(found.message.author) if found.message.author else None
    protected = author is None or author.role != "store"
    make = partial(copies.edit_content, found.message, scanner=scanner, protected=protected)
    return View(conversation, reader), make


def _find_leaks(found: RehearsalResult, conversation: Conversation, scanner: Scanner) -> set[Hit]:
    """Return what is still shown by the copy that leaves, or by the one that must not."""
    edits = found.edits
    reader = conversation.find_by_token(found.transaction.recipients[0].token or "")
    if found.reply == replies.CANNOT_MASK and reader is not None and reader.address is not None:
        try:
            view, make = _make_copy(found, conversation, reader, scanner)
            edits = tuple(make(view=view))
        except ValueError:  # the structure is over the limits
            edits = ()
    headers, body = copies.apply_edits(found.message, edits)
    return set(scanner.scan(headers, body))


def _describe_change(hit: Hit, left: set[Hit] | None, transaction: Transaction) -> str:
    if left is None:
        return "to be masked in each copy"
    if hit not in left:
        return "masked or left out"
    if any(recipient.token == hit.token for recipient in transaction.recipients):
        return "stays, it is the reader's own"
    return (
        "stays, as the store decides" if hit.in_file or hit.in_running_text else "cannot be masked"
    )


def describe_participant(participant: Participant, conversation: Conversation) -> str:
    """Name a participant by role and alias."""
    return f"{participant.role} {conversation.hard(participant)}"
