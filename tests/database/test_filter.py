"""What happens between RCPT and the end of a message must not let mail out unmasked."""

import psycopg

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

    def again(self, order):
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
