"""Sends webhooks, for as long as this process publishes: what is due, to several receivers at once.

One thread asks the database and notes what came of each try; each receiver that has something to
get has a thread of its own meanwhile, one at a time. So one receiver's events go in order, a slow
one delays no other, and what a killed process had sent and not noted is sent again with the same
identifier.
"""

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from conversation_tracker.base import timeouts
from conversation_tracker.config.config import Config
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.deadline import Watchdog
from conversation_tracker.database.faults import DatabaseError, is_lost
from conversation_tracker.database.publishing.webhooks import WebhookQueue, Work
from conversation_tracker.publish.webhooks.client import Trust
from conversation_tracker.publish.webhooks.destination import Unsendable, read_url
from conversation_tracker.publish.webhooks.payload import FeedEvent
from conversation_tracker.publish.webhooks.sender import GONE, Attempt, Task, send
from conversation_tracker.telemetry.events import Event, log

WAITING = 1_000  # deliveries of a webhook that are queued and not dead
_TURN = 50  # events of a turn
_THREADS = 16
_SLOW_THREADS = 12  # of these, for receivers that are slow: the others find one free
_LOOKS = 20  # at the feed in a row, for one webhook that wants little of it
_AWAY = 2  # events in a row that fail are more than an accident

Send = Callable[[Task, Callable[[Attempt], bool]], None]
"""Sends a task and reports each attempt; ends where it hears that one was not noted."""


def run(config: Config, stopped: threading.Event) -> None:
    """Send webhooks until told to stop; a database that fails is asked again.

    Args:
        config: the configuration.
        stopped: tells it to stop.
    """
    trust = Trust()
    watchdog = Watchdog(timeouts.get().webhook_step_seconds)
    watchdog.start()

    def send_all(task: Task, report: Callable[[Attempt], bool]) -> None:
        for attempt in send(
            task,
            allow_private=config.allow_private,
            trust=trust,
            is_stopped=stopped.is_set,
        ):
            if not report(attempt):
                return

    told = begun = False
    try:
        while not stopped.is_set():
            # That a database is away is said by who publishes.
            with (
                suppress(DatabaseError),
                Connection.connect(config.database, limits=timeouts.get().webhooks) as connection,
            ):
                dispatcher = Dispatcher(WebhookQueue(connection, watchdog), send_all, stopped)
                try:
                    dispatcher.run(begun=begun)
                except DatabaseError as error:
                    told = told and not dispatcher.worked
                    if not told and not is_lost(error, connection):
                        log.error(Event.WEBHOOKS, error)
                        told = True
                begun = begun or dispatcher.begun
            stopped.wait(timeouts.get().webhook_retry_seconds)
    finally:
        watchdog.stop()


@dataclass(frozen=True, slots=True)
class _Pending:
    """An attempt, and what tells its thread that the database knows of it."""

    attempt: Attempt
    noted: threading.Event


@dataclass(frozen=True, slots=True)
class _Ended:
    """A turn of a webhook that is over, and how long it took."""

    webhook: int
    seconds: float


