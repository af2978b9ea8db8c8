"""A deadline for work on a database connection that nothing else would ever end.

PostgreSQL's own timeouts end what PostgreSQL does. They do not help when it is stopped, or when the
network swallows what it says: the client then waits for ever, and Postfix with it. Here one thread
shuts down the socket of each connection whose work is overdue; its user gets the driver's ordinary
error for a lost connection. Nothing here raises.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import count
from typing import Any

import psycopg


class Watchdog:
    """Ends overdue work on connections; one for each process, started before it is used."""

    def __init__(self, seconds: float) -> None:
        """Make a watchdog that allows `seconds` for each piece of work."""
        self._seconds = seconds
        self._keys = count()
        self._watched: dict[int, tuple[float, psycopg.Connection[Any]]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="deadline", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()

    def watching(self, connection: psycopg.Connection[Any]) -> AbstractContextManager[None]:
        """Watch a connection while the block runs."""
        return _Watching(self._watched, next(self._keys), self._seconds, connection)

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds / 10):
            now = time.monotonic()
            for key, (due, connection) in list(self._watched.items()):
                if due <= now and self._watched.pop(key, None) is not None:
                    _shut_down(connection)


class _Watching:
    """One piece of work; every round trip makes one, so it is no generator."""

    __slots__ = ("_connection", "_key", "_seconds", "_watched")

    def __init__(
        self,
        watched: dict[int, tuple[float, psycopg.Connection[Any]]],
        key: int,
        seconds: float,
        connection: psycopg.Connection[Any],
    ) -> None:
        self._watched, self._key = watched, key
        self._seconds, self._connection = seconds, connection

    def __enter__(self) -> None:
        self._watched[self._key] = (time.monotonic() + self._seconds, self._connection)

    def __exit__(self, *_: object) -> None:
        self._watched.pop(self._key, None)


@contextmanager
def limit_time(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """End the work of one block after so many seconds, without a watchdog."""
    timer = threading.Timer(seconds, _shut_down, [connection])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _shut_down(connection: psycopg.Connection[Any]) -> None:
    """Shut the socket down without closing it: its number must stay taken while it is waited on."""
    with (
        suppress(OSError, psycopg.Error),
        socket.socket(fileno=_duplicate(connection.fileno())) as handle,
    ):
        handle.shutdown(socket.SHUT_RDWR)


def _duplicate(number: int) -> int:
    return socket.dup(number)
