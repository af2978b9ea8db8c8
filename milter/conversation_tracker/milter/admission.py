"""Large messages take turns, so that memory does not grow with how many come at once.

Within a process, messages share an allowance of octets; small ones need none of it. Among all
workers only one message that is kept in a file is decided on at a time. If that
takes too long, `Overdue` is raised, and the client tries again.
"""

import fcntl
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

from conversation_tracker.base import timeouts
from conversation_tracker.core.base.limits import Overdue
from conversation_tracker.core.base.octets import LARGE

SMALL = 64 * 1024
"""Octets of a body that never waits."""
TOGETHER = 2 * LARGE
"""Octets of the bodies that one process decides on at once, but for small ones."""

_AT_ONCE = nullcontext()


class Admission:
    """Lets messages in by turns; made before the workers are, and shared by them."""

    def __init__(self) -> None:
        """Open the file that stands for the one turn of all workers."""
        # Its locks are a process's own, and are gone with it: a killed worker keeps nobody waiting.
        with tempfile.TemporaryFile() as file:
            self._file = os.dup(file.fileno())
        self._room = threading.Condition()
        self._used = 0

    def __del__(self) -> None:
        """Close the file."""
        os.close(self._file)

    def admit(self, octets: int, patience: float | None = None) -> AbstractContextManager[None]:
        """Wait for the turn of a message, and hold it in the block.

        Args:
            octets: the size of its body.
            patience: seconds to wait at most; None stands for what is usual.

        Raises:
            Overdue: its turn did not come.
        """
        if octets <= SMALL:
            return _AT_ONCE
        usual = timeouts.get().admission_seconds
        return self._wait(octets, usual if patience is None else patience)

    @contextmanager
    def _wait(self, octets: int, patience: float) -> Iterator[None]:
        give_up = time.monotonic() + patience
        wanted = min(octets, TOGETHER) if octets <= LARGE else TOGETHER
        with self._room:
            if not self._room.wait_for(lambda: self._used + wanted <= TOGETHER, patience):
                raise Overdue(hopeless=False)
            self._used += wanted
        try:
            if octets > LARGE:
                self._lock(give_up)
            yield
        finally:
            if octets > LARGE:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
            with self._room:
                self._used -= wanted
                self._room.notify_all()

    def _lock(self, give_up: float) -> None:
        while True:
            with suppress(BlockingIOError):
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if time.monotonic() > give_up:
                raise Overdue(hopeless=False)
            time.sleep(timeouts.get().poll_seconds)
