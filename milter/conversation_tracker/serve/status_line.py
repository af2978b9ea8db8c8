"""The line that `systemctl status` shows: workers, mail, and whether the database answers.

The parent makes it anew every few seconds, from numbers in memory that it shares with its workers,
and sends it to systemd only if it has changed. A configuration that was refused stands
in it until one is accepted.
"""

import time
from collections import deque
from datetime import UTC, datetime

from conversation_tracker.base import timeouts
from conversation_tracker.telemetry.counters import Metrics
from conversation_tracker.telemetry.sd_notify import notify


class StatusLine:
    """The line as it was last sent."""

    def __init__(self, metrics: Metrics) -> None:
        """Show these numbers, once asked to."""
        self._metrics = metrics
        self._counts: deque[tuple[float, int]] = deque([(time.monotonic(), 0)])
        self._due = 0.0
        self._told = ""
        self._refusal = ""

    def refuse(self, faults: int) -> None:
        """Note that a configuration with so many faults was refused, now."""
        at = datetime.now(UTC).strftime("%H:%M:%S UTC")
        many = _count(faults, "fault")
        self._refusal = f"configuration refused at {at} ({many}, see the log): "
        self._refusal += "the former is in force; "
        self._due = 0.0

    def accept(self) -> None:
        """Note that the configuration in force is the one that was read last."""
        self._refusal = ""
        self._due = 0.0

    def tell(self, workers: int, wanted: int) -> None:
        """Tell systemd, if it is time and there is anything new.

        Args:
            workers: that take mail.
            wanted: how many there should be.
        """
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + timeouts.get().status_seconds
        line = self._refusal + self._describe(now, workers, wanted)
        if line != self._told:
            self._told = line
            notify(f"STATUS={line}")

    def _describe(self, now: float, workers: int, wanted: int) -> str:
        count = self._metrics.count_messages_so_far()
        self._counts.append((now, count))
        while len(self._counts) > 1 and self._counts[1][0] <= now - 60:
            self._counts.popleft()
        lately = count - self._counts[0][1]
        present = f"{workers} of " if workers < wanted else ""
        mail = _count(lately, "message")
        away = self._metrics.count_workers_without_database()
        database = "answers"
        if away:
            database = "is out of reach" + (f" for {away} of them" if away < workers else "")
        served = f"{present}{_count(wanted, 'worker')}, {mail} in the last minute"
        return f"{served}, the database {database}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
