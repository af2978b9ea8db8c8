"""Work handed over to other threads: each answer to whoever asked, and no thread too many."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from conversation_tracker.database.turns.threads import Threads
from private import processes


def names() -> list[str]:
    return [each.name for each in threading.enumerate()]


def test_another_thread_does_the_work_and_does_the_next_as_well() -> None:
    threads = Threads("mine")
    ran = {threads.run(lambda _: threading.get_native_id(), None) for _ in range(10)}
    assert len(ran) == 1
    assert ran != {threading.get_native_id()}
    threads.close()
    assert processes.until(lambda: "mine" not in names(), 60.0)


def test_what_it_raises_is_raised_and_the_thread_goes_on() -> None:
    threads = Threads("mine")
    ran = threads.run(lambda _: threading.get_native_id(), None)
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error):
            threads.run(lambda given: (_ for _ in ()).throw(given()), error)
    assert threads.run(lambda _: threading.get_native_id(), None) == ran
    threads.close()


def test_what_it_raises_is_kept_no_longer_than_it_is_handled() -> None:
    """Work is a message to record: it must not stay until Python looks for circles."""

    class Given:
        pass

    def fail(given: Given) -> None:
        raise ValueError

    def run() -> "weakref.ref[Given]":
        given = Given()
        with suppress(ValueError):
            threads.run(fail, given)
        return weakref.ref(given)

    threads = Threads("mine")
    gc.disable()
    try:
        kept = run()
        assert processes.until(lambda: kept() is None, 10.0)
    finally:
        gc.enable()
        threads.close()


def test_who_cannot_be_used_again_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is over while the thread is put among the idle: the answer is there all the same."""

    def lack(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    threads = Threads("mine")
    monkeypatch.setattr(threads, "_finish", lack)
    answers: list[int] = []
    ask = threading.Thread(
        target=lambda: answers.append(threads.run(lambda given: given * 2, 3)), daemon=True
    )
    ask.start()
    assert processes.until(lambda: answers == [6], 10.0)
    assert processes.until(lambda: "mine" not in names(), 60.0)


def test_there_are_as_many_as_there_was_work_for_at_the_same_time() -> None:
    threads = Threads("mine")
    all_there = threading.Barrier(5)
    with ThreadPoolExecutor(5) as askers:
        for _ in range(3):
            jobs = [askers.submit(threads.run, lambda _: all_there.wait(60), None) for _ in "12345"]
            assert sorted(job.result(60) for job in jobs) == [0, 1, 2, 3, 4]
    assert names().count("mine") == 5
    threads.close()
    assert processes.until(lambda: "mine" not in names(), 60.0)


def test_everybody_gets_their_own_answer() -> None:
    threads = Threads("mine")
    with ThreadPoolExecutor(8) as askers:
        answers = list(askers.map(lambda n: threads.run(lambda given: given * 2, n), range(4000)))
    assert answers == [n * 2 for n in range(4000)]
    assert names().count("mine") <= 8
    threads.close()


def test_who_works_when_it_is_closed_finishes_and_ends() -> None:
    threads = Threads("mine")
    begun, may = threading.Event(), threading.Event()

    def work(given: int) -> int:
        begun.set()
        assert may.wait(60)
        return given

    with ThreadPoolExecutor(1) as askers:
        job = askers.submit(threads.run, work, 3)
        assert begun.wait(60)
        threads.close()
        may.set()
        assert job.result(60) == 3
    assert processes.until(lambda: "mine" not in names(), 60.0)
