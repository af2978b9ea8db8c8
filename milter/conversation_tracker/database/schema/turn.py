"""One `migrate` at a time: how a run waits for another, and notices one that was quicker.

A run holds the lock of a table for as long as its transaction: behind a pooler the next one may run
in another session. Only who may write the table can take it; an advisory lock could be taken, and
kept, by any role that can connect. In a new database there is no table yet: there the schema's name
is what only one can take.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg

# Mail writes there, and is not in its way. A database from before the baseline has stores only.
_LOCKS: dict[str, LiteralString] = {
    "migrations": "LOCK TABLE ONLY tracker.migrations IN SHARE UPDATE EXCLUSIVE MODE",
    "stores": "LOCK TABLE ONLY tracker.stores IN SHARE UPDATE EXCLUSIVE MODE",
}
_LOCKABLE = """
    SELECT relname::text FROM pg_class
     WHERE relnamespace = to_regnamespace('tracker') AND relname IN ('migrations', 'stores')
     ORDER BY relname LIMIT 1"""


class Overtaken(Exception):
    """Another run made the schema, which had not been there when this one looked."""


def wait_for_others(connection: psycopg.Connection) -> None:
    """Wait until no other run is at work, and keep others waiting until the transaction ends.

    Args:
        connection: within a transaction of READ COMMITTED; the schema is there.

    Raises:
        psycopg.Error: as the driver does.
    """
    locked = None
    while (row := connection.execute(_LOCKABLE).fetchone()) and row[0] != locked:
        locked = row[0]
        connection.execute(_LOCKS[locked])


@contextmanager
def notice_others() -> Iterator[None]:
    """Raise `Overtaken` where the block fails because another run has made the schema."""
    try:
        yield
    except psycopg.errors.DuplicateSchema:
        raise Overtaken from None
    except psycopg.errors.UniqueViolation as error:
        if error.diag.constraint_name != "pg_namespace_nspname_index":
            raise
        raise Overtaken from None
