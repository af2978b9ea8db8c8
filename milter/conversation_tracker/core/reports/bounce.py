"""What comes back to a bounce address, and what becomes of it.

A report of failure marks the delivery, and its sender gets a notice of ours that names only the
alias; the report itself, which holds the real address, goes no further. Delays and successes are
only recorded, abuse reports as well. An automatic answer is no report: it is mail to the sender.
Pure: the rules are here, `milter.paths.reports` asks the database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from conversation_tracker.core.model.conversation import Conversation, Participant
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.plan import (
    AddHeader,
    AddRecipient,
    ChangeHeader,
    DeleteRecipient,
    Edit,
    Plan,
    ReplaceBody,
)
from conversation_tracker.core.views.view import View

if TYPE_CHECKING:
    from conversation_tracker.core.reports.notice import Notice
    from conversation_tracker.core.reports.report import Report

State = Literal["bounced", "delayed", "sent"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One copy of one message on its way to one recipient.

    Attributes:
        bounce: token of its bounce address.
        conversation: the order.
        recipient: token of the participant it went to.
        author: token of the participant who wrote the message.
        return_path: token of the envelope sender the message came with, None for the null sender.
        at: when the message came.
        subject: the message's subject, masked.
        original_id: the message's Message-ID as its author knows it.
        state: what is known of the delivery so far.
    """

    bounce: str
    conversation: Conversation
    recipient: str
    author: str
    return_path: str | None
    at: datetime
    subject: str
    original_id: str
    state: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What a report says of a delivery.

    Attributes:
        state: its new state.
        status: enhanced status code (RFC 3463), "" if there is none.
        reason: the remote's words, masked.
    """

    state: State
    status: str
    reason: str


def mark(delivery: Delivery, report: "Report") -> Mark | None:
    """Return how a report marks its delivery.

    Args:
        delivery: the delivery it is about.
        report: the report.

    Returns:
        The mark, or None if the report says nothing of the delivery.
    """
    states: dict[str, State] = {"failed": "bounced", "delayed": "delayed", "delivered": "sent"}
    state = states.get(report.kind)
    if state is None:
        return None
    return Mark(state, *redact_reason(delivery, report.status, report.diagnostic))


def is_forwarded(report: "Report") -> bool:
    """Return whether what came to a bounce address is mail for the sender rather than a report."""
    return report.kind in ("automatic", "receipt", "other")


def notify_sender(
    message: Message, delivery: Delivery, report: "Report", now: datetime, token: str
) -> Plan:
    """Turn a report of failure into our own notice to the sender.

    Args:
        message: the report as it came; its one recipient is the bounce address.
        delivery: the delivery that failed.
        report: what it says.
        now: the time.
        token: a fresh random token for Message-ID and boundary.

    Returns:
        A plan that replaces the whole message; it discards it where nobody is to be informed: the
        message came with the null sender (RFC 5321 section 4.5.5), or its sender is gone.
    """
    from conversation_tracker.core.reports import notice  # few messages need it

    conversation = delivery.conversation
    failed = conversation.find_by_token(delivery.recipient)
    to = conversation.find_by_token(delivery.return_path) if delivery.return_path else None
    if failed is None or to is None or to.address is None:
        return Plan(discard=True)
    own = notice.write_notice(
        # A soft alias that no copy has shown would answer as an unknown one.
        alias=conversation.alias(failed) if failed.handed_out else conversation.hard(failed),
        to=str(to.address),
        reporter=conversation.order.alias_domain,
        domain=conversation.order.alias_domain,
        status=report.status or "5.0.0",
        # Not even the remote's words: they show the recipient's provider.
        diagnostic="",
        subject=View(conversation, to).text(delivery.subject),
        message_id=delivery.original_id,
        arrived=delivery.at,
        now=now,
        token=token,
    )
    return Plan(edits=tuple(_replace_message(message, own, to)))


def _replace_message(message: Message, own: "Notice", to: Participant) -> Iterator[Edit]:
    counts: dict[bytes, int] = {}
    deletions = []
    for header in message.headers:
        counts[header.key] = counts.get(header.key, 0) + 1
        deletions.append(ChangeHeader(header.name, counts[header.key], None))
    yield from reversed(deletions)
    for header in own.headers:
        yield AddHeader(header.name, header.value)
    yield ReplaceBody(own.body)
    yield DeleteRecipient(message.recipients[0].raw)
    yield AddRecipient(str(to.address))


def redact_reason(delivery: Delivery, status: str, said: str) -> tuple[str, str]:
    """Return a status and the remote's words, in which nobody and no host is named.

    Args:
        delivery: the delivery it is about.
        status: enhanced status code, "" if there is none.
        said: the remote's words; they may name anybody, also by an address that we do not know.

    Returns:
        The status, "" if it is none, and the words. Where the recipient's address is gone, nothing
        could be masked: no words.
    """
    from conversation_tracker.core.reports import redaction  # few messages need it

    recipient = delivery.conversation.find_by_token(delivery.recipient)
    if recipient is None or recipient.address is None:
        return redaction.clean_status(status), ""
    return redaction.clean_status(status), redaction.redact(delivery.conversation, said)
