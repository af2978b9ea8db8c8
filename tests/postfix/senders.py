"""Clients that send until everything was taken, and note the answers they got.

They know one database with one store and one alias for each of its orders, and behave as other mail
servers do: what got a 4xx is tried again, at the next mail host if there are several.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg

from private.mailhost import MailHost

CARRIER = "desk@carrier.example"
DOMAIN = "ct.example.com"
SENDERS = 6
_MAIL = "From: <{}>\r\nTo: <{}>\r\nSubject: {}\r\nMessage-ID: <{}@carrier.example>\r\n\r\nHi\r\n"
_PATIENCE = 120.0  # seconds, for all messages of a load
_PAUSE = 0.1


def orders(uri: str, count: int) -> list[str]:
    """Make a store and its orders; return the alias of each order's buyer."""
    with psycopg.connect(uri) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain, hourly_limit)"
            " VALUES ('shop', %s, 1000)",
            (DOMAIN,),
        )
        return [mask(connection, number) for number in range(1, count + 1)]


def mask(connection: psycopg.Connection, number: int) -> str:
    """Return the alias of an order's buyer."""
    query = "SELECT tracker.mask('shop', %s, %s)"
    row = connection.execute(query, (str(number), buyer(number))).fetchone()
    assert row is not None
    return str(row[0])


def buyer(number: int) -> str:
    """Return the real address of an order's buyer."""
    return f"buyer{number}@doe.example"


def parcels(numbers: Sequence[int]) -> "Counter[str]":
    """Return what `recorded` and `delivered` give when each of these went well."""
    return Counter(subject(number) for number in numbers)


def subject(number: int) -> str:
    """Return the subject of a message."""
    return f"parcel {number}"


def letter(number: int, *aliases: str) -> bytes:
    """Write a message."""
    name = subject(number)
    return _MAIL.format(CARRIER, ">, <".join(aliases), name, number).encode()


def recorded(uri: str) -> "Counter[str]":
    """Return how often each subject stands in the timeline."""
    with psycopg.connect(uri) as connection:
        rows = connection.execute("SELECT subject FROM tracker.timeline")
        return Counter(row[0] for row in rows)


def delivered(*hosts: MailHost) -> "Counter[str]":
    """Return how often each subject left the mail hosts."""
    mails = [mail for host in hosts for mail in host.sink.messages]
    return Counter(mail.header("Subject")[0].decode() for mail in mails)


class Load:
    """Clients that send until everything was taken, and the answers they got.

    `taken` are subjects, `deferred` the answers 4xx, `other` all that should not have been.
    """

    def __init__(self, aliases: Sequence[str], *hosts: MailHost) -> None:
        self._hosts, self._aliases = hosts, aliases
        self._give_up = time.monotonic() + _PATIENCE
        self.taken: list[str] = []
        self.deferred: list[str] = []
        self.other: list[str] = []

    def __call__(self, number: int) -> None:
        """Send one message, and again while the answer is a temporary one."""
        alias = self._aliases[number % len(self._aliases)]
        data = letter(number, alias)
        tries = number
        while time.monotonic() < self._give_up:
            final = self._hosts[tries % len(self._hosts)].send(CARRIER, alias, data).final
            if final.code == 250:
                self.taken.append(subject(number))
                return
            if not 400 <= final.code < 500:
                self.other.append(str(final))
                return
            self.deferred.append(str(final))
            tries += 1
            time.sleep(_PAUSE)
        self.other.append(f"{subject(number)} was never taken")

    @contextmanager
    def sending(self, numbers: Sequence[int]) -> Iterator[None]:
        """Send these messages while the block runs, and until all came to their end."""
        with ThreadPoolExecutor(SENDERS) as pool:
            jobs = [pool.submit(self, number) for number in numbers]
            yield
            for job in jobs:
                job.result()
