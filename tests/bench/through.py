"""Mail through a private Postfix, with one listener for each milter, to smtp-sink.

All listeners share every other setting of the one Postfix, which `configure` has set up for the
tracker. What is measured is how long it takes until the last message has been delivered.
"""

import pwd
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bench import programs
from bench.programs import Load
from private import processes
from private.mailhost import MailHost
from private.ports import free_port
from private.reaper import Reaper

_SESSIONS = 10
_QUEUES = ("maildrop", "incoming", "active")
_LISTENER = """\
127.0.0.1:{port} inet n - n - - smtpd
  -o smtpd_milters={socket}
  -o milter_macro_daemon_name=smtpd
"""


class Through:
    """Postfix with its listeners, from `with` to the end of the block."""

    def __init__(
        self, database: str, sockets: Mapping[str, Path | None], send: Path, workers: int
    ) -> None:
        """Prepare it.

        Args:
            database: the tracker's.
            sockets: the socket of each milter, by name; None for no milter.
            send: the compiled generator.
            workers: how many processes the tracker has.
        """
        self._send = send
        self._stack = ExitStack()
        self._sockets = sockets
        self._host = MailHost(database, options={"workers": str(workers)})
        self._ports: dict[str, int] = {}
        self._logged = 0

    def __enter__(self) -> Self:
        with self._stack:
            host = self._stack.enter_context(self._host)
            self._sink()
            host.postfix.configure({"default_transport": f"smtp:[127.0.0.1]:{self._sink_port}"})
            sockets = {"tracker": host.postfix.postconf("smtpd_milters")}
            sockets |= {n: f"unix:{path}" if path else "" for n, path in self._sockets.items()}
            for name, socket in sockets.items():
                port = self._ports[name] = free_port()
                host.postfix.add_master(_LISTENER.format(port=port, socket=socket))
            host.postfix.restart()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def tracker(self) -> int:
        """Return the tracker's process id."""
        return self._host.tracker.pid

    def rate(self, milter: str, load: Load) -> float:
        """Send mail through one of the listeners; give the messages delivered in a second.

        Raises:
            RuntimeError: mail was refused, or not delivered.
        """
        start = time.perf_counter()
        programs.run(self._send, str(self._ports[milter]), _SESSIONS, load)
        if not processes.until(self._idle, 120.0, interval=0.01):
            raise RuntimeError(f"mail is left: {self._host.postfix.log_text()[-2000:]}")
        seconds = time.perf_counter() - start
        # Postfix's log is another process's to write, and its last lines may be on their way.
        processes.until(lambda: self._delivered() >= load.count, 10.0, interval=0.01)
        if (delivered := self._delivered()) != load.count:
            raise RuntimeError(f"{delivered} of {load.count} messages were delivered")
        self._logged += delivered
        return load.count / seconds

    def _sink(self) -> None:
        """Start smtp-sink, which takes everything and keeps nothing."""
        reaper = self._stack.enter_context(Reaper("smtp-sink"))
        self._sink_port = free_port()
        command = ["/usr/sbin/smtp-sink", "-u", "nobody", f"127.0.0.1:{self._sink_port}", "1000"]
        assert pwd.getpwnam("nobody")
        reaper.spawn(command, log=reaper.directory / "log")

    def _idle(self) -> bool:
        queue = self._host.postfix.directory / "queue"
        return not any(any((queue / name).iterdir()) for name in _QUEUES)

    def _delivered(self) -> int:
        """Count what was delivered since the last load."""
        return self._host.postfix.log_text().count(" status=sent ") - self._logged
