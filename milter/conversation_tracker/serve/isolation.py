"""The parent's part of isolation: ends what must end, tries suspects alone, tells the database.

It reads marks in shared memory and short messages of the workers, and starts processes for all
else: one at a time for a suspect, one at a time to write down what was found. So it never waits,
and nothing that a message does reaches it. What could not be written is kept and tried again.
"""

import array
import faulthandler
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from conversation_tracker.base import timeouts
from conversation_tracker.config.config import Config
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.clock import Clock, Reason
from conversation_tracker.milter.isolated_filter import MEMORY, TRIAL, WORD
from conversation_tracker.milter.suspects import Suspects, Suspicion
from conversation_tracker.milter.trial import OUT_OF_MEMORY, decide_alone
from conversation_tracker.serve import child
from conversation_tracker.serve.memory import limit
from conversation_tracker.telemetry.counters import metrics
from conversation_tracker.telemetry.events import Event, log
from conversation_tracker.telemetry.in_flight import NOBODY, InFlight

_QUEUE = 64  # suspects that may wait for their turn
_PENDING = 1000  # findings that are kept while the database is away
_CRASHES = frozenset(
    -number
    for number in (
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGABRT,
        signal.SIGILL,
        signal.SIGFPE,
        signal.SIGSYS,
    )
)
_NAMES = {
    Suspicion.SUSPECTED: "suspected",
    Suspicion.CONDEMNED: "condemned",
    Suspicion.CLEARED: "cleared",
}


@dataclass(frozen=True, slots=True)
class _Suspect:
    """A suspect that waits for its turn, and the connection to the worker that has it."""

    digest: bytes
    queue_id: str
    connection: socket.socket = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Trial:
    """A trial that is under way: its process, the row of that, and when it is over in any case."""

    pid: int
    row: int
    case: _Suspect
    due: float


