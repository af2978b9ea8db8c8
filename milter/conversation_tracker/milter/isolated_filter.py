"""The filter as the milter's adapter sees it: what must hold though any code may hang or crash.

Whatever looks into a message is marked in `in_flight` before it begins, so that the parent can end
this process when it does not come back. A message that was in flight when a process ended is not
looked into here at all: it is tried alone (`trial`), and one that ended a process alone is refused
permanently. A message that takes too much memory is reported and suspected; the worker is then
replaced.
"""

import array
import os
import socket
import struct
import time
from collections.abc import Callable

from conversation_tracker.base import timeouts
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import Header, Message
from conversation_tracker.core.model.plan import Refusal
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.rules.redirect import RESENT_FROM
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.repository import Database
from conversation_tracker.database.rows import Directory
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.paths.outcome import Outcome, refuse
from conversation_tracker.milter.suspects import Suspects, Suspicion, fingerprint, key_digest
from conversation_tracker.milter.transaction import Transaction
from conversation_tracker.milter.trial import ask_alone
from conversation_tracker.telemetry.in_flight import NOBODY, Crowded, InFlight

WORD = struct.Struct("=cI32s24s")
"""What a worker says to the parent: what it is about, who says it, digest and queue id."""
TRIAL, MEMORY = b"T", b"M"

_LATER = refuse(replies.TRY_LATER)


class IsolatedFilter:
    """The filter of one worker, isolated; its methods may be called from many threads."""

    def __init__(
        self,
        filter: Filter,
        database: Database,
        directory: Callable[[], Directory | None],
        in_flight: InFlight,
        suspects: Suspects,
        parent: socket.socket,
    ) -> None:
        """Stand before a filter.

        Args:
            filter: what decides.
            database: where refusals are written down.
            directory: gives the directory last seen, None if there was none yet.
            in_flight: where this process has a row of its own.
            suspects: what this host knows of messages.
            parent: where the parent listens.
        """
        self._filter = filter
        self._database = database
        self._directory = directory
        self._in_flight = in_flight
        self._suspects = suspects
        self._parent = parent

    def accept_recipient(
        self, transaction: Transaction, raw: bytes, *, original: bool = False
    ) -> Reply | None:
        """Accept one recipient, or return the reply to refuse it with, as the filter does."""
        try:
            with self._in_flight.mark(NOBODY):
                return self._filter.accept_recipient(transaction, raw, original=original)
        except Crowded:
            return replies.TRY_LATER

    def look_ahead(
        self,
        transaction: Transaction,
        sender: Address | None,
        headers: tuple[Header, ...],
        *,
        cut: bool,
    ) -> bool:
        """Look ahead, as the filter does, but never twice into what ended a process.

        Args:
            transaction: what its recipients led to; what is found out is noted there.
            sender: the envelope sender.
            headers: all header fields.
            cut: there were more of them than these.

        Returns:
            Whether the body is needed. Mail that was sent on may go to no alias, and needs it.
        """
        if transaction.conversations or transaction.deliveries:
            return True
        if any(each.key == RESENT_FROM for each in headers):
            return True
        wanted = transaction.trusted
        if transaction.may_name_order and not cut:
            recipients = tuple(transaction.recipients)
            message = Message(sender, recipients, headers, b"", transaction.make_arrival())
            digest = fingerprint(message)
            if self._find_state(digest) in (Suspicion.UNKNOWN, Suspicion.CLEARED):
                with self._in_flight.mark(digest):
                    wanted = self._filter.look_ahead(transaction, message)
        transaction.unread = not wanted
        return wanted

    def decide(self, transaction: Transaction, message: Message) -> Outcome:
        """Decide on a whole message, and record it.

        Args:
            transaction: what its recipients led to.
            message: the message.

        Returns:
            What to do.
        """
        digest = fingerprint(message)
        state = self._find_state(digest)
        if state == Suspicion.SUSPECTED:
            return self._decide_alone(transaction, message, digest)
        if state == Suspicion.CONDEMNED:
            return self._refuse_for_good(transaction, message)
        queue_id = message.arrival.queue_id
        try:
            with self._in_flight.mark(digest, queue_id):
                return self._filter.decide(transaction, message)
        except Crowded:
            return _LATER
        except MemoryError:
            self._tell(MEMORY, digest, queue_id)
            return _LATER

    def _find_state(self, digest: bytes) -> Suspicion:
        """Return what is known of a message; most often there are no suspects at all."""
        known = self._suspects.state(digest)
        if known != Suspicion.UNKNOWN:
            return known
        directory = self._directory()
        if directory is None or not directory.suspects:
            return Suspicion.UNKNOWN
        condemned = directory.suspects.get(key_digest(directory.secret, digest))
        if condemned is None:
            return Suspicion.UNKNOWN
        return Suspicion.CONDEMNED if condemned else Suspicion.SUSPECTED

    def _decide_alone(self, transaction: Transaction, message: Message, digest: bytes) -> Outcome:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                if not self._tell(TRIAL, digest, message.arrival.queue_id, theirs):
                    return _LATER
            outcome = ask_alone(ours, transaction, message)
        if outcome is not None:
            return outcome
        give_up = time.monotonic() + timeouts.get().verdict_seconds
        while time.monotonic() < give_up:
            if self._find_state(digest) == Suspicion.CONDEMNED:
                return self._refuse_for_good(transaction, message)
            time.sleep(timeouts.get().poll_seconds)
        return _LATER

    def _refuse_for_good(self, transaction: Transaction, message: Message) -> Outcome:
        """Refuse a message permanently without looking into it; each order's timeline notes it."""
        conversations = set(transaction.conversations)
        if transaction.named is not None:
            conversations.add(transaction.named.conversation.order.id)
        try:
            for order in conversations:
                to = next((r.token for r in message.recipients if r.order == order), None)
                known = Refusal(order, message.digest, None, to, "", str(replies.CONDEMNED))
                self._database.refuse(known)
        except DatabaseUnavailable:
            return _LATER
        return refuse(replies.CONDEMNED)

    def _tell(
        self, about: bytes, digest: bytes, queue_id: str, end: socket.socket | None = None
    ) -> bool:
        word = WORD.pack(about, os.getpid(), digest, queue_id.encode("ascii", "replace"))
        rights = []
        if end is not None:
            passed = array.array("i", [end.fileno()])
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)]
        try:
            self._parent.sendmsg([word], rights, socket.MSG_DONTWAIT)
        except OSError:
            return False
        return True
