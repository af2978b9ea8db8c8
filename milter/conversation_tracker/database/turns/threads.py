"""Threads that do one piece of work at a time for others, handed over by two locks.

A thread pool of the standard library hands work over by a queue, a future and a condition, each
with locks of its own, which costs several times as much as the round trip to the database.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
A = TypeVar("A")


class Threads:
    """As many threads as there was work for at the same time; whoever gives some waits for it."""

    def __init__(self, name: str) -> None:
        """Begin with none.

        Args:
            name: of each.
        """
        self._name = name
        self._idle: list[_Worker] = []
        self._closed = False

    def run(self, work: Callable[[A], T], given: A) -> T:
        """Have a thread do some work, and wait for it.

        Args:
            work: what to do.
            given: what it is called with.

        Returns:
            What it returns.

        Raises:
            RuntimeError: no thread can be started.
            BaseException: what it raises.
        """
        job = _Work(work, given)
        try:
            # The one that worked last: what it needs is at hand.
            thread = self._idle.pop()
        except IndexError:
            thread = _Worker(self._name, self._finish)
        thread.give(job)
        job.done.acquire()
        if job.error is None:
            return job.result  # type: ignore[no-any-return]
        try:
            raise job.error
        finally:
            # Its traceback holds the job: both would stay, and a message with them, until Python
            # looks for circles.
            job.error = None

    def close(self) -> None:
        """End all threads, each once it has nothing to do."""
        self._closed = True
        while self._idle:
            self._end(self._idle)

    def _finish(self, thread: "_Worker") -> None:
        self._idle.append(thread)
        if self._closed:
            self._end(self._idle)

    @staticmethod
    def _end(idle: "list[_Worker]") -> None:
        try:
            idle.pop().give(None)
        except IndexError:
            return


class _Work:
    """A piece of work, and what came of it."""

    __slots__ = ("done", "error", "given", "result", "work")

    def __init__(self, work: Callable[[Any], Any], given: object) -> None:
        self.work, self.given = work, given
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def do(self) -> None:
        try:
            self.result = self.work(self.given)
        except BaseException as error:
            self.error = error


class _Worker:
    """A thread that sleeps until it is given a job."""

    __slots__ = ("_finish", "_given", "_job")

    def __init__(self, name: str, finish: "Callable[[_Worker], None]") -> None:
        self._finish = finish
        self._job: _Work | None = None
        self._given = threading.Lock()
        self._given.acquire()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def give(self, job: _Work | None) -> None:
        """Wake it; without a job it ends."""
        self._job = job
        self._given.release()

    def _run(self) -> None:
        while self._given.acquire() and (job := self._job) is not None:
            self._job = None
            job.do()
            try:
                # First, so that who waits finds it idle; a job has its own lock and result.
                self._finish(self)
            finally:
                job.done.release()
            del job
