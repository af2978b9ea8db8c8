"""What work may cost: processor seconds as a machine of the year 2024 counts them.

A slower machine, or one that is busy with something else, gets as much more as it needs for a fixed
piece of work at that moment. So a bound says how work grows, and not how fast the machine is: each
is several times what the work costs, and far below what it would cost if it grew with the square.
"""

import re
import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
_TRIES = 3
_TEXT = "some words of a line, and john@doe.example within them\n" * 2_000
_SECONDS = 0.003  # what the piece of work takes on that machine
_ADDRESS = re.compile(r"[\w.]+@([\w.]+)")


def within(seconds: float, work: Callable[[], _T]) -> _T:
    """Do the work, which may cost so many seconds, and return its result.

    It is done again when it cost more: the machine may have been disturbed.
    """
    spent = allowed = 0.0
    for _ in range(_TRIES):
        begun = time.process_time()
        result = work()
        spent = time.process_time() - begun
        if spent <= seconds:
            return result
        allowed = seconds * _slowness()
        if spent <= allowed:
            return result
    raise AssertionError(f"took {spent:.2f} processor seconds, of {allowed:.2f} it may take here")


def least(work: Callable[[], object], tries: int = 5) -> float:
    """Return the seconds that the work costs when it is disturbed least, to compare with others."""
    spent = []
    for _ in range(tries):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return min(spent)


def _slowness() -> float:
    """Tell how much longer than there a piece of work takes here and now; 1 where it is faster."""
    return max(1.0, max(_piece() for _ in range(5)) / _SECONDS)


def _piece() -> float:
    """Do what the program does most: go through lines, look for patterns, search octets."""
    begun = time.process_time()
    found: dict[str, int] = {}
    for line in _TEXT.splitlines():
        found[line[5:9]] = found.get(line[5:9], 0) + len(line.split())
    _ADDRESS.sub(lambda match: match[1], _TEXT)
    _TEXT.encode().find(b"none")
    return time.process_time() - begun
