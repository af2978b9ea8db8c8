"""What all private servers have in common: a directory, and one life after another in it.

A server is one process in the foreground, with what that starts. It is started and stopped any
number of times; its directory lasts until `close`, or until this process ends for whatever reason.
"""

import contextlib
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Self

from private import processes
from private.reaper import Reaper


def listens(path: Path) -> bool:
    """Return whether a connection to a Unix socket succeeds: its name is there a moment earlier."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        return True
    return False


class Server(ABC):
    """One server, from `with` (or `start`) to the end of the block (or `close`).

    `directory` is its own, `log` the file it writes to. RuntimeError, with its log, when it does
    not start.
    """

    _name: ClassVar[str]
    """What messages call it."""
    _gentle: ClassVar[int] = signal.SIGTERM
    """The signal on which it ends by itself."""

    def __init__(self, prefix: str, parent: Path | None = None) -> None:
        self._reaper = Reaper(prefix, parent)
        self._process: subprocess.Popen[bytes] | None = None
        self.directory: Path = self._reaper.directory
        self.log = self.directory / "log"

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, timeout: float = 30.0) -> None:
        """Start it and wait until it answers; RuntimeError when it does not. Twice is once."""
        if self._process is not None:
            return
        self._process = process = self._spawn()
        processes.until(lambda: process.poll() is not None or self._answers(), timeout)
        if process.poll() is not None or not self._answers():
            complaint = self._complaint()
            self._end(signal.SIGKILL)
            raise RuntimeError(f"{self._name} did not start:\n{complaint}")

    def stop(self) -> int | None:
        """Stop it if it runs, and return its exit code."""
        return self._end(self._gentle)

    def kill(self) -> int | None:
        """Kill all its processes at once, as a failing machine would."""
        return self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start again, at the same place."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it if it runs and remove all it had."""
        try:
            self.stop()
        finally:
            self._reaper.close()

    @property
    def pid(self) -> int:
        """Its first process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped or killed since."""
        return self._process is not None

    def log_text(self) -> str:
        """Return all it wrote to its log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @abstractmethod
    def _spawn(self) -> "subprocess.Popen[bytes]":
        """Start the process."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it does what it is for."""

    def _complaint(self) -> str:
        """Return what may tell why it did not start."""
        return self.log_text()

    def _end(self, gentle: int, timeout: float = 10.0) -> int | None:
        """End it by a signal, by SIGKILL after `timeout` seconds, and return its exit code."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        self._reaper.end(process, gentle, timeout)
        return process.returncode
