"""A store's own mail that names no order: as it is, or refused where it goes to who takes part."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import Arrival, Message, parse
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.transaction import Transaction

if TYPE_CHECKING:
    from tests.database.conftest import Shop

    from conversation_tracker.core.model.plan import Plan

JOHN, BOB = "john@doe.example", "bob@nowhere.example"


class Counted(Database):
    """A database that counts what is asked of it, and may be away."""

    asked = 0
    away = False

    def _run(self, work, locks=()):
        self.asked += 1
        if self.away:
            raise DatabaseUnavailable("away")
        return super()._run(work, locks)


class Desk:
    """Support of one store, who write mail by hand."""

    def __init__(self, shop: "Shop", database: Counted) -> None:
        self.shop, self.database = shop, database
        self.own = f"help@{shop.name}.example"
        shop.set(sender_domains=[f"{shop.name}.example"])
        self.alias = shop.mask(JOHN)

    def write(self, *to: str, fields: str = "", trusted: bool = True) -> "Plan":
        """Take one message and give its plan; what was asked meanwhile is counted anew."""
        directory = self.database.directory()
        tracker = Filter(self.database, lambda: directory)
        self.database.asked = 0
        transaction = Transaction(trusted=trusted)
        for each in to:
            assert tracker.accept_recipient(transaction, f"<{each}>".encode()) is None
        text = f"From: {self.own}\nTo: {', '.join(to)}\nSubject: Hello\n{fields}\nText\n"
        headers, body = parse(text.encode())
        return tracker.decide(
            transaction,
            Message(
                Address.parse(self.own),
                tuple(transaction.recipients),
                headers,
                body,
                Arrival("Q", trusted=trusted),
            ),
        ).plan


@pytest.fixture
def desk(shop: "Shop") -> Iterator[Desk]:
    database = Counted(shop.uri, size=1)
    database.open()
    yield Desk(shop, database)
    database.away = False
    database.close()


def test_by_default_it_passes_and_nothing_is_asked(desk: Desk) -> None:
    plan = desk.write(JOHN)
    assert (plan.reply, plan.edits, desk.database.asked) == (None, (), 0)


@pytest.mark.parametrize(
    ("known", "written"),
    [
        (JOHN, JOHN),
        (JOHN, "JOHN@DOE.EXAMPLE"),
        (JOHN, "john+news@doe.example"),
        ("john+shop@doe.example", JOHN),
        (JOHN, '"john"@doe.example'),
        ("j@b\u00fccher.example", "J@xn--bcher-kva.example"),
        ("j.o@gmail.com", "Jo@GoogleMail.com"),
    ],
)
def test_it_is_refused_in_every_spelling(desk: Desk, known: str, written: str) -> None:
    desk.shop.mask(known, "2")
    desk.shop.set(unnamed_mail="reject")
    plan = desk.write(written)
    assert (plan.reply, desk.database.asked) == (replies.UNNAMED, 1)


def test_one_of_several_is_enough_and_one_question(desk: Desk) -> None:
    desk.shop.set(unnamed_mail="reject")
    others = [f"n{number}@nowhere.example" for number in range(50)]
    assert desk.write(*others, JOHN).reply == replies.UNNAMED
    assert desk.database.asked == 1
    assert desk.write(*others).reply is None


def test_what_names_the_order_passes_masked(desk: Desk) -> None:
    """By its header, by the message it answers, or by an alias: as the reply says."""
    desk.shop.set(unnamed_mail="reject")
    assert desk.write(JOHN, fields="X-Order-Id: 1\nMessage-ID: <first@x.example>\n").reply is None
    ours = desk.shop.one("SELECT message_id FROM tracker.messages ORDER BY id DESC LIMIT 1")
    for plan in (
        desk.write(JOHN, fields=f"In-Reply-To: {ours}\n"),
        desk.write(desk.alias),
        desk.write(desk.alias, fields=f"Cc: {JOHN}\n"),
    ):
        assert plan.reply is None
        assert plan.edits
    assert desk.shop.one("SELECT count(*) FROM tracker.messages") == 4


def test_whose_order_is_over_gets_it_as_it_is(desk: Desk) -> None:
    desk.shop.set(unnamed_mail="reject")
    desk.shop.expire()
    assert desk.write(JOHN).reply is None


def test_a_database_that_is_away_lets_nothing_through(desk: Desk) -> None:
    desk.shop.set(unnamed_mail="reject")
    desk.database.directory()
    directory = desk.database.directory()
    tracker = Filter(desk.database, lambda: directory)
    transaction = Transaction(trusted=True)
    assert tracker.accept_recipient(transaction, f"<{JOHN}>".encode()) is None
    desk.database.away = True
    headers, body = parse(f"From: {desk.own}\nTo: {JOHN}\n\nText\n".encode())
    message = Message(
        Address.parse(desk.own),
        tuple(transaction.recipients),
        headers,
        body,
        Arrival("Q", trusted=True),
    )
    assert tracker.decide(transaction, message).plan.reply == replies.TRY_LATER
    assert tracker.decide(transaction, replace(message, body=b"")).plan.reply == replies.TRY_LATER


def test_a_strangers_mail_is_none_of_it(desk: Desk) -> None:
    """Not by a client that is not trusted, whatever From says."""
    desk.shop.set(unnamed_mail="reject")
    assert desk.write(JOHN, trusted=False).reply is None


def test_the_reply_says_what_to_do_and_names_nobody() -> None:
    said = str(replies.UNNAMED)
    assert said.startswith("550 5.7.1 ")
    for way in ("answer a message", "write to its alias", "order header"):
        assert way in said
    assert "@" not in said
    assert said.isascii()
    assert len(said) < 400
