"""The directory follows the stores table within a second, and outlives every outage."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest
from cost import within

from conversation_tracker.base import timeouts
from conversation_tracker.core.model.store import Store
from conversation_tracker.database.migrate import migrate
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.repository import Database
from conversation_tracker.database.rows import Directory
from conversation_tracker.milter import store_directory
from conversation_tracker.milter.store_directory import DirectoryWatch
from conversation_tracker.telemetry.events import Event
from private import processes

if TYPE_CHECKING:
    from private.postgres import Postgres

SOON = 3.0  # seconds: one, as is promised, and what a busy machine may take besides


class Lines:
    """Stands for the log, and keeps what is logged."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def alias_domains(self, *, count: int) -> None:
        self.told.append(f"alias domains {count}")

    def database_unreachable(self, exc: BaseException) -> None:
        self.told.append(f"unreachable {type(exc).__name__}")

    def database_back(self, *, seconds: float) -> None:
        assert seconds > 0
        self.told.append("back")

    def error(self, event: Event, exc: BaseException) -> None:
        self.told.append(f"error {type(exc).__name__}")


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is logged, line by line."""
    log = Lines()
    monkeypatch.setattr(store_directory, "log", log)
    return log.told


@pytest.fixture
def watch(
    database: str, lines: list[str], change_timeouts: Callable[..., object]
) -> Iterator[DirectoryWatch]:
    change_timeouts(pool_seconds=1.5)
    with watching(database) as found:
        yield found


@contextmanager
def watching(uri: str) -> Iterator[DirectoryWatch]:
    opened = Database(uri)
    opened.open()
    found = DirectoryWatch(opened)
    assert found.current is None
    found.start()
    assert processes.until(lambda: found.current is not None, 20.0)
    yield found
    found.stop()
    found._thread.join(5.0)
    opened.close()


def run(uri: str, statement: str) -> None:
    with psycopg.connect(uri) as connection:
        connection.execute(statement.encode())


def current(watch: DirectoryWatch) -> Directory:
    assert watch.current is not None
    return watch.current


ADD = (
    "INSERT INTO tracker.stores (name, alias_domain, sender_domains)"
    " VALUES ('shop', 'ct.example.com', '{shop.example}')"
)


def test_a_change_of_the_stores_is_seen_within_a_second(
    database: str, watch: DirectoryWatch, lines: list[str]
) -> None:
    assert replace(current(watch), secret=b"") == Directory(frozenset(), {}, frozenset())
    assert len(current(watch).secret) == 32
    run(database, ADD)
    assert processes.until(lambda: current(watch).alias_domains == {"ct.example.com"}, SOON)
    run(database, "UPDATE tracker.stores SET mask = 'soft', order_header = 'X-Order'")
    changed = Store("shop", "soft", "soft", frozenset({"shop.example"}), "X-Order")
    assert processes.until(lambda: current(watch).senders == {"shop.example": changed}, SOON)
    run(database, "UPDATE tracker.stores SET submitters = '{shop,Erp}'")
    changed = replace(changed, submitters=frozenset({"shop", "Erp"}))
    assert processes.until(lambda: current(watch).senders == {"shop.example": changed}, SOON)
    run(database, "UPDATE tracker.stores SET unnamed_mail = 'reject'")
    changed = replace(changed, unnamed_mail="reject")
    assert processes.until(lambda: current(watch).senders == {"shop.example": changed}, SOON)
    run(database, "UPDATE tracker.stores SET active = false, sender_domains = '{other.example}'")
    assert processes.until(lambda: current(watch).inactive == {"shop"}, SOON)
    assert set(current(watch).senders) == {"other.example"}
    run(database, "DELETE FROM tracker.stores")
    assert processes.until(lambda: not current(watch).alias_domains, SOON)
    assert lines == ["alias domains 0", "alias domains 1", "alias domains 0"]


def test_the_last_directory_stays_during_an_outage_and_follows_again_after_it(
    postgres: "Postgres", database: str, watch: DirectoryWatch, lines: list[str]
) -> None:
    run(database, ADD)
    assert processes.until(lambda: bool(current(watch).alias_domains), SOON)
    postgres.stop("immediate")
    try:
        assert processes.until(lambda: "unreachable DatabaseUnavailable" in lines, 5.0)
        time.sleep(0.7)
        assert current(watch).alias_domains == {"ct.example.com"}
        with pytest.raises(DatabaseUnavailable):
            watch.refresh()
    finally:
        postgres.start()
    run(database, "UPDATE tracker.stores SET alias_domain = 'ct.example.org'")
    assert processes.until(lambda: current(watch).alias_domains == {"ct.example.org"}, 5.0)
    assert processes.until(lambda: lines[-1] == "back", SOON)
    assert lines.count("unreachable DatabaseUnavailable") == lines.count("back") == 1


def test_the_watch_outlives_whatever_it_meets_and_says_it_once(
    change_timeouts: Callable[..., object], lines: list[str]
) -> None:
    change_timeouts(directory_poll_seconds=0.01)
    answer = Directory(frozenset({"ct.example.com"}), {}, frozenset())
    asked = threading.Semaphore(0)
    answers = iter([KeyError("a"), KeyError("b"), ValueError("c"), answer, KeyError("d"), answer])

    class Moody:
        def directory_version(self) -> object:
            return object()

        def directory(self) -> Directory:
            asked.release()
            found = next(answers, answer)
            if isinstance(found, Exception):
                raise found
            return found

    watch = DirectoryWatch(Moody())  # type: ignore[arg-type]
    watch.start()
    for _ in range(8):
        assert asked.acquire(timeout=5.0)
    watch.stop()
    watch._thread.join(5.0)
    assert not watch._thread.is_alive()
    assert watch.current == answer
    assert lines == ["error KeyError", "error ValueError", "alias domains 1", "error KeyError"]


MANY = """
INSERT INTO tracker.stores (name, alias_domain, sender_domains)
SELECT 'shop' || n, 'ct.shop' || n || '.example', ARRAY['shop' || n || '.example']
  FROM generate_series(1, {}) AS n
