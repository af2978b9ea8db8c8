"""Sends mail of a test order through the running Postfix, out and back, and removes all of it.

Out: the store's own mail, for a buyer and a partner whom it names, so that the splitter makes a
copy for each. Nobody has their mailboxes: each copy is tried, and reported back to the tracker by
the way of every bounce. Back: the buyer answers the partner. What is recorded tells how far they
came. Whatever ends this process, a second one removes what it added.
"""

import secrets
import time
from collections.abc import Iterator, Sequence
from email.utils import formatdate, make_msgid

from conversation_tracker.base import timeouts
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.checks.forged_results import find_places
from conversation_tracker.checks.handing_in import hand_in
from conversation_tracker.checks.live.destination import find_trouble, list_domains
from conversation_tracker.checks.live.sweeper import Sweeper
from conversation_tracker.config.config import Config
from conversation_tracker.database.checks import rehearsal
from conversation_tracker.database.checks.identity import ask_as_service
from conversation_tracker.database.checks.rehearsal import SeenMessage
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.faults import DatabaseError, make_failure
from conversation_tracker.postfix.queue import list_ids, remove
from conversation_tracker.postfix.settings import MasterService, Settings, Unreadable

_LOOK = "look for it in Postfix's log: journalctl -t postfix/tracker-split, and postqueue -p"
_SEE = "look by hand, postqueue -p; or run check as root"
_SUBJECT = "A test by conversation-tracker check"
Place = tuple[MasterService, str, int]


def check(config: Config, settings: Settings, domain: str) -> Iterator[CheckLine]:
    """Send the mail, tell what became of it, and remove it.

    Args:
        config: the configuration.
        settings: Postfix's.
        domain: an alias domain, "" if there is none.
    """
    place = next(find_places(settings, config.socket), None)
    trouble = find_trouble(settings)
    if not domain:
        trouble = "there is no alias domain"
    elif place is None:
        trouble = "Postfix has no service that asks the tracker"
    if trouble or place is None:
        yield wrong(f"no test mail was sent: {trouble}", "send some by hand, and look for it")
        return
    word = secrets.token_hex(8)
    name = rehearsal.make_name(time.time(), word)
    try:
        with (
            Sweeper(config.database, name) as sweeper,
            ask_as_service(lambda: Connection.connect(config.database)) as connection,
        ):
            try:
                test = _Test(config, settings, place, connection, (name, word))
                yield from test.play(domain)
            finally:
                rehearsal.remove(connection, name, timeouts.get().check_left_seconds)
                sweeper.dismissed = True
            try:
                yield from _sweep_queue(settings, word)
            except Unreadable as error:
                yield note(f"whether test mail is still in the queue was not seen: {error}", _SEE)
    except DatabaseError as error:
        yield wrong(
            f"the test mail came to no end: {make_failure(error, config.database)}",
            "what was added for it is removed once the database is back",
        )


def _sweep_queue(settings: Settings, word: str) -> Iterator[CheckLine]:
    """Take out of the queue what is still there; as a rule there is nothing."""
    end = time.monotonic() + timeouts.get().check_store_seconds
    while (left := list_ids(settings, word)) and time.monotonic() < end:
        time.sleep(timeouts.get().check_poll_seconds)
    if left and not remove(settings, left):
        yield wrong(
            f"{len(left)} test messages are still in the queue", f"postsuper -d {' -d '.join(left)}"
        )
    else:
        yield ok("of the test mail nothing is left")


class _Test:
    """One test."""

    def __init__(
        self,
        config: Config,
        settings: Settings,
        place: Place,
        connection: Connection,
        names: tuple[str, str],
    ) -> None:
        self._config, self._settings, self._place = config, settings, place
        self._connection = connection
        self._name, self._word = names

    def play(self, domain: str) -> Iterator[CheckLine]:
        """Send both messages, and tell of each."""
        domains = list_domains(self._settings, f"buyer{self._word}")
        there = rehearsal.find_free_domain(self._connection, domains)
        if not there:
            why = "every address may be somebody's here, or is sent on by another host"
            yield wrong(f"no test mail was sent: {why}", "send some by hand, and look for it")
            return
        store = f"{self._word}.invalid"
        rehearsal.add(self._connection, self._name, domain, store)
        buyer, partner = (f"{who}{self._word}@{there}" for who in ("buyer", "partner"))
        aliases = [
            rehearsal.mask(self._connection, self._name, address, role)
            for address, role in ((buyer, "buyer"), (partner, "partner"))
        ]
        time.sleep(timeouts.get().check_store_seconds)
        sender = f"sender{self._word}@{there}"
        out = _write(f"shop@{store}", [buyer, partner])
        yield from self._send("out", 1, (sender, aliases, out), 2)
        back = _write(buyer, aliases[1:])
        yield from self._send("back", 2, (buyer, aliases[1:], back), 1)

    def _send(
        self, way: str, number: int, mail: tuple[str, Sequence[str], bytes], copies: int
    ) -> Iterator[CheckLine]:
        sender, recipients, data = mail
        said = hand_in(self._place, self._settings, sender, recipients, data)
        service = self._place[0]
        if not said.startswith("2"):
            reply = " ".join(said.split()[:2]) if said[:1].isdigit() else said
            yield wrong(f"master.cf, {service}: test mail ({way}) was not taken ({reply})", _LOOK)
            return
        seen = self._wait(number, copies)
        yield from judge(way, seen[number - 1] if len(seen) >= number else None, copies)

    def _wait(self, number: int, copies: int) -> list[SeenMessage]:
        """Wait until every copy of a message has come back, or for as long as that may take."""
        end = time.monotonic() + timeouts.get().check_live_seconds
        while True:
            seen = rehearsal.read_messages(self._connection, self._name, self._word)
            if len(seen) >= number and _count_back(seen[number - 1]) >= copies:
                return seen
            if time.monotonic() > end:
                return seen
            time.sleep(timeouts.get().check_poll_seconds)


def _count_back(seen: SeenMessage) -> int:
    return sum(state.startswith("bounced") for state in seen.states)


def judge(way: str, seen: SeenMessage | None, copies: int) -> Iterator[CheckLine]:
    """Judge what became of one message that Postfix took.

    Args:
        way: out or back.
        seen: what is recorded of it.
        copies: how many should have left.
    """
    if seen is None:
        yield wrong(
            f"test mail ({way}) was taken, and not recorded: it did not meet the tracker", _LOOK
        )
        return
    if seen.bare:
        yield wrong(f"test mail ({way}) is recorded with a real address", "report it, please")
    if len(seen.states) != copies:
        yield wrong(f"test mail ({way}) has {len(seen.states)} copies, not {copies}", _LOOK)
    elif (count := _count_back(seen)) < copies:
        wait = f"{timeouts.get().check_live_seconds:.0f} s"
        yield wrong(f"of {copies} copies of test mail ({way}) {count} came back in {wait}", _LOOK)
    elif not seen.bare:
        yield ok(
            f"test mail ({way}) was masked, recorded, sent to {copies} and came back"
            f" ({seen.states[0]})"
        )


def _write(author: str, recipients: Sequence[str]) -> bytes:
    lines = [
        f"From: A test <{author}>",
        f"To: {', '.join(recipients)}",
        f"Subject: {_SUBJECT}",
        f"Date: {formatdate()}",
        f"Message-ID: {make_msgid(domain='check.invalid')}",
        "",
        "This is from conversation-tracker check --live, and goes to nobody.",
        *(f"It names {address}." for address in (author, *recipients)),
        "",
    ]
    return "\r\n".join(lines).encode("ascii")
