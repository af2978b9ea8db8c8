"""What of the envelope travels on: nothing the sender put there beside the recipient."""

import psycopg

from private.client import Client
from private.mailhost import MailHost

STORE = """
INSERT INTO tracker.stores (name, alias_domain, sender_domains)
VALUES ('shop', 'ct.example.com', '{shop.example}')
"""
LETTER = b"""\
From: Shop <info@shop.example>\r
To: john@doe.example\r
X-Order-Id: 2\r
Subject: order\r
\r
Hi\r
"""


def test_the_stores_original_recipient_and_notify_go_no_further(database: str) -> None:
    """The one recipient is deleted and added anew for it, and still gets the mail."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STORE)
    with MailHost(database) as host:
        with Client(host.postfix.port) as client:
            wanted = "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bot@carrier.example"
            replies = client.send(
                "info@shop.example", ["john@doe.example"], LETTER, rcpt_parameters=wanted
            )
        assert replies.ok
        [mail] = host.sink.wait_for(1)
        host.postfix.wait_until_queue_empty()
    [recipient] = mail.recipients
    assert recipient.address == "john@doe.example"
    assert recipient.parameters == {"ORCPT": "rfc822;john@doe.example"}
