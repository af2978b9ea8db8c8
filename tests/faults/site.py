"""A whole mail host on a database of its own, with what can hurt each part of it.

Mail goes from Postfix by a relay to the tracker, from the tracker by a relay to PostgreSQL, then
by a second milter, which can refuse, to the splitter, the second pass and the sink. After a fault
`heal` makes everything whole again; `settle` waits until no mail is left on its way.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import psycopg

from conversation_tracker.database.migrate import migrate
from private import processes
from private.mailhost import MailHost
from private.postgres import Postgres, parent_directory
from private.publisher import Publisher
from private.reaper import Reaper

from . import feed, webhooks
from .ledger import Ledger, timeline
from .load import DOMAIN, SHOP, Load, Order
from .relay import DatabaseRelay, MilterRelay

sys.path.append(str(Path(__file__).resolve().parents[1] / "milter"))
from peer import Peer

CONNECTIONS = 40
_STORE = (
    "INSERT INTO tracker.stores (name, alias_domain, sender_domains, issuer_mask, hourly_limit)"
    " VALUES ('shop', %s, '{shop.example}', 'hard', 1000000)"
)
_MASK = "SELECT tracker.mask('shop', %s, %s, %s)"
_END_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'conversation-tracker'"
)
# Mail that had to wait is tried again at once, not after minutes; everything may be busy at once.
_SETTINGS = {
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "1s",
    "queue_run_delay": "1s",
    "default_destination_concurrency_failed_cohort_limit": "1000",
    "smtpd_client_event_limit_exceptions": "static:all",
}


class Site:
    """The servers, from `with` to the end of the block.

    `postgres`, `host` (Postfix, tracker, sink), `publisher`, `receiver` (of webhooks), `wire`
    (before the milter), `cable` (before the database) and `signer` (the milter behind) may be hurt
    by whoever has the site.
    `uri` goes straight to the database.
    """

    def __init__(self, *, workers: int = 2, orders: int = 12) -> None:
        self._workers, self._count = workers, orders
        self._stack = ExitStack()
        self.ledger = Ledger()
        self._died = 0
        self._feed_from = 0
        self.orders: list[Order] = []

    def __enter__(self) -> Self:
        with self._stack:
            start = self._stack.enter_context
            reaper = start(Reaper("nospace"))
            self._full = reaper.directory / "full"
            self.postgres = start(self._database(reaper.directory))
            self.uri = self.postgres.create_database("tracker")
            migrate(self.uri)
            self._fill()
            self.cable = start(DatabaseRelay(self.postgres.port))
            self.signer = start(Peer())
            self.wire = start(MilterRelay(lambda: self.host.tracker.socket))
            self.host = MailHost(
                f"postgresql://postgres@127.0.0.1:{self.cable.port}/tracker",
                [DOMAIN],
                signer=self.signer.address,
                socket=self.wire.address,
                settings=_SETTINGS,
                options={"workers": str(self._workers)},
            )
            start(self.host)
            with self.host.tracker.config.open("a") as file:
                file.write("[publish]\nallow_private = yes\n")
            self.receiver = start(webhooks.receiving(webhooks.take))
            webhooks.add(self.uri, self.receiver)
            self.publisher = start(
                Publisher(
                    reaper.directory / "publisher", command=self.host.tracker.command("publish")
                )
            )
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _database(self, folder: Path) -> Postgres:
        library = folder / "nospace.so"
        source = Path(__file__).with_name("nospace.c")
        command = ["gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, source]
        subprocess.run([*command, "-ldl"], check=True)
        environment = {
            "LD_PRELOAD": str(library),
            "NOSPACE_FLAG": str(self._full),
            "NOSPACE_FOLDER": f"{parent_directory(durable=False)}/",
        }
        settings = {
            "max_connections": str(CONNECTIONS),
            "autovacuum": "off",
            "track_commit_timestamp": "on",
        }
        return Postgres(fsync=False, settings=settings, environment=environment)

    def _fill(self) -> None:
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(_STORE, (DOMAIN,))
            for number in range(self._count):
                order = Order(f"A{number}", {})
                people = {
                    SHOP: "store",
                    f"buyer-{number}@customers.example": "buyer",
                    f"desk-{number}@carrier.example": "partner",
                    f"teller-{number}@bank.example": "partner",
                }
                for address, role in people.items():
                    row = connection.execute(_MASK, (order.number, address, role)).fetchone()
                    assert row is not None
                    order.aliases[address] = row[0]
                self.orders.append(order)

    def fresh(self) -> None:
        """Begin to count anew."""
        self.ledger = Ledger()
        self.settle_feed()
        self._feed_from = feed.head(self.uri)
        self.receiver.got.clear()
        self._died = len(self.host.tracker.events("worker-died"))
        self.host.sink.clear()
        with psycopg.connect(self.uri) as connection:
            connection.execute("TRUNCATE tracker.messages CASCADE")

    # What is sent

    def load(self, **more: Any) -> Load:
        """Make clients that write to the site's orders; arguments as those of Load."""
        return Load(self.host.postfix.port, self.orders, self.ledger, **more)

    def flows(self, count: int = 4, seconds: float = 30.0) -> None:
        """Wait until so many more recipients were answered 250."""
        before = self.ledger.outcomes()["taken"]
        if not processes.until(lambda: self.ledger.outcomes()["taken"] >= before + count, seconds):
            raise TimeoutError(f"no mail flows: {self.ledger.outcomes()}\n{self.trouble()}")

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until nothing is left in Postfix's queue, and all copies came to the sink."""
        give_up = time.monotonic() + seconds
        while self.host.postfix.queue():
            if time.monotonic() > give_up:
                raise TimeoutError(f"mail is left: {self.host.postfix.queue()}\n{self.trouble()}")
            self.host.postfix.flush()
            time.sleep(0.2)

    def counted(self) -> list[str]:
        """Settle, and count all sides; what is wrong, one line each."""
        self.settle()
        self.settle_feed()
        faults = self.ledger.faults(self.host.sink.messages, timeline(self.uri))
        faults += feed.faults(self.uri, self._feed_from)
        faults += webhooks.faults(self.uri, self._feed_from, list(self.receiver.got))
        return faults + [f"a worker ended with status {status}" for status in self.crashes()]

    def settle_feed(self, seconds: float = 120.0) -> None:
        """Wait until every event is published, and sent to the receiver of webhooks."""
        if not processes.until(lambda: feed.queued(self.uri) == 0, seconds, 0.1):
            raise TimeoutError(
                f"events wait: {feed.queued(self.uri)}\n{self.publisher.log_text()[-2000:]}"
            )
        if not processes.until(lambda: webhooks.waiting(self.uri) == 0, seconds, 0.5):
            raise TimeoutError(f"webhooks wait\n{self.publisher.log_text()[-2000:]}")

    def crashes(self) -> list[int]:
        """Return the status of each worker that ended otherwise than by being killed or told to."""
        died = self.host.tracker.events("worker-died")[self._died :]
        return [line["status"] for line in died if line["status"] not in (0, -signal.SIGKILL)]

    def recorded(self) -> tuple[int, int]:
        """Count the messages and the deliveries in the timeline."""
        with psycopg.connect(self.uri) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM tracker.messages),"
                " (SELECT count(*) FROM tracker.deliveries)"
            ).fetchone()
        assert row is not None
        return int(row[0]), int(row[1])

    def trouble(self) -> str:
        """Return the end of each log, for the one who must find out what was wrong."""
        logs = (
            self.host.tracker.log_text(),
            self.host.postfix.log_text(),
            self.postgres.log_text(),
        )
        return "\n---\n".join("\n".join(text.splitlines()[-15:]) for text in logs)

    # What hurts

    def workers(self) -> list[int]:
        """Return the tracker's worker processes; none while it does not run."""
        process = self.host.tracker.process
        if process is None:
            return []
        # The parent has others for a moment.
        started = {line["pid"] for line in self.host.tracker.events("worker-started")}
        return [pid for pid in processes.family(process) if pid in started]

    def kill_workers(self) -> None:
        """Kill all workers; their parent starts others."""
        for pid in self.workers():
            self.signal(pid, signal.SIGKILL)

    def signal(self, pid: int, number: int) -> None:
        """Signal a process, which may have ended by itself meanwhile."""
        with suppress(ProcessLookupError):
            os.kill(pid, number)

    def cut_postfix(self) -> None:
        """Kill Postfix, and start it again."""
        self.ledger.cuts.append(time.time())
        self.host.postfix.kill()
        self.ledger.cuts[-1] = time.time()
        self.host.postfix.start()

    def stop_postfix(self) -> None:
        """Stop Postfix, and start it again; to what it was just handing on this is a cut too."""
        self.ledger.cuts.append(time.time())
        self.host.postfix.restart()

    @contextmanager
    def full(self) -> Iterator[None]:
        """Let no file of the database grow."""
        self._full.touch(mode=0o644)
        try:
            yield
        finally:
            self._full.unlink()

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Let the database refuse to write."""
        self._system("ALTER SYSTEM SET default_transaction_read_only = on")
        try:
            yield
        finally:
            self._system("ALTER SYSTEM RESET default_transaction_read_only")

    @contextmanager
    def crowded(self) -> Iterator[None]:
        """Take all connections the database has, those of the tracker too.

        Nobody comes to the database meanwhile: who is just connecting has no session yet that
        could be ended, and would have one afterwards.
        """
        held: list[psycopg.Connection] = []

        def is_full() -> bool:
            with suppress(psycopg.OperationalError):
                held.append(psycopg.connect(self.uri, autocommit=True))
            return len(held) == CONNECTIONS

        try:
            self.cable.hold()
            self.cable.cut()
            full = processes.until(is_full, 30, 0.01)
            self.cable.flow()
            if not full:
                raise TimeoutError(f"others keep {CONNECTIONS - len(held)} connections")
            yield
        finally:
            self.cable.flow()
            for connection in held:
                connection.close()

    def end_sessions(self) -> None:
        """End the tracker's sessions, as an administrator does."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(_END_SESSIONS)

    @contextmanager
    def locked(self) -> Iterator[psycopg.Connection]:
        """Hold the rows of all orders, so that nothing can be recorded."""
        with psycopg.connect(self.uri) as connection:
            connection.execute("SELECT FROM tracker.orders FOR UPDATE")
            yield connection

    def waiting(self) -> int:
        """Count the statements that wait for a lock."""
        with psycopg.connect(self.uri) as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            ).fetchone()
        return int(row[0]) if row else 0

    def _system(self, statement: str) -> None:
        with psycopg.connect(
            self.uri, autocommit=True, options="-c default_transaction_read_only=off"
        ) as connection:
            connection.execute(statement.encode())
            connection.execute("SELECT pg_reload_conf()")
