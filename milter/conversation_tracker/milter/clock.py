"""The clock of a message as the parent sees it, and the memory of its process.

It asks nothing of the process that is looked at, which may hold its interpreter for ever. Time is
what the parent has seen pass between its own looks: a machine that stood still is no fault of a
message. A message may use somewhat more than its budget (`limits`), which is asked in Python only;
while it waits for the database a longer time runs. What cannot be read of a process counts as
nothing: it may just have ended.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from conversation_tracker.base import timeouts
from conversation_tracker.telemetry.in_flight import FlightMark, InFlight

MOST = 512 * 1024 * 1024
"""Octets of memory of its own that a process may hold."""

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")

Reason = Literal["overdue", "outgrown"]


@dataclass(slots=True)
class _Seen:
    """One message: what its thread had used when it was first seen, and what passed since."""

    used: float
    ran: float = 0.0
    waited: float = 0.0


class Clock:
    """Looks at all processes again and again, and says which of them must end."""

    def __init__(self, in_flight: InFlight, now: Callable[[], float] = time.monotonic) -> None:
        """Look at these marks.

        Args:
            in_flight: the marks.
            now: gives the time, in seconds.
        """
        self._in_flight = in_flight
        self._now = now
        self._last = now()
        self._seen: dict[tuple[int, int], _Seen] = {}
        self._beats: dict[int, tuple[int, float]] = {}

    def look(self, rows: Mapping[int, int]) -> dict[int, tuple[Reason, str]]:
        """Look once.

        Args:
            rows: the row of each process, by its id.

        Returns:
            Of each process that must end: why, and the queue id of the message if it is known.
        """
        now = self._now()
        step, self._last = min(now - self._last, timeouts.get().clock_step_seconds), now
        found: dict[int, tuple[Reason, str]] = {}
        before, self._seen = self._seen, {}
        self._beats = {pid: beat for pid, beat in self._beats.items() if pid in rows}
        for pid, row in rows.items():
            marks = self._in_flight.list_marks(row)
            for mark in marks:
                seen = before.get((pid, mark.number)) or _Seen(
                    read_processor_time(pid, mark.thread)
                )
                self._seen[pid, mark.number] = seen
                if self._is_over(pid, mark, seen, step):
                    found[pid] = "overdue", mark.queue_id
            only = marks[0].queue_id if len(marks) == 1 else ""
            if self._is_silent(pid, row):
                found.setdefault(pid, ("overdue", only))
            if read_own_memory(pid) > MOST:
                found[pid] = "outgrown", only
        return found

    def _is_silent(self, pid: int, row: int) -> bool:
        """Return whether a process uses its processor up, and runs no Python."""
        beats, used = self._in_flight.count_beats(row), read_processor_time(pid)
        known = self._beats.get(pid)
        if not beats or known is None or known[0] != beats:
            self._beats[pid] = beats, used
            return False
        return used - known[1] > timeouts.get().silent_seconds

    @staticmethod
    def _is_over(pid: int, mark: FlightMark, seen: _Seen, step: float) -> bool:
        if mark.waiting:
            seen.waited += step
        else:
            seen.ran += step
        limits = timeouts.get()
        if seen.waited > limits.waiting_seconds or seen.ran > limits.running_seconds:
            return True
        return read_processor_time(pid, mark.thread) - seen.used > limits.processor_seconds


def read_processor_time(pid: int, thread: int | None = None) -> float:
    """Return the processor time that a process, or one thread of it, has used, in seconds."""
    where = f"/proc/{pid}/stat" if thread is None else f"/proc/{pid}/task/{thread}/stat"
    try:
        user, system = Path(where).read_text().rpartition(")")[2].split()[11:13]
    except (OSError, ValueError):
        return 0.0
    return (int(user) + int(system)) / _TICKS


def read_own_memory(pid: int) -> int:
    """Return the octets of memory that a process holds and shares with no file."""
    try:
        _size, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * _PAGE
