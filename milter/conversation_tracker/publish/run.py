"""`publish`: gives what happened to programs, off the way of mail, until told to stop.

Of all processes on all hosts one does it at a time: it holds a lock of the database, the others
wait for it. Each turn takes the steps in their order, each in transactions of its own; whatever
dies, what was not committed is done again, and nothing twice. What goes on beside the steps, in a
thread and on a connection of its own, lives as long as the lock is held.

A database that is away is logged once and tried again. A step that fails is logged once and tried
again with the next turn; it keeps the others from nothing.
"""

import os
import threading
import time
from collections.abc import Callable, Sequence

from conversation_tracker.base import timeouts
from conversation_tracker.base.stop import Stopped, StopSignals
from conversation_tracker.config.config import Config
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.deadline import Watchdog
from conversation_tracker.database.faults import DatabaseError, is_lost
from conversation_tracker.database.publishing.lock import PublishingLock
from conversation_tracker.database.publishing.numbering import number_batch
from conversation_tracker.database.readiness import wait_for_database
from conversation_tracker.publish.feed import Feed
from conversation_tracker.publish.texts import Texts
from conversation_tracker.publish.webhooks import dispatcher
from conversation_tracker.telemetry.events import Event, log
from conversation_tracker.telemetry.log_setup import catch_uncaught, configure
from conversation_tracker.telemetry.sd_notify import notify, watchdog

Step = Callable[[Connection], bool]
"""Does a bounded part of the work, in transactions of its own, on a connection that is in none;
tells whether there is more to do at once. May raise: then it is called again with the next turn."""

Companion = Callable[[Config, threading.Event], None]
"""Runs in a thread of its own, with connections of its own, until the event is set; soon after that
it ends. May raise: then it is started again."""


def make_steps() -> list[Step]:
    """Return the steps of a turn, in their order, as they begin."""
    return [
        Feed().publish,
        number_batch,
        Texts().take_out,
    ]


def list_companions() -> list[Companion]:
    """Return what goes on beside the steps."""
    return [dispatcher.run]


def run(config: Config) -> int:
    """Publish until told to stop.

    Args:
        config: the configuration.

    Returns:
        The exit code.

    Raises:
        Failure: the schema is not as it must be.
    """
    configure(config.log_format)
    catch_uncaught()
    stop = StopSignals()
    sleep = _make_sleep(stop)
    publisher = _Publisher(config, sleep, make_steps(), list_companions())
    try:
        notify("READY=1\nSTATUS=waiting for the database")
        wait_for_database(config.database, sleep)
        publisher.run()
    except Stopped:
        notify("STOPPING=1")
    finally:
        publisher.close()
    log.stopping(signal=stop.signal)
    return os.EX_OK


def _make_sleep(stop: StopSignals) -> Callable[[float], None]:
    """Return a sleep that gives systemd a sign of life, where it wants any."""
    watched = watchdog() is not None

    def sleep(seconds: float) -> None:
        if watched:
            notify("WATCHDOG=1")
        stop.sleep(seconds)

    return sleep


class _Publisher:
    """The turns, and the connection they are taken on."""

    def __init__(
        self,
        config: Config,
        sleep: Callable[[float], None],
        steps: Sequence[Step],
        companions: Sequence[Companion],
    ) -> None:
        self._config = config
        self._sleep = sleep
        self._steps = steps
        self._companions = _Companions(config, companions)
        self._watchdog = Watchdog(timeouts.get().publish_step_seconds)
        self._lock = PublishingLock(config.database, self._watchdog)
        self._watchdog.start()
        self._connection: Connection | None = None
        self._failing: set[Step] = set()
        self._lost_at: float | None = None

    def run(self) -> None:
        """Publish until told to stop; ends by Stopped."""
        while True:
            try:
                self._hold(self._connect())
            except DatabaseError as error:
                self._note_lost(error)
            self._let_go()
            self._sleep(timeouts.get().database_poll_seconds)

    def close(self) -> None:
        """End what goes on beside, and let the lock go."""
        self._let_go()
        self._watchdog.stop()

    def _connect(self) -> Connection:
        limits = timeouts.get()
        self._connection = Connection.connect(self._config.database, limits=limits.publish)
        if self._lost_at is not None:
            log.database_back(seconds=time.monotonic() - self._lost_at)
            self._lost_at = None
        return self._connection

    def _hold(self, connection: Connection) -> None:
        """Wait for the lock, and take turns while it is ours; ends by an exception only."""
        told = False
        while not self._lock.take():
            if not told:
                told = True
                notify("STATUS=another process publishes; waiting for it to end")
                log.publisher_waits()
            self._sleep(timeouts.get().publish_lock_seconds)
        notify("STATUS=publishing")
        log.publishing()
        while True:
            self._lock.keep()
            self._companions.start()
            more = [self._take_step(step, connection) for step in self._steps]
            self._sleep(0.0 if any(more) else timeouts.get().publish_poll_seconds)

    def _take_step(self, step: Step, connection: Connection) -> bool:
        try:
            with self._watchdog.watching(connection):
                more = step(connection)
        except Exception as error:
            if is_lost(error, connection):
                raise
            connection.rollback()
            if step not in self._failing:
                self._failing.add(step)
                log.error(Event.PUBLISHING, error)
            return False
        self._failing.discard(step)
        return more

    def _note_lost(self, error: DatabaseError) -> None:
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            notify("STATUS=waiting for the database")
            log.database_unreachable(error)

    def _let_go(self) -> None:
        self._companions.stop()
        self._lock.release()
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class _Companions:
    """The threads of what goes on beside the steps."""

    def __init__(self, config: Config, companions: Sequence[Companion]) -> None:
        self._config = config
        self._companions = companions
        self._threads: dict[Companion, threading.Thread] = {}
        self._due = 0.0
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start those that do not run; one that failed has a pause first."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + timeouts.get().publish_again_seconds
        for companion in self._companions:
            known = self._threads.get(companion)
            if known is None or not known.is_alive():
                thread = threading.Thread(
                    target=companion, args=(self._config, self._stopped), daemon=True
                )
                try:
                    thread.start()
                except RuntimeError as error:  # the system has no room for one more
                    log.error(Event.PUBLISHING, error)
                    continue
                self._threads[companion] = thread

    def stop(self) -> None:
        """Have them end, and wait for it, within a bounded time."""
        self._stopped.set()
        ends = time.monotonic() + timeouts.get().publish_end_seconds
        for thread in self._threads.values():
            thread.join(max(0.0, ends - time.monotonic()))
        self._threads.clear()
        self._due = 0.0
        self._stopped = threading.Event()
