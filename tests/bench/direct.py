"""Mail by the milter protocol alone, without Postfix: the tracker beside the idle milter."""

import os
from dataclasses import dataclass
from pathlib import Path

from bench import programs
from bench.programs import Load
from private import processes

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast one milter was in one run, and what it used.

    `rate` is in messages a second, `median_ms` and `slow_ms` (of 99 in 100) from MAIL to the answer
    at the end of the message; `cpu_ms` and `database_cpu_ms` are per message, of all processes.
    """

    rate: float
    median_ms: float
    slow_ms: float
    cpu_ms: float
    database_cpu_ms: float


def rate(
    drive: Path, socket: Path, connections: int, load: Load, milter: int, database: int
) -> Rate:
    """Send mail to one milter.

    Args:
        drive: the compiled generator.
        socket: the milter's.
        connections: how many at once.
        load: what to send.
        milter: its process id, or its parent's.
        database: the process id of PostgreSQL.
    """
    before = _seconds(milter), _seconds(database)
    sent = programs.run(drive, str(socket), connections, load)
    used = [
        (_seconds(pid) - old) * 1000 for pid, old in zip((milter, database), before, strict=True)
    ]
    per_message = [each / load.count for each in used]
    return Rate(load.count / sent.seconds, sent.median_ms, sent.slow_ms, *per_message)


def resident(parent: int) -> list[float]:
    """Return the resident memory of each child of a process, in megabytes."""
    children = [pid for pid in processes.family(parent) if pid != parent]
    return [_field(pid, "VmRSS") / 1024 for pid in children]


def _field(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _seconds(parent: int) -> float:
    """Count the processor time of a process and its children, those that ended too."""
    total = 0
    for pid in processes.family(parent):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(map(int, fields[11:15] if pid == parent else fields[11:13]))
    return total / _TICKS
