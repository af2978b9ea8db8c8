"""Mail by the milter protocol alone, without Postfix: the tracker beside the idle milter."""

from dataclasses import dataclass
from pathlib import Path

from bench import programs, usage
from bench.programs import Load


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
    before = usage.seconds(milter), usage.seconds(database)
    sent = programs.run(drive, str(socket), connections, load)
    used = [
        (usage.seconds(pid) - old) * 1000
        for pid, old in zip((milter, database), before, strict=True)
    ]
    per_message = [each / load.count for each in used]
    return Rate(load.count / sent.seconds, sent.median_ms, sent.slow_ms, *per_message)
