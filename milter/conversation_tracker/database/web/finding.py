"""What orders are found by: number, alias, words, and a real address, which is noted."""

from collections.abc import Sequence

from psycopg import errors

from conversation_tracker.database.connection import Connection
from conversation_tracker.database.web.reading import Row, list_rows, make_row

_NUMBERS = "SELECT store, order_number, at, '' FROM tracker.find_numbers(%s, %s, %s)"
_ALIAS = "SELECT store, order_number, at, '', role FROM tracker.find_alias(%s)"
_WORDS = """
    SELECT s.name, r.order_number, r.at, r.subject
      FROM unnest(%s::text[]) AS s(name)
     CROSS JOIN LATERAL tracker.search_orders(s.name, %s, %s) AS r
     ORDER BY r.at DESC LIMIT %s"""
_ACTOR = "SELECT set_config('tracker.actor', %s, true)"
# It is asked of every store before the newest are taken: each look-up is noted.
_ADDRESS = """
    WITH found AS MATERIALIZED (
        SELECT s.name AS store, r.order_number, r.placed_at AS at, r.role
          FROM unnest(%s::text[]) AS s(name)
         CROSS JOIN LATERAL tracker.find_orders(s.name, %s) AS r)
    SELECT store, order_number, at, '', role FROM found ORDER BY at DESC, store LIMIT %s"""


class NoAddress(Exception):
    """What was looked up is no mail address."""


class NotYet(Exception):
    """Addresses cannot be looked up while an upgrade is at work on them."""


class TookTooLong(Exception):
    """The database was told to stop: what was asked takes too long."""


def find_numbers(connection: Connection, typed: str, store: str | None, most: int) -> list[Row]:
    """Find the order of a number, and those whose number begins so."""
    return list_rows(connection, _NUMBERS, typed, store, most)


def find_alias(connection: Connection, alias: str) -> list[Row]:
    """Find the order of an alias, in either form."""
    return list_rows(connection, _ALIAS, alias)


def find_words(connection: Connection, words: str, stores: Sequence[str], most: int) -> list[Row]:
    """Find orders by words of their messages, the newest message first.

    Raises:
        TookTooLong: in so many stores.
    """
    try:
        return list_rows(connection, _WORDS, list(stores), words, most, most)
    except errors.QueryCanceled:
        raise TookTooLong from None


def find_address(
    connection: Connection, address: str, stores: Sequence[str], most: int, actor: str
) -> list[Row]:
    """Find orders by a real address; it is noted who asked, once for each store.

    Args:
        connection: a connection.
        address: the address.
        stores: the stores to look in.
        most: how many at most.
        actor: who is signed in, "" where nobody says.

    Raises:
        NoAddress: it is none.
        NotYet: an upgrade is at work.
        TookTooLong: in so many stores.
    """
    try:
        with connection.begin_limited():
            connection.execute(_ACTOR, (actor,))
            found = connection.execute(_ADDRESS, (list(stores), address, most)).fetchall()
    except errors.InvalidParameterValue:
        raise NoAddress from None
    except errors.ObjectNotInPrerequisiteState:
        raise NotYet from None
    except errors.QueryCanceled:
        raise TookTooLong from None
    return [make_row(row) for row in found]