class Isolation:
    """What the parent of one `serve` holds and knows of its workers' messages."""

    def __init__(self) -> None:
        """Make what all processes share."""
        self.in_flight = InFlight()
        self.suspects = Suspects()
        self.heard, self.say = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.heard.setblocking(False)
        self._clock = Clock(self.in_flight)
        self._doomed: dict[int, Reason] = {}
        self._waiting: deque[_Suspect] = deque()
        self._trial: _Trial | None = None
        self._pending: dict[bytes, Suspicion] = {}
        self._writing: dict[bytes, Suspicion] = {}
        self._writer = 0
        self._due = 0.0

    def look(self, workers: Mapping[int, int], config: Config) -> None:
        """End what must end, and begin what is due.

        Args:
            workers: the row of each worker, by its id.
            config: the configuration in force.
        """
        rows = dict(workers)
        if self._trial is not None:
            rows[self._trial.pid] = self._trial.row
            if time.monotonic() > self._trial.due:
                # It hangs where no message is in flight: that is no verdict.
                os.kill(self._trial.pid, signal.SIGKILL)
        for pid, (reason, queue_id) in self._clock.look(rows).items():
            if pid in workers:
                # Before it ends: once Postfix learns of that, the client may try again at once.
                self._suspect_all(workers[pid])
            self._end(pid, reason, queue_id)
        self._try_next(config)
        self._write(config)

    def _end(self, pid: int, reason: Reason, queue_id: str) -> None:
        """End a process: it may say where it was, and is killed if it does not die of that."""
        known = self._doomed.get(pid)
        if known is None:
            self._doomed[pid] = reason
            log.worker_overdue(pid=pid, reason=reason, queue_id=queue_id)
            metrics.count_isolation(reason)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGABRT if known is None else signal.SIGKILL)

    # Messages of workers ----------------------------------------------------------------------

    def listen(self) -> list[int]:
        """Take what workers say.

        Returns:
            The ids of those that are out of memory and should be replaced.
        """
        outgrown: list[int] = []
        room = socket.CMSG_SPACE(array.array("i").itemsize)
        while True:
            try:
                word, rights, _flags, _ = self.heard.recvmsg(
                    WORD.size, room, socket.MSG_CMSG_CLOEXEC
                )
            except OSError:
                return outgrown
            ends = _take_connections(rights)
            if len(word) != WORD.size:
                continue  # none of ours
            about, pid, digest, name = WORD.unpack(word)
            queue_id = name.rstrip(b"\0").decode("ascii", "replace")
            if about == TRIAL and ends and len(self._waiting) < _QUEUE:
                self._waiting.append(_Suspect(digest, queue_id, ends.pop()))
            elif about == MEMORY:
                log.worker_overdue(pid=pid, reason="outgrown", queue_id=queue_id)
                metrics.count_isolation("outgrown")
                self._suspect(digest, queue_id)
                outgrown.append(pid)
            for end in ends:
                end.close()

    # Processes that ended ---------------------------------------------------------------------

    def handle_exit(self, pid: int, code: int) -> bool:
        """Take note of a child that ended with an exit code; tell whether it was one of ours."""
        if pid == self._writer:
            self._finish_writing(code)
            return True
        if self._trial is None or pid != self._trial.pid:
            return False
        row, case = self._trial.row, self._trial.case
        self._trial = None
        self.in_flight.clear(row)
        metrics.give_back(row)
        reason = self._doomed.pop(pid, None)
        if code == os.EX_OK:
            self._find(case.digest, Suspicion.CLEARED)
        elif reason is not None or code in _CRASHES or code == OUT_OF_MEMORY:
            log.condemned(queue_id=case.queue_id, status=code)
            metrics.count_isolation("condemned")
            self._find(case.digest, Suspicion.CONDEMNED)
        return True

    def suspect_worker(self, pid: int, row: int, code: int) -> None:
        """Suspect all that was in flight in a worker that ended with an exit code."""
        self._doomed.pop(pid, None)
        if code != os.EX_OK:
            self._suspect_all(row)
        self.in_flight.clear(row)

    def _suspect_all(self, row: int) -> None:
        for mark in self.in_flight.list_marks(row):
            if mark.digest != NOBODY and self.suspects.state(mark.digest) != Suspicion.SUSPECTED:
                self._suspect(mark.digest, mark.queue_id)

    def _suspect(self, digest: bytes, queue_id: str) -> None:
        log.suspected(queue_id=queue_id)
        metrics.count_isolation("suspected")
        self._find(digest, Suspicion.SUSPECTED)

    def _find(self, digest: bytes, state: Suspicion) -> None:
        self.suspects.set(digest, state)
        # What is condemned stays so, whatever else is found.
        self._pending[digest] = self.suspects.state(digest)
        while len(self._pending) > _PENDING:
            del self._pending[next(iter(self._pending))]

    # Trials -----------------------------------------------------------------------------------

    def _try_next(self, config: Config) -> None:
        """Begin the next trial, if there is a suspect and none is under way."""
        while self._trial is None and self._waiting:
            case = self._waiting.popleft()
            if self.suspects.state(case.digest) == Suspicion.CONDEMNED:
                case.connection.close()
                continue
            row = metrics.take()
            try:
                pid = child.start(lambda case=case, row=row: self._run_trial(case, row, config))  # type: ignore[misc]
            except OSError as error:
                metrics.give_back(row)
                case.connection.close()
                log.error(Event.SUSPECTED, error)
                return
            # Its end must show at the other end.
            case.connection.close()
            self._trial = _Trial(pid, row, case, time.monotonic() + _lifetime_seconds())

    def _run_trial(self, case: _Suspect, row: int, config: Config) -> int:
        for other in self._waiting:
            other.connection.close()
        faulthandler.enable()
        limit()
        metrics.use(row)
        self.in_flight.use(row)
        threading.Thread(target=self._beat, daemon=True).start()
        return decide_alone(case.connection, config, self.in_flight, case.digest)

    def _beat(self) -> None:
        while True:
            self.in_flight.beat()
            time.sleep(timeouts.get().beat_seconds)

    # The database -----------------------------------------------------------------------------

    def _write(self, config: Config) -> None:
        """Start writing down what was found, if that is due and no process does so."""
        if not self._pending or self._writer or time.monotonic() < self._due:
            return
        self._writing, self._pending = self._pending, {}
        try:
            self._writer = child.start(lambda: self._write_to_database(config))
        except OSError:
            self._finish_writing(os.EX_OSERR)

    def _finish_writing(self, code: int) -> None:
        self._writer = 0
        if code != os.EX_OK:
            self._pending = {**self._writing, **self._pending}
            self._due = time.monotonic() + timeouts.get().suspect_retry_seconds
        self._writing = {}

    def _write_to_database(self, config: Config) -> int:
        self.forget()
        signal.alarm(timeouts.get().suspect_write_seconds)
        database = Database(config.database, size=1)
        database.open()
        try:
            database.suspect([(each, _NAMES[state]) for each, state in self._writing.items()])
        except DatabaseUnavailable:
            return os.EX_TEMPFAIL
        database.close()
        return os.EX_OK

    # Beginning and end ------------------------------------------------------------------------

    def forget(self) -> None:
        """Close what only the parent may hold open; for a worker that was just forked."""
        self.heard.close()
        for case in self._waiting:
            case.connection.close()

    def stop(self) -> None:
        """End the processes; a trial that is under way is no verdict."""
        pids = [self._writer] if self._writer else []
        if self._trial is not None:
            pids.append(self._trial.pid)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def _lifetime_seconds() -> float:
    """Return how long a process may live; only one that hangs elsewhere lives longer."""
    limits = timeouts.get()
    return limits.running_seconds + limits.waiting_seconds + limits.process_spare_seconds


def _take_connections(rights: list[tuple[int, int, bytes]]) -> list[socket.socket]:
    """Take the connections that came along."""
    found = array.array("i")
    for level, kind, data in rights:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return [socket.socket(fileno=each) for each in found]
