"""The connections of one process to the tracker's database, and the threads that work on them.

Here a piece of work gets a connection, a thread and a time limit; what it asks is the business of
`repository`. Whatever keeps an answer from coming - no server, no connection in time, an overdue or
cancelled statement, a missing schema - is raised as `DatabaseUnavailable`, whose text names no
value; what the database refuses for another reason is a fault of ours and raises the driver's
error. Work that meets a lock gives its connection back soon, and waits for the lock on a part of
the connections only (`row_locks`).
"""

import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TypeVar

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from conversation_tracker.base import timeouts
from conversation_tracker.base.timeouts import ServerTimeouts
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.deadline import Watchdog
from conversation_tracker.database.turns.row_locks import RowLocked, RowLocks
from conversation_tracker.database.turns.threads import Threads
from conversation_tracker.telemetry.counters import metrics
from conversation_tracker.telemetry.in_flight import Waiting

T = TypeVar("T")


_AT_ONCE: AbstractContextManager[None] = nullcontext()
_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedObject,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReadOnlySqlTransaction,
    PoolTimeout,
    PoolClosed,
    TooManyRequests,
)


class DatabaseUnavailable(Exception):
    """The database gave no answer in time; the same question may be asked again later."""


class OrderLocked(DatabaseUnavailable):
    """Somebody keeps the row of an order locked for longer than mail waits."""


class _NotConnected(DatabaseUnavailable):
    """No connection was free or could be made; raised here only."""


class _Lost(DatabaseUnavailable):
    """The connection was dead, or died; raised here only."""


class _LastFirst(deque[Connection]):
    """Connections that wait to be used: what was given back last is taken first.

    It has at hand what a statement needs, on both sides. Used in turn, as the library's pool does,
    each of several has lost it to the others' work before it is used again.
    """

    def popleft(self) -> Connection:
        return self.pop()


