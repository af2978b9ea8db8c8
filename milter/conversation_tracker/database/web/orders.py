"""An order, and what belongs to its messages."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conversation_tracker.database.connection import Connection
from conversation_tracker.database.web.reading import NotThere, ask, reading

_ORDER = "SELECT tracker.order_page(%s, %s, %s, %s, %s, %s)"
_ORDER_TEXT = "SELECT tracker.conversation(%s, %s, %s, %s, %s)::text"
# What is asked of a message is asked of its order: an address leads to it there and nowhere else.
_ATTACHMENT = """
    SELECT a.name, a.type, a.content
      FROM tracker.orders AS o
      JOIN tracker.messages AS m ON m.order_id = o.id AND m.id = %s
     CROSS JOIN LATERAL tracker.attachment(m.id, %s) AS a
     WHERE o.store = %s AND o.number = %s"""
_HTML = """
    SELECT tracker.page(m.id)
      FROM tracker.orders AS o
      JOIN tracker.messages AS m ON m.order_id = o.id AND m.id = %s
     WHERE o.store = %s AND o.number = %s"""


@dataclass(frozen=True, slots=True)
class Download:
    """A file of a message, with the name and type that its sender wrote."""

    name: str
    type: str
    content: bytes


def fetch_order(
    connection: Connection,
    store: str,
    number: str,
    most: int,
    before: datetime | None,
    after: datetime | None,
    texts: int,
) -> dict[str, Any]:
    """Fetch a page of an order, as `tracker.conversation` gives it, with so much text at most.

    Raises:
        NotThere: no such order.
    """
    found = _fetch(connection, _ORDER, store, number, most, before, after, texts)
    assert isinstance(found, dict)
    return found


def fetch_order_json(
    connection: Connection,
    store: str,
    number: str,
    most: int,
    before: datetime | None,
    after: datetime | None,
) -> str:
    """Fetch the same as the JSON text that it is.

    Raises:
        NotThere: no such order.
    """
    return str(_fetch(connection, _ORDER_TEXT, store, number, most, before, after))


def fetch_attachment(
    connection: Connection, store: str, number: str, message: int, file: int
) -> Download:
    """Fetch a file of a message of an order.

    Raises:
        NotThere: no such file, or not there.
    """
    with reading(connection):
        row = connection.execute(
            _ATTACHMENT, (message, file, store, number), binary=True
        ).fetchone()
    if row is None:
        raise NotThere
    return Download(row[0], row[1], bytes(row[2]))


def fetch_html(connection: Connection, store: str, number: str, message: int) -> str:
    """Fetch the sanitised page of a message of an order.

    Raises:
        NotThere: no such message there, or it has no page.
    """
    with reading(connection):
        row = connection.execute(_HTML, (message, store, number)).fetchone()
    if row is None or row[0] is None:
        raise NotThere
    return str(row[0])


def _fetch(connection: Connection, statement: str, *values: object) -> Any:
    def read() -> Any:
        with reading(connection):
            row = connection.execute(statement.encode(), values).fetchone()
        assert row is not None
        return row[0]

    return ask(read)
