"""A private mail host with stores to play on: what every test of the whole system stands on.

Stores are made before the tracker starts, since it looks for new ones only every 0.3 s; each
case takes some that nobody used before, so no case meets another's mail.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
from psycopg import sql

from private.client import Client, Transaction
from private.mailhost import MailHost
from private.sink import Mail

from .leaks import found_in

if TYPE_CHECKING:
    from private.postgres import Postgres

DOMAIN, OTHER_DOMAIN = "ct.example.com", "ct.example.net"
CLIENT = ("client.example.org", MailHost.outside)
ACCOUNT = ("shop", "secret")
# XCLIENT does not change whom Postfix completes headers for: nobody but who signed in, here.
_SETTINGS = {"local_header_rewrite_clients": "permit_sasl_authenticated"}
_STORES = 150
_numbers = itertools.count(1)

_PEOPLE = """
SELECT p.address, p.role, tracker.hard_alias(p.token, o.alias_domain),
       tracker.soft_alias(p.address, o.ref, o.alias_domain), s.mask, s.issuer_mask,
       p.introduced
  FROM tracker.people AS p JOIN tracker.orders AS o ON o.id = p.order_id
  JOIN tracker.stores AS s ON s.name = o.store
 WHERE o.store = %s AND o.number = %s AND p.address IS NOT NULL ORDER BY p.role = 'return', p.id
"""
_BOUNCE = """
SELECT 'bounce-' || replace(d.bounce::text, '-', '') || '@' || o.alias_domain
  FROM tracker.deliveries AS d JOIN tracker.people AS p ON p.id = d.recipient_id
  JOIN tracker.messages AS m ON m.id = d.message_id JOIN tracker.orders AS o ON o.id = m.order_id
 WHERE o.store = %s AND o.number = %s AND lower(p.address) = lower(%s) ORDER BY m.id DESC LIMIT 1
"""
_TIMELINE = """
SELECT direction, sender_role, sender_alias, sender_name, recipient_alias, recipient_role, subject,
       first_words, has_attachment, state, status, reason, notes
  FROM tracker.timeline LEFT JOIN tracker.participants AS p
    ON recipient_alias LIKE replace(p.token::text, '-', '') || '@%%'
 WHERE store = %s AND order_number = %s ORDER BY at, message_id, p.id
"""
_MESSAGES = """
SELECT m.* FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id
 WHERE o.store = %s AND o.number = %s ORDER BY m.at, m.id
"""


_IDENTIFIER = """
SELECT i.ours FROM tracker.message_ids AS i JOIN tracker.orders AS o ON o.id = i.order_id
 WHERE o.store = %s AND o.number = %s AND i.original = %s
"""


class Person(NamedTuple):
    """One participant of an order: real address, role, both aliases, and the one in use."""

    address: str
    role: str
    hard: str
    soft: str | None
    alias: str


class Line(NamedTuple):
    """One row of tracker.timeline, without its time."""

    direction: str
    sender_role: str | None
    sender_alias: str | None
    sender_name: str
    recipient_alias: str | None
    recipient_role: str | None
    subject: str
    first_words: str
    has_attachment: bool
    state: str | None
    status: str | None
    reason: str | None
    notes: list[str]

    @property
    def said(self) -> str:
        """What was said of it: status and reason; of refused mail our reply, which has both."""
        both = (self.reason,) if self.state == "refused" else (self.status, self.reason)
        return " ".join(filter(None, both))


class Order:
    """One order of a store of the test's own."""

    def __init__(self, shop: "Shop", number: str) -> None:
        self.shop, self.number = shop, number
        self._key = (shop.name, number)

    def mask(self, address: str, role: str = "buyer") -> str:
        """Call tracker.mask."""
        return str(
            self.shop.stage.one("SELECT tracker.mask(%s, %s, %s, %s)", *self._key, address, role)
        )

    def people(self) -> list[Person]:
        """Return everybody of the order who has an address, as they joined."""
        found = []
        for address, role, hard, soft, mask, issuer, introduced in self.shop.stage.rows(
            _PEOPLE, *self._key
        ):
            kind = issuer if role == "store" else mask
            shown = (kind == "soft" and introduced and soft) or hard
            found.append(Person(address, role, hard, soft, shown))
        return found

    def person(self, address: str) -> Person:
        """Return whose address this is, return addresses last; LookupError when nobody has it."""
        for person in self.people():
            if person.address.lower() == address.lower():
                return person
        raise LookupError(f"{address} takes no part in order {self.number}: {self.people()}")

    def alias(self, address: str) -> str:
        """Return somebody's alias, in the form that the store shows today."""
        return self.person(address).alias

    def bounce(self, address: str) -> str:
        """Return the bounce address of the last delivery to somebody."""
        return str(self.shop.stage.one(_BOUNCE, *self._key, address))

    def identifier(self, original: str) -> str:
        """Return what stands for somebody's identifier, without its angle brackets."""
        name, number = self._key
        return str(self.shop.stage.one(_IDENTIFIER, name, number, f"<{original}>"))[1:-1]

    @property
    def ref(self) -> str:
        """The order's random digits."""
        query = "SELECT ref FROM tracker.orders WHERE store = %s AND number = %s"
        return str(self.shop.stage.one(query, *self._key))

    def expire(self) -> None:
        """Let the order expire a moment ago."""
        query = "UPDATE tracker.orders SET expires_at = now() WHERE store = %s AND number = %s"
        self.shop.stage.execute(query, *self._key)

    def timeline(self) -> list[Line]:
        """Return the order's timeline."""
        return [Line(*row) for row in self.shop.stage.rows(_TIMELINE, *self._key)]

    def messages(self) -> list[dict[str, Any]]:
        """Return what is recorded of each message, in the order they came."""
        connection = self.shop.stage.connection
        with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
            return cursor.execute(_MESSAGES.encode(), self._key).fetchall()


