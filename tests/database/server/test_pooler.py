"""Behind a pooler that hands its connections out per transaction, all is as without it."""

import io
import os
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from records import make_record

from conversation_tracker.base.timeouts import ServerTimeouts
from conversation_tracker.checks import database as check_database
from conversation_tracker.config.config import load
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.plan import Record
from conversation_tracker.database import readiness
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.deadline import Watchdog
from conversation_tracker.database.health import read_state
from conversation_tracker.database.migrate import migrate
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.prepared import Statement
from conversation_tracker.database.publishing.feed import publish_events
from conversation_tracker.database.publishing.lock import PublishingLock
from conversation_tracker.database.repository import Database, Rehearsal
from conversation_tracker.maintenance import expire
from conversation_tracker.support import order_commands
from private import processes
from private.pgbouncer import PgBouncer

if TYPE_CHECKING:
    from private.postgres import Postgres

# Fewer than clients, so that they share; as Debian ships it, it refuses startup options.
POOL = {"default_pool_size": "2", "ignore_startup_parameters": ""}
SHORT = ServerTimeouts(400, 200, 1000)


@pytest.fixture(scope="module")
def bouncer(postgres: "Postgres") -> Iterator[PgBouncer]:
    """One pooler for all of them."""
    with PgBouncer(postgres.port, settings=POOL) as found:
        yield found


@pytest.fixture
def pooled(bouncer: PgBouncer, database: str) -> Iterator[str]:
    """Return the URI, through the pooler, of a fresh database with a store and an order."""
    name = conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain, hourly_limit)"
            " VALUES ('shop', 'ct.example.com', 1000)"
        )
        for address in ("john@doe.example", "ann@shop.example"):
            connection.execute("SELECT tracker.mask('shop', '1', %s)", (address,))
    yield bouncer.uri(name)
    bouncer.order(f"KILL {name}")
    bouncer.order(f"RESUME {name}")


@pytest.fixture
def opened(pooled: str) -> Iterator[Database]:
    """The database through the pooler, with limits that end soon."""
    found = Database(pooled, limits=SHORT)
    found.open()
    yield found
    found.close()


def message(conversation: Conversation, digest: bytes) -> Record:
    author, reader = conversation.participants[:2]
    return make_record(
        conversation.order.id,
        author.token,
        (reader.token,),
        digest=digest,
        queue_id="4ABC",
        direction="inbound",
        size=0,
    )


def counted(uri: str, table: str) -> int:
    with psycopg.connect(uri, prepare_threshold=None) as connection:
        row = connection.execute(f"SELECT count(*) FROM tracker.{table}".encode()).fetchone()
        assert row is not None
        return int(row[0])


def settings_left(uri: str) -> set[tuple[str, ...]]:
    """Return what settings the sessions are in that the pooler hands out."""
    query = (
        "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
        " current_setting('search_path'), current_setting('tracker.actor', true),"
        " current_setting('jit'),"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        " OR relation = 'tracker.publisher'::regclass)::text"
    )
    with (
        psycopg.connect(uri, prepare_threshold=None) as one,
        psycopg.connect(uri, prepare_threshold=None) as other,
    ):
        rows = [each.execute(query.encode()).fetchone() for each in (one, other)]
    return {tuple(each or "" for each in row) for row in rows if row is not None}


def test_a_pooler_is_recognised_and_a_server_is_not_taken_for_one(
    pooled: str, database: str
) -> None:
    with Connection.connect(pooled) as connection:
        assert connection.pooled
    with Connection.connect(database) as connection:
        assert not connection.pooled


def test_many_threads_record_through_few_connections(opened: Database, pooled: str) -> None:
    """No statement runs into another client's prepared one, none is left out or done twice."""
    conversation = opened.open_order("shop", "1").conversation
    digests = [uuid.uuid4().bytes for _ in range(80)]

    def write(digest: bytes) -> str:
        assert opened.again(conversation.order.id) is not None
        return opened.record([message(conversation, digest)])[0]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write, digests * 2)) == {"done"}
    assert counted(pooled, "messages") == 80


