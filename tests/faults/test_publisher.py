"""Publishers killed, the database killed, connections cut: every event once, in its place."""

import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from conversation_tracker.database.migrate import migrate
from private import processes
from private.postgres import Postgres
from private.publisher import Publisher

from .feed import head, queued

ORDERS = 5
_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE application_name = 'conversation-tracker'"
)


class Writer:
    """What commits events, some in long transactions, and knows which were committed, in order."""

    def __init__(self, uri: str, order: int) -> None:
        self.uri, self.order = uri, order
        self.committed: list[int] = []
        self.unsure: set[int] = set()
        self._chance = random.Random(order)
        self._number = 0

    def run(self, stopped: threading.Event) -> None:
        """Write until told to stop, whatever becomes of the connection."""
        while not stopped.is_set():
            with suppress(psycopg.Error), psycopg.connect(self.uri) as connection:
                while not stopped.is_set():
                    self._write(connection)

    def _write(self, connection: psycopg.Connection) -> None:
        self._number += 1
        number = self._number
        # As every function that tells of an order under its lock.
        connection.execute(
            "SELECT FROM tracker.orders WHERE id = %s FOR NO KEY UPDATE", (self.order,)
        )
        connection.execute(
            "SELECT tracker.note_event('closed', %s, detail => jsonb_build_object('n', %s::int))",
            (self.order, number),
        )
        time.sleep(self._chance.choice([0, 0, 0, 0.01, 0.3]))
        if self._chance.random() < 0.1:
            connection.rollback()
            return
        self.unsure.add(number)
        connection.commit()
        self.unsure.discard(number)
        self.committed.append(number)


@pytest.fixture
def server() -> Iterator[Postgres]:
    with Postgres(fsync=False) as found:
        yield found


def test_every_event_is_published_once_whatever_dies(server: Postgres, tmp_path: Path) -> None:
    """Two publishers, as on two hosts; one commit whose answer was lost may be there or not."""
    uri = server.create_database("tracker")
    migrate(uri)
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain) VALUES ('s', 'ct.example.com')"
        )
        for number in range(ORDERS):
            connection.execute("SELECT tracker.mask('s', %s, 'john@doe.example')", (str(number),))
        orders = [row[0] for row in connection.execute("SELECT id FROM tracker.orders ORDER BY id")]
    writers = [Writer(uri, order) for order in orders]
    publishers = [Publisher(tmp_path / name, uri) for name in ("first", "second")]
    stopped = threading.Event()
    threads = [threading.Thread(target=writer.run, args=(stopped,)) for writer in writers]
    try:
        for each in (*threads, *publishers):
            each.start()
        hurt(server, uri, publishers)
        stopped.set()
        for thread in threads:
            thread.join()
        assert processes.until(lambda: queued(uri) == 0, 90), publishers[0].log_text()
        assert [publisher.end() for publisher in publishers] == [0, 0]
    finally:
        stopped.set()
        for publisher in publishers:
            publisher.close()
    check(uri, writers)
    assert sum(len(publisher.events("publishing")) for publisher in publishers) > 2
    assert [line for each in publishers for line in each.events("error")] == []


def hurt(server: Postgres, uri: str, publishers: list[Publisher]) -> None:
    """Let one thing after another die, each while events are published."""
    chance = random.Random(7)
    for what in chance.sample(["kill"] * 6 + ["sessions"] * 2 + ["database"] * 2, 10):
        before = head(uri)
        publishers[0].until(lambda before=before: head(uri) > before)
        time.sleep(chance.uniform(0, 0.5))
        if what == "kill":
            publisher = chance.choice(publishers)
            publisher.end(signal.SIGKILL)
            publisher.start()
        elif what == "sessions":
            with psycopg.connect(uri, autocommit=True) as connection:
                connection.execute(_END)
        else:
            server.kill()
            server.start()


def check(uri: str, writers: list[Writer]) -> None:
    """See that positions have no gap, and that each writer's events are there, in their order."""
    with psycopg.connect(uri) as connection:
        rows = connection.execute(
            "SELECT position, order_id, detail -> 'n' FROM tracker.feed ORDER BY position"
        ).fetchall()
        [(head,)] = connection.execute("SELECT position FROM tracker.feed_head").fetchall()
    assert [row[0] for row in rows] == list(range(1, head + 1))
    told: defaultdict[int, list[int]] = defaultdict(list)
    for _, order, number in rows:
        if number is not None:
            told[order].append(number)
    assert sum(map(len, told.values())) > 100
    for writer in writers:
        sure = [number for number in told[writer.order] if number not in writer.unsure]
        assert sure == writer.committed
        assert told[writer.order] == sorted(set(told[writer.order]))
