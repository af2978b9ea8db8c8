"""The lists of orders: of one store, or of all that may be read."""

from conversation_tracker.database.connection import Connection
from conversation_tracker.database.web.reading import Row, list_rows, reading

_STORES = "SELECT name FROM unnest(tracker.readable_stores()) AS name ORDER BY lower(name), name"
_WAITING = "SELECT store, order_number, at, subject FROM tracker.list_waiting(%s, %s)"
_LATELY = (
    "SELECT store, order_number, at, subject, role, status, reason"
    " FROM tracker.list_lately(%s, %s, %s)"
)


def list_stores(connection: Connection) -> list[str]:
    """List the stores that may be read."""
    with reading(connection):
        return [row[0] for row in connection.execute(_STORES)]


def list_waiting(connection: Connection, store: str | None, most: int) -> list[Row]:
    """List whose buyers wait, the longest first; of one store or, with None, of all."""
    return list_rows(connection, _WAITING, store, most)


def list_lately(connection: Connection, kind: str, store: str | None, most: int) -> list[Row]:
    """List what went wrong lately, the newest first.

    Args:
        connection: a connection.
        kind: bounced, refused or flagged.
        store: of one store, None: of all.
        most: how many at most.
    """
    return list_rows(connection, _LATELY, kind, store, most)
