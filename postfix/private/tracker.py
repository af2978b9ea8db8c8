"""A private tracker: `serve` with a configuration of its own, and the commands beside it.

It runs the package that this Python can import, on a database that is migrated already, and answers
on a Unix socket that a private Postfix may open. RuntimeError, with its log, when it does not
become ready.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from private.server import Server

_RENAMED = 'hostname "$0" && exec "$@"'


class Tracker(Server):
    """One `conversation-tracker serve`.

    `database` is a libpq URI, `options` further lines of the configuration. `socket` is where it
    answers, as Postfix names it; `config` is its configuration file. With a `hostname` it believes
    to run on a machine of that name; this needs root.
    """

    _name = "the tracker"

    def __init__(
        self,
        database: str,
        *,
        group: str = "postfix",
        options: Mapping[str, str] | None = None,
        hostname: str = "",
    ) -> None:
        super().__init__("tracker")
        self._known = 0
        self._hostname = hostname
        self.config = self.directory / "conversation-tracker.conf"
        folder = self.directory / "socket"
        folder.mkdir()
        shutil.chown(folder, group=group)
        folder.chmod(0o2750)
        self.socket = f"unix:{folder}/milter.sock"
        settings = {"database": database, "socket": self.socket, "log_format": "json"}
        lines = [f"{key} = {value}\n" for key, value in (settings | dict(options or {})).items()]
        self.config.write_text("[tracker]\n" + "".join(lines))

    def start(self, timeout: float = 30.0, *, wait: bool = True) -> None:
        """Start to serve, and unless told otherwise wait until it is ready."""
        if wait:
            super().start(timeout)
        elif self._process is None:
            self._process = self._spawn()

    def stop(self, timeout: float = 30.0) -> int | None:
        """Stop it in order, and return its exit code."""
        return self._end(signal.SIGTERM, timeout)

    def reload(self) -> None:
        """Make it read its configuration again."""
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGHUP)

    def wait(self, timeout: float = 30.0) -> int:
        """Wait until it ends by itself, and return its exit code."""
        assert self._process is not None
        code = self._process.wait(timeout)
        self._reaper.forget(self._process)
        self._process = None
        return code

    def run(
        self, *arguments: str, input: bytes | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run another command with the same configuration; its exit code is the caller's to see."""
        done = subprocess.run(
            self.command(*arguments), input=input, capture_output=True, check=False
        )
        out, err = (text.decode("utf-8", "backslashreplace") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    def run_beside(self, command: str) -> None:
        """Start another command that goes on with the same configuration, until `close`."""
        log = self.directory / f"{command}.log"
        self._reaper.spawn(self.command(command), log=log, environment=dict(os.environ))

    @property
    def process(self) -> int | None:
        """The parent's process id, None while it is stopped."""
        process = self._process
        return None if process is None else process.pid

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of one event, oldest first."""
        whole = self.log_text().rpartition("\n")[0]  # the last line may be half written
        lines = (line for line in whole.splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, lines) if line["event"] == event]

    def command(self, *arguments: str | Path) -> list[str | Path]:
        """Return what runs a command with the same configuration."""
        machine: list[str | Path] = []
        if self._hostname:
            machine = ["unshare", "--uts", "--", "sh", "-c", _RENAMED, self._hostname]
        return [
            *machine,
            sys.executable,
            "-m",
            "conversation_tracker",
            "-c",
            self.config,
            *arguments,
        ]

    def _spawn(self) -> "subprocess.Popen[bytes]":
        self._known = len(self.events("ready"))
        return self._reaper.spawn(self.command("serve"), log=self.log, environment=dict(os.environ))

    def _answers(self) -> bool:
        return len(self.events("ready")) > self._known
