"""What a message is: decided once, at its end, from the message and what its recipients led to.

Each kind holds what its path needs, and nobody decides again. The order of the questions is that of
docs/flow.md. Pure. What takes too long raises Overdue.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import needs_smtputf8
from conversation_tracker.core.model.alias import find_domain
from conversation_tracker.core.model.automatic import may_be_answer
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.first_pass import verify as read_pass
from conversation_tracker.core.model.message import PASS, Message
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.reports.bounce import Delivery, is_forwarded
from conversation_tracker.core.rules import postmaster, redirect
from conversation_tracker.core.rules.loop import find_refusal
from conversation_tracker.core.rules.own_mail import drop_false_trust, find_own_store
from conversation_tracker.core.rules.returning import is_returned

if TYPE_CHECKING:
    from conversation_tracker.core.reports.report import Report


@dataclass(frozen=True, slots=True)
class Lookups:
    """What was looked up before the end of a message.

    Attributes:
        conversations: those of its recipients that are aliases, by the order's id.
        deliveries: those of its recipients that are bounce addresses, by their token.
        probe: a recipient is a probe of `check`.
        alias_domains: all alias domains.
        stores: the stores by each of their sender domains.
        redirected: the order that the alias in From is of, where the mail may have been sent on.
    """

    conversations: Mapping[int, Conversation]
    deliveries: Mapping[str, Delivery]
    probe: bool
    alias_domains: Collection[str]
    stores: Mapping[str, Store]
    redirected: Conversation | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe of `check`: it is answered, and goes nowhere."""

    message: Message


@dataclass(frozen=True, slots=True)
class Unacceptable:
    """Mail that must not pass, whoever it is for.

    Attributes:
        message: the message.
        reply: what to refuse it with.
        conversations: the orders whose timelines note it.
    """

    message: Message
    reply: Reply
    conversations: Mapping[int, Conversation]


@dataclass(frozen=True, slots=True)
class PostmasterMail:
    """Mail to postmasters of alias domains, and to nobody else."""

    message: Message


@dataclass(frozen=True, slots=True)
class BounceReport:
    """A delivery report that came to its bounce address.

    Attributes:
        message: the message.
        delivery: what the address was made for.
        report: what it says.
    """

    message: Message
    delivery: Delivery
    report: "Report"


@dataclass(frozen=True, slots=True)
class RedirectReport:
    """A report of what a reader sent on to an alias, to the bounce address of the copy they got.

    It says nothing about that copy's delivery: nothing is marked, and nobody is notified.
    """

    message: Message


@dataclass(frozen=True, slots=True)
class MisdirectedReport:
    """A delivery report that came to its sender's alias instead of the bounce address.

    Attributes:
        message: the message.
        conversation: the alias's conversation.
        report: what it says.
    """

    message: Message
    conversation: Conversation
    report: "Report"


@dataclass(frozen=True, slots=True)
class SharedReport:
    """A report that the splitter's listener takes.

    It goes to several aliases and bounce addresses, and is about another delivery for each; or the
    notification goes to an address for which only Postfix itself can ask for SMTPUTF8.
    """

    message: Message


@dataclass(frozen=True, slots=True)
class Complaint:
    """A complaint (RFC 5965): recorded, and forwarded to nobody.

    It holds the mail it is about, and shows the provider of the person who complained.
    """

    message: Message
    conversations: Mapping[int, Conversation]


@dataclass(frozen=True, slots=True)
class OwnMail:
    """A store's own mail to no alias: its order header or what it answers may name an order."""

    message: Message
    store: Store


@dataclass(frozen=True, slots=True)
class OrderMail:
    """Mail that belongs to orders.

    Attributes:
        message: the message; its recipients name the orders.
        conversations: these, by the order's id.
        own: the store whose own mail it is.
    """

    message: Message
    conversations: Mapping[int, Conversation]
    own: Store | None = None


@dataclass(frozen=True, slots=True)
class ForeignMail:
    """Mail that is none of our business."""

    message: Message


Kind = (
    Probe
    | Unacceptable
    | PostmasterMail
    | BounceReport
    | RedirectReport
    | MisdirectedReport
    | SharedReport
    | Complaint
    | OwnMail
    | OrderMail
    | ForeignMail
)

BODILESS = (Probe, Unacceptable, PostmasterMail, ForeignMail)
"""The kinds whose paths read no body."""


