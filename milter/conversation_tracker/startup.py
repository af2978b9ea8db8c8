"""How `serve` begins: it waits for the database, looks at its schema, and opens the socket.

While the database is out of reach this is logged once, and tried again every second. A database
that is not migrated, or newer than the program, is refused with a `Failure`, as is a socket that
cannot be opened. What happens afterwards is the business of `service`.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from conversation_tracker import failure
from conversation_tracker.config import Config
from conversation_tracker.connection import Connection
from conversation_tracker.failure import TEMPORARY, USAGE, Failure
from conversation_tracker.logs import catch_uncaught, configure, log
from conversation_tracker.migrate import NewerDatabase, NotMigrated, verify

_EVERY = 1.0  # seconds


def serve(config: Config, reload: Callable[[], Config]) -> int:
    """Serve until told to stop.

    Args:
        config: the configuration.
        reload: reads it again; raises ConfigError.

    Returns:
        The exit code.

    Raises:
        Failure: libmilter, the schema or the socket is not as it must be.
    """
    configure(config.log_format)
    catch_uncaught()
    _check_directory(config)
    try:
        import milter

        from conversation_tracker.service import Service
    except ImportError as error:
        raise Failure(USAGE, f"serve needs pymilter and libmilter: {error}") from None
    wait_for_database(config.database)
    try:
        return Service(config, reload).run()
    except (milter.error, OSError) as error:
        raise Failure(TEMPORARY, f"cannot listen on {config.socket}: {error}") from None


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
            with Connection.connect(conninfo) as connection, connection.limited():
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
            raise failure.of(error, conninfo) from None
        sleep(_EVERY)
    if lost_at is not None:
        log.database_back(seconds=time.monotonic() - lost_at)


def _tell(error: psycopg.Error, conninfo: str) -> None:
    """Log that the database is out of reach, and what the driver says of it."""
    log.database_unreachable(error)
    text = f"{failure.of(error, conninfo)}; trying again every second"
    log.library(logging.WARNING, logger="psycopg", text=text, exc=None)


def _check_directory(config: Config) -> None:
    """Refuse a unix socket that has no directory to lie in: trying again would not help."""
    directory = Path(config.socket.path).parent
    if config.socket.kind == "unix" and not directory.is_dir():
        raise Failure(USAGE, f"cannot listen on {config.socket}: there is no directory {directory}")
