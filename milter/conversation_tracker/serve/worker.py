"""One worker process of `serve`: a pool, a directory, and libmilter's threads.

Everything with threads begins here, after the fork. libmilter runs in a thread of its own and never
hears of a stop: once its main function has returned, pymilter crashes on the next connection's
first word. So the main thread takes SIGTERM, replaces the listening descriptor by one that nobody
connects to, waits for the messages in flight, and ends the process. A worker whose parent is gone
ends as well. What it cannot start with is raised.
"""

import ctypes
import faulthandler
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable

import milter

from conversation_tracker.base import timeouts
from conversation_tracker.config.config import Config
from conversation_tracker.database.faults import DatabaseError
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.admission import Admission
from conversation_tracker.milter.filter import Filter
from conversation_tracker.milter.isolated_filter import IsolatedFilter
from conversation_tracker.milter.session import Session, register
from conversation_tracker.milter.store_directory import DirectoryWatch
from conversation_tracker.serve.isolation import Isolation
from conversation_tracker.serve.memory import give_back, limit, small_stacks, trim
from conversation_tracker.telemetry.counters import metrics
from conversation_tracker.telemetry.events import Event, log
from conversation_tracker.telemetry.in_flight import InFlight

_PR_SET_PDEATHSIG = 1
_ENDED = b"\0"  # what no signal has for its number


class Ended(Exception):
    """libmilter ended unasked; another worker may do better."""


def work(
    config: Config,
    listener: int,
    ready: Callable[[], object],
    admission: Admission,
    isolation: Isolation,
) -> None:
    """Answer on the socket the parent opened, until told to stop.

    Args:
        config: the configuration.
        listener: the socket's descriptor, the only one that this process listens on.
        ready: called once the database has answered.
        admission: lets large messages in by turns, among all workers.
        isolation: what the parent shares, to end what does not end itself.

    Raises:
        Ended: libmilter ended by itself.
    """
    parent = os.getppid()
    ended, end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    # Only the main thread takes these: libmilter blocks them in its own and waits for them, but a
    # signal goes to the main thread first.
    signal.set_wakeup_fd(end, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return
    give_back()
    small_stacks()
    limit()
    faulthandler.enable()
    threading.Thread(target=_beat, args=(isolation.in_flight,), daemon=True).start()
    database = Database(config.database)
    database.open()
    watch = DirectoryWatch(database)
    watch.start()
    filter = Filter(database, lambda: watch.current, config.authserv_id, config.postmaster)
    marks = (isolation.in_flight, isolation.suspects, isolation.say)
    register(
        IsolatedFilter(filter, database, lambda: watch.current, *marks), config.trusts, admission
    )
    threading.Thread(target=_announce, args=(watch, ready), daemon=True).start()
    threading.Thread(target=_sample, args=(database,), daemon=True).start()
    threading.Thread(target=_look_at_feed, args=(database,), daemon=True).start()
    if _begin(watch, ended):
        threading.Thread(target=_serve, args=(end,), name="libmilter", daemon=True).start()
        select.select([ended], [], [])
        if _ENDED in os.read(ended, 100):
            raise Ended
        _close(listener)
        _finish()
    watch.stop()
    database.close()


def _serve(end: int) -> None:
    try:
        milter.main()
    finally:
        os.write(end, _ENDED)


def _begin(watch: DirectoryWatch, ended: int) -> bool:
    """Wait for the first directory, since without it all mail is deferred; False if asked to stop.

    Connections wait for us meanwhile, or go to another worker. They are taken before Postfix would
    tire of it, so that an unreachable database gives a reply.
    """
    give_up = time.monotonic() + timeouts.get().worker_head_start_seconds
    while watch.current is None and time.monotonic() < give_up:
        if select.select([ended], [], [], timeouts.get().poll_seconds)[0]:
            return False
    return True


def _close(listener: int) -> None:
    """Take no more connections; the socket itself stays open for the other workers."""
    with socket.socket(socket.AF_UNIX) as nowhere:
        nowhere.bind("")
        nowhere.listen(1)
        nowhere.setblocking(False)
        os.dup2(nowhere.fileno(), listener)


def _beat(in_flight: InFlight) -> None:
    """Show the parent that Python runs; end this process, and say where it was, if none ever does.

    The budget of a message is looked at in Python only. What is in flight gets 451 from Postfix,
    and the parent starts another worker.
    """
    while True:
        in_flight.beat()
        faulthandler.dump_traceback_later(timeouts.get().worker_stuck_seconds, exit=True)
        time.sleep(timeouts.get().beat_seconds)


def _announce(watch: DirectoryWatch, ready: Callable[[], object]) -> None:
    while watch.current is None:
        time.sleep(timeouts.get().poll_seconds)
    ready()


def _sample(database: Database) -> None:
    while True:
        trim()
        metrics.note_load(in_flight=Session.count_messages(), waiting=database.waiting)
        time.sleep(timeouts.get().worker_sample_seconds)


def _look_at_feed(database: Database) -> None:
    """Note how far feed, texts and webhooks are behind; without a database it stays as it was."""
    told = False
    while True:
        try:
            metrics.note_publisher(*database.publisher_lag())
            metrics.note_webhooks(*database.webhook_lag())
            told = False
        except (DatabaseUnavailable, DatabaseError):
            pass
        except Exception as error:
            # A fault of ours: what is told gets old, but not for good.
            if not told:
                told = True
                log.error(Event.ERROR, error)
        time.sleep(timeouts.get().worker_feed_seconds)


def _finish() -> None:
    """Wait for the messages in flight, for clients a little, and for the last answers to be sent.

    We do not see a connection that libmilter has just taken before Postfix's first command.
    """
    started = quiet_since = time.monotonic()
    while (now := time.monotonic()) < quiet_since + timeouts.get().worker_quiet_seconds:
        if (Session.count_messages() and now < started + timeouts.get().worker_grace_seconds) or (
            Session.count_connections() and now < started + timeouts.get().worker_courtesy_seconds
        ):
            quiet_since = now
        time.sleep(timeouts.get().poll_seconds)
