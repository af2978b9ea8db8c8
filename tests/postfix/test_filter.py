"""A content filter beside the tracker: mail goes through it once, and comes back past no milter."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest

from conversation_tracker.core.model import replies
from private.client import Client, Transaction
from private.mailhost import MailHost
from private.ports import free_port
from private.sink import Mail, Sink

if TYPE_CHECKING:
    from private.postgres import Postgres

STORE = """
INSERT INTO tracker.stores (name, alias_domain, sender_domains)
VALUES ('shop', 'ct.example.com', '{shop.example}')
"""
BUYER, PARTNER, CARRIER = "john@doe.example", "pay@payment.example", "desk@carrier.example"
WAY_BACK = """
127.0.0.1:{port} inet n - n - - smtpd
  -o content_filter=
  -o smtpd_client_restrictions=permit_mynetworks,reject
  -o receive_override_options={options}
"""
USUAL = "no_header_body_checks,no_unknown_recipient_checks"


class Filtered:
    """A mail host, its filter, and the port by which the filter hands mail back."""

    def __init__(self, host: MailHost, filter: Sink, uri: str) -> None:
        self.host, self.filter, self.uri = host, filter, uri
        self.port = free_port()

    def masked(self, address: str, role: str = "partner") -> str:
        with psycopg.connect(self.uri) as connection:
            row = connection.execute(
                "SELECT tracker.mask('shop', '1', %s, %s)", (address, role)
            ).fetchone()
        assert row is not None
        return str(row[0])

    def handed_in(self, sender: str, to: list[str]) -> Mail:
        """Hand a message in, and return it as the filter got it."""
        data = f"From: {sender}\r\nTo: {', '.join(to)}\r\nSubject: Parcel\r\n\r\nOn its way.\r\n"
        before = len(self.filter.messages)
        said = self.host.send(sender, to, data.encode())
        assert said.ok, said.final
        [mail] = self.filter.wait_for(before + 1, 30.0)[before:]
        return mail

    def handed_back(self, mail: Mail) -> Transaction:
        """Hand a message back, as the filter does."""
        with Client(self.port) as client:
            return client.send(mail.sender.address, list(mail.addresses), mail.data)


@pytest.fixture(scope="module")
def filtered(postgres: "Postgres", migrated: str) -> Iterator[Filtered]:
    uri = postgres.create_database("filtered", template=migrated)
    with psycopg.connect(uri) as connection:
        connection.execute(STORE)
    with Sink() as filter, MailHost(uri) as host:
        yield Filtered(host, filter, uri)
    postgres.drop_database("filtered")


def test_a_filter_between_the_passes_loses_nothing_and_shows_nobody(filtered: Filtered) -> None:
    host = filtered.host
    host.postfix.configure({"content_filter": f"smtp:[127.0.0.1]:{filtered.filter.port}"})
    host.postfix.add_master(WAY_BACK.format(port=filtered.port, options=f"{USUAL},no_milters"))
    assert "WARNING: master.cf, 127.0.0.1" not in host.configure()
    host.postfix.restart()
    buyer, partner = filtered.masked(BUYER, "buyer"), filtered.masked(PARTNER)
    for to, real in (([buyer], [BUYER]), ([buyer, partner], [BUYER, PARTNER])):
        before = len(host.sink.messages)
        assert filtered.handed_back(filtered.handed_in(CARRIER, to)).ok
        came = host.sink.wait_for(before + len(real), 30.0)[before:]
        host.postfix.wait_until_queue_empty()
        assert sorted(mail.addresses for mail in came) == sorted((each,) for each in real)
        for mail in came:
            others = {CARRIER, BUYER, PARTNER} - set(mail.addresses)
            assert not [each for each in others if each.encode() in mail.data]
    with psycopg.connect(filtered.uri) as connection:
        row = connection.execute("SELECT count(*) FROM tracker.messages").fetchone()
    assert row == (2,)


def test_with_milters_on_the_way_back_is_refused_for_it_would_lose_mail(
    filtered: Filtered,
) -> None:
    host = filtered.host
    service = f"127.0.0.1:{filtered.port}/inet"
    host.postfix.edit_master(service, {"receive_override_options": USUAL})
    with pytest.raises(
        RuntimeError, match=f"refused: master.cf, {service}: a content filter hands"
    ):
        host.configure()
    host.postfix.restart()
    said = filtered.handed_back(filtered.handed_in(CARRIER, [filtered.masked(BUYER, "buyer")]))
    assert str(said.final) == str(replies.LOOP)
