"""Turns at a locked row: one at a time for each row, few altogether, and none waits for ever."""

import threading
import time

import pytest

from conversation_tracker.database.turns.row_locks import RowLocked, RowLocks


def test_one_works_on_a_row_and_others_on_other_rows() -> None:
    waiters = RowLocks(1)
    with waiters.hold([1], 0):
        with waiters.hold([2, ("shop", "1")], 0):
            pass
        with pytest.raises(RowLocked), waiters.hold([2, 1], 0.05):
            pytest.fail("two work on one row")
        with waiters.hold([2], 0):
            pass
    with waiters.hold([1, 2], 0):
        pass
    assert waiters._rows == {}


def test_who_waits_comes_next() -> None:
    waiters = RowLocks(1)
    seen = []

    def work(number: int) -> None:
        with waiters.hold([1], 10):
            seen.append(number)
            time.sleep(0.01)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(10)]
    with waiters.hold([1], 0):
        for each in threads:
            each.start()
        assert seen == []
    for each in threads:
        each.join()
    assert sorted(seen) == list(range(10))
    assert waiters._rows == {}


def test_few_wait_for_locks() -> None:
    waiters = RowLocks(2)
    with waiters.place(0), waiters.place(0), pytest.raises(RowLocked), waiters.place(0.05):
        pytest.fail("a third waits")
    with waiters.place(0):
        pass
