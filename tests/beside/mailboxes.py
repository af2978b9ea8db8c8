"""Mailboxes, lists and rewriting on the same host: Dovecot's Sieve, Mailman, PostSRSd."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

from tests.postfix.leaks import found_in
from tests.postfix.signer import SELECTOR, Signer
from tests.postfix.stage import DOMAIN, Order
from tests.postfix.verifier import Verifier

from beside.programs import Dovecot, Mailman, PostSrsd
from beside.row import Row
from beside.site import CONVERSATION, ID, Bench, Site, set_up
from private import processes

LOCAL = "buyer.example"
MORE = ("InternalHosts 192.0.2.1",)
BUYER, CARRIER = f"john@{LOCAL}", "desk@carrier.example"
VACATION = """require ["vacation"];
vacation :days 1 :addresses ["{address}"] :subject "Away" "Until May.";
"""
REJECT = """require ["reject"];
reject "john@buyer.example has moved to jd@private.example.";
"""
REDIRECT = """require ["copy"];
redirect :copy "ann@buyer.example";
"""


def try_sieve_redirect(bench: Bench) -> str:
    """A buyer whose mailbox is on this host has Sieve redirect to another mailbox here."""
    with _verified(bench) as (site, dovecot):
        dovecot.script("john", REDIRECT)
        order = _order(site)
        _send(site, order, BUYER, "desk@carrier.example")
        _see_it_come_back(site, dovecot, order)
        assert len(dovecot.mailbox("john")) == 1
    return (
        "works where the verifier before the tracker knows our signature (`authserv_id`): what"
        " comes back passes as it is"
    )


def try_fetchmail(bench: Bench) -> str:
    """A buyer's mail is fetched from one mailbox into another, on this host."""
    with _verified(bench) as (site, dovecot):
        order = _order(site)
        _send(site, order, BUYER, CARRIER)
        assert processes.until(lambda: dovecot.mailbox("john"), 20.0)
        with NamedTemporaryFile("w") as file:
            file.write(
                f"poll 127.0.0.1 protocol imap port {dovecot.imap} user john password x is ann"
                f" here smtphost 127.0.0.1/{site.host.postfix.port} smtpaddress {LOCAL}"
                " sslproto '' fetchall\n"
            )
            file.flush()
            command = ["fetchmail", "-f", file.name, "--nodetach", "--nosyslog", "--pidfile"]
            done = subprocess.run(
                [*command, f"{file.name}.pid"], capture_output=True, text=True, check=False
            )
        assert done.returncode == 0, done.stdout + done.stderr
        _see_it_come_back(site, dovecot, order)
    return "works as Sieve's `redirect` does"


def try_sieve_reject(bench: Bench) -> str:
    """A buyer's mailbox rejects, by Sieve, and by its quota."""
    with set_up(bench) as site, Dovecot(site.host.postfix.port) as dovecot:
        _deliver_by(site, dovecot)
        dovecot.script("john", REJECT)
        with site.followed():
            _see_it_bounce(site, "[address]")
    with set_up(bench) as site, Dovecot(site.host.postfix.port, quota=100) as dovecot:
        _deliver_by(site, dovecot)
        with site.followed():
            _see_it_bounce(site, "552 5.2.2")
    return "works: the timeline says bounced, and why; the partner gets our notice, and no address"


@contextmanager
def _verified(bench: Bench) -> Iterator[tuple[Site, Dovecot]]:
    """Set up a signer behind the tracker, a verifier before it, and mailboxes."""
    with Signer(DOMAIN) as signer, NamedTemporaryFile("w") as keys:
        keys.write(f"{SELECTOR}._domainkey.{DOMAIN} {signer.record}\n")
        keys.flush()
        Path(keys.name).chmod(0o644)
        with (
            Verifier(ID, f"TestDNSData file:{keys.name}", *MORE) as verifier,
            set_up(
                bench, milters=(verifier.socket,), options={"authserv_id": ID}, signer=signer
            ) as site,
            Dovecot(site.host.postfix.port) as dovecot,
        ):
            site.host.configure("--authserv-id", ID)
            _deliver_by(site, dovecot)
            yield site, dovecot


