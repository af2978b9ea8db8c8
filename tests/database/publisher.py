"""`conversation-tracker publish` as tests run it, and the feed as they read it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from conversation_tracker.base import timeouts
from conversation_tracker.database.connection import Connection
from conversation_tracker.publish import run as publisher
from private import processes


class Publisher:
    """The process, on a database."""

    def __init__(self, home: Path, uri: str) -> None:
        """Write its configuration into `home`."""
        home.mkdir(exist_ok=True)
        self.said = home / "said"
        self._config = home / "tracker.conf"
        self._config.write_text(f"[tracker]\ndatabase = {uri}\nsocket = unix:{home}/milter.sock\n")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *events: str) -> None:
        """Start it, and wait for the first of these events of its log, if any is given."""
        known = {event: len(self.events(event)) for event in events}
        command = [sys.executable, "-m", "conversation_tracker", "-c", self._config, "publish"]
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(list(map(str, command)), stderr=said)
        if events:
            self.until(lambda: any(len(self.events(each)) > known[each] for each in events))

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal and return its exit code."""
        assert self.process is not None
        process, self.process = self.process, None
        process.send_signal(number)
        return process.wait(30)

    def close(self) -> None:
        """End it if it runs."""
        if self.process is not None:
            self.end(signal.SIGKILL)

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of its log with this event."""
        text = self.said.read_text() if self.said.exists() else ""
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def until(self, done: Any) -> None:
        """Wait for something; what it said meanwhile is shown where it does not come."""
        assert processes.until(done, 60), self.said.read_text()


@contextmanager
def taking_turns(uri: str) -> Iterator[Any]:
    """Give a function that takes all steps until there is nothing more to do, in this process."""
    with Connection.connect(uri, limits=timeouts.get().publish) as connection:
        steps = publisher.make_steps()

        def take() -> None:
            more = True
            while more:
                answers = [step(connection) for step in steps]
                more = any(answers)

        yield take


def publish(uri: str) -> None:
    """Publish all there is."""
    with taking_turns(uri) as take:
        take()


def feed(connection: psycopg.Connection, store: str) -> list[tuple[Any, ...]]:
    """Return a store's feed: event, order, alias and detail of each, by position."""
    query = (
        "SELECT event::text, order_number, alias, detail FROM tracker.feed WHERE store = %s"
        " ORDER BY position"
    )
    return connection.execute(query, (store,)).fetchall()
