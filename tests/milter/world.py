"""A running tracker with a database of stores, spoken to as Postfix would."""

from collections.abc import Sequence
from typing import Any

import psycopg

from private import processes
from private.postgres import Postgres
from private.tracker import Tracker
from wire import Result, Wire

DOMAIN = "ct.example.com"
BUYER, CARRIER, SHOP = "john@doe.example", "desk@carrier.example", "sales@shop.example"
STRANGER = "zoe@elsewhere.example"
LOCAL = {"{client_addr}": "127.0.0.1"}
OUTSIDE = {"{client_addr}": "192.0.2.1"}
QUEUE_ID = "4ZJXYz0abcz1"


class World:
    """One running tracker and its database; notes every address that is used."""

    def __init__(self, tracker: Tracker, uri: str) -> None:
        self.tracker, self.uri = tracker, uri
        self.used: set[str] = set()
        self._numbers = iter(range(1000, 10_000))

    def sql(self, query: str, *values: object) -> Any:
        """Run one statement; give the first column of its first row."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            cursor = connection.execute(query.encode(), values)
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def order(self) -> str:
        """Return the number of an order that nobody has used."""
        return f"order-{next(self._numbers)}"

    def alias(self, address: str, order: str, role: str = "partner", store: str = "shop") -> str:
        """Mask an address."""
        self.used.add(address)
        alias: str = self.sql("SELECT tracker.mask(%s, %s, %s, %s)", store, order, address, role)
        return alias

    def wire(self, **macros: str) -> Wire:
        """Connect as Postfix, for a client outside unless told otherwise."""
        return Wire(self.tracker.socket, macros=OUTSIDE | macros)

    def send(
        self,
        sender: str,
        to: str | Sequence[str],
        data: bytes,
        macros: dict[str, str] | None = None,
    ) -> Result:
        """Send one message on a connection of its own."""
        self.used |= {sender, *([to] if isinstance(to, str) else to)}
        with self.wire(**(macros or {})) as wire:
            wire.connect()
            wire.helo()
            return wire.send(sender, to, data)

    def messages(self, order: str) -> int:
        """Count the messages recorded of an order."""
        count: int = self.sql(
            "SELECT count(*) FROM tracker.messages AS m JOIN tracker.orders AS o"
            " ON o.id = m.order_id WHERE o.number = %s",
            order,
        )
        return count


def seeded(postgres: Postgres, migrated: str, name: str) -> str:
    """Make a database with two stores."""
    uri = postgres.create_database(name, template=migrated)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain, sender_domains, hourly_limit, active)"
            " VALUES ('shop', 'ct.example.com', '{shop.example}', 100, true),"
            "        ('closed', 'ct.example.com', '{closed.example}', 100, true),"
            "        ('busy', 'busy.example.net', '{}', 4, true)"
        )
    return uri


def mail(author: str = CARRIER, *fields: str, body: str = "Hello\r\n") -> bytes:
    """Write a message as it comes over SMTP."""
    return "\r\n".join([f"From: {author}", *fields, "", body]).encode()


def workers(tracker: Tracker) -> list[int]:
    """Return the ids of the worker processes; the parent has others for a moment."""
    started = {line["pid"] for line in tracker.events("worker-started")}
    return [pid for pid in processes.family(tracker.pid) if pid in started]


def helpers(tracker: Tracker) -> list[int]:
    """Return the ids of the parent's other processes."""
    return [
        pid
        for pid in processes.family(tracker.pid)
        if pid != tracker.pid and pid not in workers(tracker)
    ]
