"""Commits what several threads have to write together, where they would wait for each other anyway.

A commit waits for the disk, and costs the server as much as what it commits. So few threads write
at a time. Who comes meanwhile is written by the next one, all in one transaction. Nobody waits for
others to come. What fails together is given back, to be tried by each on its own.
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class _Entry(Generic[Item, Answer]):
    """What one thread has to write."""

    __slots__ = ("answer", "item", "leads", "turn")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.answer: Answer | None = None
        self.leads = False
        self.turn = threading.Lock()
        self.turn.acquire()


class GroupCommit(Generic[Item, Answer]):
    """Writes for many threads, each batch in the thread of one of them, which leads it."""

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Sequence[Answer] | None],
        *,
        leaders: int,
        most: int,
        kind: Callable[[Item], Hashable],
        alike: int,
        patience: float,
    ) -> None:
        """Set how it is written.

        Args:
            write: commits all of these and gives the answer to each, or None where nothing was
                written.
            leaders: how many batches at a time: while one waits for the disk, others are written.
            most: how many to write together.
            kind: what an item is about.
            alike: how many of one kind to write together.
            patience: seconds that one waits for its turn; a batch may meet a lock, or a server that
                hangs.
        """
        self._write = write
        self._most = most
        self._kind = kind
        self._alike = alike
        self._patience = patience
        self._guard = threading.Lock()
        self._waiting: deque[_Entry[Item, Answer]] = deque()
        self._leaders = leaders  # that may begin

    def write(self, item: Item) -> Answer | None:
        """Write one item, with those of other threads that wait.

        Returns:
            The answer to it, which is committed; None where it was not written, or may not have
            been.
        """
        job: _Entry[Item, Answer] = _Entry(item)
        with self._guard:
            job.leads = self._leaders > 0
            if job.leads:
                self._leaders -= 1
            else:
                self._waiting.append(job)
        if not job.leads:
            self._wait(job)
        if job.leads:
            self._lead(job)
        return job.answer

    def _wait(self, job: _Entry[Item, Answer]) -> None:
        """Wait until it was written, it leads, or its patience is over before its turn."""
        if job.turn.acquire(timeout=self._patience):
            return
        with self._guard:
            if job in self._waiting:
                self._waiting.remove(job)
                return
        job.turn.acquire()

    def _lead(self, job: _Entry[Item, Answer]) -> None:
        jobs = [job]
        try:
            with self._guard:
                self._gather(jobs)
            answers = self._write([each.item for each in jobs])
            for each, answer in zip(jobs, answers or (), strict=answers is not None):
                each.answer = answer
        finally:
            self._pass_on()
            for each in jobs:
                each.turn.release()

    def _gather(self, jobs: list[_Entry[Item, Answer]]) -> None:
        """Take who has waited longest, but of one kind no more than may be."""
        if not self._waiting:
            return
        taken = Counter(self._kind(each.item) for each in jobs)
        for each in tuple(self._waiting):
            if len(jobs) == self._most:
                return
            kind = self._kind(each.item)
            if taken[kind] < self._alike:
                taken[kind] += 1
                jobs.append(each)
                self._waiting.remove(each)

    def _pass_on(self) -> None:
        """Let the next one lead, if anybody waits."""
        with self._guard:
            if not self._waiting:
                self._leaders += 1
                return
            following = self._waiting.popleft()
        following.leads = True
        following.turn.release()