class Shop:
    """A store of the test's own: `name`, and `domain`, which its own mail comes from."""

    def __init__(self, stage: "Stage", name: str) -> None:
        self.stage, self.name, self.domain = stage, name, f"{name}.example"
        self.orders: dict[str, Order] = {}

    def set(self, **columns: object) -> None:
        """Change the store's row."""
        for column, value in columns.items():
            statement = sql.SQL("UPDATE tracker.stores SET {} = %s WHERE name = %s")
            self.stage.connection.execute(
                statement.format(sql.Identifier(column)), (value, self.name)
            )

    def order(self, number: str, **people: str) -> Order:
        """Return an order, with everybody named here in it: buyer=ADDRESS, others are partners."""
        order = self.orders.setdefault(number, Order(self, number))
        for name, address in people.items():
            order.mask(address, "buyer" if name == "buyer" else "partner")
        return order


class Stage:
    """The mail host, and the database beside it."""

    def __init__(self, host: MailHost, connection: psycopg.Connection) -> None:
        self.host, self.connection = host, connection
        self._names = iter([f"shop{number}" for number in range(1, _STORES + 1)])

    def execute(self, query: str, *values: object) -> None:
        """Run a statement."""
        self.connection.execute(query.encode(), values)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        return self.connection.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: object) -> Any:
        """Run a query and return the first value of its only row."""
        [row] = self.rows(query, *values)
        return row[0]

    def shop(self, **columns: object) -> Shop:
        """Return a store that nobody used before."""
        shop = Shop(self, next(self._names))
        shop.set(**columns)
        return shop

    def send(
        self,
        sender: str,
        recipients: Sequence[str] | str,
        data: bytes,
        *,
        trusted: bool = False,
        signed_in: bool = False,
    ) -> Transaction:
        """Hand one message in: from the Internet, the store's own network, or by a user."""
        to = [recipients] if isinstance(recipients, str) else list(recipients)
        port = self.host.postfix.submission_port if signed_in else self.host.postfix.port
        with Client(port) as client:
            if not trusted:
                client.xclient(name=CLIENT[0], addr=CLIENT[1])
            if signed_in:
                assert client.authenticate(*ACCOUNT).ok
            return client.send(sender, to, data)

    def play(
        self,
        sender: str,
        recipients: Sequence[str] | str,
        data: bytes,
        *,
        trusted: bool = False,
        signed_in: bool = False,
    ) -> tuple[Transaction, list[Mail]]:
        """Hand one message in, wait until all is over, return the replies and all that left."""
        before = len(self.host.sink.messages)
        replies = self.send(sender, recipients, data, trusted=trusted, signed_in=signed_in)
        self.settle()
        return replies, self.host.sink.messages[before:]

    def carried(
        self, sender: str, recipients: Sequence[str] | str, data: bytes, *, trusted: bool = False
    ) -> list[Mail]:
        """Hand one message in, which must be taken, and return all that left."""
        replies, came = self.play(sender, recipients, data, trusted=trusted)
        assert replies.ok, f"{replies.final}\n{self.host.tracker.log_text()[-2000:]}"
        return came

    def settle(self) -> None:
        """Wait until Postfix has nothing left to do."""
        self.host.postfix.wait_until_queue_empty(30.0)

    def rest(self, shops: Sequence[Shop]) -> None:
        """Check what must hold after every test: neither database nor log tells an address."""
        for shop in shops:
            for order in shop.orders.values():
                real = [person.address for person in order.people()]
                told = [str(line) for line in order.timeline()]
                told += [repr(row) for row in order.messages()]
                raw = [bytes(row["raw"]) for row in order.messages()]
                raw += [text.encode() for text in told]
                # The record knows hard aliases only.
                leaks = [leak for each in raw for leak in found_in(each, real)]
                assert not leaks, f"the record of {order.number} tells {leaks}: {raw}"
                log = self.host.tracker.log_text().encode()
                assert not found_in(log, [each for each in real if each.endswith(shop.domain)])


@contextmanager
def populated(postgres: "Postgres", migrated: str) -> Iterator[tuple[str, psycopg.Connection]]:
    """Make a database with the stores in it; give its URI and a connection to it."""
    name = f"mail_{next(_numbers)}"
    uri = postgres.create_database(name, template=migrated)
    try:
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO tracker.stores (name, alias_domain, sender_domains)"
                " SELECT 'shop' || n, %s, ARRAY['shop' || n || '.example']"
                " FROM generate_series(1, %s) AS n UNION ALL SELECT 'other', %s, '{}'",
                (DOMAIN, _STORES, OTHER_DOMAIN),
            )
            yield uri, connection
    finally:
        postgres.drop_database(name)


def mailhost(
    uri: str,
    *,
    options: Mapping[str, str] | None = None,
    signer: str | None = None,
    hostname: str = "",
) -> MailHost:
    """Make a mail host for the stores of a database; see MailHost."""
    return MailHost(
        uri,
        (DOMAIN, OTHER_DOMAIN),
        signer=signer,
        accounts={ACCOUNT[0]: ACCOUNT[1]},
        options=options,
        settings=_SETTINGS,
        hostname=hostname,
    )


@contextmanager
def stage(
    postgres: "Postgres",
    migrated: str,
    *,
    options: Mapping[str, str] | None = None,
    signer: str | None = None,
) -> Iterator[Stage]:
    """Start a mail host on a database of its own; `options` are lines of the configuration."""
    with (
        populated(postgres, migrated) as (uri, connection),
        mailhost(uri, options=options, signer=signer) as host,
    ):
        yield Stage(host, connection)
