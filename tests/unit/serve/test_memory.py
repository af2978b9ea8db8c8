"""The memory of a process: what asks for too much gets a MemoryError, and nobody else.

Each is tried in a program of its own: the tests' process holds more than the limits tried here.
"""

import subprocess
import sys
from pathlib import Path

TOO_MUCH = """
import mmap, sys
from conversation_tracker.serve.memory import limit
limit(400 << 20)
limit(4 << 30)  # not raised again
with open(sys.argv[1], "rb") as handle:
    mapped = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
held = bytearray(50 << 20)
try:
    held += bytearray(1 << 30)
except MemoryError:
    print("told so", len(mapped) >> 30, len(held) >> 20)
"""

THREADS = """
import threading
from conversation_tracker.serve.memory import limit, small_stacks
small_stacks()
limit(600 << 20)
gate = threading.Event()
threads = [threading.Thread(target=gate.wait, daemon=True) for _ in range(150)]
for each in threads:
    each.start()
print(sum(each.is_alive() for each in threads))
"""

NOTHING_LEFT = """
from conversation_tracker.serve.memory import limit, trim
limit(200 << 20)
held = []
for size in (1 << 20, 4 << 10, 256, 32):
    try:
        while True:
            held.append(bytearray(size))
    except MemoryError:
        pass
trim()
held = None
print("lives")
"""


def said(program: str, *arguments: str) -> str:
    """Return what a program prints."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_what_asks_for_too_much_is_told_so_and_what_lies_in_files_counts_nothing(
    tmp_path: Path,
) -> None:
    file = tmp_path / "file"
    with file.open("wb") as handle:
        handle.truncate(1 << 30)
    assert said(TOO_MUCH, str(file)) == "told so 1 50"


def test_many_threads_fit() -> None:
    assert said(THREADS) == "150"


def test_who_asks_for_memory_to_be_given_back_lives_where_none_is_left() -> None:
    """It is a thread of the worker for good, and one message may take all there is for a moment."""
    assert said(NOTHING_LEFT) == "lives"
