"""How often mail waits for PostgreSQL: once for each recipient, and once at its end."""

import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Order
from conversation_tracker.core.model.message import Arrival, Message, parse
from conversation_tracker.core.views import message_ids
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.transaction import Transaction
from private.pgbouncer import PgBouncer

if TYPE_CHECKING:
    from private.postgres import Postgres

SHOP, BUYER = Address.parse("info@shop.example"), Address.parse("john@doe.example")


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


@dataclass
class Case:
    """One order of a store with its buyer, and the tracker that takes mail for it."""

    tracker: Filter
    counter: Counter
    order: Order
    shop: str
    buyer: str

    def trips(self, author: Address, to: str, *fields: str, number: int) -> tuple[int, ...]:
        """Take one message, and count for its recipient, ahead of its end, and at its end."""
        transaction = Transaction(trusted=author is SHOP)
        text = [f"From: {author}", f"To: {to}", f"Message-ID: <{number}@{author.domain}>", *fields]
        headers, body = parse("\n".join([*text, "", f"I am {author}.", ""]).encode())
        counts = [self.counter.trips]
        assert self.tracker.accept_recipient(transaction, f"<{to}>".encode()) is None
        counts.append(self.counter.trips)
        seen = Message(
            author, tuple(transaction.recipients), headers, b"", transaction.make_arrival()
        )
        self.tracker.look_ahead(transaction, seen)
        counts.append(self.counter.trips)
        arrival = Arrival(f"Q{number}", trusted=transaction.trusted)
        message = Message(author, tuple(transaction.recipients), headers, body, arrival)
        outcome = self.tracker.decide(transaction, message)
        assert (outcome.plan.reply, outcome.orders) == (None, ("1",))
        counts.append(self.counter.trips)
        return tuple(after - before for before, after in pairwise(counts))


@pytest.fixture
def case(counter: Counter, database: str, change_timeouts: Callable[..., object]) -> Iterator[Case]:
    # What is announced later is not waited for by any mail.
    change_timeouts(announcement_gather_seconds=60.0)
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain, sender_domains)"
            " VALUES ('shop', 'ct.example.com', '{shop.example}')"
        )
        masks = "SELECT tracker.mask('shop', '1', %s, %s)"
        [buyer] = connection.execute(masks, (str(BUYER), "buyer")).fetchone() or ("",)
        [shop] = connection.execute(masks, (str(SHOP), "store")).fetchone() or ("",)
    name = conninfo_to_dict(database)["dbname"]
    uri = make_conninfo("", host="127.0.0.1", port=counter.port, user="postgres", dbname=name)
    found = Database(uri, size=1)
    found.open()
    directory = found.directory()
    order = found.open_order("shop", "1").conversation.order
    yield Case(Filter(found, lambda: directory), counter, order, shop, buyer)
    found.close()


# The first time, each connection to the server itself prepares what it runs.


def test_mail_waits_once_for_its_recipient_and_once_at_its_end(case: Case) -> None:
    trips = [case.trips(BUYER, case.shop, number=number) for number in range(3)]
    assert trips[1:] == [(1, 0, 1)] * 2


def test_an_answer_to_an_identifier_of_ours_waits_no_more_often(case: Case) -> None:
    case.trips(BUYER, case.shop, number=1)
    answered = message_ids.make_identifier(b"<1@doe.example>", case.order)
    fields = f"In-Reply-To: {answered}"
    trips = [case.trips(SHOP, case.buyer, fields, number=number) for number in range(2, 5)]
    assert trips[1:] == [(1, 0, 1)] * 2


@pytest.mark.parametrize("named", ["X-Order-Id: 1", "In-Reply-To: <1@shop.example>"])
def test_a_stores_own_mail_waits_once_while_it_comes_and_once_at_its_end(
    case: Case, named: str
) -> None:
    case.trips(SHOP, str(BUYER), "X-Order-Id: 1", number=1)
    trips = [case.trips(SHOP, str(BUYER), named, number=number) for number in range(2, 5)]
    assert trips[1:] == [(0, 1, 1)] * 2
