"""One message from RCPT to its end: what it is, and the one path it takes.

The session tells what Postfix said. `core.rules` decides what a recipient and a message are; the
files in `paths` have one function for each kind of message. `Filter` is what both the milter and
`explain` run. A database that does not answer becomes 451 4.3.0; nothing is answered otherwise
before its record is committed.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.rules import classification, postmaster, probe, redirect
from conversation_tracker.core.rules.own_mail import UnusableNumber, find_own_store
from conversation_tracker.core.rules.recipient import (
    Rcpt,
    classify_recipient,
    must_come_alone,
)
from conversation_tracker.database.pool import DatabaseUnavailable, OrderLocked
from conversation_tracker.database.repository import Database
from conversation_tracker.database.rows import Directory
from conversation_tracker.milter.paths.complaint import take_complaint
from conversation_tracker.milter.paths.context import Context
from conversation_tracker.milter.paths.order_mail import take_order_mail
from conversation_tracker.milter.paths.outcome import Outcome, refuse
from conversation_tracker.milter.paths.own_mail import find_order, take_own_mail
from conversation_tracker.milter.paths.refused import answer_probe, refuse_unacceptable
from conversation_tracker.milter.paths.reports import (
    drop_redirect_report,
    split_report,
    take_bounce_report,
    take_misdirected_report,
)
from conversation_tracker.milter.paths.untouched import pass_foreign_mail, pass_to_postmaster
from conversation_tracker.milter.recipients import look_up_recipient
from conversation_tracker.milter.transaction import Transaction
from conversation_tracker.telemetry.events import log


class Filter:
    """Decides on the messages of one process; its methods may be called from many threads."""

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
            directory: returns the directory last seen, None if there was none yet.
            authserv_id: whose Authentication-Results to believe, "" for nobody's.
            reader: who gets the mail to an alias domain's postmaster, "" for the mail host's own.
        """
        self._authserv_id = authserv_id
        self._reader = reader or postmaster.HERE
        self._database = database
        self._directory = directory

    def accept_recipient(
        self, transaction: Transaction, raw: bytes, *, original: bool = False
    ) -> Reply | None:
        """Accept one recipient, or return the reply to refuse it with.

        Args:
            transaction: the transaction it belongs to; an accepted recipient is noted there.
            raw: what RCPT TO named, with its angle brackets.
            original: it came with an original recipient (ORCPT).
        """
        directory = self._directory()
        if directory is None:
            return replies.TRY_LATER

        def is_probe(address: Address) -> bool:
            return transaction.may_probe and probe.is_probe(address, time.time(), directory.secret)

        others, bounces = bool(transaction.recipients), bool(transaction.deliveries)
        rcpt = Rcpt(raw, original, transaction.split, transaction.null, others, bounces)
        found = classify_recipient(rcpt, directory.alias_domains, self._reader, is_probe)
        if must_come_alone(found, rcpt):
            return replies.ALONE
        try:
            return look_up_recipient(found, transaction, self._database)
        except DatabaseUnavailable:
            return replies.TRY_LATER

    def look_ahead(self, transaction: Transaction, message: Message) -> bool:
        """Look at the header fields of a store's own mail while its body is still coming.

        The order that it names is found, so the end of the message waits for the database once, as
        for other mail. What is not found here is looked up then, and whatever is wrong is answered
        then.

        Args:
            transaction: what its recipients led to; the order is noted there.
            message: the message without its body.

        Returns:
            Whether its body is needed: not of mail that by its header fields is no store's own.
        """
        directory = self._directory()
        if directory is None or not transaction.may_name_order:
            return True
        if find_own_store(message, directory.senders) is None:
            return False
        mail = classification.classify(
            message, transaction.collect_lookups(directory), authserv_id=self._authserv_id
        )
        if isinstance(mail, classification.OwnMail):
            with suppress(DatabaseUnavailable, UnusableNumber):
                transaction.named = find_order(self._database, mail.message, mail.store)
        return True

    def decide(self, transaction: Transaction, message: Message) -> Outcome:
        """Decide on a whole message, and record it.

        Args:
            transaction: what its recipients led to.
            message: the message.

        Returns:
            What to do. A plan with a reply was not recorded.
        """
        directory = self._directory()
        if directory is None:
            return refuse(replies.TRY_LATER)
        context = Context(
            self._database, directory, self._authserv_id, self._reader, transaction.named
        )
        try:
            known = self._with_redirected(message, transaction.collect_lookups(directory))
            found = classification.classify(message, known, directory.secret, self._authserv_id)
            if transaction.unread and not isinstance(found, classification.BODILESS):
                # It has become a store's own since: by another row of the stores, read meanwhile.
                return refuse(replies.TRY_LATER)
            return take_path(found, context)
        except OrderLocked:
            log.order_locked(queue_id=message.arrival.queue_id)
            return refuse(replies.TRY_LATER)
        except DatabaseUnavailable:
            return refuse(replies.TRY_LATER)

    def _with_redirected(
        self, message: Message, known: classification.Lookups
    ) -> classification.Lookups:
        """Look up the order of the alias in From, if the reader may have sent the mail on."""
        alias = redirect.find_alias(message, known.alias_domains, known.stores)
        found = self._database.find(alias) if alias is not None else None
        if found is None or found.token is None or found.status != "live":
            return known
        return replace(known, redirected=found.conversation)


def take_path(mail: classification.Kind, context: Context) -> Outcome:
    """Take a message down the one path of its kind."""
    match mail:
        case classification.Probe():
            return answer_probe(mail, context)
        case classification.Unacceptable():
            return refuse_unacceptable(mail, context)
        case classification.PostmasterMail():
            return pass_to_postmaster(mail, context)
        case classification.BounceReport():
            return take_bounce_report(mail, context)
        case classification.RedirectReport():
            return drop_redirect_report(mail, context)
        case classification.MisdirectedReport():
            return take_misdirected_report(mail, context)
        case classification.SharedReport():
            return split_report(mail, context)
        case classification.Complaint():
            return take_complaint(mail, context)
        case classification.OwnMail():
            return take_own_mail(mail, context)
        case classification.OrderMail():
            return take_order_mail(mail, context)
        case classification.ForeignMail():
            return pass_foreign_mail(mail, context)
