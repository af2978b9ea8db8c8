"""What `expire` has the database do: each method is one transaction, and bounded in time.

Raises the driver's errors; those of `BUSY` mean that it is worth to try again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import IsolationLevel

from conversation_tracker.base import timeouts
from conversation_tracker.database import partitions
from conversation_tracker.database.checks import rehearsal
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.deadline import Watchdog
from conversation_tracker.database.expiry_steps import (
    DELETE_DOMAINS,
    DELETE_ERASURES,
    DELETE_SUSPECTS,
    DRY_RUN,
    TRIM_FEED,
    Step,
)
from conversation_tracker.database.migrate import verify

_COUNTING = "SET LOCAL statement_timeout = '10min'"

# Errors that mean: others' locks were in the way, or it took too long. The next run goes on.
BUSY = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.QueryCanceled,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.ForeignKeyViolation,
)


class Expiry:
    """One run's connection, and the time it goes by."""

    def __init__(self, connection: Connection, watchdog: Watchdog, now: datetime | None) -> None:
        """Use a connection; no time given stands for the database's."""
        self._connection = connection
        self._watchdog = watchdog
        self._given = now
        self._read: datetime | None = None

    @property
    def _now(self) -> datetime:
        found = self._given or self._read
        if found is None:
            row = self._connection.execute("SELECT now()").fetchone()
            assert row is not None
            found = self._read = row[0]
        return found

    def verify(self) -> None:
        """Check that the database has the program's schema, as `migrate.verify` does."""
        with self._watchdog.watching(self._connection):
            verify(self._connection)

    def make_months(self, kind: partitions.Kind) -> tuple[list[str], bool]:
        """Make the months that lack, as `partitions.make` does."""
        return partitions.make(self._fetch, kind, self._now)

    def drop_months(self, kind: partitions.Kind) -> tuple[dict[str, int], bool]:
        """Drop the months that are over, as `partitions.drop` does."""
        return partitions.drop(self._fetch, kind, self._now)

    def seek(self, step: Step, at: str, last: int, size: int) -> list[tuple[str, int]]:
        """Return the next rows in line behind one, due or not: time and id of each."""
        return self._fetch(step.seek, {"now": self._now, "at": at, "id": last, "size": size})

    def take(self, step: Step, line: Sequence[tuple[str, int]]) -> Sequence[int]:
        """Remove what is due of rows, in one transaction; return how much of `step.counts`."""
        values = {"now": self._now, "since": line[0][0], "until": line[-1][0]}
        with (
            self._watchdog.watching(self._connection),
            self._connection.apply_limits(),
            self._connection.transaction(),
        ):
            ids = [row[1] for row in line]
            due = [row[0] for row in self._fetch(step.lock, {**values, "ids": ids})]
            rows = self._fetch(step.act, {**values, "ids": due}) if due else [()]
        done: Sequence[int] = rows[0]
        return done

    def trim_feed(self) -> None:
        """Delete from the feed what no month took and has been kept for one."""
        self._fetch(TRIM_FEED, {"now": self._now})

    def delete_domains(self) -> int:
        """Delete the alias domains that nobody uses; return how many."""
        [(count,)] = self._fetch(DELETE_DOMAINS, {})
        return int(count)

    def delete_suspects(self) -> None:
        """Delete the suspects of long ago."""
        self._fetch(DELETE_SUSPECTS, {"now": self._now})

    def delete_erasures(self) -> None:
        """Delete what was noted of erasures that no backup can undo any more."""
        self._fetch(DELETE_ERASURES, {"now": self._now})

    def delete_tests(self) -> None:
        """Delete what a test of `check` left that was killed with its machine."""
        with self._watchdog.watching(self._connection):
            rehearsal.remove(self._connection, "", timeouts.get().check_left_seconds)

    def count(self) -> Sequence[Any]:
        """Return what a run would count, as `expire` names it; nothing is changed."""
        self._connection.read_only = True
        with self._connection.transaction():
            self._connection.execute(_COUNTING)
            row = self._connection.execute(DRY_RUN, {"now": self._now}).fetchone()
        assert row is not None
        return tuple(row)

    def _fetch(self, statement: LiteralString, values: dict[str, object]) -> list[Any]:
        with self._watchdog.watching(self._connection), self._connection.apply_limits():
            return self._connection.execute(statement, values).fetchall()


@contextmanager
def open_expiry(conninfo: str, now: datetime | None = None) -> Iterator[Expiry]:
    """Connect for a run.

    Args:
        conninfo: a libpq URI or connection string.
        now: the time to go by, with its zone; None stands for the database's.
    """
    watchdog = Watchdog(timeouts.get().expiry_batch_seconds)
    watchdog.start()
    try:
        # Not prepared: the best plan depends on how far the run has come.
        with Connection.connect(
            conninfo, limits=timeouts.get().expiry, prepare_threshold=None
        ) as connection:
            connection.isolation_level = IsolationLevel.READ_COMMITTED
            yield Expiry(connection, watchdog, now)
    finally:
        watchdog.stop()
