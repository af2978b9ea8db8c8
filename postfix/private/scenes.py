"""The scenes of the demonstration: one order of one store, from the alias to the timeline.

Each scene hands messages in as their senders would and shows what became of them. RuntimeError or
TimeoutError when a message does not arrive, or one is taken that must not be.
"""

import time
from collections.abc import Sequence
from email.utils import formatdate

import psycopg

from private.display import Display, arrived, written
from private.mailhost import MailHost
from private.sink import Mail

DOMAIN = "ct.example.com"
ORDER = "1234567890123-01"
BUYER = "johndoe@vtex.example"
CARRIER = "tracking@carrier.example"
PAYMENT = "receipts@payment.example"

STORES = """
INSERT INTO tracker.stores (name, alias_domain, mask, sender_domains)
VALUES ('hardshop', %(domain)s, 'hard', '{hardshop.example}'),
       ('softshop', %(domain)s, 'soft', '{softshop.example}')
"""
_FULL = f"550 5.2.2 <{BUYER}>: mailbox is full"


def mask(database: str, store: str, number: str, address: str) -> str:
    """Ask for an alias, as the store's own systems do."""
    with psycopg.connect(database, autocommit=True) as connection:
        statement = "SELECT tracker.mask(%s, %s, %s)"
        row = connection.execute(statement, (store, number, address)).fetchone()
    assert row is not None
    return str(row[0])


class Scenes:
    """The scenes, in the order of `play`."""

    def __init__(self, host: MailHost, database: str, store: str, display: Display) -> None:
        self._host, self._database, self._display = host, database, display
        self._store, self._shop = store, f"orders@{store}.example"
        self._names = {BUYER: "the buyer", CARRIER: "the carrier", PAYMENT: "the payment system"}
        self._names[self._shop] = "the store"
        self._number = 0

    def play(self) -> None:
        """Play them all, and show the timeline."""
        alias = self._alias()
        self._partners(alias)
        self._answers(self._order())
        self._everybody(alias)
        self._bounce(alias)
        self._refusal()
        self._timeline()

    def _alias(self) -> str:
        alias = mask(self._database, self._store, ORDER, BUYER)
        self._display.title(f"=== {self._store}: {_ABOUT[self._store]} ===")
        self._display.lines(f"""
The store's systems ask for an alias of the buyer of order {ORDER}:

    SELECT tracker.mask('{self._store}', '{ORDER}', '{BUYER}');
    {alias}

They give this alias to carrier and payment system, instead of the address.""")
        return alias

    def _partners(self, alias: str) -> None:
        self._scene("The carrier writes to the buyer", _TO_BUYER)
        text = _PARCEL.format(to=alias, own=CARRIER)
        self._says(CARRIER, [alias], "Your parcel is on its way", text)
        self._scene("The payment system writes to the buyer", "The same again, in the same order.")
        self._says(PAYMENT, [alias], "Payment approved", "Your payment of 12.34 was approved.\n")

    def _order(self) -> Mail:
        self._scene("The store itself writes to the buyer", _FROM_STORE)
        order = f"X-Order-Id: {ORDER}\n"
        [came] = self._says(self._shop, [BUYER], "Your order", _ORDER, order, trusted=True)
        return came

    def _answers(self, came: Mail) -> None:
        self._scene("The buyer answers", _ANSWER)
        [came] = self._says(BUYER, [_author(came)], "Re: Your order", _quoted(came))
        self._scene("The store answers back", _BACK)
        to, text = [_author(came)], _quoted(came)
        self._says(self._shop, to, "Re: Your order", text, trusted=True)

    def _everybody(self, alias: str) -> None:
        shop = mask(self._database, self._store, ORDER, self._shop)
        self._scene("The carrier writes to buyer and store at once", _TWO)
        self._says(CARRIER, [alias, shop], "Your parcel waits", "It is at your post office.\n")

    def _bounce(self, alias: str) -> None:
        self._scene("The carrier writes again, but the buyer's mailbox is full", _BOUNCE)
        self._host.sink.reply(BUYER, _FULL)
        self._says(CARRIER, [alias], "Your parcel goes back", "Nobody came for it.\n")
        self._host.sink.reply(BUYER)

    def _refusal(self) -> None:
        stranger = f"{'0' * 32}@{DOMAIN}"
        self._scene("Somebody guesses an alias", "Only what the database knows is an alias.")
        reply = self._host.send("somebody@guess.example", stranger, b"").final
        if reply.ok:
            raise RuntimeError("an alias that nobody was given was taken")
        self._display.lines(f"    RCPT TO:<{stranger}>\n    {reply}")

    def _timeline(self) -> None:
        self._display.title(f"The timeline of order {ORDER} of {self._store}")
        self._display.lines(self._host.tracker.run("timeline", self._store, ORDER).stdout)

    def _scene(self, what: str, why: str) -> None:
        self._number += 1
        self._display.title(f"{self._number}. {what}")
        self._display.lines(why)

    def _says(
        self,
        sender: str,
        to: Sequence[str],
        subject: str,
        text: str,
        more: str = "",
        *,
        trusted: bool = False,
    ) -> list[Mail]:
        """Send one message, and show what was sent and what arrived for it."""
        written_by = self._names[sender].removeprefix("the ").capitalize()
        sent = (
            f"From: {written_by} <{sender}>\n"
            f"To: {', '.join(f'<{each}>' for each in to)}\n"
            f"Subject: {subject}\n{more}Date: {formatdate(usegmt=True)}\n"
            f"Message-ID: <{self._number}.{time.time_ns():x}@mail.example>\n\n{text}"
        )
        data = sent.replace("\n", "\r\n").encode()
        came = self._host.deliver(sender, to, data, trusted=trusted, copies=len(to))
        came.sort(key=lambda mail: mail.addresses)
        before = written(sender, to, sent)
        # A notification is no copy of what was sent: there is nothing to compare.
        self._display.sent(self._names[sender], before, _lines(came[0], before))
        for mail in came:
            [address] = mail.addresses
            self._display.received(f"{self._names[address]} ({address})", arrived(mail), before)
        return came