class Pool:
    """Connections, some of which are kept open, and a thread for each."""

    def __init__(self, conninfo: str, size: int, limits: ServerTimeouts) -> None:
        """Make a pool; it connects when it is opened.

        Args:
            conninfo: a libpq URI or connection string.
            size: how many connections to hold at most.
            limits: how long the server may take.
        """
        self._watchdog = Watchdog(timeouts.get().network_seconds)
        # libmilter goes on with a client in any of its threads, and pymilter's thread state goes
        # along. When the server tells something beside its answer, as its last words are, the
        # driver's C code wants the state of the thread it is in, which then is another's, or freed.
        # So statements run in threads of our own, one for each connection in use: none waits.
        self._threads = Threads("database")
        self._waiters = RowLocks(max(1, size // 2))
        first = min(limits.lock_milliseconds, timeouts.get().first_lock_milliseconds)
        self._lock = limits.lock_milliseconds
        self._connections: ConnectionPool[Connection] = ConnectionPool(
            conninfo,
            min_size=1,
            max_size=size,
            open=False,
            timeout=timeouts.get().pool_seconds,
            reconnect_timeout=timeouts.get().pool_reconnect_seconds,
            connection_class=Connection,
            kwargs={"limits": replace(limits, lock_milliseconds=first)},
        )
        self._connections._pool = _LastFirst()

    def open(self) -> None:
        """Start to connect, without waiting for it."""
        self._watchdog.start()
        self._connections.open(wait=False)

    def close(self) -> None:
        """Close all connections."""
        self._connections.close(timeout=timeouts.get().pool_close_seconds)
        self._threads.close()
        self._watchdog.stop()

    @property
    def waiting(self) -> int:
        """How many threads wait for a connection now."""
        return int(self._connections.get_stats().get("requests_waiting", 0))

    def run(self, work: Callable[[Connection], T], rows: Sequence[Hashable] = ()) -> T:
        """Run work that may run twice: once more if its connection was dead.

        Args:
            work: what to do on a connection that nobody else uses meanwhile.
            rows: what stands for each row that it locks, always in the same sequence; of this
                process only one works on a row.

        Returns:
            What it returns.

        Raises:
            OrderLocked: others kept a row locked for too long.
            DatabaseUnavailable: the database gave no answer in time.
            psycopg.Error: it refused.
        """
        try:
            with (
                Waiting(),
                self._waiters.hold(rows, timeouts.get().pool_seconds) if rows else _AT_ONCE,
            ):
                try:
                    return self._run(work)
                except psycopg.errors.LockNotAvailable:
                    with self._waiters.place(timeouts.get().pool_seconds):
                        return self._run(lambda connection: self._patiently(work, connection))
        except (psycopg.errors.LockNotAvailable, RowLocked):
            metrics.count_order_lock()
            raise OrderLocked("LockNotAvailable") from None

    def attempt(self, work: Callable[[Connection], T]) -> T | None:
        """Run work once whose failure says nothing yet, since it is tried otherwise then.

        Returns:
            What it returns; None where it failed, or a lock kept it from going on.

        Raises:
            DatabaseUnavailable: there is no server to try it on, and as long was waited for one as
                `run` would wait.
        """
        give_up = _limit_patience()
        try:
            return self._run_once(work)
        except _Lost as error:
            if time.monotonic() <= give_up:
                return None
            raise _count(error) from None
        except _NotConnected as error:
            raise _count(error) from None
        except Exception:
            return None

    def _run(self, work: Callable[[Connection], T]) -> T:
        give_up = _limit_patience()
        while True:
            try:
                return self._run_once(work)
            except _Lost as error:
                if time.monotonic() > give_up:
                    raise _count(error) from None
            except DatabaseUnavailable as error:
                raise _count(error) from None

    def _run_once(self, work: Callable[[Connection], T]) -> T:
        connection = None
        try:
            connection = self._take()
            try:
                with self._watchdog.watching(connection):
                    return self._threads.run(work, connection)
            except psycopg.errors.ReadOnlySqlTransaction:
                # Of several hosts, another may be the primary by now: only a new connection
                # knows.
                connection.close()
                raise
            finally:
                self._give_back(connection)
        except psycopg.errors.LockNotAvailable:
            raise
        except _UNAVAILABLE as error:
            if connection is None:
                kind: type[DatabaseUnavailable] = _NotConnected
            elif connection.closed and not isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
                kind = _Lost
            else:
                kind = DatabaseUnavailable
            raise kind(type(error).__name__) from None

    def _patiently(self, work: Callable[[Connection], T], connection: Connection) -> T:
        with connection.limit_lock_wait(self._lock):
            return work(connection)

    def _take(self) -> Connection:
        return self._connections.getconn()

    def _give_back(self, connection: Connection) -> None:
        self._connections.putconn(connection)


class RollbackPool(Pool):
    """One connection, in one transaction that is rolled back at the end."""

    def __init__(self, conninfo: str, limits: ServerTimeouts) -> None:
        """Connect, and begin.

        Args:
            conninfo: a libpq URI or connection string.
            limits: how long the server may take.

        Raises:
            DatabaseUnavailable: there is no such database.
        """
        super().__init__(conninfo, 1, limits)
        try:
            self._one = Connection.connect(conninfo, limits=limits, autocommit=False)
            self._one.limit()
        except _UNAVAILABLE as error:
            raise DatabaseUnavailable(type(error).__name__) from None

    def open(self) -> None:
        """Start to watch; the connection is there already."""
        self._watchdog.start()

    def close(self) -> None:
        """Undo everything."""
        self._threads.close()
        self._watchdog.stop()
        self._one.close()

    def run(self, work: Callable[[Connection], T], rows: Sequence[Hashable] = ()) -> T:
        """Run work once: what has failed in a transaction cannot run again."""
        try:
            return self._run(work)
        except psycopg.errors.LockNotAvailable:
            raise OrderLocked("LockNotAvailable") from None

    def _take(self) -> Connection:
        return self._one

    def _give_back(self, connection: Connection) -> None:
        """Keep it until `close`."""


def _limit_patience() -> float:
    """Return until when a server may be waited for that is to be back soon."""
    return time.monotonic() + timeouts.get().pool_seconds


def _count(error: DatabaseUnavailable) -> DatabaseUnavailable:
    """Count a failure; return what is raised for it: its class stands in the log."""
    metrics.count_database_failure()
    return DatabaseUnavailable(*error.args)
