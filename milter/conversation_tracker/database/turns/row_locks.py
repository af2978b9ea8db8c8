"""Who waits for a locked row of the database: of a process one for each row, and few altogether.

An integrator that has masked an address and not yet ended its transaction holds the order's row,
and mail for the order waits. It must not do so with a connection each, or none is left for all
other mail. So the work on one row takes turns here, without a connection; and what has met a lock
may wait for it on a part of the connections only. Who waits too long gets `RowLocked`.
"""

import threading
import time
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager


class RowLocked(Exception):
    """The row is in use for too long."""


class _Row:
    """One row that somebody works on or waits for."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0


class RowLocks:
    """The rows of one process that are worked on; its methods may be called from many threads."""

    def __init__(self, most: int) -> None:
        """Set how many may wait for locks at the same time."""
        self._rows: dict[Hashable, _Row] = {}
        self._guard = threading.Lock()
        self._places = threading.BoundedSemaphore(most)

    def hold(self, rows: Iterable[Hashable], patience: float) -> "_Hold":
        """Work on rows in the block, and nobody else of this process on one of them.

        Args:
            rows: what stands for each; everybody names them in the same sequence.
            patience: seconds to wait for them at most, all together.

        Raises:
            RowLocked: one was not free in time.
        """
        return _Hold(self, rows, patience)

    def _take(self, key: Hashable, give_up: float) -> None:
        with self._guard:
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = _Row()
            row.users += 1
        # Most often nobody else is there.
        if row.lock.acquire(blocking=False):
            return
        if not row.lock.acquire(timeout=max(0.0, give_up - time.monotonic())):
            self._leave(key, row)
            raise RowLocked

    def _give_back(self, key: Hashable) -> None:
        row = self._rows[key]
        row.lock.release()
        self._leave(key, row)

    def _leave(self, key: Hashable, row: _Row) -> None:
        with self._guard:
            row.users -= 1
            if not row.users:
                del self._rows[key]

    @contextmanager
    def place(self, patience: float) -> Iterator[None]:
        """Hold one of the places for those that wait for a lock.

        Args:
            patience: seconds to wait for it at most.

        Raises:
            RowLocked: there was none in time.
        """
        if not self._places.acquire(timeout=patience):
            raise RowLocked
        try:
            yield
        finally:
            self._places.release()


class _Hold:
    """The rows that one piece of work holds; every message makes one, so it is no generator."""

    __slots__ = ("_held", "_patience", "_rows", "_waiters")

    def __init__(self, waiters: RowLocks, rows: Iterable[Hashable], patience: float) -> None:
        self._waiters, self._rows, self._patience = waiters, rows, patience
        self._held: list[Hashable] = []

    def __enter__(self) -> None:
        give_up = time.monotonic() + self._patience
        try:
            for key in self._rows:
                self._waiters._take(key, give_up)
                self._held.append(key)
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        while self._held:
            self._waiters._give_back(self._held.pop())
