"""The publisher: one at a time, it gives queued events gapless positions, and ends when told to."""

import itertools
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock
from uuid import uuid4

import psycopg
import pytest
from publisher import feed, publish

from conversation_tracker.base import timeouts
from conversation_tracker.base.stop import Stopped
from conversation_tracker.config.config import Config, load
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.deadline import Watchdog
from conversation_tracker.database.publishing.feed import publish_events
from conversation_tracker.database.publishing.lock import PublishingLock
from conversation_tracker.publish import run
from conversation_tracker.publish.feed import Feed
from conversation_tracker.telemetry.log_setup import configure
from private import processes
from private.ports import free_port
from private.publisher import Publisher

if TYPE_CHECKING:
    from tests.database.conftest import Shop

    from private.postgres import Postgres


@pytest.fixture
def publisher(tmp_path: Path, shop: "Shop") -> Iterator[Publisher]:
    """Return a publisher that was not started."""
    found = Publisher(tmp_path, shop.uri)
    yield found
    found.close()


def queue(shop: "Shop", *details: str, number: str = "1") -> None:
    """Queue an event with each of these details."""
    for detail in details:
        shop.rows(
            "SELECT tracker.note_event('closed', %s,"
            " detail => jsonb_build_object('tag', %s::text))",
            shop.order(number)["id"], detail,
        )  # fmt: skip


def published(shop: "Shop") -> list[str]:
    """Return the details in the store's feed of what `queue` queued."""
    found = feed(shop.connection, shop.name)
    return [detail["tag"] for event, _, _, detail in found if event == "closed"]


def test_it_publishes_what_is_queued_and_ends_when_told_to(
    shop: "Shop", publisher: Publisher
) -> None:
    shop.mask("a@x.example")
    publisher.start("publishing")
    queue(shop, "a", "b")
    publisher.until(lambda: published(shop) == ["a", "b"])
    queue(shop, "c")
    publisher.until(lambda: published(shop) == ["a", "b", "c"])
    assert publisher.end() == 0
    assert [line["signal"] for line in publisher.events("stopping")] == ["SIGTERM"]
    queue(shop, "d")
    publisher.start("publishing")
    publisher.until(lambda: published(shop) == ["a", "b", "c", "d"])
    assert publisher.end(signal.SIGINT) == 0


def test_positions_have_no_gap_and_each_event_has_one(shop: "Shop") -> None:
    publish(shop.uri)
    head = shop.one("SELECT position FROM tracker.feed_head")
    shop.mask("a@x.example")
    queue(shop, *"abcdefg")
    with Connection.connect(shop.uri, limits=timeouts.get().publish) as connection:
        taken = [publish_events(connection, 0, 3) for _ in range(5)]
    assert sum(each.published for each in taken) == sum(each.events for each in taken) >= 7
    positions = [
        row[0] for row in shop.rows("SELECT position FROM tracker.feed WHERE position > %s", head)
    ]
    assert sorted(positions) == list(range(head + 1, head + 1 + len(positions)))
    assert shop.one("SELECT position FROM tracker.feed_head") == max(positions)
    assert published(shop) == list("abcdefg")
    assert shop.rows("SELECT id FROM tracker.event_queue") == []


def test_an_open_transaction_delays_nobody_else(shop: "Shop") -> None:
    shop.mask("a@x.example", "1")
    shop.mask("a@x.example", "2")
    with psycopg.connect(shop.uri) as other:
        other.execute("SELECT tracker.note_event('closed', %s, detail => '{\"tag\": \"late\"}')",
                      (shop.order("1")["id"],))  # fmt: skip
        queue(shop, "early", number="2")
        publish(shop.uri)
        assert published(shop) == ["early"]
        other.commit()
    publish(shop.uri)
    assert published(shop) == ["early", "late"]


def test_what_is_rolled_back_never_happened(shop: "Shop") -> None:
    shop.mask("a@x.example")
    with psycopg.connect(shop.uri) as other:
        other.execute("SELECT tracker.note_event('closed', %s)", (shop.order()["id"],))
        other.rollback()
    publish(shop.uri)
    assert published(shop) == []


