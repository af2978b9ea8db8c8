"""The parent's clock of a message: what counts, what does not, and what cannot be read."""

import os
import threading
import time
from pathlib import Path

import pytest

from conversation_tracker.base import timeouts
from conversation_tracker.core.base.limits import MAX_WAIT, MOST_SECONDS
from conversation_tracker.milter import clock as module
from conversation_tracker.milter.clock import Clock, read_own_memory, read_processor_time
from conversation_tracker.telemetry.in_flight import InFlight, Waiting

ME = os.getpid()


class Watch:
    """A clock whose time the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.used, self.held = 0.0, 0.0, 0
        self.in_flight = InFlight()
        self.in_flight.use(1)
        self.whole = 0.0
        monkeypatch.setattr(
            module, "read_processor_time", lambda pid, thread=0: self.used if thread else self.whole
        )
        monkeypatch.setattr(module, "read_own_memory", lambda pid: self.held)
        self.clock = Clock(self.in_flight, lambda: self.now)

    def passes(self, seconds: float, step: float = 1.0) -> dict[int, tuple[str, str]]:
        """Let time pass, with a look at each step; give what was found last."""
        found: dict[int, tuple[str, str]] = {}
        for _ in range(int(seconds / step)):
            self.now += step
            found = dict(self.clock.look({ME: 1}))
        return found


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    """A clock and one row."""
    return Watch(monkeypatch)


def test_the_wall_stands_behind_the_budget() -> None:
    assert timeouts.get().processor_seconds > MOST_SECONDS
    assert timeouts.get().running_seconds > MAX_WAIT


def test_what_runs_too_long_is_over_and_what_waits_is_not(watch: Watch) -> None:
    with watch.in_flight.mark(bytes(32), "ABC"):
        assert watch.passes(timeouts.get().running_seconds - 2) == {}
        with Waiting():
            assert watch.passes(timeouts.get().waiting_seconds - 2) == {}
        assert watch.passes(5) == {ME: ("overdue", "ABC")}
    assert watch.passes(5) == {}


def test_not_even_waiting_is_for_ever(watch: Watch) -> None:
    with watch.in_flight.mark(bytes(32)), Waiting():
        assert watch.passes(timeouts.get().waiting_seconds + 2) == {ME: ("overdue", "")}


def test_processor_time_counts_from_when_the_flight_was_first_seen(watch: Watch) -> None:
    watch.used = 500.0
    with watch.in_flight.mark(bytes(32)):
        assert watch.passes(2) == {}
        watch.used += timeouts.get().processor_seconds - 1
        assert watch.passes(1) == {}
        watch.used += 2
        assert watch.passes(1) == {ME: ("overdue", "")}
    with watch.in_flight.mark(bytes(32)):
        assert watch.passes(2) == {}


def test_a_process_that_works_and_runs_no_python_is_over_soon(watch: Watch) -> None:
    watch.in_flight.beat()
    with watch.in_flight.mark(bytes(32), "ABC"):
        assert watch.passes(5) == {}  # it has no processor: nobody's fault
        watch.whole += timeouts.get().silent_seconds - 1
        assert watch.passes(1) == {}
        watch.whole += 2
        assert watch.passes(1) == {ME: ("overdue", "ABC")}
        watch.in_flight.beat()
        assert watch.passes(5) == {}


def test_who_never_showed_that_it_runs_need_not_go_on_to(watch: Watch) -> None:
    with watch.in_flight.mark(bytes(32)):
        for _ in range(10):
            watch.whole += timeouts.get().silent_seconds
            assert watch.passes(1) == {}


def test_a_machine_that_stood_still_is_no_fault_of_a_message(watch: Watch) -> None:
    with watch.in_flight.mark(bytes(32)):
        assert watch.passes(10_000, step=5_000) == {}


def test_short_flights_one_after_the_other_are_not_taken_for_one(watch: Watch) -> None:
    for _ in range(int(timeouts.get().running_seconds) + 10):
        with watch.in_flight.mark(bytes(32)):
            assert watch.passes(1) == {}


def test_a_process_that_holds_too_much_is_outgrown(watch: Watch) -> None:
    watch.held = module.MOST
    assert watch.passes(1) == {}
    watch.held += 1
    assert watch.passes(1) == {ME: ("outgrown", "")}
    with watch.in_flight.mark(bytes(32), "ABC"):
        assert watch.passes(1) == {ME: ("outgrown", "ABC")}


def test_the_kernel_tells_the_processor_time_of_one_thread() -> None:
    before = read_processor_time(ME, threading.get_native_id())
    used = time.thread_time()
    while time.thread_time() < used + 0.3:
        pass
    thread = read_processor_time(ME, threading.get_native_id())
    assert thread - before >= 0.2
    assert read_processor_time(ME) >= thread - 0.02  # each is rounded
    assert read_processor_time(ME, 2**22 + 1) == 0.0


def test_memory_that_lies_in_files_does_not_count(tmp_path: Path) -> None:
    import mmap

    file = tmp_path / "file"
    file.write_bytes(bytes(40 << 20))
    before = read_own_memory(ME)
    with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        assert sum(data[at] for at in range(0, len(data), 4096)) == 0
        assert read_own_memory(ME) - before < 20 << 20
    # Of its own: what the process had freed before would not be seen to be taken again.
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    before = read_own_memory(ME)
    with mmap.mmap(-1, 40 << 20, flags=private) as held:
        held.write(b"x" * (40 << 20))
        assert read_own_memory(ME) - before > 30 << 20
    assert read_own_memory(2**22 + 1) == 0
