"""What comes to a bounce address: looked up at RCPT, marked and passed on at the end.

The rules are in `core.reports.bounce`; here the database is asked. Raises DatabaseUnavailable.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from conversation_tracker.base.mint import mint
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.alias import Bounce
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.reports import bounce as rules
from conversation_tracker.core.reports.bounce import Delivery
from conversation_tracker.core.reports.report import Report, read
from conversation_tracker.database.repository import Database


@dataclass(frozen=True, slots=True)
class Letter:
    """What came to a bounce address and is mail rather than a report of delivery.

    Attributes:
        message: it, as one to the author's alias.
        conversation: what it belongs to.
        complaint: it is one (RFC 5965), which is recorded and forwarded to nobody.
    """

    message: Message
    conversation: Conversation
    complaint: bool


class Bounces:
    """Asks the database about bounce addresses and reports."""

    def __init__(self, database: Database) -> None:
        """Work with this database."""
        self._database = database

    def find(self, bounce: Bounce, *, null: bool) -> Delivery | Reply:
        """Look a bounce address up.

        Args:
            bounce: the address.
            null: the envelope sender is the null sender; nobody else may write here.

        Returns:
            The delivery it was made for, or the reply to refuse it with.
        """
        if not null:
            return replies.NOT_A_REPORT
        found = self._database.delivery(bounce)
        if found is None:
            return replies.UNKNOWN_ALIAS
        status, delivery = found
        if status != "live":
            return replies.EXPIRED_ALIAS if status == "expired" else replies.TRY_LATER
        return delivery

    def decide(self, message: Message, delivery: Delivery) -> Plan | Letter:
        """Take what came to a bounce address.

        Args:
            message: it; its one recipient is the bounce address.
            delivery: the delivery the address was made for.

        Returns:
            The plan, with the delivery already marked; or, where it is no report of delivery, the
            message as one to the author's alias.
        """
        report = read(message)
        complaint = report.kind == "abuse"
        if not rules.forwarded(report) and not complaint:
            return self._marked(message, delivery, report)
        conversation = delivery.conversation
        author = conversation.with_token(delivery.author)
        if author is None or author.address is None:
            return Plan(reply=replies.EXPIRED_ALIAS)
        [recipient] = message.recipients
        to = replace(recipient, order=conversation.order.id, token=author.token)
        return Letter(replace(message, recipients=(to,)), conversation, complaint)

    def complaint(self, message: Message) -> bool:
        """Tell whether a message is a complaint (RFC 5965) to aliases alone.

        It is recorded and never forwarded: it holds the mail it is about, and tells at which
        provider the person is who complained.
        """
        aliases = all(each.token is not None for each in message.recipients)
        return aliases and _declared(message) and read(message).kind == "abuse"

    def shared(self, message: Message) -> bool:
        """Tell whether a message is one report to several aliases and bounce addresses."""
        inside = not any(each.outsider for each in message.recipients)
        return inside and len(message.recipients) > 1 and _report(message) is not None

    def misdirected(self, message: Message, conversation: Conversation) -> Plan | None:
        """Take a report that came to its sender's alias instead of the bounce address.

        Args:
            message: mail to one alias.
            conversation: the alias's conversation.

        Returns:
            The plan, None if it is no report.
        """
        report = _report(message)
        if report is None:
            return None
        [to] = message.recipients
        for address in report.recipients:
            failed = conversation.whose(address)
            if failed is not None and to.token is not None:
                delivery = self._database.last_delivery(to.token, failed.token)
                if delivery is not None:
                    return self._marked(message, delivery, report)
        # It names nobody we wrote to: whatever it tells, it may hold an address.
        return Plan(discard=True)

    def _marked(self, message: Message, delivery: Delivery, report: Report) -> Plan:
        mark = rules.mark(delivery, report)
        if mark is None or not self._database.mark(delivery.bounce, mark, message.digest):
            return Plan(discard=True)
        if mark.state != "bounced":
            return Plan(discard=True)
        return rules.notified(message, delivery, report, datetime.now(UTC), mint())


def _report(message: Message) -> Report | None:
    """Read a report; what has a sender is one only if it says so, for a person may quote one."""
    if not message.null and not _declared(message):
        return None
    report = read(message)
    return None if rules.forwarded(report) or report.in_words else report


def _declared(message: Message) -> bool:
    """Tell cheaply whether a message can be a multipart/report (RFC 6522)."""
    return b"report" in (message.first(b"content-type") or b"").lower()
