"""The feed: takes events out of their queue, and gives them positions."""

from dataclasses import dataclass

from conversation_tracker.database.connection import Connection

_PUBLISH = "SELECT taken, published, last FROM tracker.publish_events(%s, %s)"


@dataclass(frozen=True, slots=True)
class Taken:
    """What one batch took.

    Attributes:
        events: out of the queue.
        published: of these; those of orders that are gone are not.
        last: the highest place in the queue that was taken, 0 if none was.
    """

    events: int
    published: int
    last: int


def publish_events(connection: Connection, after: int, most: int) -> Taken:
    """Take the next events that are visible, and publish them; one transaction.

    Args:
        connection: not in a transaction.
        after: takes only what lies behind this place in the queue.
        most: how many at most.

    Raises:
        psycopg.Error: as the driver does; then nothing was taken.
    """
    with connection.apply_limits():
        row = connection.execute(_PUBLISH, (after, most)).fetchone()
    assert row is not None
    events, published, last = row
    return Taken(events, published, last or 0)
