"""How often mail waits for PostgreSQL: once for each recipient, and once at its end."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from conversation_tracker import announcer
from conversation_tracker.core.address import Address
from conversation_tracker.core.message import Arrival, Message, parse
from conversation_tracker.database import Database
from conversation_tracker.filter import Filter, Transaction
from private.pgbouncer import PgBouncer

if TYPE_CHECKING:
    from private.postgres import Postgres

LETTER = b"""\
From: john@doe.example
To: %s
Subject: Where is it
Message-ID: <%d@doe.example>

I am john@doe.example.
"""


class Counter:
    """Passes one client's connections on, and counts how often the client waits for an answer."""

    def __init__(self, port: int) -> None:
        self.trips = 0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._pass, args=(near,), daemon=True).start()

    def _pass(self, near: socket.socket) -> None:
        answered = True
        with near, socket.create_connection(("127.0.0.1", self._target)) as far, suppress(OSError):
            while True:
                for source in select.select([near, far], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is near and answered:
                        self.trips += 1
                    answered = source is far
                    (far if source is near else near).sendall(data)


@pytest.fixture(params=["server", "pooler"])
def counter(request: pytest.FixtureRequest, postgres: "Postgres") -> Iterator[Counter]:
    """Count what goes to the server itself, or to a pooler before it."""
    if request.param == "server":
        found = Counter(postgres.port)
        yield found
        found.close()
        return
    with PgBouncer(postgres.port) as bouncer:
        found = Counter(bouncer.port)
        yield found
        found.close()


@pytest.fixture
def opened(
    counter: Counter, database: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Database, str]]:
    """Give the database, and the alias of a store in an order with a buyer."""
    # What is announced later is not waited for by any mail.
    monkeypatch.setattr(announcer, "_PAUSE", 60.0)
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain, sender_domains)"
            " VALUES ('shop', 'ct.example.com', '{shop.example}')"
        )
        masks = "SELECT tracker.mask('shop', '1', %s, %s)"
        connection.execute(masks, ("john@doe.example", "buyer"))
        [alias] = connection.execute(masks, ("info@shop.example", "store")).fetchone() or ("",)
    name = conninfo_to_dict(database)["dbname"]
    uri = make_conninfo("", host="127.0.0.1", port=counter.port, user="postgres", dbname=name)
    found = Database(uri, size=1)
    found.open()
    yield found, alias
    found.close()


def test_a_message_waits_once_for_its_recipient_and_once_at_its_end(
    counter: Counter, opened: tuple[Database, str]
) -> None:
    database, alias = opened
    directory = database.directory()
    tracker = Filter(database, lambda: directory)
    john = Address.parse("john@doe.example")
    trips = []
    for number in range(3):
        transaction = Transaction()
        before = counter.trips
        assert tracker.recipient(transaction, b"<%s>" % alias.encode()) is None
        asked = counter.trips
        headers, body = parse(LETTER % (alias.encode(), number))
        message = Message(john, tuple(transaction.recipients), headers, body, Arrival(f"Q{number}"))
        assert tracker.message(transaction, message).plan.reply is None
        trips.append((asked - before, counter.trips - asked))
    # The first time, each connection to the server itself prepares what it runs.
    assert trips[1:] == [(1, 1)] * 2
