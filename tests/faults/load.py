"""Clients that send mail of every kind, and send it again where it was not taken.

They behave as other mail servers do: what got a 4xx, or no answer, is tried again; a patient client
goes on until it gets 250, an impatient one gives up where it was refused. Some hang up without
reading the last answer. What became of each attempt is noted in the ledger.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Self

from private.client import Client

from .ledger import Ledger, Letter, Outcome

DOMAIN = "ct.example.com"
SHOP = "sales@shop.example"
_OUTSIDE = "198.51.100.7"
_PAUSE = 0.15  # seconds before a client tries again
_REPEATS = 40  # lines of text, so that a message needs room in the database
KINDS = ("single", "single", "shared", "own", "other")
_numbers = count(1)


@dataclass(frozen=True)
class Order:
    """One order of the store: its number, who takes part, and the alias of each."""

    number: str
    aliases: dict[str, str]

    @property
    def people(self) -> list[str]:
        """The real addresses of buyer, carrier and bank."""
        return [each for each in self.aliases if each != SHOP]


class Load:
    """Clients at work, from `with` to the end of the block; then all letters came to their end.

    `sent` counts letters begun.
    """

    def __init__(
        self,
        port: int,
        orders: Sequence[Order],
        ledger: Ledger,
        *,
        clients: int = 4,
        seed: int = 1,
        messages: int | None = None,
        patience: float = 40.0,
        rude: float = 0.04,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        """Prepare to send.

        Args:
            port: Postfix's.
            orders: whom to write to.
            ledger: where everything is noted.
            clients: how many send at once.
            seed: what to send is drawn from.
            messages: how many to send in all; None: until the block ends.
            patience: seconds after which even a patient client gives up a letter.
            rude: share of attempts in which the client hangs up before the last answer.
            kinds: what to send, as often as each is named.
        """
        self._port, self._orders, self._ledger = port, orders, ledger
        self._left = messages
        self._patience, self._rude = patience, rude
        self._kinds = kinds
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.sent = 0
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(f"{seed} {number}"),))
            for number in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    @property
    def done(self) -> bool:
        """Whether all messages that were asked for came to their end."""
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self, chance: random.Random) -> None:
        while not self._stopped.is_set():
            with self._lock:
                if self._left is not None and self.sent >= self._left:
                    return
                self.sent += 1
            letter = written(chance, chance.choice(self._orders), chance.choice(self._kinds))
            self._posted(letter, chance, impatient=chance.random() < 0.25)

    def post(self, letter: Letter) -> None:
        """Send one letter, patiently, from this thread."""
        self._posted(letter, random.Random(letter.name), impatient=False)

    def _posted(self, letter: Letter, chance: random.Random, *, impatient: bool) -> None:
        """Send a letter until it was taken, or its sender gives up."""
        self._ledger.add(letter)
        waiting = list(letter.readers)
        letter.first = time.time()
        give_up = time.monotonic() + self._patience
        while waiting:
            for recipient, outcome in self._attempt(letter, waiting, chance):
                letter.noted(recipient, outcome)
                if outcome == "taken" or (outcome == "refused" and impatient):
                    waiting.remove(recipient)
            if time.monotonic() > give_up:
                return
            if waiting:
                time.sleep(_PAUSE * (1 + chance.random()))

    def _attempt(
        self, letter: Letter, recipients: Sequence[str], chance: random.Random
    ) -> list[tuple[str, Outcome]]:
        """Send a letter once."""
        accepted: list[str] = []
        ended: Outcome = "refused"
        try:
            with _greeted(self._port, letter.trusted) as client:
                if client.mail(letter.sender).ok:
                    accepted = [each for each in recipients if client.rcpt(each).ok]
                if accepted and client.command("DATA").code == 354:
                    # From here on a lost connection leaves it open what became of the message.
                    ended = "unknown"
                    if chance.random() < self._rude:
                        client.raw(letter.data + b".\r\n")
                        client.abort()
                    else:
                        ended = "taken" if client.data(letter.data).ok else "refused"
        except (OSError, EOFError, ValueError):
            pass
        return [(each, ended if each in accepted else "refused") for each in recipients]


@contextmanager
def _greeted(port: int, trusted: bool) -> Iterator[Client]:
    """Connect, from the store's own network or from outside."""
    client = Client(port)
    try:
        if not client.greeting.ok:
            raise EOFError("not greeted")
        if not trusted:
            client.command(f"XCLIENT ADDR={_OUTSIDE} NAME=client.example.org")
            client.command("EHLO client.example.org")
        yield client
    finally:
        client.close()


def written(chance: random.Random, order: Order, kind: str) -> Letter:
    """Write a letter of a kind, of somebody who takes part in an order or of none."""
    writers: dict[str, Callable[[random.Random, Order], Letter]] = {
        "single": _single,
        "shared": _shared,
        "own": _own,
        "other": _other,
    }
    return writers[kind](chance, order)


def _single(chance: random.Random, order: Order) -> Letter:
    """From one who takes part to another's alias."""
    sender, reader = chance.sample(order.people, 2)
    return _letter(chance, order, sender, {order.aliases[reader]: reader})


def _shared(chance: random.Random, order: Order) -> Letter:
    """To two aliases: the second pass gives each a copy."""
    sender, *readers = chance.sample(order.people, 3)
    return _letter(chance, order, sender, {order.aliases[each]: each for each in readers})


def _own(chance: random.Random, order: Order) -> Letter:
    """From the store's own system to a real address, with the order named in a header."""
    reader = chance.choice(order.people)
    return _letter(chance, order, SHOP, {reader: reader}, f"X-Order-Id: {order.number}\r\n")


def _other(chance: random.Random, order: Order) -> Letter:
    """From somebody inside to somebody outside: none of the tracker's business."""
    reader = f"reader-{chance.randrange(10**6)}@elsewhere.example"
    return _letter(chance, order, "clerk@office.example", {reader: reader}, foreign=True)


def _letter(
    chance: random.Random,
    order: Order,
    sender: str,
    readers: dict[str, str],
    field: str = "",
    *,
    foreign: bool = False,
) -> Letter:
    name = f"letter-{next(_numbers)}-{chance.randrange(10**9):09d}"
    told = [] if foreign else order.people
    lines = [f"Write to {each} if you like." for each in told]
    lines += [chance.randbytes(36).hex() for _ in range(_REPEATS)]
    text = (
        f"From: {sender}\r\nTo: {', '.join(readers)}\r\nSubject: {name}\r\n"
        f"Message-ID: <{name}@mua.example>\r\n{field}\r\n" + "\r\n".join(lines) + "\r\n"
    )
    secrets = frozenset() if foreign else frozenset({*order.people, SHOP})
    inside = field != "" or foreign
    return Letter(name, sender, readers, text.encode(), inside, secrets, foreign=foreign)
