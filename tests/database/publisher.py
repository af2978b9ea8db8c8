"""The feed's step taken in this process, and the feed as tests read it."""

from typing import Any

import psycopg

from conversation_tracker.base import timeouts
from conversation_tracker.database.connection import Connection
from conversation_tracker.publish.feed import Feed


def publish(uri: str) -> None:
    """Publish all events there are."""
    step = Feed()
    with Connection.connect(uri, limits=timeouts.get().publish) as connection:
        while step.publish(connection):
            pass


def feed(connection: psycopg.Connection, store: str) -> list[tuple[Any, ...]]:
    """Return a store's feed: event, order, alias and detail of each, by position."""
    query = (
        "SELECT event::text, order_number, alias, detail FROM tracker.feed WHERE store = %s"
        " ORDER BY position"
    )
    return connection.execute(query, (store,)).fetchall()
