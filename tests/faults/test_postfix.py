"""Postfix stopped and killed, a later milter that refuses, clients that hang up, under load."""

import random
import signal
import threading
import time

import psycopg
import pytest

from private import processes
from private.client import Client

from .load import Order, written
from .site import Site


def test_stopped_and_started(site: Site) -> None:
    with site.load():
        site.flows(4)
        site.stop_postfix()
        site.flows(6)


def test_killed(site: Site) -> None:
    with site.load():
        site.flows(4)
        site.cut_postfix()
        site.flows(6)


def test_killed_when_the_record_is_written_and_the_mail_is_not(site: Site) -> None:
    """A power cut between the two: the client has no answer, and sends again."""
    for _ in range(2):
        dead = threading.Event()

        def cut(dead: threading.Event = dead) -> None:
            site.ledger.cuts.append(time.time())
            site.host.postfix.kill()
            dead.set()

        with site.load():
            trap = site.wire.set(b"Ec", False, cut)
            assert trap.sprung.wait(20)
            site.host.postfix.start()
            site.flows(4)


def test_killed_when_the_client_has_its_answer(site: Site) -> None:
    """The reverse: what was answered 250 is in the queue, and goes on from there."""
    with site.load():
        for _ in range(2):
            before = site.ledger.outcomes()["taken"]
            assert processes.until(
                lambda before=before: site.ledger.outcomes()["taken"] > before, 20, 0.001
            )
            site.cut_postfix()
        site.flows(4)


def test_a_record_lost_between_the_passes_is_written_again(site: Site) -> None:
    """The database was restored to a moment before the mail: its second pass finds no record."""
    order = site.orders[0]
    with site.load():
        site.flows(2)
    site.settle()
    letter = written(random.Random(1), order, "shared")
    site.settle_feed()
    site.publisher.end(signal.SIGTERM)
    site.host.postfix.configure({"defer_transports": "tracker-split"})
    site.host.postfix.reload()
    try:
        with site.load(messages=0) as load:
            load.post(letter)
        with psycopg.connect(site.uri) as connection:
            connection.execute("DELETE FROM tracker.event_queue")
            connection.execute("DELETE FROM tracker.messages WHERE subject = %s", (letter.name,))
    finally:
        site.publisher.start()
        site.host.postfix.configure({"defer_transports": ""})
        site.host.postfix.reload()


@pytest.mark.parametrize(
    ("code", "kinds"), [("451", ("single", "shared", "own")), ("550", ("single", "own"))]
)
def test_a_later_milter_refuses(site: Site, code: str, kinds: tuple[str, ...]) -> None:
    """We had said yes and recorded it; the client gets a refusal, and nobody receives it."""
    with site.load(kinds=kinds):
        site.flows(4)
        site.signer.say(answers={"eom": [code, f"{code[0]}.7.1", "not signed"]})
        try:
            before = site.ledger.outcomes()["refused"]
            assert processes.until(lambda: site.ledger.outcomes()["refused"] > before + 4, 20)
        finally:
            site.signer.say()
        site.flows(6)


def test_clients_that_hang_up_before_the_answer(site: Site) -> None:
    """Nobody can know then what became of the mail; what comes again is recorded no second time."""
    with site.load(rude=0.5):
        site.flows(20)
    assert site.ledger.outcomes()["unknown"] > 4


def test_clients_that_hang_up_within_a_message(site: Site) -> None:
    """It is delivered to nobody, and recorded nowhere."""
    with site.load():
        for order in site.orders[:6]:
            _broken_off(site, order)
        site.flows(6)


def _broken_off(site: Site, order: Order) -> None:
    [sender, reader, _] = order.people
    client = Client(site.host.postfix.port)
    client.mail(sender)
    assert client.rcpt(order.aliases[reader]).ok
    client.command("DATA")
    client.raw(b"From: x@carrier.example\r\nSubject: never\r\n\r\nhalf")
    client.abort()
