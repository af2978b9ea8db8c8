"""What work may cost, on whatever machine and whatever else it does meanwhile.

`linear` compares two sizes. `within` has a bound in processor seconds as a fast machine counts
them; a slower one, or a busy one, gets as much more as it needs for a fixed piece of work at that
moment. Such bounds are several times what the work costs, and far below what it would cost if it
grew with the square.
"""

import gc
import re
import signal
import time
from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")
_TRIES = 8
_TEXT = "some words of a line, and john@doe.example within them\n" * 2_000
_SECONDS = 0.003  # what the piece of work takes on a fast machine
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


def linear(work: Callable[[int], object], size: int) -> None:
    """Do the work at a quarter of the size and at all of it, which may take six times as long.

    What grows with the square takes sixteen times as long.
    """
    quarter = whole = 0.0
    for _ in range(_TRIES):
        quarter = least(lambda: work(size // 4), 1)
        whole = least(lambda: work(size), 1)
        if whole < 6 * quarter + 0.02:
            return
    raise AssertionError(f"took {quarter:.3f} processor seconds, then {whole:.3f} for four times")


def least(work: Callable[[], object], tries: int = 5) -> float:
    """Return the seconds that the work costs when it is disturbed least."""
    spent = []
    for _ in range(tries):
        begun = time.process_time()
        work()
        spent.append(time.process_time() - begun)
    return min(spent)


def _slowness() -> float:
    """Return how much longer than there some work takes here and now; 1 where it is faster."""
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


# In proportion, whatever the input

_DISTURBED = 8  # times that a machine may be busy with something else
GLANCE = 0.003
"""Processor seconds that are not worth a comparison: what grows with the square costs far more."""
_ENOUGH = 0.001  # processor seconds that are compared well enough to tell that nothing is wrong
PATIENCE = 4.0
"""Processor seconds after which work is stopped: it would go on for ever."""


class Endless(AssertionError):
    """The work did not end."""


def proportionate(
    work: Callable[[Any], object], size: int, make: Callable[[int], Any] = int
) -> str:
    """Do work at a size, at a quarter of it, and at four times as much where that is in doubt.

    Noise only ever adds to what work costs, so the least of several tries counts: it makes this
    slow at most, and fails nothing. What costs four times as much for four times the size passes
    below eight; what grows with the square costs sixteen times, at both steps. Where the quarter
    tells that the whole will pass, that is not tried.

    Args:
        work: does it with what is made.
        size: how large.
        make: makes something of a size, which is not measured; the size itself if not given.

    Returns:
        "" where the cost grows about as the size does, else what was measured.
    """
    quarter = _patiently(work, make(size // 4), size // 4)
    if _passes(quarter, work, size, make):
        return ""
    whole = _patiently(work, make(size), size)
    if whole < GLANCE:
        return ""
    for _ in range(_DISTURBED):
        quarter = min(quarter, _patiently(work, make(size // 4), size // 4))
        if whole < 8 * quarter:
            return ""
        whole = min(whole, _patiently(work, make(size), size))
    if whole > 0.25:
        return f"{quarter:.4f} s at {size // 4}, {whole:.4f} s at {size}"
    # What small work is spared, by a memory of short values say, is no growth.
    more = _patiently(work, make(4 * size), 4 * size)
    for _ in range(_DISTURBED):
        if more < 8 * whole:
            return ""
        if more > 1:  # no disturbance
            break
        more = min(more, _patiently(work, make(4 * size), 4 * size))
    return f"{quarter:.4f} s at {size // 4}, {whole:.4f} s at {size}, {more:.4f} s at {4 * size}"


def _passes(
    quarter: float, work: Callable[[Any], object], size: int, make: Callable[[int], Any]
) -> bool:
    """Whether a size passes by what a quarter of it costs, whatever grows with the square in it.

    A square of which the whole has a `GLANCE` has a sixteenth of that in the quarter. And one that
    makes the whole eight times the quarter, beside work in proportion, makes the quarter more than
    five times the sixteenth; what the work costs at no size at all is taken off for that.
    """
    if quarter < GLANCE / 16:
        return True
    if quarter < _ENOUGH:
        return False
    nothing = _patiently(work, make(1), 1)
    sixteenth = min(_patiently(work, make(size // 16), size // 16) for _ in range(2))
    for _ in range(2):  # the first time, work finds nothing ready
        if quarter - nothing < 5 * (sixteenth - nothing):
            return True
        quarter = min(quarter, _patiently(work, make(size // 4), size // 4))
    return quarter - nothing < 5 * (sixteenth - nothing)


def _patiently(work: Callable[[Any], object], given: Any, size: int) -> float:
    """Return the seconds that work costs; raises Endless where these are too many."""

    def stop(*_: object) -> None:
        # The timer counts ticks, and takes those for ours in which others ran.
        if time.thread_time() - begun > PATIENCE:
            raise Endless(f"over {PATIENCE} s at {size}")

    begun = time.thread_time()
    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE, 1)
    gc.disable()  # a turn of it costs more than what is measured
    try:
        work(given)
        return time.thread_time() - begun
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        gc.enable()
        signal.signal(signal.SIGVTALRM, before)