def _see_it_come_back(site: Site, dovecot: Dovecot, order: Order) -> None:
    """See that the buyer's copy comes to their other mailbox, and counts as no bounce."""
    site.stage.settle()
    log = site.host.tracker.log_text()
    assert processes.until(lambda: dovecot.mailbox("ann"), 20.0), log[-1500:]
    assert [line.state for line in order.timeline()] == ["accepted"], order.timeline()
    [mail] = dovecot.mailbox("ann")
    assert CARRIER.encode() not in mail


def _see_it_bounce(site: Site, reason: str) -> None:
    order = _order(site)
    _send(site, order, BUYER, CARRIER)
    [notice] = site.host.sink.wait_for(1, to=CARRIER)
    site.stage.settle()
    [line] = order.timeline()
    assert line.state == "bounced", line
    assert reason in (line.reason or ""), line
    assert not found_in(notice.data, [BUYER, "jd@private.example"]), notice.data
    assert order.alias(BUYER).encode() in notice.data


def try_sieve_redirect_to_an_alias(bench: Bench) -> str:
    """A buyer has Sieve redirect to their own alias, and to the partner's."""
    with set_up(bench) as site, Dovecot(site.host.postfix.port) as dovecot:
        _deliver_by(site, dovecot)
        order = _order(site)
        lines = [f'redirect :copy "{order.alias(each)}";\n' for each in (BUYER, CARRIER)]
        dovecot.script("john", "".join(['require ["copy"];\n', *lines]))
        _send(site, order, BUYER, "desk@carrier.example")
        site.stage.settle()
        assert processes.until(lambda: dovecot.mailbox("john"), 20.0)
        assert order.timeline()[0].state != "bounced", order.timeline()
        assert len(dovecot.mailbox("john")) == 1
        assert not site.host.sink.to(CARRIER), "the partner hears of it"
    return "`554 5.4.6`; the timeline does not say bounced, and the partner is told nothing"


def try_sieve_vacation(bench: Bench) -> str:
    """Both sides' mailboxes are on this host, and both answer that they are away."""
    with set_up(bench) as site, Dovecot(site.host.postfix.port) as dovecot:
        _deliver_by(site, dovecot, "carrier.example")
        for name, address in (("john", BUYER), ("desk", CARRIER)):
            dovecot.script(name, VACATION.format(address=address))
        order = _order(site)
        _send(site, order, BUYER, CARRIER)
        assert processes.until(lambda: len(dovecot.mailbox("desk")) == 1, 20.0), order.timeline()
        site.stage.settle()
        [away] = dovecot.mailbox("desk")
        assert b"Until May." in away
        assert b"bounce-" not in away.partition(b"\n\n")[0].partition(b"From:")[2], away
        assert LOCAL.encode() not in away.partition(b"\n\n")[2]
        assert order.alias(BUYER).encode() in away
        assert [line.state for line in order.timeline()] == ["accepted"] * 2, order.timeline()
    return "works: one answer, masked, and no end to end of them"


def try_dovecot(bench: Bench) -> str:
    """Dovecot's LMTP takes the mail of a mailbox on this host."""
    with set_up(bench) as site, Dovecot(site.host.postfix.port) as dovecot:
        _deliver_by(site, dovecot)
        order = _order(site)
        with site.followed():
            _send(site, order, BUYER, CARRIER)
            assert processes.until(lambda: dovecot.mailbox("john"), 20.0)
            come = lambda: order.timeline()[0].state == "sent"  # noqa: E731
            assert processes.until(come, 20.0), order.timeline()
    return "works; `follow` says `sent`"


def try_postsrsd(bench: Bench) -> str:
    """PostSRSd, without the alias domains excluded, and with."""
    with PostSrsd("mail.example.com") as srs, set_up(bench) as site:
        site.host.postfix.configure(srs.settings)
        assert site.refuses("exclude the alias domain there"), "configure says nothing"
        assert site.complains("exclude the alias domain there"), "check says nothing"
    excluded = (DOMAIN, "ct.example.net")
    with PostSrsd("mail.example.com", *excluded) as srs, set_up(bench) as site:
        site.host.postfix.configure(srs.settings)
        site.host.postfix.restart()
        site.play(*CONVERSATION)
    return (
        "`configure` refuses and `check` is WRONG until `SRS_EXCLUDE_DOMAINS` names the alias"
        " domains; then it works"
    )