def test_of_several_one_publishes_and_another_goes_on(
    shop: "Shop", publisher: Publisher, tmp_path: Path
) -> None:
    shop.mask("a@x.example")
    second = Publisher(tmp_path / "second", shop.uri)
    try:
        publisher.start("publishing")
        second.start("publisher-waits")
        queue(shop, "a")
        publisher.until(lambda: published(shop) == ["a"])
        assert second.events("publishing") == []
        publisher.end(signal.SIGKILL)
        queue(shop, "b")
        second.until(lambda: published(shop) == ["a", "b"])
        assert len(second.events("publishing")) == 1
        assert second.end() == 0
    finally:
        second.close()


def test_a_step_that_fails_keeps_the_others_from_nothing(
    shop: "Shop", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is tried again with each turn, and told once; a companion that fails is started again."""
    turns, tried, started = itertools.count(1), [], []

    def fail(connection: Connection) -> bool:
        tried.append(connection.info.backend_pid)
        connection.execute("SELECT 1 / 0")
        return True

    def companion(_config: Config, stopped: threading.Event) -> None:
        started.append(stopped)
        stopped.wait()

    def sleep(_seconds: float) -> None:
        if next(turns) > 5:
            raise Stopped

    shop.mask("a@x.example")
    queue(shop, "a")
    path = tmp_path / "tracker.conf"
    path.write_text(f"[tracker]\ndatabase = {shop.uri}\nsocket = unix:{tmp_path}/x.sock\n")
    configure("json")
    found = run._Publisher(load(path, {}), sleep, [fail, Feed().publish], [companion])
    try:
        with pytest.raises(Stopped):
            found.run()
    finally:
        found.close()
    assert published(shop) == ["a"]
    assert len(tried) == 6
    assert len(set(tried)) == 1
    assert [each.is_set() for each in started] == [True]
    said = capsys.readouterr().err
    assert said.count('"sqlstate":"22012"') == 1


def test_without_a_database_it_waits_and_ends_when_told_to(tmp_path: Path) -> None:
    found = Publisher(tmp_path, f"postgresql://127.0.0.1:{free_port()}/nothing")
    found.start("database-unreachable")
    assert found.end() == 0
    assert [line["signal"] for line in found.events("stopping")] == ["SIGTERM"]


def test_a_database_that_is_not_migrated_is_told(tmp_path: Path, postgres: "Postgres") -> None:
    uri = postgres.create_database("unmigrated")
    found = Publisher(tmp_path, uri)
    with found:
        assert found.wait() == 75
    assert "run migrate" in found.log_text()
    postgres.drop_database("unmigrated")


def test_who_hangs_loses_the_lock(shop: "Shop") -> None:
    """Stopped, or cut off from the network: the server knows by its silence."""
    before = timeouts.use(replace(timeouts.get(), publish_idle_milliseconds=500))
    try:
        with holding(shop.uri) as first, holding(shop.uri) as second:
            assert first.take()
            assert not second.take()
            for _ in range(5):
                time.sleep(0.2)
                first.keep()
                assert not second.take()
            assert processes.until(second.take, 20, 0.1)
            with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
                first.keep()
    finally:
        timeouts.use(before)


@contextmanager
def holding(uri: str, seconds: float = 60) -> Iterator[PublishingLock]:
    """Give a lock, and let it go in the end; a question may take so long."""
    watchdog = Watchdog(seconds)
    watchdog.start()
    lock = PublishingLock(uri, watchdog)
    try:
        yield lock
    finally:
        lock.release()
        watchdog.stop()


def test_a_server_that_does_not_answer_is_given_up(shop: "Shop", postgres: "Postgres") -> None:
    with holding(shop.uri, 1) as lock:
        assert lock.take()
        with postgres.frozen(), pytest.raises(psycopg.OperationalError):
            lock.keep()


def test_the_service_holds_the_lock_and_no_reader_or_integrator_can(
    shop: "Shop", postgres: "Postgres"
) -> None:
    """Who held it would stop the feed of all stores."""
    names = {each: f"{each}_{uuid4().hex[:8]}" for each in ("service", "reader", "integrator")}
    for role, name in names.items():
        shop.connection.execute(f"CREATE ROLE {name} LOGIN IN ROLE tracker_{role}".encode())
    uris = {role: postgres.uri(shop.connection.info.dbname, name) for role, name in names.items()}
    try:
        for role in ("reader", "integrator"):
            for mode in ("ROW SHARE", "EXCLUSIVE", "ACCESS EXCLUSIVE"):
                with (
                    psycopg.connect(uris[role]) as connection,
                    pytest.raises(psycopg.errors.InsufficientPrivilege),
                ):
                    connection.execute(f"LOCK TABLE tracker.publisher IN {mode} MODE".encode())
        with holding(uris["service"]) as lock:
            assert lock.take()
    finally:
        for name in names.values():
            shop.connection.execute(f"DROP ROLE {name}".encode())


def test_a_held_lock_keeps_no_vacuum_waiting(shop: "Shop") -> None:
    with holding(shop.uri) as lock:
        assert lock.take()
        [held] = shop.rows(
            "SELECT l.pid, a.backend_xid, a.backend_xmin, c.relkind::text"
            " FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
            " JOIN pg_class AS c ON c.oid = l.relation"
            " WHERE c.oid = 'tracker.publisher'::regclass"
        )
        assert held[1:] == (None, None, "p")


def test_a_connection_that_dies_is_made_anew(shop: "Shop", publisher: Publisher) -> None:
    shop.mask("a@x.example")
    publisher.start("publishing")
    shop.rows("SELECT pg_terminate_backend(pid) FROM pg_locks"
              " WHERE relation = 'tracker.publisher'::regclass AND database ="
              " (SELECT oid FROM pg_database WHERE datname = current_database())")  # fmt: skip
    queue(shop, "a")
    publisher.until(lambda: published(shop) == ["a"])
    publisher.until(lambda: len(publisher.events("publishing")) == 2)
    assert len(publisher.events("database-unreachable")) == 1
    assert len(publisher.events("database-back")) == 1


def test_after_a_day_it_catches_up_in_proportion(shop: "Shop") -> None:
    """A hundred thousand events: as fast at the end as at the beginning, in bounded memory."""
    shop.mask("a@x.example")
    publish(shop.uri)
    before = shop.one("SELECT position FROM tracker.feed_head")
    shop.rows(
        "WITH queued AS (INSERT INTO tracker.event_queue (event, order_id, detail)"
        " SELECT 'closed', %s, jsonb_build_object('tag', n::text)"
        " FROM generate_series(1, 100000) AS n RETURNING 1) SELECT count(*) FROM queued",
        shop.order()["id"],
    )  # fmt: skip
    step = Feed()
    with (
        Connection.connect(shop.uri, limits=timeouts.get().publish) as connection,
        psycopg.connect(shop.uri) as other,
    ):
        # Open all the while, it keeps everything that is taken from being vacuumed.
        other.execute("SELECT tracker.note_event('closed', %s)", (shop.order()["id"],))
        taken, memory = [], []
        while step.publish(connection):
            taken.append(time.process_time() + spent(connection))
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        other.rollback()
    assert len(taken) == 100
    assert taken[-1] - taken[-21] < 3 * (taken[20] - taken[0])
    assert memory[-1] - memory[10] < 10_000  # KiB
    assert shop.one("SELECT position FROM tracker.feed_head") == before + 100_000
    assert published(shop) == [str(number) for number in range(1, 100_001)]


def spent(connection: psycopg.Connection) -> float:
    """Return the processor's seconds that the server's process of a connection has used."""
    fields = Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text().split()
    return int(fields[0]) / 1e9


def test_what_goes_on_beside_is_started_later_where_no_thread_can_be(
    monkeypatch: pytest.MonkeyPatch, change_timeouts: Callable[..., object]
) -> None:
    change_timeouts(publish_again_seconds=0.0)
    begun = threading.Event()
    companions = run._Companions(mock.Mock(spec=Config), [lambda _config, _stopped: begun.set()])

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        companions.start()
        companions.stop()
    companions.start()
    assert begun.wait(30)
    companions.stop()
