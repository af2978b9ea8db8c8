"""Starts the scripted milter of scripted.py and reads what it saw."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from private.server import Server, listens


class Peer(Server):
    """The milter, from `with` to its end; `address` is for Postfix and for the wire client.

    Keywords as in scripted.py; `say` changes answers and edits for the messages that follow.
    """

    _name = "the scripted milter"
    _gentle = signal.SIGKILL

    def __init__(self, **script: Any) -> None:
        super().__init__("peer")
        self.socket = self.directory / "milter.sock"
        self.address = f"unix:{self.socket}"
        self._script = self.directory / "script"
        self._seen = self.directory / "script.seen"
        self.say(**script)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        program = Path(__file__).with_name("scripted.py")
        command = [sys.executable, "-W", "error", program, self.socket, self._script]
        return self._reaper.spawn(command, log=self.log, gentle=signal.SIGKILL)

    def _answers(self) -> bool:
        return listens(self.socket)

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
