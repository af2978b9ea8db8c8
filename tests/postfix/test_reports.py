"""Reports of delivery that break the rules, sent to a bounce address on a real Postfix.

None is forwarded, none tells an address, and each is answered 250: nobody is left to hear of it.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from .leaks import found_in
from .stage import DOMAIN, Order, Stage, stage

if TYPE_CHECKING:
    from private.postgres import Postgres

BUYER = "johndoe@buyer.example"
HEAD = (
    b"From: MAILER-DAEMON@mx.buyer.example\r\nSubject: Undeliverable\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
)
FAILED = b"Action: failed\r\nStatus: 5.1.1\r\n"


@pytest.fixture(scope="module")
def host(postgres: "Postgres", migrated: str) -> Iterator[Stage]:
    """One mail host for all of them."""
    with stage(postgres, migrated) as found:
        yield found


def parted(*parts: tuple[str, bytes]) -> bytes:
    """Write a report of these parts, each with its type."""
    written = b"".join(
        b"--b\r\nContent-Type: " + kind.encode() + b"\r\n\r\n" + content + b"\r\n"
        for kind, content in parts
    )
    return HEAD + written + b"--b--\r\n"


def status(*recipients: bytes) -> bytes:
    """Write the fields of a report that these recipients failed."""
    blocks = [b"Final-Recipient: rfc822;" + each + b"\r\n" + FAILED for each in recipients]
    return b"\r\n".join([b"Reporting-MTA: dns; mx.buyer.example\r\n", *blocks])


def nested(depth: int) -> bytes:
    """Write a report within messages within messages."""
    inner = parted(("message/delivery-status", status(BUYER.encode())))
    for level in range(depth):
        boundary = b"n%d" % level
        inner = (
            b'From: MAILER-DAEMON@mx.buyer.example\r\nContent-Type: multipart/mixed; boundary="%b"'
            b"\r\n\r\n--%b\r\nContent-Type: message/rfc822\r\n\r\n%b\r\n--%b--\r\n"
        ) % (boundary, boundary, inner, boundary)
    return inner


CROWD = [f"reader{number}@reader.example".encode() for number in range(1000)]
DELIVERY = "message/delivery-status"
ODD = {
    "NUL bytes": (
        parted((DELIVERY, status(BUYER.encode()).replace(b"5.1.1", b"5.1\0.1\0") + b"\0")),
        "bounced",
    ),
    "a thousand recipients": (parted((DELIVERY, status(*CROWD, BUYER.encode()))), "bounced"),
    "nested ten deep": (nested(10), "bounced"),
    "nested a hundred deep": (nested(100), "bounced"),
    "no recipient": (parted((DELIVERY, b"Reporting-MTA: dns; mx.buyer.example\r\n")), "bounced"),
    "nothing at all": (b"From: MAILER-DAEMON@mx.buyer.example\r\n\r\n", "bounced"),
    "no part ever ends": (parted((DELIVERY, status(BUYER.encode())))[:-40], "bounced"),
    "another's recipient": (parted((DELIVERY, status(b"someone@else.example"))), "bounced"),
    "a status that is none": (
        parted((DELIVERY, status(BUYER.encode()).replace(b"5.1.1", b"johndoe@buyer.example"))),
        "bounced",
    ),
}


def sent(host: Stage, order: Order) -> str:
    """Send a message to the buyer, and give the bounce address it leaves from."""
    data = (
        b"From: pay@payment.example\r\nMessage-ID: <paid.1@payment.example>\r\n"
        b"Subject: Paid\r\n\r\nText.\r\n"
    )
    [mail] = host.carried("pay@payment.example", order.alias(BUYER), data)
    assert mail.sender.address == order.bounce(BUYER)
    return mail.sender.address


@pytest.mark.parametrize("name", ODD)
def test_odd_report(host: Stage, name: str) -> None:
    """It marks the delivery, and becomes one clean notice."""
    report, state = ODD[name]
    shop = host.shop()
    order = shop.order("1001", buyer=BUYER)
    bounce = sent(host, order)
    came = host.carried("", bounce, report)
    [line] = order.timeline()
    assert line.state == state
    assert not found_in(line.said.encode(), [BUYER, "reader.example", "else.example"])
    [notice] = came
    assert (notice.sender.address, notice.addresses) == ("", ("pay@payment.example",))
    assert notice.header("From") == [f"Mail Delivery System <mailer-daemon@{DOMAIN}>".encode()]
    assert notice.header("In-Reply-To") == [b"<paid.1@payment.example>"]
    assert f"Final-Recipient: rfc822; {order.alias(BUYER)}\r\n".encode() in notice.body
    never = ["buyer.example", "reader.example", "else.example", bounce]
    assert not found_in(notice.data, never)
    assert b"\0" not in notice.data
    host.rest([shop])


def test_reports_of_a_store_switched_off_wait(host: Stage) -> None:
    """While its store is switched off, a bounce address answers as an alias does."""
    shop = host.shop()
    order = shop.order("1001", buyer=BUYER)
    bounce = sent(host, order)
    shop.set(active=False)
    report = parted((DELIVERY, status(BUYER.encode())))
    replies, came = host.play("", bounce, report)
    assert (str(replies.final)[:9], came) == ("451 4.3.0", [])
    assert [line.state for line in order.timeline()] == ["accepted"]
    shop.set(active=True)
    [notice] = host.carried("", bounce, report)
    assert notice.addresses == ("pay@payment.example",)
    assert [line.state for line in order.timeline()] == ["bounced"]