def test_several_orders_are_recorded_together_or_not_at_all(opened: Database, pooled: str) -> None:
    """What undoes one record undoes the others, within the transaction the limits need."""
    with psycopg.connect(pooled, prepare_threshold=None) as connection:
        for address in ("john@doe.example", "ann@shop.example"):
            connection.execute("SELECT tracker.mask('shop', '2', %s)", (address,))
    both = [opened.open_order("shop", number).conversation for number in "12"]
    records = [message(each, uuid.uuid4().bytes) for each in both]
    with psycopg.connect(pooled, prepare_threshold=None) as connection:
        connection.execute("UPDATE tracker.orders SET expires_at = now() WHERE number = '2'")
    assert opened.record(records) == ("expired", {})
    assert counted(pooled, "messages") == 0
    assert opened.record(records[:1])[0] == "done"


@pytest.mark.parametrize(
    "waiting", ["SELECT pg_sleep(30)", "SELECT tracker.mask('shop', '1', 'a@b.example')"]
)
def test_the_server_ends_what_takes_too_long(opened: Database, pooled: str, waiting: str) -> None:
    with psycopg.connect(pooled, prepare_threshold=None) as other:
        other.execute("SELECT FROM tracker.orders FOR UPDATE")
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            opened._fetch_rows(Statement(waiting), ())
        assert time.monotonic() - started < 4
    assert opened.directory().alias_domains


