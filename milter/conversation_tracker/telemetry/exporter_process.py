"""The parent's hold on the process that serves the metrics: it starts, replaces and ends it.

Mail never waits for it, and nothing fails with it: an address that cannot be had, or a process that
died, is logged once and tried again every ten seconds.
"""

import ctypes
import os
import signal
import time
from contextlib import suppress

from conversation_tracker.base import timeouts
from conversation_tracker.telemetry.counters import Metrics
from conversation_tracker.telemetry.events import log

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class MetricsProcess:
    """One child at most, that serves where it was told to."""

    def __init__(self, metrics: Metrics) -> None:
        """Serve these numbers, once it is known where."""
        self._metrics = metrics
        self._where: tuple[str, int] | None = None
        self._pid = 0
        self._due = 0.0
        self._logged = False

    def serve(self, where: tuple[str, int] | None) -> None:
        """Serve at this host and port from now on; None: nowhere."""
        if where == self._where:
            return
        self.stop()
        self._where, self._due, self._logged = where, 0.0, False

    def tick(self) -> None:
        """Start the process if it lacks and is due."""
        if self._where is None or self._pid or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + timeouts.get().metrics_retry_seconds
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            self._become(parent)

    def handle_exit(self, pid: int, code: int) -> bool:
        """Take note of a child that ended with an exit code; tell whether it was this one."""
        if pid != self._pid:
            return False
        self._pid, self._logged = 0, code == os.EX_UNAVAILABLE
        return True

    def stop(self) -> None:
        """End the process, and wait for it."""
        if self._pid:
            with suppress(OSError):
                os.kill(self._pid, signal.SIGKILL)  # it holds nothing
                os.waitpid(self._pid, 0)
            self._pid = 0

    def _become(self, parent: int) -> None:
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() == parent:
                self._serve()
        finally:
            os._exit(os.EX_UNAVAILABLE)

    def _serve(self) -> None:
        assert self._where is not None
        host, port = self._where
        try:
            # Only here: whoever has no metrics does not pay for the library.
            from conversation_tracker.telemetry.exporter import listen

            made = listen(self._metrics, self._where)
        except Exception as error:
            if not self._logged:
                log.metrics_unavailable(error)
            return
        log.metrics(where=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        made.serve_forever()
