"""Starts the scripted milter of scripted.py and reads what it saw."""

import contextlib
import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Self

from private import processes
from private.guard import Guard


class Peer:
    """The milter, from `with` to its end; `address` is for Postfix and for the wire client.

    Keywords as in scripted.py; `say` changes answers and edits for the messages that follow.
    """

    def __init__(self, **script: Any) -> None:
        self._guard = Guard("peer")
        self.socket = self._guard.directory / "milter.sock"
        self.address = f"unix:{self.socket}"
        self._script = self._guard.directory / "script"
        self._seen = self._guard.directory / "script.seen"
        self.say(**script)

    def __enter__(self) -> Self:
        log = self._guard.directory / "log"
        program = Path(__file__).with_name("scripted.py")
        command = [sys.executable, "-W", "error", program, self.socket, self._script]
        process = self._guard.spawn(command, log=log, gentle=signal.SIGKILL)
        processes.until(lambda: process.poll() is not None or self._listens(), 20.0)
        if process.poll() is not None or not self._listens():
            raise RuntimeError(f"the scripted milter did not start: {log.read_text()}")
        self._process = process
        return self

    def __exit__(self, *_: object) -> None:
        self._guard.end(self._process, signal.SIGKILL)
        self._guard.close()

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            return True
        return False

    def say(self, **script: Any) -> None:
        """Set the script and forget what was seen."""
        self._script.write_text(json.dumps(script))
        self._seen.write_text("")

    def seen(self) -> list[list[Any]]:
        """Return the events so far: name, values, and last the macros known then."""
        return [json.loads(line) for line in self._seen.read_text().splitlines()]

    def events(self) -> list[list[Any]]:
        """Return the events so far without their macros."""
        return [event[:-1] for event in self.seen()]
