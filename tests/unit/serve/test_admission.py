"""Turns of large messages: one at a time in all workers, a bounded wait; small ones never wait."""

import os
import threading
import time

import pytest

from conversation_tracker.core.base.limits import Overdue
from conversation_tracker.core.base.octets import LARGE
from conversation_tracker.milter.admission import SMALL, TOGETHER, Admission


def test_small_messages_never_wait() -> None:
    admission = Admission()
    with (
        admission.admit(5 * LARGE),
        admission.admit(SMALL, patience=0),
        admission.admit(SMALL, patience=0),
    ):
        pass


def test_large_messages_of_one_process_take_turns() -> None:
    admission = Admission()
    with (
        admission.admit(5 * LARGE),
        pytest.raises(Overdue) as raised,
        admission.admit(2 * LARGE, 0.05),
    ):
        pass
    assert not raised.value.hopeless
    with admission.admit(2 * LARGE, 0):
        pass


def test_middling_messages_share_an_allowance() -> None:
    admission = Admission()
    half = TOGETHER // 2
    with (
        admission.admit(half, 0),
        admission.admit(half, 0),
        pytest.raises(Overdue),
        admission.admit(half, 0.05),
    ):
        pass


def test_who_waits_comes_next() -> None:
    admission = Admission()
    begun = threading.Event()
    seen = []

    def wait() -> None:
        begun.set()
        with admission.admit(2 * LARGE, 10):
            seen.append("second")

    waiting = threading.Thread(target=wait)
    with admission.admit(2 * LARGE):
        waiting.start()
        begun.wait()
        time.sleep(0.05)
        seen.append("first")
    waiting.join()
    assert seen == ["first", "second"]


def test_a_turn_is_of_all_processes_and_ends_with_its_process() -> None:
    admission = Admission()
    held, hold = os.pipe()
    pid = os.fork()
    if pid == 0:
        with admission.admit(2 * LARGE):
            os.write(hold, b"x")
            time.sleep(60)
        os._exit(0)
    try:
        os.read(held, 1)
        with pytest.raises(Overdue), admission.admit(2 * LARGE, 0.1):
            pass
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(held)
        os.close(hold)
    with admission.admit(2 * LARGE, 1):
        pass
