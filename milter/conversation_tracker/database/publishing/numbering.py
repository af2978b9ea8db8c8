"""Gives addresses that are older than their stores' numbers the number of their store.

Until all have one, `tracker.find_orders` is refused. Nothing here is waited for by mail for longer
than a batch takes.
"""

import time

from conversation_tracker.database.connection import Connection

_NUMBER = "SELECT tracker.number_addresses(%s)"
_BATCH = 1000


def number_batch(connection: Connection) -> bool:
    """Give the next addresses the number of their store, in one transaction.

    Args:
        connection: not in a transaction.

    Returns:
        Whether it came further; it did not if none is left, or the next are locked.

    Raises:
        psycopg.Error: as the driver does; then nothing was numbered.
    """
    with connection.apply_limits():
        row = connection.execute(_NUMBER, (_BATCH,)).fetchone()
    return bool(row and row[0])


def number_for(connection: Connection, seconds: float) -> None:
    """Give addresses the number of their store for some time; the publisher does the rest.

    Args:
        connection: not in a transaction.
        seconds: after which no other batch is begun.

    Raises:
        psycopg.Error: as the driver does; what was numbered stays so.
    """
    ends = time.monotonic() + seconds
    while time.monotonic() < ends and number_batch(connection):
        pass
