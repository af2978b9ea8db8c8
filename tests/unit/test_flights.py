"""Marks of what is in flight, read by another process than the one that makes them."""

import os
import threading

import pytest

from conversation_tracker.telemetry.flights import NOBODY, PLACES, Crowded, Flights, Waiting

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
    flights = Flights()

    def fly(tell: int) -> None:
        flights.use(3)
        with flights.flight(DIGEST, "4ZJXYz0abcz1"):
            os.write(tell, b"x")
            os.kill(os.getpid(), 9)

    pid = child(fly)
    os.waitpid(pid, 0)
    [mark] = flights.seen(3)
    assert (mark.digest, mark.queue_id, mark.waiting) == (DIGEST, "4ZJXYz0abcz1", False)
    assert mark.thread == pid
    assert flights.seen(2) == flights.seen(4) == []
    flights.clear(3)
    assert flights.seen(3) == []


def test_a_flight_that_ended_leaves_no_mark_whatever_it_raised() -> None:
    flights = Flights()
    flights.use(1)
    with pytest.raises(ValueError, match="x"), flights.flight(DIGEST):
        raise ValueError("x")
    assert flights.seen(1) == []
    with flights.flight(NOBODY):
        assert [mark.number for mark in flights.seen(1)] == [2]


def test_waiting_is_of_the_thread_that_waits() -> None:
    flights = Flights()
    flights.use(1)
    with Waiting():
        pass
    with flights.flight(DIGEST), Waiting():
        assert [mark.waiting for mark in flights.seen(1)] == [True]
        thread = threading.Thread(target=lambda: Waiting().__enter__())
        thread.start()
        thread.join()
    with flights.flight(DIGEST):
        with Waiting():
            pass
        assert [mark.waiting for mark in flights.seen(1)] == [False]


def test_a_full_row_takes_no_more_until_one_has_ended() -> None:
    flights = Flights()
    flights.use(1)
    held = [flights.flight(DIGEST) for _ in range(PLACES)]
    for each in held:
        each.__enter__()
    with pytest.raises(Crowded), flights.flight(DIGEST):
        pass
    assert len(flights.seen(1)) == PLACES
    held[5].__exit__()
    with flights.flight(DIGEST, "Ä" * 100):
        assert len(flights.seen(1)) == PLACES
