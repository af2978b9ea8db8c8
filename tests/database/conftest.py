"""A store of one's own in a database that the tests of a module share, and a session to work in.

Tests here that change nothing but their own store use `shop`; those that change more take the
fixture `database`.
"""

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from logins import LogIn, Role
from psycopg import sql
from psycopg.rows import dict_row
from tracker_command import Tracker

if TYPE_CHECKING:
    from conversation_tracker.database.repository import Database
    from private.postgres import Postgres

_numbers = itertools.count(1)


class Shop:
    """One store, and a session of the schema's owner in autocommit."""

    def __init__(self, uri: str, connection: psycopg.Connection, number: int) -> None:
        self.uri = uri
        self.connection = connection
        self.name = f"shop{number}"
        self.alias_domain = f"ct{number}.example.com"

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query and return its rows."""
        return self.connection.execute(query.encode(), values).fetchall()

    def one(self, query: str, *values: object) -> Any:
        """Run a query and return the first value of its only row."""
        [row] = self.rows(query, *values)
        return row[0]

    def row(self, query: str, *values: object) -> dict[str, Any]:
        """Run a query and return its only row by column name."""
        with self.connection.cursor(row_factory=dict_row) as cursor:
            [row] = cursor.execute(query.encode(), values).fetchall()
        return row

    def set(self, **columns: object) -> None:
        """Change the store's row."""
        for column, value in columns.items():
            statement = sql.SQL("UPDATE tracker.stores SET {} = %s WHERE name = %s")
            self.connection.execute(statement.format(sql.Identifier(column)), (value, self.name))

    def mask(self, address: str | None, number: str = "1", role: str = "buyer") -> str:
        """Call tracker.mask for this store."""
        return str(
            self.one("SELECT tracker.mask(%s, %s, %s, %s)", self.name, number, address, role)
        )

    def hand_out(self, number: str = "1") -> None:
        """Have the soft aliases of an order's introduced people been handed out."""
        query = (
            "UPDATE tracker.participants SET handed_out = true WHERE order_id = %s AND introduced"
        )
        self.connection.execute(query.encode(), (self.order(number)["id"],))

    def unmask(self, alias: str | None, reason: str | None = "asked to") -> str:
        """Call tracker.unmask."""
        return str(self.one("SELECT tracker.unmask(%s, %s)", alias, reason))

    def order(self, number: str = "1") -> dict[str, Any]:
        """Return the row of one of the store's orders."""
        query = "SELECT * FROM tracker.orders WHERE store = %s AND number = %s"
        return self.row(query, self.name, number)

    def people(self, number: str = "1") -> list[tuple[str, str | None]]:
        """Return role and address of an order's participants."""
        order = self.order(number)["id"]
        query = "SELECT role, address FROM tracker.participants WHERE order_id = %s ORDER BY id"
        return self.rows(query, order)

    def expire(self, number: str = "1") -> None:
        """Let an order expire a moment ago."""
        query = "UPDATE tracker.orders SET expires_at = now() WHERE store = %s AND number = %s"
        self.connection.execute(query.encode(), (self.name, number))


@contextmanager
def listening(uri: str) -> Iterator[list[str]]:
    """Collect what is notified of messages during the block; complete when it ends.

    Meanwhile logins that tests of other databases make at the server cannot connect to this one:
    how much is told depends on who can.
    """
    heard: list[str] = []
    with psycopg.connect(uri, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        connection.add_notify_handler(lambda notify: heard.append(notify.payload))
        connection.execute("LISTEN tracker_messages")
        connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(name))
        try:
            yield heard
        finally:
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO PUBLIC").format(name))
        connection.execute("NOTIFY tracker_messages, 'end'")
        while "end" not in heard:
            connection.execute("SELECT 1")
        heard.remove("end")


@pytest.fixture
def notified() -> Callable[[str], AbstractContextManager[list[str]]]:
    """Return a function that collects what is notified of messages in a database."""
    return listening


@pytest.fixture(scope="module")
def shared(postgres: "Postgres", migrated: str) -> Iterator[str]:
    """Return the URI of a database with our schema, the same for the tests of a module."""
    name = f"shared_{next(_numbers)}"
    yield postgres.create_database(name, template=migrated)
    postgres.drop_database(name)


@pytest.fixture(scope="module")
def opened(shared: str) -> "Iterator[Database]":
    """Return the tracker's access to that database, with up to four connections."""
    from conversation_tracker.database.repository import Database

    found = Database(shared, size=4)
    found.open()
    yield found
    found.close()


@pytest.fixture
def shop(shared: str) -> Iterator[Shop]:
    """Return a store of the test's own, without orders."""
    with psycopg.connect(shared, autocommit=True) as connection:
        found = Shop(shared, connection, next(_numbers))
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain) VALUES (%s, %s)",
            (found.name, found.alias_domain),
        )
        yield found


@pytest.fixture
def tracker(tmp_path: Path, database: str) -> Tracker:
    """A store named shop, in a fresh database."""
    tracker = Tracker(tmp_path, database)
    tracker.sql(
        "INSERT INTO tracker.stores (name, alias_domain, sender_domains)"
        " VALUES ('shop', 'ct.example.com', '{shop.example}')"
    )
    return tracker


@pytest.fixture
def login(postgres: "Postgres", shop: "Shop") -> Iterator[LogIn]:
    """Return a function that logs in as a new member of a role, or of none."""
    name = f"clerk_{uuid.uuid4().hex}"
    opened: list[psycopg.Connection] = []

    def log_in(role: str | None) -> Role:
        shop.connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
        if role is not None:
            grant = sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), sql.Identifier(name))
            shop.connection.execute(grant)
        if role in ("tracker_reader", "tracker_integrator"):
            shop.one("SELECT tracker.grant_store(%s, %s)", name, shop.name)
        uri = postgres.uri(shop.connection.info.dbname, name)
        connection = psycopg.connect(uri, autocommit=True)
        opened.append(connection)
        return Role(shop, uri, connection)

    yield log_in
    for connection in opened:
        connection.close()
    shop.connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
    shop.connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
