"""One worker process of `serve`: a pool, a directory, and libmilter's threads.

Everything with threads begins here, after the fork. libmilter hears SIGTERM itself and stops
accepting; the worker then waits for the messages in flight, and ends. A worker whose parent is gone
ends as well. What it cannot start with is raised.
"""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable

import milter

from conversation_tracker.config import Config
from conversation_tracker.database import Database
from conversation_tracker.directory import Watch
from conversation_tracker.filter import Filter
from conversation_tracker.metrics import metrics
from conversation_tracker.session import Session, register

_PR_SET_PDEATHSIG = 1
_GRACE = 15.0  # seconds
_SAMPLE = 1.0  # seconds between looks at what waits, where metrics are on
_LAST_ANSWER = 0.1  # seconds from a decision to libmilter's having written it


def work(config: Config, ready: Callable[[], object]) -> None:
    """Answer on the socket the parent opened, until told to stop.

    Args:
        config: the configuration.
        ready: called once the database has answered.
    """
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return
    # libmilter waits for these itself. Every thread must leave them to it: the default action of
    # one that does not would end the process at once, with all messages in flight.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    database = Database(config.database)
    database.open()
    watch = Watch(database)
    watch.start()
    register(Filter(database, lambda: watch.current, config.authserv_id), config.trusts)
    threading.Thread(target=_announce, args=(watch, ready), daemon=True).start()
    if metrics.on:
        threading.Thread(target=_sample, args=(database,), daemon=True).start()
    milter.main()
    _finish()
    watch.stop()
    database.close()


def _announce(watch: Watch, ready: Callable[[], object]) -> None:
    while watch.current is None:
        time.sleep(0.02)
    ready()


def _sample(database: Database) -> None:
    while True:
        metrics.load(in_flight=Session.in_flight(), waiting=database.waiting)
        time.sleep(_SAMPLE)


def _finish() -> None:
    """Wait for the messages in flight, and for libmilter to send its last answers."""
    give_up = time.monotonic() + _GRACE
    while Session.in_flight() and time.monotonic() < give_up:
        time.sleep(0.02)
    time.sleep(_LAST_ANSWER)