"""


@pytest.fixture(scope="module")
def filled(postgres: "Postgres") -> str:
    """Return the name of a database with ten thousand stores; connect to no such thing."""
    name = "many_stores"
    uri = postgres.create_database(name)
    migrate(uri)
    run(uri, MANY.format(10_000))
    return name


@pytest.fixture
def crowded(postgres: "Postgres", filled: str) -> Iterator[str]:
    """Return the URI of a copy of it, dropped after the test."""
    name = "many_stores_once"
    yield postgres.create_database(name, filled)
    postgres.drop_database(name)


def test_it_is_read_only_when_it_has_changed(
    database: str, watch: DirectoryWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever way: a store, a domain nobody uses any more, the secret."""
    run(database, ADD)
    assert processes.until(lambda: bool(current(watch).alias_domains), SOON)
    before = current(watch)
    time.sleep(3 * timeouts.get().directory_poll_seconds)
    assert current(watch) is before
    for change in (
        "UPDATE tracker.stores SET hourly_limit = 7",
        "INSERT INTO tracker.alias_domains VALUES ('ct.example.net')",
        "DELETE FROM tracker.alias_domains WHERE name = 'ct.example.net'",
        "UPDATE tracker.secrets SET key = sha256('new')",
    ):
        before = current(watch)
        run(database, change)
        assert processes.until(lambda known=before: current(watch) is not known, SOON), change
    before = current(watch)
    run(database, "DELETE FROM tracker.alias_domains WHERE name = 'ct.example.net'")
    time.sleep(3 * timeouts.get().directory_poll_seconds)
    assert current(watch) is before


def test_a_transaction_changes_the_version_once_and_none_when_it_is_rolled_back(
    database: str,
) -> None:
    version = "SELECT version FROM tracker.directory"
    with psycopg.connect(database) as connection:
        start = connection.execute(version).fetchone()
        connection.execute(MANY.format(100).encode())
        with connection.transaction():
            connection.execute("UPDATE tracker.stores SET hourly_limit = 7")
        assert connection.execute(version).fetchone() == (1 + (start or (0,))[0],)
        connection.rollback()
        assert connection.execute(version).fetchone() == start


def test_ten_thousand_stores_cost_nothing_at_rest_and_a_change_is_seen_within_a_second(
    crowded: str, lines: list[str]
) -> None:
    with watching(crowded) as watch:
        assert len(current(watch).senders) == 10_000
        within(0.1, lambda: time.sleep(2.0))
        run(crowded, "UPDATE tracker.stores SET order_header = 'X-Mine' WHERE name = 'shop77'")
        assert processes.until(
            lambda: current(watch).senders["shop77.example"].order_header == "X-Mine", SOON
        )
    assert lines == ["alias domains 10000"]


def test_a_store_among_ten_thousand_is_changed_in_no_time(crowded: str) -> None:
    """And a sender domain in somebody's alias domain is found among them."""
    started = time.monotonic()
    run(crowded, "UPDATE tracker.stores SET sender_domains = '{new.example}' WHERE name = 'shop5'")
    run(crowded, "SELECT tracker.mask('shop5', '1', 'john@doe.example')")
    assert time.monotonic() - started < SOON
    for change in (
        "UPDATE tracker.stores SET sender_domains = '{a.ct.shop6.example}' WHERE name = 'shop5'",
        "UPDATE tracker.stores SET alias_domain = 'shop9.example' WHERE name = 'shop5'",
    ):
        with pytest.raises(psycopg.errors.IntegrityError):
            run(crowded, change)
