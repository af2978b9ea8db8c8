"""Keeps the directory of alias and sender domains up to date; without a database, the last one.

One thread asks every 0.3 s for its version, and reads it when that has changed: a change
to a store row works within a second, also behind a pooler that passes no notifications on, and ten
thousand stores at rest cost what one does. While the database is out of reach, the directory last
seen stays; `current` is None only until the first one was read. The thread survives every failure.
"""

import threading
import time

from conversation_tracker.base import timeouts
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.repository import Database
from conversation_tracker.database.rows import Directory
from conversation_tracker.telemetry.counters import metrics
from conversation_tracker.telemetry.events import Event, log


class DirectoryWatch:
    """Watches the stores table; `current` is the directory that each message is checked against."""

    def __init__(self, database: Database) -> None:
        """Watch through this database."""
        self.current: Directory | None = None
        self._database = database
        self._lost_at: float | None = None
        self._fault: type[Exception] | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="directory", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def refresh(self) -> None:
        """Read the directory now, if it is another than the last; raises DatabaseUnavailable."""
        known = self.current
        if known is not None and self._database.directory_version() == known.version:
            return
        fresh = self._database.directory()
        if known is None or fresh.alias_domains != known.alias_domains:
            log.alias_domains(count=len(fresh.alias_domains))
        self.current = fresh

    def _run(self) -> None:
        while True:
            try:
                self.refresh()
                self._note_answer()
            except DatabaseUnavailable as error:
                self._note_unreachable(error)
            except Exception as error:
                self._note_failure(error)
            if self._stopped.wait(timeouts.get().directory_poll_seconds):
                return

    def _note_unreachable(self, error: DatabaseUnavailable) -> None:
        metrics.note_database(away=True)
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            log.database_unreachable(error)

    def _note_failure(self, error: Exception) -> None:
        """Log a fault of ours once, not at each question until somebody mends it."""
        if type(error) is not self._fault:
            self._fault = type(error)
            log.error(Event.ALIAS_DOMAINS, error)

    def _note_answer(self) -> None:
        metrics.note_database(away=False)
        self._fault = None
        if self._lost_at is not None:
            log.database_back(seconds=time.monotonic() - self._lost_at)
            self._lost_at = None
