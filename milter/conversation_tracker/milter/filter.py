"""One message from RCPT to its end: asks the directory, the database and the rules, in this order.

The session tells what Postfix said; what to do is decided in `core`, what is known is asked here.
`Filter` is what both the milter and `explain` run. A database that does not answer becomes
451 4.3.0; nothing is answered otherwise before its record is committed.
"""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from conversation_tracker.base.mint import mint
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.model.alias import Bounce, NotAnAlias, decode, in_domains
from conversation_tracker.core.model.conversation import Conversation, Mapped, Store
from conversation_tracker.core.model.first_pass import read
from conversation_tracker.core.model.message import PASS, Header, Message, Recipient
from conversation_tracker.core.model.plan import Plan, Record
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.rules import postmaster, probe, rewrite
from conversation_tracker.core.rules.recording import refusal
from conversation_tracker.core.views import message_ids
from conversation_tracker.database.pool import DatabaseUnavailable, OrderLocked
from conversation_tracker.database.repository import Database
from conversation_tracker.database.rows import Directory, Found
from conversation_tracker.milter.bounces import Bounces
from conversation_tracker.milter.outcome import Outcome, done
from conversation_tracker.milter.transaction import Transaction
from conversation_tracker.telemetry.events import log

_ROUTE = re.compile(rb"\A@[^:]*:")  # RFC 5321 section 4.1.1.3: to be ignored
_ATTEMPTS = 3

_OUTCOMES = {
    "expired": replies.EXPIRED_ALIAS,
    "limited": replies.HOURLY_LIMIT,
    "looping": replies.LOOP,
}