class Dispatcher:
    """The turns of all webhooks.

    Attributes:
        begun: it was said that this process sends webhooks: the database has answered once.
        worked: the database has answered all that one look asks.
    """

    def __init__(self, deliveries: WebhookQueue, send: Send, stopped: threading.Event) -> None:
        """Take what asks the database, and what sends in a thread of its own.

        Args:
            deliveries: asks the database.
            send: sends a task and reports each attempt.
            stopped: tells it to stop.
        """
        self._deliveries = deliveries
        self._send = send
        self._stopped = stopped
        self.begun = False
        self.worked = False
        self._crowded = False
        self._busy: set[int] = set()
        self._slow: set[int] = set()
        self._served: dict[int, float] = {}
        self._unsettled: list[_Pending] = []
        self._reports: queue.SimpleQueue[_Pending | _Ended] = queue.SimpleQueue()

    def run(self, *, begun: bool) -> None:
        """Send until told to stop, and note what came of what was under way.

        Args:
            begun: that this process sends webhooks was said before.

        Raises:
            psycopg.Error: the database fails; what was not noted is sent again.
        """
        self.begun = begun
        while not self._stopped.is_set():
            self._look()
            if not self.begun:
                self.begun = True
                log.webhooks()
            self._note(timeouts.get().webhook_poll_seconds)
            self.worked = True
        ends = time.monotonic() + timeouts.get().webhook_grace_seconds
        while self._busy and (left := ends - time.monotonic()) > 0:
            self._note(left)

    def _look(self) -> None:
        """Queue what is new, and begin turns; whoever had none for longest comes first."""
        works = {work.webhook: work for work in self._deliveries.look()}
        self._slow &= works.keys()
        self._served = {each: at for each, at in self._served.items() if each in works}
        for webhook in sorted(works, key=lambda each: self._served.get(each, 0.0)):
            work = works[webhook]
            if work.behind:
                self._queue(webhook)
            if self._may_begin(webhook) and not work.held and (work.due or work.behind):
                self._begin(work)

    def _may_begin(self, webhook: int) -> bool:
        unsettled = any(report.attempt.webhook == webhook for report in self._unsettled)
        if unsettled or webhook in self._busy or len(self._busy) >= _THREADS:
            return False
        return webhook not in self._slow or len(self._busy & self._slow) < _SLOW_THREADS

    def _queue(self, webhook: int) -> None:
        for _ in range(_LOOKS):
            if not self._deliveries.queue(webhook, WAITING):
                return

    def _begin(self, work: Work) -> None:
        webhook = work.webhook
        hook = self._deliveries.read_hook(webhook)
        if hook is None:
            return
        failing = hook.failures >= _AWAY
        due = self._deliveries.read_due(webhook, 1 if failing else _TURN, failing=failing)
        if not due:
            if work.due:
                self._deliveries.forget(webhook)
            return
        events = [(tries, FeedEvent(*columns)) for tries, columns in due]
        task = Task(webhook, hook.url, hook.secrets, hook.failures, events)
        self._served[webhook] = time.monotonic()
        thread = threading.Thread(
            target=self._work, args=(task,), name=f"webhook-{webhook}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:
            # The system has no room for one more: what is under way goes on, this one's turn comes.
            if not self._crowded:
                self._crowded = True
                log.error(Event.WEBHOOKS, error)
            return
        self._crowded = False
        self._busy.add(webhook)

    def _work(self, task: Task) -> None:
        began = time.monotonic()
        try:
            self._send(task, self._report)
        except Exception as error:
            log.error(Event.WEBHOOKS, error)
            self._stopped.wait(timeouts.get().webhook_retry_seconds)
        finally:
            self._reports.put(_Ended(task.webhook, time.monotonic() - began))

    def _report(self, attempt: Attempt) -> bool:
        """Have an attempt noted before the next is made: what is not is repeated after a crash."""
        report = _Pending(attempt, threading.Event())
        self._reports.put(report)
        return report.noted.wait(timeouts.get().webhook_step_seconds)

    def _note(self, seconds: float) -> None:
        """Note what is reported within so many seconds; something new ends the wait."""
        for waiting in self._unsettled[:]:
            if self._settle(waiting.attempt):
                waiting.noted.set()
                self._unsettled.remove(waiting)
        ends = time.monotonic() + seconds
        while True:
            try:
                report = self._reports.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                return
            if isinstance(report, _Pending):
                if self._settle(report.attempt):
                    report.noted.set()
                else:
                    self._unsettled.append(report)
            else:
                self._end(report)
                ends = min(ends, time.monotonic())  # whoever waits for a thread has one

    def _end(self, turn: _Ended) -> None:
        self._busy.discard(turn.webhook)
        if turn.seconds > timeouts.get().webhook_slow_seconds:
            self._slow.add(turn.webhook)
        else:
            self._slow.discard(turn.webhook)

    def _settle(self, attempt: Attempt) -> bool:
        """Note what came of one try; return whether that could be done."""
        pauses = attempt.pauses
        given_up = self._deliveries.settle(
            attempt.webhook,
            attempt.position,
            attempt.answer.said,
            None if pauses is None else pauses.event,
            None if pauses is None else pauses.receiver,
            attempt.failures,
        )
        if given_up is None:
            return False
        host = _find_host(attempt.url)
        if pauses is None and attempt.before >= _AWAY:
            log.webhook_back(webhook=attempt.webhook, host=host)
            self._deliveries.bring_forward(attempt.webhook)
        if pauses is not None and attempt.failures == _AWAY > attempt.before:
            log.webhook_failing(webhook=attempt.webhook, host=host, said=attempt.answer.said)
        if given_up:
            log.webhook_dead(
                webhook=attempt.webhook, host=host, count=given_up, said=attempt.answer.said
            )
        gone = attempt.answer.status == GONE
        if gone and self._deliveries.end(attempt.webhook, attempt.url):
            log.webhook_gone(webhook=attempt.webhook, host=host)
        return True


def _find_host(url: str) -> str:
    """Return what of a URL may be logged: its path may hold a secret of the receiver's."""
    try:
        return read_url(url).origin
    except Unsendable:
        return ""
