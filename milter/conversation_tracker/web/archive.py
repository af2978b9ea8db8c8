"""What the page reads: the database, by connections of its own, and whether it answers."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from conversation_tracker.base import timeouts
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.pool import DatabaseUnavailable, Pool
from conversation_tracker.telemetry.events import log

T = TypeVar("T")

CONNECTIONS = 4
"""At most, of one process."""


class Archive:
    """A pool of a few connections; that the database is away is logged once."""

    def __init__(self, conninfo: str) -> None:
        """Make it; it connects when it is opened.

        Args:
            conninfo: a libpq URI or connection string.
        """
        self.conninfo = conninfo
        self._pool = Pool(conninfo, CONNECTIONS, timeouts.get().web)
        self._lock = threading.Lock()
        self._lost_at: float | None = None

    def open(self) -> None:
        """Start to connect, without waiting for it."""
        self._pool.open()

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def ask(self, work: Callable[[Connection], T]) -> T:
        """Do some reading on a connection.

        Raises:
            DatabaseUnavailable: the database gave no answer in time.
        """
        try:
            found = self._pool.run(work)
        except DatabaseUnavailable as error:
            self._note_lost(error)
            raise
        self._note_back()
        return found

    def _note_lost(self, error: DatabaseUnavailable) -> None:
        with self._lock:
            if self._lost_at is None:
                self._lost_at = time.monotonic()
                log.database_unreachable(error)

    def _note_back(self) -> None:
        if self._lost_at is not None:
            with self._lock:
                if self._lost_at is not None:
                    log.database_back(seconds=time.monotonic() - self._lost_at)
                    self._lost_at = None