class Filter:
    """Asks and decides for one process; its methods may be called from many threads."""

    def __init__(
        self,
        database: Database,
        directory: Callable[[], Directory | None],
        authserv_id: str = "",
        reader: str = "",
    ) -> None:
        """Work with this database, and with what `store_directory` last knew.

        Args:
            database: where conversations are.
            directory: gives the directory last seen, None if there was none yet.
            authserv_id: whose Authentication-Results to believe, "" for nobody's.
            reader: who gets the mail to an alias domain's postmaster, "" for the mail host's own.
        """
        self._authserv_id = authserv_id
        self._reader = reader or postmaster.HERE
        self._database = database
        self._directory = directory
        self._bounces = Bounces(database)

    def recipient(
        self, transaction: Transaction, raw: bytes, *, original: bool = False
    ) -> Reply | None:
        """Look one recipient up.

        Args:
            transaction: the transaction it belongs to; an accepted recipient is noted there.
            raw: what RCPT TO named, with its angle brackets.
            original: it came with an original recipient (ORCPT).

        Returns:
            The reply to refuse it with, or None.
        """
        directory = self._directory()
        if directory is None:
            return replies.TRY_LATER
        text = raw.removeprefix(b"<").removesuffix(b">")
        if _ROUTE.match(text):
            # Postfix forgets the route, and would not know the recipient by it any more.
            text = _ROUTE.sub(b"", text)
            raw = b"<" + text + b">"
        try:
            address = Address.parse(text)
        except AddressError:
            domain = text.rpartition(b"@")[2].decode("ascii", "replace").lower().rstrip(".")
            if in_domains(domain, directory.alias_domains) is not None:
                return replies.UNKNOWN_ALIAS
            transaction.recipients.append(Recipient(raw, None))
            return None
        if in_domains(address.domain, directory.alias_domains) is None:
            if transaction.split:
                # Postfix routes the domain here and no store has it: going on, it would go round.
                # A new one is heard of a moment later, and the first pass has answered 250.
                return replies.TRY_LATER
            transaction.recipients.append(Recipient(raw, address, original=original))
            return None
        if (
            transaction.local
            and not transaction.split
            and probe.is_probe(address, time.time(), directory.secret)
        ):
            transaction.probe = True
            return None
        if postmaster.addressed(address, directory.alias_domains):
            if postmaster.unreachable(self._reader, directory.alias_domains):
                return replies.TRY_LATER
            transaction.recipients.append(Recipient(raw, address, postmaster=True))
            return None
        try:
            return self._alias(transaction, Recipient(raw, address), address, directory)
        except DatabaseUnavailable:
            return replies.TRY_LATER

    def _alias(
        self,
        transaction: Transaction,
        recipient: Recipient,
        address: Address,
        directory: Directory,
    ) -> Reply | None:
        try:
            alias = decode(address, directory.alias_domains)
        except NotAnAlias:
            return replies.UNKNOWN_ALIAS
        if isinstance(alias, Bounce):
            return self._bounce(transaction, recipient, alias)
        found = self._database.find(alias)
        if found is None:
            return replies.UNKNOWN_ALIAS
        if found.status != "live":
            return _refusal(found)
        conversation = found.conversation
        before = transaction.conversations.get(conversation.order.id)
        if before is not None:
            # Not all are read with an order: each look-up brings whom it asks for.
            conversation = conversation.knowing((*before.participants, *before.apart))
        transaction.conversations[conversation.order.id] = conversation
        transaction.recipients.append(
            replace(recipient, order=conversation.order.id, token=found.token)
        )
        return None

    def _bounce(
        self, transaction: Transaction, recipient: Recipient, alias: Bounce
    ) -> Reply | None:
        delivery = self._bounces.find(alias, null=transaction.null)
        if isinstance(delivery, Reply):
            return delivery
        transaction.deliveries[alias.token] = delivery
        transaction.recipients.append(replace(recipient, bounce=alias.token))
        return None

    def concerns(self, transaction: Transaction) -> bool:
        """Tell whether a message's body can matter to us, from its envelope alone."""
        return (
            transaction.trusted or bool(transaction.conversations) or bool(transaction.deliveries)
        )

    def headers(
        self, transaction: Transaction, sender: Address | None, headers: tuple[Header, ...]
    ) -> None:
        """Find the order that a store's own mail names, while its body is still on its way.

        So its end waits for the database once, as that of other mail does. What is not found here
        is asked for there, and whatever is wrong is told there.

        Args:
            transaction: what its recipients led to; the order is noted there.
            sender: the envelope sender.
            headers: all header fields.
        """
        directory = self._directory()
        aliases = transaction.conversations or transaction.deliveries
        if directory is None or aliases or not transaction.trusted:
            return
        if postmaster.alone(transaction.recipients):
            return
        message = Message(sender, (), headers, b"", transaction.arrival())
        own = rewrite.own_mail(message, directory.senders)
        if own is None or rewrite.refused(message, directory.alias_domains):
            return
        with suppress(DatabaseUnavailable, rewrite.UnusableNumber):
            transaction.named = self._named(message, own)

    def message(self, transaction: Transaction, message: Message) -> Outcome:
        """Decide on a whole message, and record it.

        Args:
            transaction: what its recipients led to.
            message: the message.

        Returns:
            What to do. A plan with a reply was not recorded.
        """
        directory = self._directory()
        if transaction.probe:
            return _refused(probe.answer(message, self._authserv_id))
        if directory is None:
            return _refused(replies.TRY_LATER)
        to = {r.address.domain for r in message.recipients if r.address is not None}
        ours = self.concerns(transaction) or any(each.postmaster for each in message.recipients)
        if message.cut and (ours or to & directory.senders.keys()):
            # What was not kept cannot be masked, nor a forged order header be removed.
            return _refused(replies.TOO_MANY_FIELDS)
        message = rewrite.without_false_trust(message, directory.senders)
        if message.arrival.split:
            passage = read(message.first(PASS.lower()), directory.secret)
            message = replace(message, arrival=replace(message.arrival, passage=passage))
        try:
            if reply := rewrite.refused(message, directory.alias_domains):
                return self._noted(message, transaction.conversations, reply)
            return self._decided(transaction, message, directory)
        except OrderLocked:
            log.order_locked(queue_id=message.arrival.queue_id)
            return _refused(replies.TRY_LATER)
        except DatabaseUnavailable:
            return _refused(replies.TRY_LATER)

    def _noted(
        self, message: Message, conversations: dict[int, Conversation], reply: Reply
    ) -> Outcome:
        """Refuse a message, and tell the timeline of each order it was for."""
        for order, conversation in conversations.items():
            to = next((r.token for r in message.recipients if r.order == order), None)
            self._database.refuse(refusal(message, conversation, to, reply, self._authserv_id))
        return _refused(reply)

    def _decided(self, transaction: Transaction, message: Message, directory: Directory) -> Outcome:
        if postmaster.alone(message.recipients):
            return Outcome(postmaster.plan(message, self._reader))
        if transaction.deliveries and len(message.recipients) == 1:
            answered = self._bounces.decide(message, *transaction.deliveries.values())
            if isinstance(answered, Plan):
                return Outcome(answered, what="returned")
            known = {answered.conversation.order.id: answered.conversation}
            complaint = answered.complaint
            return self._recorded(answered.message, known, None, directory, complaint=complaint)
        own = rewrite.own_mail(message, directory.senders)
        conversations = dict(transaction.conversations)
        if own is None and self._bounces.complaint(message):
            return self._recorded(message, conversations, None, directory, complaint=True)
        if self._bounces.shared(message):
            # It tells each recipient of another delivery: the second pass takes them one by one.
            return Outcome(rewrite.untouched(message), what="split")
        if conversations and len(message.recipients) == 1:
            [conversation] = conversations.values()
            if (plan := self._bounces.misdirected(message, conversation)) is not None:
                # What becomes of it must not be answered (RFC 3461 section 6.1).
                return_path = None if transaction.null else ""
                return Outcome(plan, return_path, what="returned")
        if own is not None and not conversations:
            try:
                found = transaction.named or self._named(message, own)
            except rewrite.UnusableNumber:
                return _refused(replies.CANNOT_MASK)
            if found is None:
                return Outcome(rewrite.untouched(message))
            if found.status != "live" or own.name in directory.inactive:
                return _refused(_refusal(found))
            conversations[found.conversation.order.id] = found.conversation
        if not conversations:
            return Outcome(rewrite.untouched(message, directory.senders))
        return self._recorded(message, conversations, own, directory)

    def _named(self, message: Message, own: Store) -> Found | None:
        """Find the order that a store's own mail names, by header or by what it answers."""
        number = rewrite.named_order(message, own)
        if number is not None:
            return self._database.open_order(own.name, number)
        answered = message_ids.referenced(message)
        return self._database.answered(own.name, answered) if answered else None

    def _recorded(
        self,
        message: Message,
        conversations: dict[int, Conversation],
        own: Store | None,
        directory: Directory,
        *,
        complaint: bool = False,
    ) -> Outcome:
        """Plan and record; once more if somebody joined meanwhile, or is known who is mentioned.

        A complaint is recorded as mail to nobody.
        """
        known = self._identifiers(message, conversations)
        for _attempt in range(_ATTEMPTS):
            plan = rewrite.plan(
                message,
                list(conversations.values()),
                mint,
                own,
                known,
                self._authserv_id,
                directory.alias_domains,
                directory.secret,
            )
            if plan.reply is not None:
                return self._noted(message, conversations, plan.reply)
            if not plan.records:
                return Outcome(plan)
            if complaint:
                records = tuple(replace(record, recipients=()) for record in plan.records)
                plan = Plan(discard=True, records=records)
            outcome, bounces = self._database.record(plan.records)
            if outcome == "done":
                return done(plan, bounces, conversations)
            if outcome != "stale":
                return self._noted(message, conversations, _OUTCOMES[outcome])
            fresh = self._fresh(plan.records, message, conversations)
            if len(fresh) < len(conversations):
                # An order is gone: what belonged to it must not leave as if it were nobody's.
                break
            conversations = fresh
        return _refused(replies.TRY_LATER)

    def _identifiers(
        self, message: Message, conversations: dict[int, Conversation]
    ) -> dict[str, Mapped]:
        """Give what the identifiers of ours in a message stand for."""
        known: dict[str, Mapped] = {}
        for order, conversation in conversations.items():
            if conversation.identifiers is not None:
                known |= {each.ours: each for each in conversation.identifiers}
                continue
            if ours := message_ids.to_look_up(message, conversation.order):
                known |= self._database.identifiers(order, ours)
        return known

    def _fresh(
        self, records: Sequence[Record], message: Message, before: dict[int, Conversation]
    ) -> dict[int, Conversation]:
        """Read the conversations of a plan once more, with everybody known whom it mentions.

        Recipients stay who they were: not all are read with an order. One who is gone meanwhile
        keeps the message from being recorded.
        """
        fresh: dict[int, Conversation] = {}
        for record in records:
            found = self._database.again(record.order, record.mentioned)
            if found is not None:
                mine = (each for each in message.recipients if each.order == record.order)
                to = (before[record.order].with_token(each.token or "") for each in mine)
                fresh[record.order] = found.conversation.knowing(filter(None, to))
        return fresh


def _refusal(found: Found) -> Reply:
    return replies.EXPIRED_ALIAS if found.status == "expired" else replies.TRY_LATER


def _refused(reply: Reply) -> Outcome:
    return Outcome(Plan(reply=reply))
