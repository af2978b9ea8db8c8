"""What happens between RCPT and the end of a message must not let mail out unmasked."""

import json
from typing import Any

import psycopg

from conversation_tracker import orders, timeline
from conversation_tracker.core import replies
from conversation_tracker.core.address import Address
from conversation_tracker.core.message import Arrival, Message, parse
from conversation_tracker.database import Database
from conversation_tracker.filter import Filter, Transaction

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
        assert tracker.recipient(transaction, b"<john@doe.example>") is None
        headers, body = parse(LETTER)
        message = Message(
            Address.parse("info@shop.example"),
            tuple(transaction.recipients),
            headers,
            body,
            Arrival("Q", trusted=True),
        )
        outcome = tracker.message(transaction, message)
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


def answered(database: str, kind: bytes) -> tuple[replies.Reply | None, list[dict[str, Any]]]:
    """Let a buyer answer the store with a part of some type; give reply and timeline."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STORE)
        masks = "SELECT tracker.mask('shop', '1', %s, %s)"
        connection.execute(masks, ("john@doe.example", "buyer"))
        [alias] = connection.execute(masks, ("info@shop.example", "store")).fetchone() or ("",)
    opened = Database(database)
    opened.open()
    try:
        directory = opened.directory()
        tracker = Filter(opened, lambda: directory)
        transaction = Transaction()
        assert tracker.recipient(transaction, b"<%s>" % alias.encode()) is None
        headers, body = parse(ANSWER % (alias.encode(), kind))
        john = Address.parse("john@doe.example")
        message = Message(john, tuple(transaction.recipients), headers, body, Arrival("Q"))
        reply = tracker.message(transaction, message).plan.reply
    finally:
        opened.close()
    with orders.connected(database) as connection:
        said = "".join(timeline.as_json(connection, timeline.read(connection, "shop", "1")))
    assert "john" not in said
    return reply, json.loads(said)


def test_the_timeline_says_what_was_removed_from_a_message(database: str) -> None:
    reply, [entry] = answered(database, b"application/pgp-keys")
    assert reply is None
    assert entry["notes"] == [
        "2 application/pgp-keys identity",
        "1.2 application/pgp-signature signature",
    ]


def test_the_timeline_says_that_a_message_was_refused(database: str) -> None:
    reply, [entry] = answered(database, b"application/x-program")
    assert reply == replies.CANNOT_MASK
    assert (entry["state"], entry["subject"]) == ("refused", "Here it is")
    [to] = entry["recipients"]
    assert (to["role"], to["status"], to["reason"]) == ("store", "5.6.0", str(replies.CANNOT_MASK))
