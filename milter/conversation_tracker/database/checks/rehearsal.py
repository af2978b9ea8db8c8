"""A store and an order for a test, and their end: `check --live` sends mail for them.

The store's name says what it is and when it was made, so that whatever a killed test left is found
and removed by the next one, and by `expire`. Errors are the driver's.
"""

from dataclasses import dataclass
from typing import LiteralString

import psycopg

from conversation_tracker.database.checks.identity import ask_as_service
from conversation_tracker.database.connection import Connection

NUMBER = "1"

_NAME = "conversation-tracker-check-"
_PATTERN: LiteralString = "^conversation-tracker-check-[0-9a-f]{8}-[0-9a-f]{16}$"
_ADD: LiteralString = """
    INSERT INTO tracker.stores (name, alias_domain, sender_domains, alias_lifetime,
                                message_retention, issuer_mask)
    VALUES (%s, %s, ARRAY[%s], '1 hour', '1 hour', 'hard')"""
_MASK: LiteralString = "SELECT tracker.mask(%s, %s, %s, %s)"
_TAKEN: LiteralString = "SELECT name FROM tracker.sender_domains WHERE name = ANY (%s)"
_SEEN: LiteralString = """
    SELECT m.direction::text, position(convert_to(%(word)s, 'UTF8') IN m.raw) > 0,
           (SELECT array_agg(d.state::text || ' ' || d.status ORDER BY d.recipient_id)
              FROM tracker.deliveries AS d WHERE d.message_id = m.id AND d.message_at = m.at)
      FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id
     WHERE o.store = %(store)s ORDER BY m.at, m.id"""
_STORES: LiteralString = """
    SELECT name FROM tracker.stores
     WHERE name ~ %(pattern)s
       AND (name = %(name)s OR ('x' || substring(name FROM 28 FOR 8))::bit(32)::bigint
                               < extract(epoch FROM now()) - %(age)s)"""
# Who records a message holds its order: so none comes after this.
_LOCK: LiteralString = "SELECT id FROM tracker.orders WHERE store = ANY (%s) FOR UPDATE"
# First, since a delivery keeps its recipient from going with the order.
_REMOVE_MESSAGES: LiteralString = "DELETE FROM tracker.messages WHERE order_id = ANY (%s)"
_REMOVE_ORDERS: LiteralString = "DELETE FROM tracker.orders WHERE store = ANY (%s)"
_REMOVE_STORES: LiteralString = "DELETE FROM tracker.stores WHERE name = ANY (%s)"


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """What is recorded of one message.

    Attributes:
        direction: outbound, inbound or internal.
        bare: something of a real address stands in it.
        states: of each delivery its state and status.
    """

    direction: str
    bare: bool
    states: tuple[str, ...]


def make_name(now: float, word: str) -> str:
    """Make the store's name.

    Args:
        now: the time, in seconds since 1970.
        word: 16 random hexadecimal digits.
    """
    return f"{_NAME}{int(now):08x}-{word}"


def add(connection: Connection, name: str, alias_domain: str, sender_domain: str) -> None:
    """Add the store."""
    with connection.apply_limits():
        connection.execute(_ADD, (name, alias_domain, sender_domain))


def find_free_domain(connection: Connection, domains: list[str]) -> str:
    """Return the first of some domains that is no store's own, or ""."""
    with connection.apply_limits():
        taken = {row[0] for row in connection.execute(_TAKEN, (domains,))}
    return next((domain for domain in domains if domain not in taken), "")


def mask(connection: Connection, name: str, address: str, role: str) -> str:
    """Return the alias of an address in the store's order."""
    with connection.apply_limits():
        row = connection.execute(_MASK, (name, NUMBER, address, role)).fetchone()
    assert row is not None
    return str(row[0])


def read_messages(connection: Connection, name: str, word: str) -> list[SeenMessage]:
    """Return what is recorded in the order, the first message first.

    Args:
        connection: to the database.
        name: the store's.
        word: what stands in each real address, and nowhere else.
    """
    with connection.apply_limits():
        rows = connection.execute(_SEEN, {"store": name, "word": word}).fetchall()
    return [SeenMessage(direction, bare, tuple(states or ())) for direction, bare, states in rows]


def remove(connection: Connection, name: str, age: float) -> int:
    """Remove the store with all that belongs to it, and what other tests left.

    Args:
        connection: to the database.
        name: the store's, "" for none.
        age: in seconds: what is younger may be in use.

    Returns:
        How many stores were removed.
    """
    values = {"pattern": _PATTERN, "name": name, "age": age}
    with connection.begin_limited():
        names = [row[0] for row in connection.execute(_STORES, values)]
        if names:
            orders = [row[0] for row in connection.execute(_LOCK, (names,))]
            connection.execute(_REMOVE_MESSAGES, (orders,))
            connection.execute(_REMOVE_ORDERS, (names,))
            connection.execute(_REMOVE_STORES, (names,))
    return len(names)


def remove_all(conninfo: str, name: str, age: float) -> None:
    """Connect, and remove; arguments as `remove`.

    Raises:
        psycopg.Error: it cannot be done now.
    """
    with ask_as_service(lambda: Connection.connect(conninfo)) as connection:
        remove(connection, name, age)


RehearsalError = psycopg.Error