def try_mailman(bench: Bench) -> str:
    """A list of Mailman's is subscribed to an alias's order as a partner."""
    with set_up(bench) as site, Mailman(site.host.postfix.port) as mailman:
        postfix = site.host.postfix
        _route(site, "lists.example", f"lmtp:[127.0.0.1]:{mailman.lmtp}")
        mailman.run("create", "friends@lists.example")
        order = site.shop().order("1001", buyer=BUYER, carrier=CARRIER)
        alias = order.alias(BUYER)
        members = f"{alias}\n{CARRIER}\n"
        mailman.run("addmembers", "-W", "-", "friends@lists.example", said=members)
        data = f"From: {CARRIER}\r\nTo: friends@lists.example\r\nSubject: Hello\r\n"
        data += "Message-ID: <hello@carrier.example>\r\n\r\nText for all.\r\n"
        replies = site.stage.send(CARRIER, "friends@lists.example", data.encode(), trusted=True)
        assert replies.ok, str(replies.final)
        come = lambda: site.host.sink.to(BUYER)  # noqa: E731
        assert processes.until(come, 60.0), postfix.log_text()[-1500:]
        [mail] = site.host.sink.to(BUYER)
        assert b"Text for all." in mail.data
        assert alias.encode() not in mail.data.partition(b"\r\n\r\n")[0].split(b"List-")[0]
    return "works: an alias may be subscribed to a list, and its mail comes masked"


def _order(site: Site) -> Order:
    return site.shop().order("1001", buyer=BUYER, carrier=CARRIER)


def _send(site: Site, order: Order, to: str, sender: str) -> None:
    alias = order.alias(to)
    data = f"From: {CARRIER}\r\nTo: {alias}\r\nSubject: Parcel\r\n"
    data += "Date: Mon, 5 Jan 2026 10:00:00 +0000\r\nMessage-ID: <p@carrier.example>\r\n"
    replies = site.stage.send(sender, alias, f"{data}\r\nText.\r\n".encode())
    assert replies.ok, str(replies.final)


def _deliver_by(site: Site, dovecot: Dovecot, *more: str) -> None:
    """Have Postfix deliver some domains to Dovecot; all else goes to the sink."""
    for domain in (LOCAL, *more):
        _route(site, domain, f"lmtp:[127.0.0.1]:{dovecot.port}")


def _route(site: Site, domain: str, route: str) -> None:
    """Take a domain's mail, and send it some way."""
    postfix = site.host.postfix
    table = postfix.config / "beside_transport"
    with table.open("a") as file:
        file.write(f"/@{domain.replace('.', '[.]')}$/ {route}\n")
    before = postfix.postconf("transport_maps")
    if table.name not in before:
        postfix.add_master("lmtp unix - - n - - lmtp")
        before = ", ".join(filter(None, (before, f"regexp:{table}")))
    domains = ", ".join(filter(None, (postfix.postconf("relay_domains"), domain)))
    postfix.configure({"transport_maps": before, "relay_domains": domains})
    postfix.restart()


FETCHING = ("fetchmail", "/usr/lib/dovecot/imap")
ROWS = (
    Row("Dovecot's LMTP", try_dovecot, (Dovecot,)),
    Row("Sieve's `redirect` to a mailbox of the same host", try_sieve_redirect, (Dovecot,)),
    Row("fetchmail from one mailbox of this host to another", try_fetchmail, (Dovecot,), FETCHING),
    Row("Sieve's `reject`, and Dovecot's quota", try_sieve_reject, (Dovecot,)),
    Row("Sieve's `redirect` to an alias", try_sieve_redirect_to_an_alias, (Dovecot,)),
    Row("Sieve's `vacation` on both sides", try_sieve_vacation, (Dovecot,)),
    Row("PostSRSd", try_postsrsd, (PostSrsd,)),
    Row("Mailman 3, an alias subscribed", try_mailman, (Mailman,)),
)