def test_a_commit_that_fails_is_not_taken_for_done(opened: Database, pooled: str) -> None:
    """What the server says at the very end, when the answer has been read already, counts."""
    with psycopg.connect(pooled, prepare_threshold=None) as connection:
        connection.execute("CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        connection.execute("INSERT INTO late VALUES (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        opened._fetch_rows(Statement("INSERT INTO late VALUES (1) RETURNING n"), ())
    assert opened._fetch_rows(Statement("SELECT count(*) FROM late"), ()) == [(1,)]


def test_what_fails_leaves_no_value_in_the_servers_log(
    opened: Database, postgres: "Postgres"
) -> None:
    """The server logs the text of what failed; values travel apart from it."""
    failing = Statement("SELECT 1 / %s::integer, %s::text AS logged")
    with pytest.raises(psycopg.errors.DivisionByZero):
        opened._fetch_rows(failing, (0, "eve@unseen.example"))
    assert processes.until(lambda: "AS logged" in postgres.log_text(), 5.0)
    assert "unseen" not in postgres.log_text()


def test_nothing_is_left_behind_in_the_sessions_of_others(
    opened: Database, pooled: str, tmp_path: Path
) -> None:
    before = settings_left(pooled)
    opened.directory()
    alias = order_commands.mask(pooled, "shop", "7", "eve@doe.example", "buyer")
    assert order_commands.unmask(pooled, alias, "test", "somebody") == "eve@doe.example"
    path = tmp_path / "tracker.conf"
    path.write_text(f"[tracker]\ndatabase = {pooled}\nsocket = unix:/nowhere/milter.sock\n")
    out, err = io.StringIO(), io.StringIO()
    assert expire.run(load(path, {}), dry_run=False, out=out, err=err) == os.EX_OK, err.getvalue()
    assert migrate(pooled) == 0
    readiness.wait_for_database(pooled)
    assert settings_left(pooled) == before


def test_the_audit_names_who_asked(pooled: str) -> None:
    alias = order_commands.mask(pooled, "shop", "7", "eve@doe.example", "buyer")
    order_commands.unmask(pooled, alias, "test", "somebody")
    with psycopg.connect(pooled, prepare_threshold=None) as connection:
        actors = connection.execute("SELECT actor FROM tracker.unmaskings").fetchall()
    assert actors == [("somebody",)]


def test_an_empty_database_is_migrated_also_by_two_at_once(
    postgres: "Postgres", bouncer: PgBouncer
) -> None:
    postgres.create_database("empty_behind")
    uri = bouncer.uri("empty_behind")
    try:
        with ThreadPoolExecutor() as pool:
            assert sum(pool.map(migrate, [uri, uri])) > 0
        assert migrate(uri) == 0
        assert {row[-1] for row in settings_left(uri)} == {"0"}
    finally:
        bouncer.order("KILL empty_behind")
        postgres.drop_database("empty_behind")


def test_expiry_empties_what_has_expired(pooled: str, tmp_path: Path) -> None:
    with psycopg.connect(pooled, prepare_threshold=None) as connection:
        connection.execute("UPDATE tracker.orders SET expires_at = now() - interval '1 day'")
    path = tmp_path / "tracker.conf"
    path.write_text(f"[tracker]\ndatabase = {pooled}\nsocket = unix:/nowhere/milter.sock\n")
    out, err = io.StringIO(), io.StringIO()
    assert expire.run(load(path, {}), dry_run=False, out=out, err=err) == os.EX_OK, err.getvalue()
    assert "expired 1 orders (2 addresses)" in out.getvalue()


def test_a_rehearsal_leaves_nothing(pooled: str) -> None:
    rehearsal = Rehearsal(pooled)
    rehearsal.open()
    found = rehearsal.open_order("shop", "new")
    assert rehearsal.again(found.conversation.order.id) == found
    rehearsal.close()
    assert counted(pooled, "orders") == 1


def test_check_says_that_a_pooler_is_there(pooled: str, database: str) -> None:
    says = [str(each) for each in check_database.check(read_state(pooled))]
    assert [line for line in says if "pooler" in line and line.startswith("ok")]
    assert not [line for line in says if line.startswith("WRONG")]
    says = [str(each) for each in check_database.check(read_state(database))]
    assert not [line for line in says if "pooler" in line]


def test_a_pooler_that_restarts_costs_no_answer(
    bouncer: PgBouncer, opened: Database, pooled: str
) -> None:
    """Whoever asks while it is away is told so or waits; the next one asks a new connection."""
    conversation = opened.open_order("shop", "1").conversation
    bouncer.restart()
    assert opened.record([message(conversation, b"x" * 16)])[0] == "done"
    assert opened.record([message(conversation, b"x" * 16)])[0] == "done"
    assert counted(pooled, "messages") == 1


def test_sessions_that_the_server_ends_are_replaced(opened: Database, pooled: str) -> None:
    conversation = opened.open_order("shop", "1").conversation
    for _ in range(3):
        with psycopg.connect(pooled, prepare_threshold=None, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        assert opened.record([message(conversation, uuid.uuid4().bytes)])[0] == "done"
    assert counted(pooled, "messages") == 3


def test_a_paused_pooler_is_unavailable_in_time(
    bouncer: PgBouncer, pooled: str, change_timeouts: Callable[..., object]
) -> None:
    """It keeps what it is asked until it is resumed; nobody waits for it longer than a server."""
    change_timeouts(pool_seconds=0.5, network_seconds=0.5)
    name = conninfo_to_dict(pooled)["dbname"]
    opened = Database(pooled)
    opened.open()
    try:
        assert opened.directory().alias_domains
        bouncer.order(f"PAUSE {name}")
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            opened.directory()
        assert time.monotonic() - started < 4
        bouncer.order(f"RESUME {name}")
        assert processes.until(lambda: _answers(opened), 5.0)
    finally:
        opened.close()


def _answers(database: Database) -> bool:
    try:
        return bool(database.directory().alias_domains)
    except DatabaseUnavailable:
        return False


def test_one_publishes_at_a_time_and_its_right_ends_with_it(pooled: str) -> None:
    """A session's lock would stay with the pooler's connection, and be found by anybody."""
    watchdog = Watchdog(60)
    watchdog.start()
    with Connection.connect(pooled) as connection:
        assert connection.pooled
        first, second = PublishingLock(pooled, watchdog), PublishingLock(pooled, watchdog)
        assert first.take()
        for _ in range(5):
            assert not second.take()
            first.keep()
        assert publish_events(connection, 0, 10).events == 3
        first.release()
        assert processes.until(second.take, 20)
        second.keep()
        second.release()
    watchdog.stop()
