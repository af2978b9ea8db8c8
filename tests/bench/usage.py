"""The processor time and the memory of processes, as the process table has them."""

import os
from pathlib import Path

from private import processes

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds(parent: int) -> float:
    """Count the processor time of a process and its children, those that ended too."""
    total = 0
    for pid in processes.family(parent):
        fields = _fields(pid)
        total += sum(map(int, fields[11:15] if pid == parent else fields[11:13]))
    return total / _TICKS


def resident(parent: int) -> list[float]:
    """Return the resident memory of each child of a process, in megabytes."""
    children = [pid for pid in processes.family(parent) if pid != parent]
    return [_read_size(pid, "VmRSS") / 1024 for pid in children]


def _fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # it ended meanwhile
        return ["0"] * 20


def _read_size(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
