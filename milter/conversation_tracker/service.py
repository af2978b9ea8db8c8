"""The parent process of `serve`: holds the socket, and keeps the workers alive.

The parent opens the socket, starts the workers (`worker`), and starts another when one dies; when
they die as soon as they start it gives up. SIGTERM and SIGINT let the workers finish the messages
in flight; SIGHUP reads the configuration again and replaces the workers one after the other, the
socket stays. Readiness, reloads and the watchdog are told to systemd. What goes wrong before the
first worker runs is raised as it is; afterwards it is logged.
"""

import os
import select
import signal
import socket as sockets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import milter

from conversation_tracker import __version__
from conversation_tracker.config import Config, ConfigError
from conversation_tracker.logs import log
from conversation_tracker.metrics import metrics
from conversation_tracker.metrics_process import MetricsProcess
from conversation_tracker.options import Socket
from conversation_tracker.worker import work

_YOUNG = 5.0  # seconds; a worker that dies younger than this died at once
_PATIENCE = 5  # workers that may die at once before we give up
_GRACE = 20.0  # seconds a worker has to finish what is in flight
_TICK = 1.0  # seconds between looks at workers and watchdog


class Service:
    """The workers of one `serve`, and the signals they are led by."""

    def __init__(self, config: Config, reload: Callable[[], Config]) -> None:
        """Prepare to serve.

        Args:
            config: the configuration.
            reload: reads it again; raises ConfigError.
        """
        self._config = config
        self._reload = reload
        self._workers: dict[int, float] = {}
        self._leaving: dict[int, float] = {}
        self._rows: dict[int, int] = {}
        self._shown = MetricsProcess(metrics)
        self._died_young = 0
        self._signals: list[int] = []
        self._ready = False
        self._told, self._tell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> int:
        """Serve until told to stop.

        Returns:
            The exit code: 0 when told to stop, 75 when the workers would not stay alive.
        """
        listen(self._config.socket)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._note)
        signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        self._shown.serve(self._config.metrics)
        while True:
            self._fill()
            self._shown.tick()
            self._wait()
            self._reap()
            for told in self._taken():
                if told == signal.SIGHUP:
                    self._replace()
                elif told in (signal.SIGTERM, signal.SIGINT):
                    return self._stop(signal.Signals(told).name)
            if self._died_young >= _PATIENCE:
                self._stop("workers die as soon as they start")
                return os.EX_TEMPFAIL

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _taken(self) -> list[int]:
        taken, self._signals = self._signals, []
        return taken

    def _fill(self) -> None:
        """Start the workers that lack; after an early death, no faster than one a tick."""
        while len(self._workers) < self._config.workers:
            row = metrics.take()
            pid = os.fork()
            if pid == 0:
                self._become_worker(row)
            self._workers[pid] = time.monotonic()
            self._rows[pid] = row
            metrics.running(len(self._workers))
            log.worker_started(pid=pid)
            if self._died_young:
                return

    def _become_worker(self, row: int) -> None:
        code = os.EX_SOFTWARE
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            metrics.use(row)
            work(self._config, lambda: os.write(self._tell, b"\0"))
            code = os.EX_OK
        finally:
            # The parent's exit handlers are not ours to run, nor may threads outlive us.
            os._exit(code)

    def _wait(self) -> None:
        """Wait for a signal, a worker's word that it is ready, or the next tick."""
        readable, _, _ = select.select([self._told], [], [], _TICK)
        if readable:
            with suppress(BlockingIOError):
                said = os.read(self._told, 4096)
                if b"\0" in said and not self._ready:
                    self._ready = True
                    notify("READY=1")
                    socket = str(self._config.socket)
                    log.ready(socket=socket, workers=self._config.workers, version=__version__)
        if self._leaving:
            self._nudge()
        notify("WATCHDOG=1")

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
            self._buried(pid, os.waitstatus_to_exitcode(status))

    def _buried(self, pid: int, code: int) -> None:
        if self._shown.buried(pid):
            return
        metrics.give_back(self._rows.pop(pid, 0))
        started = self._workers.pop(pid, None)
        if self._leaving.pop(pid, None) is not None or started is None:
            return
        log.worker_died(pid=pid, status=code)
        metrics.restarted()
        metrics.running(len(self._workers))
        young = time.monotonic() - started < _YOUNG
        self._died_young = self._died_young + 1 if young else 0

    def _dismiss(self, pid: int) -> None:
        """Tell a worker to finish what it has and go."""
        self._workers.pop(pid, None)
        self._leaving[pid] = time.monotonic() + _GRACE
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def _nudge(self) -> None:
        """Wake the workers' listeners: libmilter looks for a stop only every five seconds."""
        where = self._config.socket
        with suppress(OSError):
            if where.kind == "inet":
                sockets.create_connection((where.host, where.port), timeout=0.2).close()
                return
            with sockets.socket(sockets.AF_UNIX) as handle:
                handle.settimeout(0.2)
                handle.connect(where.path)

    def _replace(self) -> None:
        notify("RELOADING=1")
        try:
            config = self._reload()
        except ConfigError as error:
            log.config_refused(faults=error.faults)
        else:
            self._config = config
            self._shown.serve(config.metrics)
            old = list(self._workers)
            self._workers.clear()
            self._fill()
            for pid in old:
                self._dismiss(pid)
            log.config_reloaded(path=str(config.path))
        notify("READY=1")

    def _stop(self, why: str) -> int:
        notify("STOPPING=1")
        log.stopping(signal=why)
        self._shown.stop()
        for pid in list(self._workers):
            self._dismiss(pid)
        while self._leaving:
            self._nudge()
            self._reap()
            time.sleep(0.05)
        if self._config.socket.kind == "unix":
            Path(self._config.socket.path).unlink(missing_ok=True)
        return os.EX_OK


def listen(socket: Socket) -> None:
    """Open the milter's socket, so that every worker forked from here answers on it.

    A unix socket is made under another name and then renamed: a stale one is replaced at once, and
    what libmilter unlinks when a worker ends is not the socket. It is 0660; its group comes from
    its directory. The descriptor does not block, because a worker that loses the race for a
    connection would sit in accept() and not hear SIGTERM.

    Args:
        socket: where to listen.

    Raises:
        milter.error: it cannot be opened.
        OSError: it cannot be renamed.
    """
    path = Path(f"{socket.path}.tmp") if socket.kind == "unix" else None
    milter.setconn(f"unix:{path}" if path else socket.libmilter)
    milter.register("conversation-tracker")
    mask = os.umask(0o117)
    try:
        milter.opensocket(True)
    finally:
        os.umask(mask)
    if path is not None:
        path.rename(socket.path)
    for descriptor in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):
            _unblock(int(descriptor.name))


def _unblock(number: int) -> None:
    with sockets.socket(fileno=os.dup(number)) as handle:
        if handle.getsockopt(sockets.SOL_SOCKET, sockets.SO_ACCEPTCONN):
            os.set_blocking(number, False)


def notify(state: str) -> None:
    """Tell systemd a state (sd_notify(3)); nothing happens where there is no systemd."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), sockets.socket(sockets.AF_UNIX, sockets.SOCK_DGRAM) as handle:
        handle.sendto(state.encode("ascii"), address)
