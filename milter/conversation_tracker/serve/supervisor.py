"""The parent process of `serve`: holds the socket, and keeps the workers alive.

The parent opens the socket, starts the workers (`worker`), and starts another when one dies; when
they die again and again before any was ready it gives up. SIGTERM and SIGINT let the workers finish
the messages in flight; SIGHUP reads the configuration again and replaces the workers, the socket
stays. Systemd gets readiness, reloads, a status line and the watchdog's pings. What goes wrong
before the first worker runs is raised as it is; afterwards it is logged.
"""

import gc
import os
import select
import signal
import socket as sockets
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import milter

from conversation_tracker import __version__
from conversation_tracker.base import timeouts
from conversation_tracker.config.config import Config, ConfigError
from conversation_tracker.config.socket import Socket
from conversation_tracker.milter.admission import Admission
from conversation_tracker.serve.isolation import Isolation
from conversation_tracker.serve.status_line import StatusLine
from conversation_tracker.serve.worker import work
from conversation_tracker.telemetry.counters import metrics
from conversation_tracker.telemetry.events import Event, log
from conversation_tracker.telemetry.exporter_process import MetricsProcess
from conversation_tracker.telemetry.sd_notify import notify, watchdog

_PATIENCE = 5  # workers that may die at once, one after the other and none ready, before we give up
_PID = struct.Struct("=i")


class Supervisor:
    """The workers of one `serve`, and the signals that control them."""

    def __init__(self, config: Config, reload: Callable[[], Config]) -> None:
        """Prepare to serve.

        Args:
            config: the configuration.
            reload: reads it again; raises ConfigError.
        """
        self._config = config
        # A reload changes nothing about what we listen on.
        self._socket = config.socket
        self._turns = Admission()
        self._isolation = Isolation()
        self._listener = -1
        self._reload = reload
        self._workers: dict[int, float] = {}
        self._leaving: dict[int, float] = {}
        self._rows: dict[int, int] = {}
        metrics.share()
        self._shown = MetricsProcess(metrics)
        self._status = StatusLine(metrics)
        self._able: set[int] = set()
        self._failed = 0
        self._hasty = False
        self._started_at = 0.0
        self._restarts = 0
        self._signals: list[int] = []
        self._ready = False
        self._wakeup, self._wakeup_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._ready_pids, self._ready_pids_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        patience = watchdog()
        self._watched = patience is not None
        self._tick = (
            min(timeouts.get().supervisor_tick_seconds, patience / 3)
            if patience
            else timeouts.get().supervisor_tick_seconds
        )

    def run(self) -> int:
        """Serve until told to stop.

        Returns:
            The exit code: 0 when told to stop, 75 when the workers would not stay alive.
        """
        self._listener = listen(self._socket)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._note)
        signal.set_wakeup_fd(self._wakeup_write, warn_on_full_buffer=False)
        self._shown.serve(self._config.metrics)
        # Modules and what they made live as long as the workers: going through them again and again
        # would hold all messages up for a tenth of a second, and copy the pages that are shared.
        gc.collect()
        gc.freeze()
        while True:
            self._fill()
            self._shown.tick()
            self._wait()
            self._reap()
            self._isolation.look(self._rows, self._config)
            if self._ready:
                self._status.tell(len(self._workers), self._config.workers)
            for caught in self._list_rows():
                if caught == signal.SIGHUP:
                    self._replace()
                elif caught in (signal.SIGTERM, signal.SIGINT):
                    return self._stop(signal.Signals(caught).name)
            if self._failed >= _PATIENCE and not self._able:
                log.gave_up(restarts=self._restarts)
                self._stop("")
                return os.EX_TEMPFAIL

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _list_rows(self) -> list[int]:
        taken, self._signals = self._signals, []
        return taken

    def _fill(self) -> None:
        """Start the workers that are missing; after an early death, with a pause between two."""
        while len(self._workers) < self._config.workers:
            if (
                self._hasty
                and time.monotonic() < self._started_at + timeouts.get().supervisor_pause_seconds
            ):
                return
            self._started_at = time.monotonic()
            row = metrics.take()
            try:
                pid = os.fork()
            except OSError as error:
                metrics.give_back(row)
                log.error(Event.WORKER_STARTED, error)
                self._hasty = True
                self._failed += 1
                return
            if pid == 0:
                self._become_worker(row)
            self._workers[pid] = self._started_at
            self._rows[pid] = row
            metrics.note_workers(len(self._workers))
            log.worker_started(pid=pid)

    def _become_worker(self, row: int) -> None:
        code = os.EX_SOFTWARE
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            metrics.use(row)
            self._isolation.forget()
            self._isolation.in_flight.use(row)
            work(
                self._config,
                self._listener,
                lambda: os.write(self._ready_pids_write, _PID.pack(os.getpid())),
                self._turns,
                self._isolation,
            )
            code = os.EX_OK
        except Exception as error:
            log.error(Event.ERROR, error)
        finally:
            # The parent's exit handlers are not ours to run, nor may threads outlive us.
            os._exit(code)

    def _wait(self) -> None:
        """Wait for a signal, for a worker that becomes ready, or for the next tick."""
        lacking = len(self._workers) < self._config.workers
        patience = (
            min(self._tick, timeouts.get().supervisor_pause_seconds) if lacking else self._tick
        )
        sources = [self._wakeup, self._ready_pids, self._isolation.heard.fileno()]
        readable, _, _ = select.select(sources, [], [], patience)
        if self._wakeup in readable:
            with suppress(BlockingIOError):
                os.read(self._wakeup, 4096)
        if self._ready_pids in readable:
            self._note_ready_workers()
        for pid in self._isolation.listen():
            if pid in self._workers:
                self._dismiss(pid)
        if self._watched:
            notify("WATCHDOG=1")

    def _note_ready_workers(self) -> None:
        """Note which workers have said that they are ready."""
        said = os.read(self._ready_pids, 100 * _PID.size)
        self._able |= {pid for (pid,) in _PID.iter_unpack(said)} & self._workers.keys()
        self._failed = 0
        if not self._ready:
            self._ready = True
            notify("READY=1")
            socket = str(self._socket)
            log.ready(socket=socket, workers=self._config.workers, version=__version__)

    def _reap(self) -> None:
        for pid, due in list(self._leaving.items()):
            if time.monotonic() > due:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._handle_exit(pid, os.waitstatus_to_exitcode(status))

    def _handle_exit(self, pid: int, code: int) -> None:
        if self._shown.handle_exit(pid, code) or self._isolation.handle_exit(pid, code):
            return
        row = self._rows.pop(pid, 0)
        self._isolation.suspect_worker(pid, row, code)
        metrics.give_back(row)
        started = self._workers.pop(pid, None)
        able = pid in self._able
        self._able.discard(pid)
        if self._leaving.pop(pid, None) is not None or started is None:
            return
        self._restarts += 1
        log.worker_died(pid=pid, status=code, restarts=self._restarts)
        metrics.count_restart()
        metrics.note_workers(len(self._workers))
        self._hasty = time.monotonic() - started < timeouts.get().supervisor_young_seconds
        if self._hasty and not able:
            self._failed += 1

    def _dismiss(self, pid: int) -> None:
        """Ask a worker to finish what it has and end."""
        self._workers.pop(pid, None)
        self._able.discard(pid)
        self._leaving[pid] = time.monotonic() + timeouts.get().supervisor_grace_seconds
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def _replace(self) -> None:
        notify("RELOADING=1")
        try:
            config = self._reload()
        except ConfigError as error:
            log.config_refused(faults=error.faults)
            self._status.refuse(len(error.faults))
        else:
            self._config = config
            self._status.accept()
            self._shown.serve(config.metrics)
            old = list(self._workers)
            self._workers.clear()
            self._fill()
            for pid in old:
                self._dismiss(pid)
            log.config_reloaded(path=str(config.path))
        self._status.tell(len(self._workers), self._config.workers)
        notify("READY=1")

    def _stop(self, why: str) -> int:
        notify("STOPPING=1\nSTATUS=finishing the messages in flight")
        if why:
            log.stopping(signal=why)
        self._shown.stop()
        self._isolation.stop()
        for pid in list(self._workers):
            self._dismiss(pid)
        while self._leaving:
            self._reap()
            time.sleep(timeouts.get().supervisor_poll_seconds)
        if self._socket.kind == "unix":
            Path(self._socket.path).unlink(missing_ok=True)
        return os.EX_OK


