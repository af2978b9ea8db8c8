"""The demonstration: a whole order, played through a private mail host, shown as it happens.

Run by `postfix/demo`. Every message is shown as it was sent and as it arrived, line by line: what
went is marked `-`, what came `+`. Everything runs on loopback ports and in temporary directories,
and is gone at the end. Exit code 1, with the servers' logs, when a message does not arrive.
"""

import argparse
import difflib
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate

import psycopg

from conversation_tracker.migrate import migrate
from private.mailhost import MailHost
from private.postgres import Postgres
from private.sink import Mail

DOMAIN = "ct.example.com"
BUYER = "johndoe@vtex.example"
CARRIER = "tracking@carrier.example"
PAYMENT = "receipts@payment.example"
SHOP = "orders@{store}.example"

_STORES = """
INSERT INTO tracker.stores (name, alias_domain, mask, sender_domains)
VALUES ('hardshop', %(domain)s, 'hard', '{hardshop.example}'),
       ('softshop', %(domain)s, 'soft', '{softshop.example}')
"""
_MASK = "SELECT tracker.mask(%s, %s, %s)"


@dataclass(frozen=True)
class Style:
    """How text stands out: escape sequences on a terminal, nothing elsewhere."""

    bold: str = ""
    gone: str = ""
    come: str = ""
    plain: str = ""


COLOUR = Style("\033[1m", "\033[31m", "\033[32m", "\033[0m")


class Play:
    """One order of one store, from the alias to the timeline."""

    def __init__(self, host: MailHost, database: str, store: str, style: Style) -> None:
        self._host, self._database, self._style = host, database, style
        self._store, self._order = store, "1234567890123-01"
        self._shop = SHOP.format(store=store)
        self._scene = 0

    def run(self) -> None:
        """Play all scenes and show the timeline."""
        alias = self._alias()
        self._heading(f"Store {self._store}: order {self._order} of {BUYER} has the alias {alias}")
        self._says("Carrier", CARRIER, alias, "Your parcel is on its way", _CARRIER)
        self._says("Payment", PAYMENT, alias, "Payment approved", _PAYMENT)
        order = f"X-Order-Id: {self._order}\n"
        came = self._says("The store", self._shop, BUYER, "Your order", _ORDER, order, trusted=True)
        masked = _address(came)
        came = self._says("The buyer", BUYER, masked, "Re: Your order", _quoted(came))
        self._says(
            "The store", self._shop, _address(came), "Re: Your order", _quoted(came), trusted=True
        )
        self._heading(f"The timeline of order {self._order} of {self._store}")
        print(self._host.tracker.run("timeline", self._store, self._order).stdout, flush=True)

    def _alias(self) -> str:
        with psycopg.connect(self._database, autocommit=True) as connection:
            row = connection.execute(_MASK, (self._store, self._order, BUYER)).fetchone()
        assert row is not None
        return str(row[0])

    def _says(
        self,
        who: str,
        sender: str,
        to: str,
        subject: str,
        text: str,
        more: str = "",
        *,
        trusted: bool = False,
    ) -> Mail:
        """Send one message, and show what was sent and what arrived."""
        self._scene += 1
        sent = (
            f"From: {who} <{sender}>\nTo: <{to}>\nSubject: {subject}\n{more}"
            f"Date: {formatdate(usegmt=True)}\n"
            f"Message-ID: <{self._scene}.{self._store}.{os.getpid()}@mail.example>\n\n{text}"
        )
        data = sent.replace("\n", "\r\n").encode()
        [came] = self._host.deliver(sender, to, data, trusted=trusted)
        before = [f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>", "", *sent.splitlines()]
        after = [
            f"MAIL FROM:<{came.sender.address}>",
            f"RCPT TO:<{came.addresses[0]}>",
            "",
            *came.data.decode().splitlines(),
        ]
        self._heading(f"{self._scene}. {who} writes to {to}")
        for line in difflib.ndiff(before, after):
            if not line.startswith("?"):
                print(self._marked(line))
        print(flush=True)
        return came

    def _heading(self, text: str) -> None:
        print(f"{self._style.bold}{text}{self._style.plain}\n", flush=True)

    def _marked(self, line: str) -> str:
        colour = {"-": self._style.gone, "+": self._style.come}.get(line[:1], "")
        return f"{colour}  {line}{self._style.plain if colour else ''}"


def main() -> int:
    """Play one order hard and one soft; with --keep, stay until told to stop."""
    parser = argparse.ArgumentParser(prog="postfix/demo", description=main.__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end")
    keep = parser.parse_args().keep
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    style = COLOUR if sys.stdout.isatty() and "NO_COLOR" not in os.environ else Style()
    with Postgres() as postgres:
        say(f"PostgreSQL runs on port {postgres.port}")
        database = postgres.create_database("conversation_tracker")
        migrate(database, lambda name: say(f"migration {name}"))
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(_STORES, {"domain": DOMAIN})
        with MailHost(database, [DOMAIN]) as host:
            say(f"Postfix runs on port {host.postfix.port}, the tracker on {host.tracker.socket}")
            print()
            for store in ("hardshop", "softshop"):
                Play(host, database, store, style).run()
            if keep:
                stay(host, database)
    say("everything is stopped and removed")
    return 0


def say(line: str) -> None:
    """Tell what is being done."""
    print(f"==> {line}", flush=True)


def stay(host: MailHost, database: str) -> None:
    """Tell how to send mail and look at the database, and wait to be interrupted."""
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute(_MASK, ("hardshop", "mine", "me@buyer.example")).fetchone()
    assert row is not None
    for line in advice(host, database, str(row[0])):
        print(line)
    print(flush=True)
    try:
        while True:
            time.sleep(60)
    except KeyboardInterrupt:
        print()


def advice(host: MailHost, database: str, alias: str) -> Iterator[str]:
    """Give the lines that tell how to go on by hand."""
    yield "Everything goes on running until Ctrl-C. Send a mail to the alias of a new order:"
    yield ""
    yield (
        f"    swaks --server 127.0.0.1 --port {host.postfix.port} --from {CARRIER}"
        f" --to {alias} --header 'Subject: Hello'"
    )
    yield ""
    yield "Look at what became of it, in the timeline and in the database:"
    yield ""
    command = f"{sys.executable} -m conversation_tracker -c {host.tracker.config}"
    yield f"    {command} timeline hardshop mine"
    yield f"    psql '{database}' -c 'SELECT * FROM tracker.timeline'"


def _address(mail: Mail) -> str:
    """Give the address that an answer to a mail goes to."""
    return mail.header("From")[0].decode().rpartition("<")[2].rstrip(">")


def _quoted(mail: Mail) -> str:
    """Give an answer's text as a mail program writes it: with what it answers below."""
    name = mail.header("From")[0].decode()
    lines = [f"> {line}" for line in mail.body.decode().splitlines()]
    return "\n".join(["Thank you!", "", f"{name} wrote:", *lines, ""])


_CARRIER = f"""\
Dear customer,

your parcel left our depot. We will write to {BUYER} when it arrives.
Questions? Write to {CARRIER}.
"""
_PAYMENT = """\
Your payment of 12.34 was approved.
"""
_ORDER = """\
Hello John,

thank you for your order. Just answer this mail if you have a question.
"""

if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
