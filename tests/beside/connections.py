"""How a client speaks to Postfix: in pieces (BDAT), by TLS, signed in."""

import smtplib
import ssl
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.postfix.leaks import found_in
from tests.postfix.stage import ACCOUNT, Order

from beside.row import Row
from beside.site import CONVERSATION, Bench, Site, set_up
from private.client import Client, Reply
from private.mailhost import MailHost
from private.ports import free_port

BUYER, CARRIER = "john@buyer.example", "desk@carrier.example"
SIGNED_IN = """127.0.0.1:{port} inet n - n - - smtpd
    -o syslog_name=postfix/smtps
    -o smtpd_tls_wrappermode=yes
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
    -o smtpd_recipient_restrictions=
"""


def try_bdat(bench: Bench) -> str:
    """Messages in pieces, cut anywhere: within an address, a line's end, the header's end."""
    with set_up(bench) as site:
        order = _order(site)
        aliases = [order.alias(BUYER), order.alias("desk@insurer.example")]
        data = f"From: {CARRIER}\r\nTo: {aliases[0]}\r\nSubject: Parcel\r\n\r\n"
        data += f"Write to {CARRIER}.\r\n.\r\nA dot is no end here.\r\n"
        for to in (aliases[:1], aliases):
            for size in (1, 7, 40, len(data)):
                _send_in_pieces(site, to, data.encode(), size)
        site.stage.settle()
        copies = site.host.sink.to(BUYER)
        assert len(copies) == 8, copies
        assert not [mail for mail in copies if found_in(mail.data, [CARRIER])]
        assert all(b"\r\n.\r\nA dot is no end here." in mail.data for mail in copies)
        # Refused at the end, after pieces that were taken.
        with Client(site.host.postfix.port) as client:
            client.xclient(addr=MailHost.outside)
            client.mail(CARRIER)
            client.rcpt(aliases[0])
            assert client.chunk(f"From: x@{aliases[0].partition('@')[2]}\r\n".encode()).ok
            refused = client.chunk(b"\r\nText.\r\n", last=True)
        assert str(refused).startswith("550 5.7.1"), str(refused)
    return "works, wherever the pieces are cut"


def try_encryption(bench: Bench) -> str:
    """TLS required of all clients; signing in by STARTTLS, and on a port that begins with TLS."""
    with TemporaryDirectory(prefix="conversation-tracker-tls-") as home, set_up(bench) as site:
        postfix = site.host.postfix
        smtps = free_port()
        postfix.configure(_certify(Path(home)) | {"smtpd_tls_auth_only": "yes"})
        postfix.add_master(SIGNED_IN.format(port=smtps))
        site.host.configure()
        postfix.restart()
        site.play(*CONVERSATION)
        postfix.configure({"smtpd_tls_security_level": "encrypt"})
        postfix.restart()
        with Client(postfix.port) as client:
            assert str(client.mail(CARRIER)).startswith("530 5.7.0")
        shop, before = site.shop(), len(site.host.sink.to(BUYER))
        order = shop.order("1001")
        data = f"From: orders@{shop.domain}\r\nTo: {BUYER}\r\nCc: {CARRIER}\r\n"
        data += "X-Order-Id: 1001\r\nSubject: Order\r\n\r\nText.\r\n"
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        ports = [postfix.submission_port, smtps]
        with smtplib.SMTP("127.0.0.1", ports[0]) as upgraded:
            upgraded.starttls(context=context)
            upgraded.login(*ACCOUNT)
            upgraded.sendmail(f"orders@{shop.domain}", [BUYER, CARRIER], data)
        with smtplib.SMTP_SSL("127.0.0.1", ports[1], context=context) as encrypted:
            encrypted.login(*ACCOUNT)
            encrypted.sendmail(f"orders@{shop.domain}", BUYER, data.replace("Order\r", "2\r"))
        site.stage.settle()
        copies = site.host.sink.to(BUYER)[before:]
        assert len(copies) == 2, copies
        assert [line.sender_role for line in order.timeline()] == ["store"] * 3
        for mail in copies:
            assert not found_in(mail.data, [CARRIER, f"orders@{shop.domain}"], _soft(order))
        assert not site.complains("TLS"), site.check()
    return "works: the way to the splitter needs neither, and whoever signs in is the store"


def try_proxy_protocol(bench: Bench) -> str:
    """A load balancer in front tells who connects, in the PROXY protocol."""
    with set_up(bench) as site:
        postfix = site.host.postfix
        behind = free_port()
        option = "-o smtpd_upstream_proxy_protocol=haproxy"
        postfix.add_master(f"127.0.0.1:{behind} inet n - n - - smtpd\n    {option}")
        site.host.configure()
        postfix.restart()
        shop = site.shop(spoofed_senders="reject")
        order = shop.order("1001", buyer=BUYER, carrier=CARRIER)
        store, alias = f"orders@{shop.domain}", order.alias(BUYER)
        data = f"From: {{}}\r\nTo: {alias}\r\nSubject: Parcel\r\n\r\nText.\r\n"
        for client, sender, taken in (
            (MailHost.outside, CARRIER, True),
            (MailHost.outside, store, False),
            ("127.0.0.1", store, True),
        ):
            with _Balanced(behind, client) as connection:
                final = connection.send(sender, alias, data.format(sender).encode()).final
            assert final.ok is taken, (client, sender, str(final))
        site.stage.settle()
        roles = [line.sender_role for line in order.timeline()]
        assert roles == ["partner", None, "store"], order.timeline()
        assert not [mail for mail in site.host.sink.to(BUYER) if found_in(mail.data, [CARRIER])]
    return "works: who connects to the balancer is trusted, or not, as one who connects here"


class _Balanced(Client):
    """A connection through a load balancer."""

    def __init__(self, port: int, client: str) -> None:
        self._line = f"PROXY TCP4 {client} 127.0.0.1 4000 25\r\n".encode()
        super().__init__(port)

    def _read(self, command: str) -> Reply:
        if self._line:
            self.raw(self._line)
            self._line = b""
        return super()._read(command)


def _soft(order: Order) -> list[str]:
    return [person.soft for person in order.people() if person.soft]


def _certify(home: Path) -> dict[str, str]:
    """Make a certificate; return the settings by which Postfix has it."""
    home.chmod(0o755)
    key, certificate = home / "key", home / "certificate"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=mail.example.com", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return {
        "smtpd_tls_key_file": str(key),
        "smtpd_tls_cert_file": str(certificate),
        "smtpd_tls_security_level": "may",
    }


def _order(site: Site) -> Order:
    return site.shop().order("1001", buyer=BUYER, insurer="desk@insurer.example", carrier=CARRIER)


def _send_in_pieces(site: Site, to: list[str], data: bytes, size: int) -> None:
    with Client(site.host.postfix.port) as client:
        client.xclient(addr=MailHost.outside, name="client.example.org")
        assert client.mail(CARRIER, "BODY=8BITMIME").ok
        assert all(client.rcpt(each).ok for each in to)
        for at in range(0, len(data), size):
            assert client.chunk(data[at : at + size]).ok
        final = client.chunk(b"", last=True)
        assert final.ok, str(final)


ROWS = (
    Row("`smtpd_upstream_proxy_protocol`", try_proxy_protocol),
    Row("`BDAT` (CHUNKING)", try_bdat),
    Row("STARTTLS required, SASL by STARTTLS and on port 465", try_encryption, (), ("openssl",)),
)
