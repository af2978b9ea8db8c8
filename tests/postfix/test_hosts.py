"""Several mail hosts on one database are one tracker."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from private import processes
from private.client import Transaction
from private.sink import Mail

from ..milter.peer import Peer
from .leaks import found_in
from .stage import Stage, mailhost, populated

if TYPE_CHECKING:
    from private.postgres import Postgres

BUYER, CARRIER, PAYER = "john@doe.example", "desk@carrier.example", "bill@payer.example"
LATER = ["451", "4.7.1", "later"]


@dataclass(frozen=True, slots=True)
class Hosts:
    """Two mail hosts; behind the first one's tracker is a milter that can refuse."""

    one: Stage
    two: Stage
    last: Peer


@pytest.fixture(scope="module")
def hosts(postgres: "Postgres", migrated: str) -> Iterator[Hosts]:
    with (
        Peer() as last,
        populated(postgres, migrated) as (uri, connection),
        mailhost(uri, hostname="mx1.example.com", signer=last.address) as first,
        mailhost(uri, hostname="mx2.example.com") as second,
    ):
        yield Hosts(Stage(first, connection), Stage(second, connection), last)


def letter(sender: str, to: list[str], subject: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(to), subject
    message["Message-ID"] = f"<{time.monotonic_ns()}@{sender.partition('@')[2]}>"
    message.set_content("Good morning.\n")
    return message.as_bytes().replace(b"\n", b"\r\n")


def came_from(mail: Mail) -> str:
    """Return the alias that a mail's From shows."""
    [value] = mail.header("From")
    return value.decode().rpartition("<")[2].rstrip(">")


def within(seconds: float, what: Callable[[], object]) -> bool:
    return processes.until(what, seconds, 0.05)


def test_a_conversation_crosses_both(hosts: Hosts) -> None:
    """An alias made at one host works at the other, whoever answers whom where."""
    shop = hosts.one.shop()
    store = f"orders@{shop.domain}"
    data = b"X-Order-Id: 1001\r\n" + letter(store, [BUYER], "Your order")
    [mail] = hosts.one.carried(store, BUYER, data, trusted=True)
    first = came_from(mail)
    [mail] = hosts.two.carried(BUYER, first, letter(BUYER, [first], "Where is it?"))
    assert mail.addresses == (store,)
    [mail] = hosts.one.carried(
        store, came_from(mail), letter(store, [came_from(mail)], "Here"), trusted=True
    )
    assert mail.addresses == (BUYER,)
    assert came_from(mail) == first
    timeline = shop.order("1001").timeline()
    assert [line.subject for line in timeline] == ["Your order", "Where is it?", "Here"]
    hosts.one.rest([shop])
    hosts.two.rest([shop])


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_tried_again_at_the_other_host_is_one_message(hosts: Hosts, count: int) -> None:
    """The first host had recorded it already when a milter behind us said no."""
    shop = hosts.one.shop()
    order = shop.order("1001", buyer=BUYER, payer=PAYER, carrier=CARRIER)
    people = [BUYER, PAYER][:count]
    aliases = [order.alias(each) for each in people]
    data = letter(CARRIER, aliases, "Parcel")
    hosts.last.say(answers={"eom": LATER})
    try:
        replies, came = hosts.one.play(CARRIER, aliases, data)
        assert (replies.final.code, came) == (451, [])
    finally:
        hosts.last.say()
    assert len(order.messages()) == 1
    came = hosts.two.carried(CARRIER, aliases, data)
    assert sorted(mail.addresses for mail in came) == sorted((each,) for each in people)
    assert len(order.messages()) == 1
    assert len(order.timeline()) == count
    hosts.two.rest([shop])


def test_a_bounce_may_come_to_another_host_than_the_mail_left(hosts: Hosts) -> None:
    """Its author gets the notice from there, and the timeline says what became of the mail."""
    shop = hosts.one.shop()
    order = shop.order("1001", buyer=BUYER, carrier=CARRIER)
    alias = order.alias(BUYER)
    [mail] = hosts.one.carried(CARRIER, alias, letter(CARRIER, [alias], "Parcel"))
    report = (
        f"From: MAILER-DAEMON@mx.doe.example\r\nTo: {mail.sender.address}\r\nSubject: no\r\n"
        "MIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nno\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.doe.example\r\n\r\n"
        f"Final-Recipient: rfc822; {BUYER}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "--b--\r\n"
    ).encode()
    [notice] = hosts.two.carried("", mail.sender.address, report)
    assert notice.addresses == (CARRIER,)
    assert not found_in(notice.data, [BUYER])
    # Once more, at the host that the mail left: nobody hears of it twice.
    assert order.timeline()[0].state == "bounced"
    different = report.replace(b"\r\nno\r\n", b"\r\nstill no\r\n")
    assert hosts.one.carried("", mail.sender.address, different) == []
    hosts.one.rest([shop])


def test_a_changed_store_counts_on_both_within_a_second(hosts: Hosts) -> None:
    shop = hosts.one.shop()
    alias = shop.order("1001", buyer=BUYER).alias(BUYER)

    def answers(stage: Stage) -> int:
        return stage.send(CARRIER, alias, letter(CARRIER, [alias], "x")).final.code

    shop.set(active=False)
    assert [answers(each) for each in (hosts.one, hosts.two)] == [451, 451]
    shop.set(active=True, sender_domains=["new.example"])
    data = b"X-Order-Id: 1001\r\n" + letter("orders@new.example", [PAYER], "Pay")
    time.sleep(1.0)
    for each in (hosts.one, hosts.two):
        assert answers(each) == 250
        [mail] = [
            mail
            for mail in each.carried("orders@new.example", PAYER, data, trusted=True)
            if mail.addresses == (PAYER,)
        ]
        assert came_from(mail) != "orders@new.example"
    hosts.one.settle()
    hosts.two.settle()


@contextmanager
def followed(stage: Stage, home: Path) -> Iterator[None]:
    """Follow a host's own log."""
    host = stage.host
    said = home / "said"
    command = host.tracker.command("follow", "--log", host.postfix.log, "--state", home / "state")
    with said.open("wb") as file:
        process = subprocess.Popen([str(word) for word in command], stderr=file)
    try:
        assert within(20.0, lambda: '"following"' in said.read_text())
        yield
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert not [line for line in said.read_text().splitlines() if "error" in json.loads(line)]


def test_each_follower_tells_of_its_own_host(hosts: Hosts, tmp_path: Path) -> None:
    """A host nobody follows stays silent; whoever catches up later tells it then."""
    shop = hosts.one.shop()
    order = shop.order("1001", buyer=BUYER, carrier=CARRIER)
    alias = order.alias(BUYER)
    with followed(hosts.one, tmp_path):
        for each in (hosts.two, hosts.one):
            each.carried(CARRIER, alias, letter(CARRIER, [alias], each.host.tracker.socket))
        assert within(10.0, lambda: order.timeline()[1].state == "sent")
    assert [line.state for line in order.timeline()] == ["accepted", "sent"]
    names = [row["queue_id"].partition("/")[0] for row in order.messages()]
    assert names == ["mx2.example.com", "mx1.example.com"]


def test_many_at_once_through_both_share_one_limit(hosts: Hosts) -> None:
    """What one host took counts for the other; what is over it waits."""
    shop = hosts.one.shop(hourly_limit=12)  # half of it for one sender
    order = shop.order("1001", buyer=BUYER, carrier=CARRIER)
    alias = order.alias(BUYER)

    def send(number: int) -> Transaction:
        stage = (hosts.one, hosts.two)[number % 2]
        return stage.send(CARRIER, alias, letter(CARRIER, [alias], f"{number}"))

    codes = [send(number).final.code for number in range(10)]
    assert codes == [250] * 6 + [451] * 4
    assert len(order.messages()) == 6
    hosts.one.settle()
    hosts.two.settle()


@pytest.mark.parametrize("trusted", [False, True], ids=["from outside", "from a trusted network"])
def test_what_left_one_host_is_not_relayed_by_another(hosts: Hosts, trusted: bool) -> None:
    """Nobody reaches somebody by an alias in From, nor does mail go round and round."""
    shop = hosts.one.shop()
    order = shop.order("1001", buyer=BUYER, carrier=CARRIER)
    alias = order.alias(BUYER)
    [mail] = hosts.one.carried(CARRIER, alias, letter(CARRIER, [alias], "Parcel"))
    to = BUYER if trusted else alias
    replies = hosts.two.send(mail.sender.address, to, mail.data, trusted=trusted)
    assert str(replies.final).startswith("554 5.4.6")
    assert len(order.messages()) == 1
    hosts.two.settle()
