"""Marks of what is in flight, read by another process than the one that makes them."""

import os
import threading

import pytest

from conversation_tracker.telemetry.in_flight import NOBODY, PLACES, Crowded, InFlight, Waiting

DIGEST = bytes(range(32))


def child(work: "object") -> int:
    """Run a function in a process forked from here; give its id, with the process still there."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work(tell)  # type: ignore[operator]
        finally:
            os._exit(0)
    os.close(tell)
    os.read(ready, 1)
    os.close(ready)
    return pid


def test_a_mark_is_seen_from_outside_and_outlives_its_process() -> None:
    in_flight = InFlight()

    def fly(tell: int) -> None:
        in_flight.use(3)
        with in_flight.mark(DIGEST, "4ZJXYz0abcz1"):
            os.write(tell, b"x")
            os.kill(os.getpid(), 9)

    pid = child(fly)
    os.waitpid(pid, 0)
    [mark] = in_flight.list_marks(3)
    assert (mark.digest, mark.queue_id, mark.waiting) == (DIGEST, "4ZJXYz0abcz1", False)
    assert mark.thread == pid
    assert in_flight.list_marks(2) == in_flight.list_marks(4) == []
    in_flight.clear(3)
    assert in_flight.list_marks(3) == []


def test_a_flight_that_ended_leaves_no_mark_whatever_it_raised() -> None:
    in_flight = InFlight()
    in_flight.use(1)
    with pytest.raises(ValueError, match="x"), in_flight.mark(DIGEST):
        raise ValueError("x")
    assert in_flight.list_marks(1) == []
    with in_flight.mark(NOBODY):
        assert [mark.number for mark in in_flight.list_marks(1)] == [2]


def test_waiting_is_of_the_thread_that_waits() -> None:
    in_flight = InFlight()
    in_flight.use(1)
    with Waiting():
        pass
    with in_flight.mark(DIGEST), Waiting():
        assert [mark.waiting for mark in in_flight.list_marks(1)] == [True]
        thread = threading.Thread(target=lambda: Waiting().__enter__())
        thread.start()
        thread.join()
    with in_flight.mark(DIGEST):
        with Waiting():
            pass
        assert [mark.waiting for mark in in_flight.list_marks(1)] == [False]


def test_a_full_row_takes_no_more_until_one_has_ended() -> None:
    in_flight = InFlight()
    in_flight.use(1)
    held = [in_flight.mark(DIGEST) for _ in range(PLACES)]
    for each in held:
        each.__enter__()
    with pytest.raises(Crowded), in_flight.mark(DIGEST):
        pass
    assert len(in_flight.list_marks(1)) == PLACES
    held[5].__exit__()
    with in_flight.mark(DIGEST, "Ä" * 100):
        assert len(in_flight.list_marks(1)) == PLACES
