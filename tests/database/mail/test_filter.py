"""What happens between RCPT and the end of a message must not let mail out unmasked."""

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import Arrival, Message, parse
from conversation_tracker.database import orders
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.transaction import Transaction
from conversation_tracker.support import timeline

if TYPE_CHECKING:
    from tests.database.conftest import Shop

STORE = """
INSERT INTO tracker.stores (name, alias_domain, sender_domains)
VALUES ('shop', 'ct.example.com', '{shop.example}')
"""
LETTER = b"""\
From: info@shop.example
To: john@doe.example
X-Order-Id: 1

Hi
"""


class Vanishing(Database):
    """A database whose order is gone once the message is to be recorded."""

    def record(self, records):
        return "stale", {}

    def again(self, order, mentioned=()):
        return None


def test_mail_of_an_order_that_vanishes_meanwhile_waits(database: str) -> None:
    """It is not taken for mail that names no order, which passes as it is."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STORE)
    opened = Vanishing(database)
    opened.open()
    try:
        directory = opened.directory()
        tracker = Filter(opened, lambda: directory)
        transaction = Transaction(trusted=True)
        assert tracker.accept_recipient(transaction, b"<john@doe.example>") is None
        headers, body = parse(LETTER)
        message = Message(
            Address.parse("info@shop.example"),
            tuple(transaction.recipients),
            headers,
            body,
            Arrival("Q", trusted=True),
        )
        outcome = tracker.decide(transaction, message)
    finally:
        opened.close()
    assert outcome.plan.reply == replies.TRY_LATER


ANSWER = b"""\
From: john@doe.example
To: %s
Subject: Here it is
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/signed; boundary=c

--c

I am john@doe.example
--c
Content-Type: application/pgp-signature

x
--c--
--b
Content-Type: %s

\x01\x02john@doe.example\x00
--b--
"""


def answered(
    database: str, kind: bytes, policy: str = "flag"
) -> tuple[replies.Reply | None, list[dict[str, Any]]]:
    """Let a buyer answer the store with a part of some type; give reply and timeline."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STORE)
        connection.execute("UPDATE tracker.stores SET attachments_with_address = %s", (policy,))
        masks = "SELECT tracker.mask('shop', '1', %s, %s)"
        connection.execute(masks, ("john@doe.example", "buyer"))
        [alias] = connection.execute(masks, ("info@shop.example", "store")).fetchone() or ("",)
    opened = Database(database)
    opened.open()
    try:
        directory = opened.directory()
        tracker = Filter(opened, lambda: directory)
        transaction = Transaction()
        assert tracker.accept_recipient(transaction, b"<%s>" % alias.encode()) is None
        headers, body = parse(ANSWER % (alias.encode(), kind))
        john = Address.parse("john@doe.example")
        message = Message(john, tuple(transaction.recipients), headers, body, Arrival("Q"))
        reply = tracker.decide(transaction, message).plan.reply
    finally:
        opened.close()
    with orders.connect(database) as connection:
        said = "".join(timeline.as_json(connection, "shop", "1"))
    assert "john" not in said
    return reply, json.loads(said)


def test_the_timeline_says_what_was_removed_from_a_message(database: str) -> None:
    reply, [entry] = answered(database, b"application/pgp-keys")
    assert reply is None
    assert entry["notes"] == [
        "2 application/pgp-keys identity",
        "1.2 application/pgp-signature signature",
    ]


@pytest.mark.parametrize(("policy", "word"), [("flag", "flagged"), ("remove", "removed")])
def test_the_timeline_says_what_became_of_an_attachment(
    database: str, policy: str, word: str
) -> None:
    reply, [entry] = answered(database, b"application/x-program", policy)
    assert reply is None
    assert entry["notes"] == [
        f"2 application/x-program binary {word}",
        "1.2 application/pgp-signature signature",
    ]


def test_the_timeline_says_that_a_message_was_refused(database: str) -> None:
    reply, [entry] = answered(database, b"application/x-program", "refuse")
    assert reply == replies.CANNOT_MASK
    assert (entry["state"], entry["subject"]) == ("refused", "Here it is")
    [to] = entry["recipients"]
    assert (to["role"], to["status"], to["reason"]) == ("store", "5.6.0", str(replies.CANNOT_MASK))


def test_a_large_message_of_two_orders_is_recorded_whole_in_each(shop: "Shop") -> None:
    """The record in each order tells its own aliases, and shares the rest only while it waits."""
    aliases = [shop.mask("john@doe.example", number) for number in ("1", "2")]
    lines = b"".join(
        b"%060d %s\r\n" % (n, b"john@doe.example" if n % 900 == 0 else b"-") for n in range(30_000)
    )
    database = Database(shop.uri)
    database.open()
    try:
        directory = database.directory()
        rules = Filter(database, lambda: directory)
        transaction = Transaction(null=False)
        for alias in aliases:
            assert rules.accept_recipient(transaction, f"<{alias}>".encode()) is None
        headers, _ = parse(b"From: desk@carrier.example\r\nMessage-ID: <1@x>\r\n\r\n")
        message = Message(
            Address.parse("desk@carrier.example"), tuple(transaction.recipients), headers, lines,
            Arrival("4ABC"), null=False,
        )  # fmt: skip
        assert rules.decide(transaction, message).plan.reply is None
    finally:
        database.close()
    query = (
        "SELECT m.raw FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id"
        " WHERE o.store = %s ORDER BY o.number"
    )
    kept = [bytes(row[0]).partition(b"\r\n\r\n")[2] for row in shop.rows(query, shop.name)]
    assert kept == [lines.replace(b"john@doe.example", alias.encode()) for alias in aliases]
    assert shop.one("SELECT count(*) FROM tracker.pieces") == 0


REPORT = """\
From: MAILER-DAEMON@mx.example
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; desk@carrier.example
Action: failed

Final-Recipient: rfc822; john@doe.example
Action: failed
Status: 5.1.1
--b--
"""


def test_a_misdirected_report_marks_what_its_reader_sent_to_whom_it_names(shop: "Shop") -> None:
    """The first it names takes part as well, and was sent nothing."""
    buyer = shop.mask("john@doe.example", role="buyer")
    shop.mask("desk@carrier.example")
    alias = shop.mask("sales@shop.example", role="store")
    database = Database(shop.uri)
    database.open()
    try:
        directory = database.directory()
        tracker = Filter(database, lambda: directory)
        outcomes = []
        for to, sender, text in (
            (buyer, Address.parse("sales@shop.example"), "From: sales@shop.example\n\nHi\n"),
            (alias, None, REPORT),
        ):
            transaction = Transaction(null=sender is None)
            assert tracker.accept_recipient(transaction, f"<{to}>".encode()) is None
            headers, body = parse(text.encode())
            message = Message(
                sender, tuple(transaction.recipients), headers, body, Arrival("4ABC"),
                null=sender is None,
            )  # fmt: skip
            outcomes.append(tracker.decide(transaction, message))
    finally:
        database.close()
    assert [each.plan.reply for each in outcomes] == [None, None]
    assert [each.what for each in outcomes] == ["forwarded", "returned"]
    assert outcomes[1].plan.edits
    query = (
        "SELECT p.address, d.state FROM tracker.deliveries AS d"
        " JOIN tracker.participants AS p ON p.id = d.recipient_id"
        " JOIN tracker.orders AS o ON o.id = p.order_id WHERE o.store = %s"
    )
    assert shop.rows(query, shop.name) == [("john@doe.example", "bounced")]
