"""Who waits for a locked row of the database: of a process one for each row, and few altogether.

An integrator that has masked an address and not yet ended its transaction holds the order's row,
and mail for the order waits. It must not do so with a connection each, or none is left for all
other mail. So the work on one row takes turns here, without a connection; and what has met a lock
may wait for it on a part of the connections only. Who waits too long gets `Locked`.
"""

import threading
import time
from collections.abc import Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager


class Locked(Exception):
    """The row is in use for too long."""


class _Row:
    """One row that somebody works on or waits for."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0


class Waiters:
    """The rows of one process that are worked on; its methods may be called from many threads."""

    def __init__(self, most: int) -> None:
        """Let so many wait for locks at the same time."""
        self._rows: dict[Hashable, _Row] = {}
        self._guard = threading.Lock()
        self._places = threading.BoundedSemaphore(most)

    @contextmanager
    def turn(self, rows: Iterable[Hashable], patience: float) -> Iterator[None]:
        """Work on rows in the block, and nobody else of this process on one of them.

        Args:
            rows: what stands for each; everybody names them in the same sequence.
            patience: seconds to wait for them at most, all together.

        Raises:
            Locked: one was not free in time.
        """
        give_up = time.monotonic() + patience
        with ExitStack() as held:
            for key in rows:
                held.enter_context(self._one(key, give_up))
            yield

    @contextmanager
    def _one(self, key: Hashable, give_up: float) -> Iterator[None]:
        with self._guard:
            row = self._rows.setdefault(key, _Row())
            row.users += 1
        try:
            # Most often nobody else is there.
            if not row.lock.acquire(blocking=False) and not row.lock.acquire(
                timeout=max(0.0, give_up - time.monotonic())
            ):
                raise Locked
            try:
                yield
            finally:
                row.lock.release()
        finally:
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
            Locked: there was none in time.
        """
        if not self._places.acquire(timeout=patience):
            raise Locked
        try:
            yield
        finally:
            self._places.release()
