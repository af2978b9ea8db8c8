"""What the process table says: groups, children, and whether any of them still runs.

Zombies count as gone: nobody may be left to reap them. Nothing here raises for a vanished process.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path


def _table() -> Iterator[tuple[int, int, int]]:
    """Yield process id, parent's id and process group of all that runs."""
    for entry in os.listdir("/proc"):  # noqa: PTH208 - it is read many times a second
        if entry.isdigit() and (status := _status(entry)) is not None:
            yield int(entry), int(status[1]), int(status[2])


def _status(process: int | str) -> list[bytes] | None:
    """Return state, parent and group of a process, and what else is known; None if it is gone."""
    # A process may end between the listing and the reading.
    with contextlib.suppress(OSError), open(f"/proc/{process}/stat", "rb") as file:  # noqa: PTH123
        status = file.read().rpartition(b")")[2].split()
        return None if status[0] in b"ZX" else status
    return None


def group(leader: int) -> list[int]:
    """Return the ids of all running processes in the process group of `leader`."""
    return [process for process, _, group_id in _table() if group_id == leader]


def family(parent: int) -> list[int]:
    """Return the ids of `parent`, if it runs, and of its direct children, in whatever group."""
    return [process for process, parent_id, _ in _table() if parent in (process, parent_id)]


def naming(text: str) -> list[int]:
    """Return the ids of all running processes whose command line holds `text`, but for our own."""
    found = []
    for process, _, _ in _table():
        with contextlib.suppress(OSError):
            line = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
            if text in line and process != os.getpid():
                found.append(process)
    return found


def until(condition: Callable[[], object], timeout: float, interval: float = 0.02) -> bool:
    """Wait until `condition` is true, at most `timeout` seconds; tell whether it came true."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval)
    return True


def end_group(leader: int, gentle: int = signal.SIGTERM, timeout: float = 10.0) -> None:
    """Signal a process group and wait for its end; kill what is left after `timeout` seconds."""
    for number, patience in ((gentle, timeout), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader, number)
        # The whole table is read only once the leader is gone: that takes milliseconds.
        if until(lambda: _status(leader) is None and not group(leader), patience):
            return
