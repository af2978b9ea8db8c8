"""What hands mail in, and settings of Postfix itself that mail meets."""

import subprocess
from collections.abc import Mapping

from tests.postfix.stage import Order

from beside.row import Row
from beside.site import Bench, Site, set_up
from private import processes

BUYER, CARRIER = "john@buyer.example", "desk@carrier.example"
SOME = ("one-buyer-answers-partner", "several-orders-and-stores", "bounce-one")
ROOT = "inline:{root@mail.example.com=host@mail.example.com}"
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "`enable_long_queue_ids`": {"enable_long_queue_ids": "yes"},
    "`milter_protocol = 2`": {"milter_protocol": "2"},
    "`smtp_generic_maps`": {
        "smtp_generic_maps": "inline:{root@mail.example.com=host@mail.example.com}"
    },
    "`masquerade_domains`": {"masquerade_domains": "example.org"},
    "`canonical_maps`": {"canonical_maps": ROOT},
    "a catch-all in `virtual_alias_maps`": {
        "virtual_alias_domains": "everything.example",
        "virtual_alias_maps": "inline:{@everything.example=all@elsewhere.example}",
    },
}


def try_settings(bench: Bench) -> str:
    """Settings that many hosts have."""
    for settings in SETTINGS.values():
        with set_up(bench, settings=settings) as site:
            site.play(*SOME)
    return "works with each"


def try_soft_bounce(bench: Bench) -> str:
    """What is refused for good is tried again."""
    with set_up(bench, settings={"soft_bounce": "yes"}) as site:
        alias = _order(site).alias(BUYER)
        assert _send(site, f"{'0' * 32}@ct.example.com").startswith("450 4.1.1")
        assert _send(site, alias).startswith("250")
        assert site.host.sink.wait_for(1, to=BUYER)
    return "works: unknown aliases get `450`, as Postfix has it"


def try_local_sendmail(bench: Bench) -> str:
    """`/usr/sbin/sendmail` on the host itself, in the store's name, to an alias and to a person."""
    with set_up(bench, options={"authserv_id": "mx.example.com"}) as site:
        order = _order(site, spoofed_senders="reject", unknown_senders="reject")
        _sendmail(site, f"orders@{order.shop.domain}", order.alias(BUYER))
        site.stage.settle()
        assert not site.host.sink.to(BUYER), "it is believed"
        assert [line.sender_role for line in order.timeline()] == [None], order.timeline()
    return (
        "a claim like any other, since no milter saw it come in: with `spoofed_senders = 'reject'`"
        " refused. Hand in by SMTP (msmtp to 127.0.0.1:25) instead"
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


def try_too_long(bench: Bench) -> str:
    """A mail that masking lengthens past message_size_limit."""
    with set_up(bench, settings={"message_size_limit": "60000"}) as site:
        order = _order(site)
        alias = order.alias(BUYER)
        body = "\r\n".join([f"Write to {CARRIER} or {BUYER}."] * 1000)
        data = f"From: {CARRIER}\r\nTo: {alias}\r\nSubject: Long\r\n\r\n{body}\r\n"
        assert len(data) < 60000
        replies = site.stage.send(CARRIER, alias, data.encode())
        assert "552 5.3.4" in str(replies.final), str(replies.final)
    return "`552 5.3.4` at once"


def _order(site: Site, **columns: object) -> Order:
    return site.shop(**columns).order(
        "1001", buyer=BUYER, carrier=CARRIER, insurer="desk@insurer.example"
    )


def _send(site: Site, to: str) -> str:
    data = f"From: {CARRIER}\r\nTo: {to}\r\nSubject: Parcel\r\n\r\nText.\r\n"
    given = site.stage.send(CARRIER, to, data.encode())
    [rcpt] = [str(each) for each in given.replies if each.command.startswith("RCPT")]
    return rcpt if rcpt[0] != "2" else str(given.final)


def _sendmail(site: Site, sender: str, to: str) -> None:
    postfix = site.host.postfix
    data = f"From: {sender}\nTo: {to}\nSubject: From the host\n\nText.\n"
    command = ["/usr/sbin/sendmail", "-C", str(postfix.config), "-f", sender, to]
    environ = {"PATH": "/usr/sbin:/usr/bin:/bin", "MAIL_CONFIG": str(postfix.config)}
    subprocess.run(command, input=data.encode(), env=environ, check=True, capture_output=True)
    assert processes.until(lambda: "postfix/pickup" in postfix.log_text(), 20.0)


ROWS = (
    Row(f"{', '.join(SETTINGS)}", try_settings),
    Row("`soft_bounce`", try_soft_bounce),
    Row("`/usr/sbin/sendmail` to an alias", try_local_sendmail),
    Row("a client that sorts recipients", try_first_recipient),
    Row("one mail to a hard and a soft alias, parted by the sender", try_split_by_the_sender),
    Row("`message_size_limit`", try_too_long),
)
