"""What several threads write is committed together where they wait, and by each where it fails."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from conversation_tracker.database.turns.group_commit import GroupCommit
from private import processes


class Writer:
    """Writes what it is given once it may, and remembers what came together."""

    def __init__(self, **changes: float) -> None:
        self.may = threading.Semaphore(0)
        self.batches: list[list[int]] = []
        self.fails: Callable[[Sequence[int]], object] = lambda items: None
        values: dict[str, Any] = {"leaders": 1, "most": 16, "alike": 16, "patience": 60.0} | changes
        self.together = GroupCommit[int, str](self._write, kind=lambda item: item % 10, **values)

    def _write(self, items: Sequence[int]) -> list[str] | None:
        self.batches.append(list(items))
        assert self.may.acquire(timeout=60)
        if self.fails(items):
            return None
        return [f"{item} written" for item in items]

    def until_waiting(self, count: int) -> None:
        waiting = self.together._waiting
        assert processes.until(lambda: len(waiting) == count, 60.0), "they do not wait"

    def until_begun(self, count: int) -> None:
        assert processes.until(lambda: len(self.batches) == count, 60.0), "nothing is written"


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(20) as found:
        yield found


def send(
    writer: Writer, threads: ThreadPoolExecutor, items: Sequence[int]
) -> list[Future[str | None]]:
    """Have the first one begin, and the others wait."""
    jobs = [threads.submit(writer.together.write, items[0])]
    writer.until_begun(len(writer.batches) or 1)
    for count, item in enumerate(items[1:], 1):
        jobs.append(threads.submit(writer.together.write, item))
        writer.until_waiting(count)
    return jobs


def test_who_comes_alone_is_written_at_once() -> None:
    writer = Writer()
    writer.may.release(2)
    assert writer.together.write(1) == "1 written"
    assert writer.together.write(2) == "2 written"
    assert writer.batches == [[1], [2]]


def test_who_comes_meanwhile_is_written_together_in_the_sequence_of_coming(
    threads: ThreadPoolExecutor,
) -> None:
    writer = Writer()
    jobs = send(writer, threads, range(5))
    writer.may.release(2)
    assert [job.result(60) for job in jobs] == [f"{n} written" for n in range(5)]
    assert writer.batches == [[0], [1, 2, 3, 4]]


def test_no_answer_is_given_before_it_is_written(threads: ThreadPoolExecutor) -> None:
    writer = Writer()
    jobs = send(writer, threads, range(3))
    assert not any(job.done() for job in jobs)
    writer.may.release()
    assert jobs[0].result(60) == "0 written"
    writer.until_begun(2)
    assert not any(job.done() for job in jobs[1:])
    writer.may.release()
    assert [job.result(60) for job in jobs[1:]] == ["1 written", "2 written"]


def test_no_more_are_written_together_than_may_be(threads: ThreadPoolExecutor) -> None:
    writer = Writer(most=2)
    jobs = send(writer, threads, range(6))
    writer.may.release(10)
    assert [job.result(60) for job in jobs] == [f"{n} written" for n in range(6)]
    assert writer.batches == [[0], [1, 2], [3, 4], [5]]


def test_of_one_kind_no_more_are_written_together_than_may_be(threads: ThreadPoolExecutor) -> None:
    """Others go before them, and each next batch takes up to as many again."""
    writer = Writer(most=4, alike=2)
    jobs = send(writer, threads, [0, 11, 21, 31, 2, 41, 3, 51])
    writer.may.release(10)
    assert [job.result(60) for job in jobs] == [
        f"{n} written" for n in (0, 11, 21, 31, 2, 41, 3, 51)
    ]
    assert writer.batches == [[0], [11, 21, 2, 3], [31, 41], [51]]


def test_as_many_batches_are_written_at_a_time_as_may_be(threads: ThreadPoolExecutor) -> None:
    writer = Writer(leaders=2)
    jobs = [threads.submit(writer.together.write, 0)]
    writer.until_begun(1)
    jobs.append(threads.submit(writer.together.write, 1))
    writer.until_begun(2)
    for count, item in enumerate((2, 3), 1):
        jobs.append(threads.submit(writer.together.write, item))
        writer.until_waiting(count)
    writer.may.release(1)
    writer.until_begun(3)
    writer.may.release(2)
    assert [job.result(60) for job in jobs] == [f"{n} written" for n in range(4)]
    assert writer.batches == [[0], [1], [2, 3]]


@pytest.mark.parametrize("raises", [False, True])
def test_what_fails_together_is_given_back_to_each(
    threads: ThreadPoolExecutor, *, raises: bool
) -> None:
    def fail(items: Sequence[int]) -> bool:
        if raises and 2 in items:
            raise MemoryError
        return 2 in items

    writer = Writer()
    writer.fails = fail
    jobs = send(writer, threads, range(4))
    writer.may.release(4)
    assert jobs[0].result(60) == "0 written"
    if raises:
        # Of a fault of ours only one hears, and the others are not left waiting.
        assert isinstance(jobs[1].exception(60), MemoryError)
    else:
        assert jobs[1].result(60) is None
    assert [job.result(60) for job in jobs[2:]] == [None, None]
    assert writer.together.write(5) == "5 written"


def test_a_leader_without_memory_leaves_its_place_to_others() -> None:
    class Lacking(deque[Any]):
        lacks = True

        def __len__(self) -> int:
            if self.lacks:
                self.lacks = False
                raise MemoryError
            return super().__len__()

    writer = Writer(patience=0.05)
    writer.may.release(2)
    writer.together._waiting = Lacking()
    with pytest.raises(MemoryError):
        writer.together.write(1)
    assert writer.together.write(2) == "2 written"
    assert writer.batches == [[2]]


def test_who_loses_patience_is_not_written_by_others(threads: ThreadPoolExecutor) -> None:
    writer = Writer(patience=0.05)
    first = threads.submit(writer.together.write, 0)
    writer.until_begun(1)
    assert writer.together.write(1) is None
    writer.may.release(2)
    assert first.result(60) == "0 written"
    assert writer.together.write(2) == "2 written"
    assert writer.batches == [[0], [2]]


def test_who_is_being_written_waits_for_the_answer_beyond_all_patience(
    threads: ThreadPoolExecutor,
) -> None:
    """It may be committed already: to write it by itself would be for nothing, or twice."""
    writer = Writer(patience=0.5)
    jobs = send(writer, threads, range(3))
    writer.may.release()
    assert jobs[0].result(60) == "0 written"
    writer.until_begun(2)
    assert not threading.Event().wait(1.0)
    assert not any(job.done() for job in jobs[1:])
    writer.may.release()
    assert [job.result(60) for job in jobs[1:]] == ["1 written", "2 written"]


def test_many_threads_are_all_answered_once(threads: ThreadPoolExecutor) -> None:
    writer = Writer(leaders=2, most=3)
    writer.may.release(2000)
    answers = list(threads.map(writer.together.write, range(2000)))
    assert answers == [f"{n} written" for n in range(2000)]
    assert sorted(item for batch in writer.batches for item in batch) == list(range(2000))
    assert max(map(len, writer.batches)) <= 3
    assert not writer.together._waiting
