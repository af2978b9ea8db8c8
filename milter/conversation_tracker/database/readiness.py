"""Waiting for the database: until it answers, and has the schema that this program needs.

While it is out of reach this is logged once, and tried again every second. A database that is not
migrated, or newer than the program, is refused with a `Failure`.
"""

import logging
import time
from collections.abc import Callable

import psycopg

from conversation_tracker.base import timeouts
from conversation_tracker.base.failure import TEMPORARY, USAGE, Failure
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.faults import make_failure
from conversation_tracker.database.migrate import NewerDatabase, NotMigrated, verify
from conversation_tracker.telemetry.events import log


def wait_for_database(conninfo: str, sleep: Callable[[float], object] = time.sleep) -> None:
    """Wait until the database answers, and look at its schema.

    Args:
        conninfo: a libpq URI or connection string.
        sleep: waits for so many seconds.

    Raises:
        Failure: it is not migrated, or newer than the program, or may not be read.
    """
    lost_at: float | None = None
    while True:
        try:
            with Connection.connect(conninfo) as connection, connection.apply_limits():
                verify(connection)
            break
        except NotMigrated as error:
            raise Failure(TEMPORARY, str(error)) from None
        except NewerDatabase as error:
            raise Failure(USAGE, str(error)) from None
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if lost_at is None:
                lost_at = time.monotonic()
                _tell(error, conninfo)
        except psycopg.Error as error:
            raise make_failure(error, conninfo) from None
        sleep(timeouts.get().database_poll_seconds)
    if lost_at is not None:
        log.database_back(seconds=time.monotonic() - lost_at)


def _tell(error: psycopg.Error, conninfo: str) -> None:
    """Log that the database is out of reach, and what the driver says about it."""
    log.database_unreachable(error)
    text = f"{make_failure(error, conninfo)}; trying again every second"
    log.library(logging.WARNING, logger="psycopg", text=text, exc=None)
