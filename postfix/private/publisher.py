"""`conversation-tracker publish` as a process of its own, with what it says."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from private import processes


class Publisher:
    """The process; it may be ended and started again, and ends with the block."""

    def __init__(
        self, home: Path, uri: str = "", command: Sequence[str | Path] | None = None
    ) -> None:
        """Write its configuration into a folder; nothing is started yet.

        Args:
            home: the folder; it is made if need be.
            uri: the database.
            command: starts it with another configuration.
        """
        home.mkdir(exist_ok=True)
        self._said = home / "said"
        config = home / "tracker.conf"
        if command is None:
            config.write_text(f"[tracker]\ndatabase = {uri}\nsocket = unix:{home}/milter.sock\n")
            command = [sys.executable, "-m", "conversation_tracker", "-c", config, "publish"]
        self._command = [str(word) for word in command]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, *events: str) -> None:
        """Start it, and wait for the first of these events of its log, if any is given."""
        known = {event: len(self.events(event)) for event in events}
        with self._said.open("ab") as said:
            self._process = subprocess.Popen(self._command, stderr=said)
        if events:
            self.until(lambda: any(len(self.events(each)) > known[each] for each in events))

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal and return its exit code."""
        assert self._process is not None
        process, self._process = self._process, None
        process.send_signal(number)
        return process.wait(90)

    def wait(self) -> int:
        """Wait until it ends by itself, and return its exit code."""
        assert self._process is not None
        process, self._process = self._process, None
        return process.wait(90)

    def close(self) -> None:
        """End it if it runs."""
        if self._process is not None:
            self.end(signal.SIGKILL)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Let it not run during the block."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def log_text(self) -> str:
        """Return all that it said."""
        return self._said.read_text() if self._said.exists() else ""

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of its log with this event."""
        # The last one may be cut where it was killed.
        lines = [line for line in self.log_text().splitlines() if line.endswith("}")]
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    def until(self, done: Callable[[], object]) -> None:
        """Wait for something; what it said meanwhile is shown where it does not come."""
        if not processes.until(done, 60):
            raise AssertionError(self.log_text()[-4000:])
