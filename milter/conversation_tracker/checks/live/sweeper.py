"""Removes what a test added when the process that runs it is gone, for whatever reason.

It is a process in a session of its own, so that Ctrl-C does not reach it. It waits at a pipe from
its owner, and removes once that is closed; the owner's last word says that there is nothing to do.
"""

import os
import subprocess
import sys
import time
from contextlib import suppress
from typing import Self

from conversation_tracker.base import timeouts
from conversation_tracker.database.checks.rehearsal import RehearsalError, remove_all

_DONE = "done"


class Sweeper:
    """The second process, from `with` to the end of the block.

    Attributes:
        dismissed: everything is removed; unless this is set, the process does it.
    """

    def __init__(self, conninfo: str, name: str) -> None:
        """Start it.

        Args:
            conninfo: the libpq URI or connection string; by a pipe, for nobody to see it.
            name: the store's.
        """
        self.dismissed = False
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._child.wait()  # what works goes on as nobody's child
        self._say(f"{name}\n{conninfo}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let it end, or do its work, which nobody waits for: the database may be away."""
        if self.dismissed:
            self._say(f"{_DONE}\n")
        assert self._child.stdin is not None
        with suppress(OSError):
            self._child.stdin.close()

    def _say(self, text: str) -> None:
        assert self._child.stdin is not None
        with suppress(OSError):  # it is gone, and can be told nothing
            self._child.stdin.write(text.encode())
            self._child.stdin.flush()


def main() -> None:
    """Wait for the owner's end, and remove."""
    if os.fork():
        os._exit(0)
    name, conninfo = (sys.stdin.readline().rstrip("\n") for _ in range(2))
    if sys.stdin.readline().rstrip("\n") == _DONE or not conninfo:
        return  # its owner ended before it said anything: nothing was added
    end = time.monotonic() + timeouts.get().check_left_seconds
    while time.monotonic() < end:
        try:
            remove_all(conninfo, name, timeouts.get().check_left_seconds)
        except RehearsalError:
            time.sleep(timeouts.get().check_store_seconds)
        else:
            return


if __name__ == "__main__":
    main()
