"""The publisher's turns taken in this process, and the feed as tests read it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from conversation_tracker.base import timeouts
from conversation_tracker.database.connection import Connection
from conversation_tracker.publish import run as publisher


@contextmanager
def taking_turns(uri: str) -> Iterator[Any]:
    """Give a function that takes all steps until there is nothing more to do, in this process."""
    with Connection.connect(uri, limits=timeouts.get().publish) as connection:
        steps = publisher.make_steps()

        def take() -> None:
            more = True
            while more:
                answers = [step(connection) for step in steps]
                more = any(answers)

        yield take


def publish(uri: str) -> None:
    """Publish all there is."""
    with taking_turns(uri) as take:
        take()


def feed(connection: psycopg.Connection, store: str) -> list[tuple[Any, ...]]:
    """Return a store's feed: event, order, alias and detail of each, by position."""
    query = (
        "SELECT event::text, order_number, alias, detail FROM tracker.feed WHERE store = %s"
        " ORDER BY position"
    )
    return connection.execute(query, (store,)).fetchall()
