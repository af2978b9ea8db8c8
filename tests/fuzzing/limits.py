"""Time and memory as verdicts: what one input may cost, by its size, and an end to what has none.

The bounds are wide, some ten times of what is usual under a fuzzer: they are for what grows faster
than its input, and for what never ends. Processor time is counted, so that a busy machine is no
finding. What ends nowhere in C code, where no signal is handled, is the fuzzer's own time-out.
"""

import resource
import signal
import time
from collections.abc import Callable
from types import FrameType

SECONDS = 3.0
"""Seconds of processor time that any input may take."""
SECONDS_PER_OCTET = 200e-6
"""Further seconds for each octet of it."""
MEMORY = 96 * 1024 * 1024
"""Octets by which the process may grow for any input."""
TIMES_MEMORY = 200
"""Further octets for each of its own."""
PERSON = 200
"""Octets of input that a participant counts for."""


class Broken(AssertionError):
    """A promise was not kept."""


class Endless(BaseException):
    """Work was stopped; no handler of errors takes this for one of its own."""


def bounded(work: Callable[[], object], size: int, people: int = 0) -> None:
    """Do some work, within bounds of time and memory.

    Args:
        work: what to do; it raises what is wrong.
        size: octets of what it is done with.
        people: how many take part.

    Raises:
        Broken: it was too slow, or took too much memory.
        Endless: it was stopped, as it did not end.
    """
    size += people * PERSON
    seconds = SECONDS + size * SECONDS_PER_OCTET
    held = _peak()
    start = time.process_time()
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, 2 * seconds, seconds)
    try:
        work()
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    spent, grown = time.process_time() - start, _peak() - held
    if spent > seconds:
        raise Broken(f"{spent:.1f} s for {size} octets")
    if grown > MEMORY + TIMES_MEMORY * size:
        raise Broken(f"{grown >> 20} MB for {size} octets")


def _stop(_number: int, frame: FrameType | None) -> None:
    where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "somewhere"
    raise Endless(f"no end in sight, at {where}")


def _peak() -> int:
    """Return the most memory that this process ever had, in octets."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