def classify(message: Message, known: Lookups, secret: bytes = b"", authserv_id: str = "") -> Kind:
    """Decide what a message is.

    Args:
        message: the message, as it came.
        known: what was looked up.
        secret: what the first pass signs its findings with.
        authserv_id: whose Authentication-Results to believe, "" for nobody's.

    Returns:
        Its kind. The message in it is trusted no more than its author allows, and has what the
        first pass found out.
    """
    if known.probe:
        return Probe(message)
    if message.cut and _is_ours(message, known):
        # What was not kept cannot be masked, nor a forged order header be removed.
        return Unacceptable(message, replies.TOO_MANY_FIELDS, {})
    message = _settle_arrival(message, known, secret)
    sent_on = _adopt(message, known, authserv_id)
    if sent_on is None and is_returned(message, known.alias_domains, known.stores, authserv_id):
        return ForeignMail(message)
    message = sent_on or message
    if reply := find_refusal(message, known.alias_domains):
        return Unacceptable(message, reply, known.conversations)
    if postmaster.goes_to_postmasters(message.recipients):
        return PostmasterMail(message)
    if known.deliveries and len(message.recipients) == 1:
        [delivery] = known.deliveries.values()
        return _classify_returned(message, delivery, known.alias_domains)
    own = find_own_store(message, known.stores)
    if (report := _classify_report(message, known, own)) is not None:
        return report
    if known.conversations:
        return OrderMail(message, known.conversations, own)
    if sent_on is not None and known.redirected is not None:
        return OrderMail(message, {known.redirected.order.id: known.redirected}, own)
    return ForeignMail(message) if own is None else OwnMail(message, own)


def _is_ours(message: Message, known: Lookups) -> bool:
    """Return whether a message has to do with an order, a postmaster or a store."""
    to = {r.address.domain for r in message.recipients if r.address is not None}
    return (
        message.arrival.trusted
        or bool(known.conversations)
        or bool(known.deliveries)
        or any(each.postmaster for each in message.recipients)
        or bool(to & known.stores.keys())
    )


def _adopt(message: Message, known: Lookups, authserv_id: str) -> Message | None:
    """Return mail that a participant sends on as their own, None if it is no such mail."""
    if known.redirected is None:
        return None
    return redirect.adopt(message, known.redirected, known.alias_domains, known.stores, authserv_id)


def _settle_arrival(message: Message, known: Lookups, secret: bytes) -> Message:
    """Return the message with the trust it deserves, and with what the first pass found out."""
    message = drop_false_trust(message, known.stores)
    if not message.arrival.split:
        return message
    first_pass = read_pass(message.first(PASS.lower()), secret)
    return replace(message, arrival=replace(message.arrival, first_pass=first_pass))


def _classify_returned(
    message: Message, delivery: Delivery, alias_domains: Collection[str]
) -> Kind:
    """Decide what came to a bounce address; what is no report goes to the author's alias."""
    report = _read_report(message)
    if not message.null and not _answers_automatically(message, report):
        return Unacceptable(message, replies.NOT_A_REPORT, {})
    complaint = report.kind == "abuse"
    if not is_forwarded(report) and not complaint:
        named = [find_domain(each.domain, alias_domains) for each in report.recipients]
        if named and None not in named:
            return RedirectReport(message)
        if _needs_splitter(message, delivery.conversation, delivery.author):
            return SharedReport(message)
        return BounceReport(message, delivery, report)
    conversation = delivery.conversation
    author = conversation.find_by_token(delivery.author)
    if author is None or author.address is None:
        return Unacceptable(message, replies.EXPIRED_ALIAS, {})
    conversation = replace(conversation, came_back=(delivery.bounce, author.token))
    [recipient] = message.recipients
    to = replace(recipient, order=conversation.order.id, token=author.token)
    message, conversations = (
        replace(message, recipients=(to,)),
        {conversation.order.id: conversation},
    )
    return Complaint(message, conversations) if complaint else OrderMail(message, conversations)


def _read_report(message: Message) -> "Report":
    from conversation_tracker.core.reports.report import read_report  # few messages need it

    return read_report(message)


def _answers_automatically(message: Message, report: "Report") -> bool:
    """Whether a program answered a delivery; a delivery report has the null sender."""
    if report.kind == "receipt":
        return True
    return is_forwarded(report) and may_be_answer(message)


def _classify_report(message: Message, known: Lookups, own: Store | None) -> Kind | None:
    """Return which report a message to aliases is, None if it is none.

    With an envelope sender it is one only if its type says so, since a person may quote a report.
    """
    several = len(message.recipients) > 1
    outsiders = any(each.is_outsider for each in message.recipients)
    if outsiders if several else not known.conversations:
        return None
    declared = b"report" in (message.first(b"content-type") or b"").lower()  # RFC 6522
    if not declared and not message.null:
        return None
    report = _read_report(message)
    aliases = all(each.token is not None for each in message.recipients)
    if declared and aliases and own is None and report.kind == "abuse":
        return Complaint(message, known.conversations)
    if is_forwarded(report) or report.in_words:
        return None
    if several:
        return SharedReport(message)
    [conversation] = known.conversations.values()
    if _needs_splitter(message, conversation, message.recipients[0].token):
        return SharedReport(message)
    return MisdirectedReport(message, conversation, report)


def _needs_splitter(message: Message, conversation: Conversation, token: str | None) -> bool:
    """Whether a notice to somebody must leave by the splitter's listener."""
    to = conversation.find_by_token(token or "")
    return not message.arrival.split and to is not None and needs_smtputf8(to.address)
