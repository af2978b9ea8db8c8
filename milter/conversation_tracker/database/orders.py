"""The orders that support and integrators give, as calls of functions of sql/.

Which rules hold is decided there. Whatever the database or the driver says comes as a `Failure`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from conversation_tracker.base.timeouts import ServerTimeouts
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.faults import raise_failures

_MASK = "SELECT tracker.mask(%s, %s, %s, %s)"
_ACTOR = "SELECT set_config('tracker.actor', %s, true)"
_UNMASK = "SELECT tracker.unmask(%s, %s)"
# Python knows no later year.
_CLOSE = "SELECT least(tracker.close_order(%s, %s), '9999-12-30 UTC')"


@contextmanager
def connect(conninfo: str, limits: ServerTimeouts | None = None) -> Iterator[Connection]:
    """Connect for one command, in autocommit.

    Args:
        conninfo: a libpq URI or connection string.
        limits: how long the server may take.

    Raises:
        Failure: in place of every error of the driver, also in the block.
    """
    with (
        raise_failures(conninfo),
        Connection.connect(conninfo, limits=limits) as connection,
        connection.apply_limits(),
    ):
        yield connection


def mask(conninfo: str, store: str, number: str, address: str, role: str) -> str:
    """Return the alias of an address in an order; order and alias are made at first sight."""
    with connect(conninfo) as connection:
        return str(_fetch_value(connection, _MASK, store, number, address, role))


def unmask(conninfo: str, alias: str, reason: str, actor: str) -> str:
    """Return the real address behind an alias, and have it noted who asked and why."""
    with connect(conninfo) as connection, connection.transaction():
        _fetch_value(connection, _ACTOR, actor)
        return str(_fetch_value(connection, _UNMASK, alias, reason))


def close(conninfo: str, store: str, number: str) -> datetime:
    """Close an order and return the time at which its aliases stop working."""
    with connect(conninfo) as connection:
        ends = _fetch_value(connection, _CLOSE, store, number)
    assert isinstance(ends, datetime)
    return ends


def _fetch_value(connection: Connection, statement: str, *values: object) -> Any:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row[0]
