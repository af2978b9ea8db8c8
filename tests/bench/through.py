"""Mail through a private Postfix, with one listener for each milter, to smtp-sink.

All listeners share every other setting of the one Postfix, which `configure` has set up for the
tracker. What is measured is how long it takes until the last message has been delivered, and the
processor time that Postfix, the milter and PostgreSQL took for it; sender and sink have no part in
that.
"""

import pwd
import re
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench import programs, usage
from bench.milters import Milter
from bench.programs import Load
from bench.world import World
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


@dataclass(frozen=True, slots=True)
class Cost:
    """What one load took: messages delivered in a second, and milliseconds of processors for each.

    `milter_ms` is of all the milter's processes, 0 without one; `database_ms` counts for the
    tracker only.
    """

    rate: float
    postfix_ms: float
    milter_ms: float
    database_ms: float


class Through:
    """Postfix with its listeners, from `with` to the end of the block."""

    def __init__(
        self, world: World, milters: Mapping[str, Milter | None], send: Path, workers: int
    ) -> None:
        """Prepare it.

        Args:
            world: the tracker's database.
            milters: each milter beside the tracker, by name; None for none at all.
            send: the compiled generator.
            workers: how many processes the tracker has.
        """
        self._send = send
        self._stack = ExitStack()
        self._milters = milters
        self._database = world.postgres
        self._host = MailHost(world.uri, options={"workers": str(workers)})
        self._ports: dict[str, int] = {}
        self._logged = 0

    def __enter__(self) -> Self:
        with self._stack:
            host = self._stack.enter_context(self._host)
            self._sink()
            host.postfix.configure({"default_transport": f"smtp:[127.0.0.1]:{self._sink_port}"})
            sockets = {"tracker": host.postfix.postconf("smtpd_milters")}
            sockets |= {n: f"unix:{m.socket}" if m else "" for n, m in self._milters.items()}
            for name, socket in sockets.items():
                port = self._ports[name] = free_port()
                host.postfix.add_master(_LISTENER.format(port=port, socket=socket))
            host.postfix.restart()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, milter: str, load: Load, copies: int = 1) -> Cost:
        """Send mail through one of the listeners, and wait until it is delivered.

        Args:
            milter: whose listener.
            load: what to send.
            copies: recipients of each message.

        Raises:
            RuntimeError: mail was refused, or not delivered.
        """
        before = self._count_seconds(milter)
        start = time.perf_counter()
        programs.run(self._send, str(self._ports[milter]), _SESSIONS, load)
        if not processes.until(self._idle, 120.0, interval=0.01):
            raise RuntimeError(f"mail is left: {self._host.postfix.log_text()[-2000:]}")
        seconds = time.perf_counter() - start
        used = [now - old for now, old in zip(self._count_seconds(milter), before, strict=True)]
        # Postfix's log is another process's to write, and its last lines may be on their way.
        wanted = load.count * copies
        processes.until(lambda: self._delivered() >= wanted, 10.0, interval=0.01)
        if (delivered := self._delivered()) != wanted:
            raise RuntimeError(f"{delivered} of {wanted} copies were delivered")
        self._logged += delivered
        return Cost(load.count / seconds, *(each * 1000 / load.count for each in used))

    def _count_seconds(self, milter: str) -> tuple[float, float, float]:
        """Count the processor time of Postfix, of a milter and of what it keeps its data in."""
        postfix = usage.seconds(self._host.postfix.pid)
        if milter == "tracker":
            tracker = usage.seconds(self._host.tracker.pid)
            return postfix, tracker, usage.seconds(self._database.pid)
        other = self._milters[milter]
        return postfix, 0.0 if other is None else usage.seconds(other.pid), 0.0

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
        """Count the copies that the sink got since the last load; the splitter gets some too."""
        sink = rf" relay=127\.0\.0\.1\[127\.0\.0\.1\]:{self._sink_port}, .* status=sent "
        sent = re.findall(sink, self._host.postfix.log_text())
        return len(sent) - self._logged
