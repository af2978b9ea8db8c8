"""The memory of a process: what asks for too much gets a MemoryError, and nobody else."""

import os
import threading
from pathlib import Path

from conversation_tracker.serve.memory import limit, small_stacks


def child(work: "object") -> int:
    """Run a function in a process forked from here; give its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 9
        try:
            code = work()  # type: ignore[operator]
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_what_asks_for_too_much_is_told_so_and_what_lies_in_files_counts_nothing(
    tmp_path: Path,
) -> None:
    import mmap

    file = tmp_path / "file"
    with file.open("wb") as handle:
        handle.truncate(1 << 30)

    def work() -> int:
        limit(400 << 20)
        limit(4 << 30)  # not raised again
        with file.open("rb") as handle:
            mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        held = bytearray(50 << 20)
        try:
            held += bytearray(1 << 30)
        except MemoryError:
            return 0 if len(held) + len(mapped) else 2
        return 1

    assert child(work) == 0


def test_many_threads_fit() -> None:
    def work() -> int:
        small_stacks()
        limit(600 << 20)
        gate = threading.Event()
        threads = [threading.Thread(target=gate.wait, daemon=True) for _ in range(150)]
        for each in threads:
            each.start()
        return 0

    assert child(work) == 0