def listen(socket: Socket) -> int:
    """Open the milter's socket, so that every worker forked from here answers on it.

    A unix socket is made under another name and then renamed: a stale one is replaced at once, and
    what libmilter unlinks when a worker ends is not the socket. It is 0660; its group comes from
    its directory. The descriptor does not block, because a worker that loses the race for a
    connection would sit in accept() and not hear SIGTERM.

    Args:
        socket: where to listen.

    Returns:
        The descriptor.

    Raises:
        milter.error: it cannot be opened.
        OSError: it cannot be renamed.
    """
    path = Path(f"{socket.path}.tmp") if socket.kind == "unix" else None
    milter.setconn(f"unix:{path}" if path else socket.libmilter)
    milter.register("conversation-tracker")
    before = _find_listeners()
    mask = os.umask(0o117)
    try:
        milter.opensocket(True)
    finally:
        os.umask(mask)
    if path is not None:
        path.rename(socket.path)
    [listener] = _find_listeners() - before
    os.set_blocking(listener, False)
    return listener


def _find_listeners() -> set[int]:
    """Find our descriptors that take connections; libmilter does not say which is its own."""
    found = set()
    for descriptor in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError), sockets.socket(fileno=os.dup(int(descriptor.name))) as handle:
            if handle.getsockopt(sockets.SOL_SOCKET, sockets.SO_ACCEPTCONN):
                found.add(int(descriptor.name))
    return found
