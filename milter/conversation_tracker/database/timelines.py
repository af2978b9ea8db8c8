"""What `timeline` asks the database: only what `tracker_reader` may read.

Raises the driver's errors.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby
from typing import Any

from conversation_tracker.database.connection import Connection

_STORE = "SELECT FROM tracker.stores WHERE name = %s"
_ORDER = "SELECT FROM tracker.orders WHERE store = %s AND number = %s"
# What the view tracker.timeline says of a message, and what it has no column for. The view gives no
# role to who only claims one; support sees which.
_ROWS = """
    SELECT message_id, at, direction, coalesce(claimed_role, 'unknown'), coalesce(sender_alias, ''),
           sender_name, subject, first_words, attachment_names, size, automatic, verdict, parts,
           coalesce(recipient_alias, ''), coalesce(recipient_role, ''), state, status, reason
      FROM tracker.timeline_rows
     WHERE store = %s AND order_number = %s
     ORDER BY at, message_id NULLS LAST, recipient_id"""
_PAGE = "SELECT tracker.conversation(%s, %s, most => %s, after => %s::timestamptz)"
_PAGE_SIZE = 500
_FACTS = "SELECT tracker.conversation(%s, %s, most => 1) - 'messages'"
_HTML = "SELECT tracker.page(%s)"
_FILE = "SELECT type, content FROM tracker.attachment(%s, %s)"
_RAW = "SELECT raw FROM tracker.messages WHERE id = %s AND at = %s"
_OF_MESSAGE = 13  # columns; those behind are of a recipient


def has_store(connection: Connection, store: str) -> bool:
    """Whether there is a store of this name."""
    return connection.execute(_STORE, (store,)).fetchone() is not None


def has_order(connection: Connection, store: str, number: str) -> bool:
    """Whether a store has an order of this number."""
    return connection.execute(_ORDER, (store, number)).fetchone() is not None


def fetch_messages(
    connection: Connection, store: str, number: str
) -> Iterator[tuple[tuple[Any, ...], list[tuple[str, ...]]]]:
    """Read an order's messages, oldest first, refused ones among them.

    Returns:
        For each what is known of it, in the order of `_ROWS`, and a row for each recipient: alias,
        role, state, status and reason.
    """
    rows = connection.execute(_ROWS, (store, number)).fetchall()
    # What was refused has no number, and is one row.
    for _key, several in groupby(enumerate(rows), lambda each: each[1][0] or -each[0] - 1):
        same = [row for _place, row in several]
        yield (
            same[0][:_OF_MESSAGE],
            [row[_OF_MESSAGE:] for row in same if row[_OF_MESSAGE + 2] is not None],
        )


def iter_conversation(connection: Connection, store: str, number: str) -> Iterator[dict[str, Any]]:
    """Read an order's messages as `tracker.conversation` gives them, oldest first, page by page."""
    after, more = "-infinity", True
    while more:
        row = connection.execute(_PAGE, (store, number, _PAGE_SIZE, after)).fetchone()
        assert row is not None
        yield from row[0]["messages"]
        more = row[0]["more"]
        after = row[0]["messages"][-1]["date"] if more else after


def fetch_order(connection: Connection, store: str, number: str) -> dict[str, Any]:
    """Read what `tracker.conversation` gives of an order, without its messages."""
    row = connection.execute(_FACTS, (store, number)).fetchone()
    assert row is not None
    found: dict[str, Any] = row[0]
    return found


def fetch_html(connection: Connection, number: int) -> str | None:
    """Return the sanitised HTML of a message; None if it has none."""
    row = connection.execute(_HTML, (number,)).fetchone()
    return row[0] if row else None


def fetch_file(connection: Connection, message: int, number: int) -> tuple[str, bytes] | None:
    """Return type and content of a file of a message; None if there is none."""
    row = connection.execute(_FILE, (message, number), binary=True).fetchone()
    return (row[0], bytes(row[1])) if row else None


def fetch_raw(connection: Connection, number: int, at: datetime) -> bytes:
    """Return a recorded message; nothing if it is gone by now."""
    row = connection.execute(_RAW, (number, at), binary=True).fetchone()
    return bytes(row[0]) if row else b""
