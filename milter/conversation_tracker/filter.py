"""One message from RCPT to its end: asks the directory, the database and the rules, in this order.

The session tells what Postfix said; what to do is decided in `core`, what is known is asked here.
`Filter` is what both the milter and `explain` run. A database that does not answer becomes
451 4.3.0; nothing is answered otherwise before its record is committed.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from conversation_tracker.core import replies, rewrite
from conversation_tracker.core.address import Address, AddressError
from conversation_tracker.core.alias import Bounce, NotAnAlias, decode, in_domains
from conversation_tracker.core.conversation import Conversation
from conversation_tracker.core.message import Message, Recipient
from conversation_tracker.core.plan import UNTOUCHED, Plan
from conversation_tracker.core.replies import Reply
from conversation_tracker.database import Database, DatabaseUnavailable, Directory, Found

_ROUTE = re.compile(rb"@[^:]*:")  # RFC 5321 section 4.1.1.3: to be ignored
_ATTEMPTS = 3

_OUTCOMES = {"expired": replies.EXPIRED_ALIAS, "limited": replies.HOURLY_LIMIT}


@dataclass(slots=True)
class Transaction:
    """What one mail transaction has found out so far: the conversations of its recipients."""

    recipients: list[Recipient] = field(default_factory=list)
    conversations: dict[int, Conversation] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message: its plan, already recorded, and what the log says of it."""

    plan: Plan
    return_path: str | None = None
    orders: tuple[str, ...] = ()
    direction: str = ""


def mint() -> str:
    """Make a fresh random token: 32 lower-case hexadecimal digits."""
    return uuid.uuid4().hex


class Filter:
    """Asks and decides for one process; its methods may be called from many threads."""

    def __init__(self, database: Database, directory: Callable[[], Directory | None]) -> None:
        """Work with this database, and with what `directory` last knew."""
        self._database = database
        self._directory = directory

    def recipient(self, transaction: Transaction, raw: bytes) -> Reply | None:
        """Look one recipient up.

        Args:
            transaction: the transaction it belongs to; an accepted recipient is noted there.
            raw: what RCPT TO named, with its angle brackets.

        Returns:
            The reply to refuse it with, or None.
        """
        directory = self._directory()
        if directory is None:
            return replies.TRY_LATER
        text = _ROUTE.sub(b"", raw.removeprefix(b"<").removesuffix(b">"), count=1)
        try:
            address = Address.parse(text)
        except AddressError:
            domain = text.rpartition(b"@")[2].decode("ascii", "replace").lower().rstrip(".")
            transaction.recipients.append(Recipient(raw, None))
            ours = in_domains(domain, directory.alias_domains) is not None
            return replies.UNKNOWN_ALIAS if ours else None
        if in_domains(address.domain, directory.alias_domains) is None:
            transaction.recipients.append(Recipient(raw, address))
            return None
        return self._alias(transaction, raw, address, directory)

    def _alias(
        self, transaction: Transaction, raw: bytes, address: Address, directory: Directory
    ) -> Reply | None:
        try:
            alias = decode(address, directory.alias_domains)
        except NotAnAlias:
            return replies.UNKNOWN_ALIAS
        if isinstance(alias, Bounce):
            return replies.NOT_A_REPORT
        try:
            found = self._database.find(alias)
        except DatabaseUnavailable:
            return replies.TRY_LATER
        if found is None:
            return replies.UNKNOWN_ALIAS
        if found.status != "live":
            return _refusal(found)
        conversation = found.conversation
        transaction.conversations[conversation.order.id] = conversation
        transaction.recipients.append(Recipient(raw, address, conversation.order.id, found.token))
        return None

    def concerns(self, transaction: Transaction, *, trusted: bool) -> bool:
        """Tell whether a message's body can matter to us, from its envelope alone."""
        return bool(transaction.conversations) or trusted

    def message(self, transaction: Transaction, message: Message) -> Outcome:
        """Decide on a whole message, and record it.

        Args:
            transaction: what its recipients led to.
            message: the message.

        Returns:
            What to do. A plan with a reply was not recorded.
        """
        directory = self._directory()
        if directory is None:
            return _refused(replies.TRY_LATER)
        if reply := rewrite.refused(message, directory.alias_domains):
            return _refused(reply)
        try:
            return self._decided(transaction, message, directory)
        except DatabaseUnavailable:
            return _refused(replies.TRY_LATER)

    def _decided(self, transaction: Transaction, message: Message, directory: Directory) -> Outcome:
        conversations = dict(transaction.conversations)
        own = rewrite.own_mail(message, directory.senders)
        if own is not None and not conversations:
            number = rewrite.named_order(message, own)
            if number is None:
                return Outcome(UNTOUCHED)
            if own.name in directory.inactive:
                return _refused(replies.TRY_LATER)
            found = self._database.open_order(own.name, number)
            if found.status != "live":
                return _refused(_refusal(found))
            conversations[found.conversation.order.id] = found.conversation
        for _attempt in range(_ATTEMPTS):
            plan = rewrite.plan(message, list(conversations.values()), mint, own)
            if plan.reply is not None or not plan.records:
                return Outcome(plan)
            outcome, bounces = self._database.record(plan.records)
            if outcome == "done":
                return _recorded(plan, bounces, conversations)
            if outcome != "stale":
                return _refused(_OUTCOMES[outcome])
            conversations = self._fresh(conversations)
        return _refused(replies.TRY_LATER)

    def _fresh(self, conversations: dict[int, Conversation]) -> dict[int, Conversation]:
        found = {order: self._database.again(order) for order in conversations}
        return {order: each.conversation for order, each in found.items() if each is not None}


def _refusal(found: Found) -> Reply:
    return replies.EXPIRED_ALIAS if found.status == "expired" else replies.TRY_LATER


def _refused(reply: Reply) -> Outcome:
    return Outcome(Plan(reply=reply))


def _recorded(
    plan: Plan, bounces: dict[str, str], conversations: dict[int, Conversation]
) -> Outcome:
    first = plan.records[0]
    return_path = None
    if plan.bounces_to is not None:
        return_path = conversations[first.order].bounce(bounces[plan.bounces_to])
    orders = tuple(conversations[record.order].order.number for record in plan.records)
    return Outcome(replace(plan, records=()), return_path, orders, first.direction)