def _lines(mail: Mail, sent: list[str]) -> list[str]:
    """Return a copy's lines, or what was sent where it was not passed on."""
    return arrived(mail) if mail.sender.address else sent


def _author(mail: Mail) -> str:
    """Return the address that an answer to a mail goes to."""
    return mail.header("From")[0].decode().rpartition("<")[2].rstrip(">")


def _quoted(mail: Mail) -> str:
    """Return an answer's text as a mail program writes it: with what it answers below."""
    name = mail.header("From")[0].decode()
    lines = [f"> {line}".rstrip() for line in mail.body.decode().splitlines()]
    return "\n".join(["Thank you!", "", f"{name} wrote:", *lines, ""])


_ABOUT = {
    "hardshop": "a store with hard aliases, which tell nothing",
    "softshop": (
        "a store with soft aliases, which show the address, and go through the tracker;"
        " strangers get hard ones"
    ),
}
_TO_BUYER = """
To the alias, for it knows no other address. The buyer sees their own address wherever the alias
was, and an alias wherever the carrier's address was: an answer comes back here. So does a bounce,
for the envelope sender is ours."""
_FROM_STORE = """
To the buyer's real address, which it knows; a header names the order. Everybody else only ever
sees an alias of the store's. That one is soft in both stores: it is no secret who writes."""
_ANSWER = """
To the address in From, as always. The store gets it at its own address, with the order's number
in a header, and learns the buyer's alias only."""
_BACK = """
To that alias. What was masked on the way here is shown to its owner on the way back, also in the
text that is quoted below."""
_TWO = """
Postfix makes a copy for each of them. Both see their own address, and an alias of the other."""
_BOUNCE = """
The failure is noted in the timeline. The carrier gets a new, clean notification, which names
nothing but the alias: the report of the buyer's mail host, with the real address in it, goes no
further."""
_PARCEL = """\
Dear customer,

your parcel left our depot. We will write to {to} when it arrives.
Questions? Write to {own}.
"""
_ORDER = """\
Hello John,

thank you for your order. Just answer this mail if you have a question.
"""
