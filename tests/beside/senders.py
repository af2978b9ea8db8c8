"""What hands mail in otherwise than a mail server does."""

import subprocess

from tests.postfix.stage import Order

from beside.row import Row
from beside.site import Bench, Site, set_up
from private import processes

BUYER, CARRIER = "john@buyer.example", "desk@carrier.example"


def try_local_sendmail(bench: Bench) -> str:
    """`/usr/sbin/sendmail` on the host itself, in the store's name, to an alias and to a person."""
    with set_up(bench, options={"authserv_id": "mx.example.com"}) as site:
        order = _order(site, spoofed_senders="reject", unknown_senders="reject")
        _sendmail(site, f"orders@{order.shop.domain}", order.alias(BUYER))
        site.stage.settle()
        assert not site.host.sink.to(BUYER), "it is believed"
        assert [line.sender_role for line in order.timeline()] == [None], order.timeline()
        unmasked = "/usr/sbin/sendmail for a real address is not masked"
        assert not [line for line in site.check("note") if unmasked in line]
        site.host.postfix.configure({"virtual_mailbox_domains": order.shop.domain})
        assert [line for line in site.check("note") if unmasked in line], site.check("note")
    return (
        "a claim like any other, since no milter saw it come in: with `spoofed_senders = 'reject'`"
        " refused. To a real address it leaves unmasked: `check` says so where the store's domain"
        " is this host's. Hand in by SMTP (msmtp to 127.0.0.1:25) instead"
    )


def try_first_recipient(bench: Bench) -> str:
    """A client that sorts RCPT, so that the carrier comes first."""
    with set_up(bench) as site:
        shop = site.shop()
        data = f"From: orders@{shop.domain}\r\nTo: {BUYER}\r\nCc: {CARRIER}\r\n"
        data += "X-Order-Id: 1001\r\nSubject: Order\r\n\r\nText.\r\n"
        order = shop.order("1001")
        replies = site.stage.send(
            f"orders@{shop.domain}", [CARRIER, BUYER], data.encode(), trusted=True
        )
        assert replies.ok, str(replies.final)
        roles = {person.address: person.role for person in order.people()}
        assert (roles[BUYER], roles[CARRIER]) == ("buyer", "partner"), roles
    return "works: the first address in To that is a real recipient is the buyer"


def try_split_by_the_sender(bench: Bench) -> str:
    """One mail to a hard and a soft alias, which the sender's server splits by domain."""
    for first in (0, 1):
        with set_up(bench) as site:
            order = _order(site, mask="soft")
            person = order.person(BUYER)
            other = order.person("desk@insurer.example")
            aliases = [person.hard, other.soft or ""]
            data = f"Received: from a by b; Mon, 5 Jan 2026 10:00:00 +0000\r\nFrom: {CARRIER}\r\n"
            data += f"To: {aliases[0]}, {aliases[1]}\r\nMessage-ID: <split@carrier.example>\r\n"
            data += "Subject: Parcel\r\n\r\nText.\r\n"
            for alias in (aliases[first], aliases[1 - first]):
                replies = site.stage.send(CARRIER, alias, data.encode())
                assert replies.ok, str(replies.final)
            site.stage.settle()
            found = [line.direction for line in order.timeline()]
            assert found == ["outbound", "outbound"], (first, found)
    return "works: the direction is that of the whole message, whichever comes first"


def _order(site: Site, **columns: object) -> Order:
    return site.shop(**columns).order(
        "1001", buyer=BUYER, carrier=CARRIER, insurer="desk@insurer.example"
    )


def _sendmail(site: Site, sender: str, to: str) -> None:
    postfix = site.host.postfix
    data = f"From: {sender}\nTo: {to}\nSubject: From the host\n\nText.\n"
    command = ["/usr/sbin/sendmail", "-C", str(postfix.config), "-f", sender, to]
    environ = {"PATH": "/usr/sbin:/usr/bin:/bin", "MAIL_CONFIG": str(postfix.config)}
    subprocess.run(command, input=data.encode(), env=environ, check=True, capture_output=True)
    assert processes.until(lambda: "postfix/pickup" in postfix.log_text(), 20.0)


ROWS = (
    Row("`/usr/sbin/sendmail` to an alias", try_local_sendmail),
    Row("a client that sorts recipients", try_first_recipient),
    Row("one mail to a hard and a soft alias, parted by the sender", try_split_by_the_sender),
)
