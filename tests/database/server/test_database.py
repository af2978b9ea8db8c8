"""The database's answer, or DatabaseUnavailable in time: whatever happens to the server."""

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from records import make_record

from conversation_tracker.base import timeouts
from conversation_tracker.base.timeouts import ServerTimeouts
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import Hard, Soft
from conversation_tracker.core.model.conversation import Conversation, Participant
from conversation_tracker.core.model.plan import Record
from conversation_tracker.core.model.store import Store
from conversation_tracker.database import connection as connecting
from conversation_tracker.database import pool as module
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.deadline import Watchdog
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.repository import Database, Rehearsal
from conversation_tracker.database.rows import Lookup
from conversation_tracker.milter.suspects import key_digest
from private import processes

if TYPE_CHECKING:
    from private.postgres import Postgres

NOWHERE = "postgresql://postgres@127.0.0.1:1/none"
TEXTS = dict.fromkeys(("queue_id", "sender_name", "message_id", "subject", "first_words"), "")


@contextmanager
def opened(
    conninfo: str, size: int = 8, limits: ServerTimeouts | None = None
) -> Iterator[Database]:
    found = Database(conninfo, size=size, limits=limits)
    found.open()
    try:
        yield found
    finally:
        found.close()


@contextmanager
def unavailable(within: float) -> Iterator[None]:
    """Expect DatabaseUnavailable within so many seconds, with a text that names no value."""
    started = time.monotonic()
    with pytest.raises(DatabaseUnavailable) as caught:
        yield
    assert time.monotonic() - started < within
    assert str(caught.value).isidentifier()


@pytest.fixture
def impatient(change_timeouts: Callable[..., object]) -> None:
    """Wait shorter than in service, so that the tests are quick."""
    change_timeouts(pool_seconds=0.5, network_seconds=0.5, connect_seconds=2)


@pytest.fixture
def store(database: str) -> str:
    """Return the URI of a database with one store and one of its orders."""
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain, sender_domains)"
            " VALUES ('shop', 'ct.example.com', '{shop.example,sales.example}')"
        )
        connection.execute("SELECT tracker.mask('shop', '1', 'John@doe.example')")
        connection.execute("SELECT tracker.mask('shop', '1', 'ann@shop.example')")
    return database


def message(conversation: Conversation, *joined: Participant) -> Record:
    """Return a message between the first two of an order."""
    author, reader = conversation.participants[:2]
    return make_record(
        conversation.order.id,
        author.token,
        (reader.token,),
        joined=joined,
        direction="inbound",
        size=0,
        **TEXTS,
    )


# What is found ------------------------------------------------------------------------------------


def test_a_conversation_comes_as_a_value(store: str) -> None:
    with opened(store) as database:
        found = database.open_order("shop", "1")
        conversation = found.conversation
        john, ann = conversation.participants
        order = conversation.order
        senders = frozenset({"shop.example", "sales.example"})
        assert found == Lookup("live", None, conversation)
        assert conversation.store == Store("shop", sender_domains=senders)
        assert (order.number, order.alias_domain) == ("1", "ct.example.com")
        assert (john.role, john.address) == ("buyer", Address("John", "doe.example"))
        assert (ann.role, ann.address) == ("store", Address("ann", "shop.example"))
        assert database.find(Hard(john.token, "ct.example.com")) == Lookup(
            "live", john.token, conversation
        )
        # Nobody was given it.
        assert database.find(Soft("john@doe.example", order.ref, "ct.example.com")) is None
        assert (john.introduced, john.handed_out) == (True, False)
        assert database.again(order.id) == found
        assert database.again(0) is None
        assert database.find(Hard("0" * 32, "ct.example.com")) is None
        assert database.find(Hard(john.token, "ct.example.org")) is None


def test_a_new_order_is_found_in_the_call_that_makes_it(store: str) -> None:
    with opened(store) as database:
        found = database.open_order("shop", "2")
        assert (found.status, found.conversation.participants) == ("live", ())
        assert database.open_order("shop", "2") == found


def test_an_emptied_address_is_none_and_its_alias_expired(store: str) -> None:
    with psycopg.connect(store) as connection:
        connection.execute("SELECT tracker.erase('john@doe.example')")
    with opened(store) as database:
        john = database.open_order("shop", "1").conversation.participants[0]
        assert john.address is None
        found = database.find(Hard(john.token, "ct.example.com"))
        assert found is not None
        assert found.status == "expired"


def test_the_directory_names_alias_domains_senders_and_inactive_stores(store: str) -> None:
    with psycopg.connect(store) as connection:
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain, sender_domains, active)"
            " VALUES ('off', 'ct.example.org', '{off.example}', false)"
        )
    with opened(store) as database:
        directory = database.directory()
    assert directory.alias_domains == {"ct.example.com", "ct.example.org"}
    assert {domain: each.name for domain, each in directory.senders.items()} == {
        "shop.example": "shop",
        "sales.example": "shop",
        "off.example": "off",
    }
    assert directory.inactive == {"off"}


def test_a_fault_of_ours_is_not_taken_for_an_outage(store: str) -> None:
    with opened(store) as database:
        with pytest.raises(psycopg.errors.NoDataFound):
            database.open_order("no such shop", "1")
        with pytest.raises(psycopg.errors.CheckViolation):
            database.open_order("shop", "")
        assert database.open_order("shop", "1").status == "live"


# Outages ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
def test_no_server_is_unavailable_in_time() -> None:
    with opened(NOWHERE) as database:
        for _ in range(2):
            with unavailable(within=3.0):
                database.directory()


@pytest.mark.usefixtures("impatient")
def test_a_server_that_accepts_and_says_nothing_is_unavailable_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        with (
            opened(f"postgresql://postgres@127.0.0.1:{port}/none") as database,
            unavailable(within=3.0),
        ):
            database.directory()


def test_a_schema_of_before_is_unavailable(store: str) -> None:
    """A backup of an older program's time was restored, and nobody has migrated it yet."""
    with opened(store) as database:
        order = database.open_order("shop", "1").conversation
        john, ann = order.participants
        record = make_record(order.order.id, john.token, [ann.token])
        with psycopg.connect(store, autocommit=True) as connection:
            connection.execute("DROP TYPE tracker.new_message CASCADE")
        with unavailable(within=5.0):
            database.record([record])


@pytest.mark.usefixtures("impatient")
def test_all_connections_busy_is_unavailable_in_time(store: str) -> None:
    with opened(store, size=1) as database, psycopg.connect(store) as other:
        database.directory()
        other.execute("LOCK TABLE tracker.stores IN ACCESS EXCLUSIVE MODE")
        with ThreadPoolExecutor() as pool:
            waits = pool.submit(database.directory)
            time.sleep(0.1)
            with unavailable(within=3.0):
                database.directory()
            with pytest.raises(DatabaseUnavailable):
                waits.result()
            other.rollback()
        assert database.directory().alias_domains


def test_a_server_that_came_back_is_used_by_the_next_call(postgres: "Postgres", store: str) -> None:
    with opened(store) as database:
        expected = database.directory()
        with ThreadPoolExecutor(8) as pool:
            held = threading.Barrier(9)
            jobs = [pool.submit(database._run, lambda _: held.wait(10)) for _ in range(8)]
            held.wait(10)
            for job in jobs:
                job.result()
        postgres.restart("immediate")
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: database.directory(), range(8))) == [expected] * 8


def test_of_several_connections_the_one_used_last_is_used_next(store: str) -> None:
    def tell(connection: Connection) -> int:
        return connection.info.backend_pid

    def wait_and_tell(connection: Connection) -> int:
        held.wait(10)
        return tell(connection)

    with opened(store) as database, ThreadPoolExecutor(4) as pool:
        held = threading.Barrier(4)
        jobs = [pool.submit(database._run, wait_and_tell) for _ in range(4)]
        assert len({job.result() for job in jobs}) == 4
        assert len({database._run(tell) for _ in range(20)}) == 1


def test_a_connection_that_was_cut_is_replaced(store: str) -> None:
    with opened(store) as database, psycopg.connect(store, autocommit=True) as other:
        conversation = database.open_order("shop", "1").conversation
        for _ in range(3):
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE application_name = 'conversation-tracker' AND datname = current_database()"
            )
            assert database.record([message(conversation)])[0] == "done"
        row = other.execute("SELECT count(*) FROM tracker.messages").fetchone()
        assert row == (1,)


def test_a_stopped_server_is_unavailable_within_twelve_seconds(
    postgres: "Postgres", store: str
) -> None:
    """Nothing of PostgreSQL's own can end this wait: the server does not run, its sockets do."""
    with opened(store) as database, ThreadPoolExecutor() as pool:
        expected = database.directory()
        with postgres.frozen():

            def ask() -> None:
                with unavailable(within=12.0):
                    database.directory()

            for job in [pool.submit(ask) for _ in range(3)]:
                job.result()
        assert processes.until(lambda: answers(database.directory), 10.0)
        assert database.directory() == expected


def answers(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except DatabaseUnavailable:
        return False
    return True


@pytest.mark.usefixtures("impatient")
def test_a_lost_network_is_unavailable_in_time_and_the_connection_given_up(store: str) -> None:
    """An overdue statement is ended from this side, even if the server would go on."""
    with opened(store) as database:
        database.directory()
        with unavailable(within=4.0):
            database._run(lambda connection: connection.execute("SELECT pg_sleep(7)"))
        assert database.directory().alias_domains


@pytest.mark.parametrize(
    "waiting", ["SELECT pg_sleep(30)", "SELECT tracker.mask('shop', '1', 'a@b.example')"]
)
def test_the_server_ends_what_takes_too_long(store: str, waiting: str) -> None:
    limits = ServerTimeouts(400, 200, 0)
    with opened(store, limits=limits) as database, psycopg.connect(store) as other:
        other.execute("SELECT FROM tracker.orders FOR UPDATE")
        with unavailable(within=3.0):
            database._run(lambda connection: connection.execute(waiting.encode()))
        assert database.directory().alias_domains


def test_all_waits_together_end_before_postfix_gives_up() -> None:
    """Postfix waits 30 seconds for RCPT; the server's own timeouts come before our cut."""
    limits = timeouts.get()
    mail, network = limits.mail, limits.network_seconds
    assert limits.migration_lock_milliseconds < mail.lock_milliseconds
    assert mail.lock_milliseconds < mail.statement_milliseconds < network * 1000
    assert 2 * limits.pool_seconds + 1.1 * network < 25


@pytest.mark.parametrize("dbname", ["not_migrated", "not_there"])
def test_a_database_without_our_schema_is_unavailable(
    postgres: "Postgres", impatient: None, dbname: str
) -> None:
    uri = postgres.create_database("not_migrated")
    try:
        with opened(postgres.uri(dbname)) as database:
            calls: list[Callable[[], object]] = [
                database.directory,
                lambda: database.find(Hard("0" * 32, "ct.example.com")),
                lambda: database.open_order("shop", "1"),
            ]
            for call in calls:
                with unavailable(within=3.0):
                    call()
    finally:
        postgres.drop_database(psycopg.conninfo.conninfo_to_dict(uri)["dbname"])


def test_a_role_without_privileges_is_unavailable(postgres: "Postgres", store: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(store)["dbname"]
    with psycopg.connect(store, autocommit=True) as connection:
        connection.execute("CREATE ROLE nobody_at_all LOGIN")
        try:
            with opened(postgres.uri(name, "nobody_at_all")) as database, unavailable(within=3.0):
                database.directory()
        finally:
            connection.execute("DROP ROLE nobody_at_all")


def test_a_read_only_database_is_unavailable_for_writing_until_it_is_not(store: str) -> None:
    with psycopg.connect(store, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        alter = "ALTER DATABASE {} SET default_transaction_read_only = {}"
        connection.execute(sql.SQL(alter).format(name, sql.SQL("on")))
        with opened(store, size=1) as database:
            order = database.again(1)
            assert order is not None
            with unavailable(within=3.0):
                database.record([message(order.conversation)])
            with unavailable(within=3.0):
                database.open_order("shop", "2")
            connection.execute(sql.SQL(alter).format(name, sql.SQL("off")))
            # The one connection there is may still be an old one.
            again = [answers(lambda: database.open_order("shop", "2")) for _ in range(2)]
            assert again[1]


def test_of_several_hosts_the_one_that_can_be_written_is_used(
    postgres: "Postgres", store: str
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(store)["dbname"]
    hosts = f"127.0.0.1:1,127.0.0.1:{postgres.port}"
    uri = f"postgresql://postgres@{hosts}/{name}?target_session_attrs=read-write"
    with opened(uri) as database:
        assert database.open_order("shop", "1").status == "live"


def test_a_first_host_that_says_nothing_keeps_nobody_from_the_second(
    postgres: "Postgres", store: str
) -> None:
    """A machine that is gone does not even refuse; the driver alone would spend its time on it."""
    name = psycopg.conninfo.conninfo_to_dict(store)["dbname"]
    with socket.create_server(("127.0.0.1", 0)) as mute:
        ports = f"{mute.getsockname()[1]},{postgres.port}"
        conninfo = f"host=127.0.0.1 port={ports} dbname={name} user=postgres"
        assert len(connecting.split_hosts(conninfo)) == 2
        with opened(f"{conninfo} target_session_attrs=read-write") as database:
            assert database.open_order("shop", "1").status == "live"


@pytest.mark.parametrize(
    ("conninfo", "expected"),
    [
        ("postgresql://u@a,b:6000/d", [("a", None), ("b", "6000")]),
        ("postgresql://u@a:1,b:2/d?sslmode=require", [("a", "1"), ("b", "2")]),
        ("host=a,b port=7", [("a", "7"), ("b", "7")]),
        ("hostaddr=192.0.2.1,192.0.2.2", [(None, None), (None, None)]),
    ],
)
def test_several_hosts_are_taken_apart(
    conninfo: str, expected: list[tuple[str | None, str | None]]
) -> None:
    """Each with its own port, and with all else that the string says."""
    found = [psycopg.conninfo.conninfo_to_dict(each) for each in connecting.split_hosts(conninfo)]
    assert [(each.get("host"), each.get("port")) for each in found] == expected
    whole = psycopg.conninfo.conninfo_to_dict(conninfo)
    where = ("host", "port", "hostaddr")
    rest = {key: value for key, value in whole.items() if key not in where}
    for each in found:
        assert {key: value for key, value in each.items() if key not in where} == rest
    assert len({tuple(each.get(key) for key in where) for each in found}) == len(found)


def test_a_closed_database_is_unavailable(store: str) -> None:
    with opened(store) as database:
        database.directory()
    with unavailable(within=3.0):
        database.directory()


def test_every_connection_has_its_settings_and_keeps_the_options_of_its_uri(store: str) -> None:
    uri = f"{store}&options=-c%20work_mem%3D5MB"
    query = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
    query += ", current_setting('jit'), current_setting('work_mem')"
    with opened(uri) as database:
        rows = database._run(lambda connection: connection.execute(query.encode()).fetchall())
    assert rows == [("8s", "200ms", "off", "5MB")]


# Locks --------------------------------------------------------------------------------------------


def test_an_integrator_idle_in_a_transaction_leaves_connections_to_all_other_mail(
    store: str, change_timeouts: Callable[..., object]
) -> None:
    """Twenty messages to each of many locked orders wait, and other orders' mail does not."""
    change_timeouts(pool_seconds=1.0)
    limits = ServerTimeouts(8000, 1000, 15_000)
    numbers = [f"locked-{number}" for number in range(10)]
    with psycopg.connect(store, autocommit=True) as connection:
        for number in (*numbers, "free"):
            for address in ("John@doe.example", "ann@shop.example"):
                connection.execute("SELECT tracker.mask('shop', %s, %s)", (number, address))
    with opened(store, limits=limits) as database, ThreadPoolExecutor(60) as threads:
        taken = [message(database.open_order("shop", n).conversation) for n in numbers]
        free = message(database.open_order("shop", "free").conversation)
        with psycopg.connect(store) as integrator:
            for number in numbers:
                query = "SELECT tracker.mask('shop', %s, 'erp@partner.example')"
                integrator.execute(query, (number,))
            waiting = [threads.submit(database.record, [m]) for m in 2 * taken for _ in range(2)]
            waiting += [threads.submit(database.record, [taken[0]]) for _ in range(20)]
            time.sleep(0.1)
            for _ in range(10):
                started = time.monotonic()
                assert database.record([free])[0] == "done"
                assert time.monotonic() - started < 0.9
                time.sleep(0.1)
            refused = [each.exception() for each in waiting]
            assert {type(each) for each in refused} == {module.OrderLocked}
        assert database.record([taken[0]])[0] == "done"


def test_of_one_order_one_message_waits_with_a_connection(store: str) -> None:
    """Whoever comes behind it waits without one."""
    with opened(store) as database, ThreadPoolExecutor(20) as threads:
        known = message(database.open_order("shop", "1").conversation)
        with psycopg.connect(store) as integrator:
            integrator.execute("SELECT FROM tracker.orders WHERE number = '1' FOR UPDATE")
            waiting = [threads.submit(database.record, [known]) for _ in range(20)]
            query = "SELECT count(*) FROM pg_locks WHERE NOT granted"

            def count() -> int:
                [(waiters,)] = database._run(lambda c: c.execute(query).fetchall())
                return int(waiters)

            end = time.monotonic() + 60
            while not count():
                assert time.monotonic() < end, "nobody waits"
            assert max(count() for _ in range(20)) == 1
            integrator.rollback()
            assert [each.result()[0] for each in waiting] == ["done"] * 20


# Suspects ----------------------------------------------------------------------------------------


def test_suspects_come_with_the_directory_keyed(store: str) -> None:
    """What one host finds out raises the version that all others ask for."""
    one, two, three = (bytes([number] * 32) for number in (1, 2, 3))
    with opened(store) as here, opened(store) as there:
        before = there.directory()
        assert before.suspects == {}
        here.suspect([(one, "suspected"), (two, "condemned"), (three, "suspected")])
        assert there.directory_version() != before.version
        names = {key_digest(before.secret, each): each for each in (one, two, three)}
        found = there.directory().suspects
        assert {names[each]: state for each, state in found.items()} == {
            one: False, two: True, three: False
        }  # fmt: skip
        here.suspect([(one, "cleared"), (two, "cleared"), (three, "condemned")])
        here.suspect([(two, "suspected"), (three, "suspected")])
        found = there.directory().suspects
        assert {names[each]: state for each, state in found.items()} == {two: True, three: True}


def test_no_more_than_a_thousand_suspects_are_kept_and_they_push_out_no_condemned(
    store: str,
) -> None:
    with opened(store) as database:
        database.suspect([(bytes(32), "condemned")])
        many = [(number.to_bytes(32, "big"), "suspected") for number in range(1, 1301)]
        for at in range(0, len(many), 100):
            database.suspect(many[at : at + 100])
        directory = database.directory()
        assert len(directory.suspects) == 1001
        assert directory.suspects[key_digest(directory.secret, bytes(32))]
        assert key_digest(directory.secret, many[-1][0]) in directory.suspects
        assert key_digest(directory.secret, many[0][0]) not in directory.suspects


# Rehearsal ----------------------------------------------------------------------------------------


@contextmanager
def rehearsal(conninfo: str) -> Iterator[Rehearsal]:
    found = Rehearsal(conninfo)
    found.open()
    try:
        yield found
    finally:
        found.close()


def test_a_rehearsal_answers_like_the_database_and_leaves_nothing(
    store: str, notified: Callable[[str], AbstractContextManager[list[str]]]
) -> None:
    tables = ("orders", "participants", "messages", "deliveries")

    def counts() -> list[object]:
        return [watcher.execute(f"SELECT count(*) FROM tracker.{t}").fetchone() for t in tables]

    with psycopg.connect(store, autocommit=True) as watcher, notified(store) as payloads:
        before = counts()
        with rehearsal(store) as database:
            found = database.open_order("shop", "new").conversation
            people = tuple(
                Participant(
                    uuid.uuid4().hex, "partner", Address.parse(f"{name}@doe.example"), False
                )
                for name in ("jim", "joe")
            )
            record = message(Conversation(found.store, found.order, people), *people)
            other = database.open_order("shop", "1").conversation
            outcome, bounces = database.record([record, message(other)])
            assert (outcome, len(bounces)) == ("done", 2)
            again = database.again(found.order.id)
            assert again is not None
            assert [p.token for p in again.conversation] == [p.token for p in people]
        assert counts() == before
    assert payloads == []


@pytest.mark.usefixtures("impatient")
def test_a_rehearsal_without_a_server_is_unavailable() -> None:
    with unavailable(within=3.0):
        Rehearsal(NOWHERE)


# Deadline -----------------------------------------------------------------------------------------


def test_the_watchdog_ends_what_is_overdue_and_nothing_else(store: str) -> None:
    watchdog = Watchdog(0.5)
    watchdog.start()
    with psycopg.connect(store) as late, psycopg.connect(store) as quick:
        with watchdog.watching(quick):
            quick.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError), watchdog.watching(late):
            late.execute("SELECT pg_sleep(20)")
        assert quick.execute("SELECT 2").fetchone() == (2,)
        assert late.broken
    watchdog.stop()


def test_the_watchdog_outlives_a_connection_that_is_already_closed(store: str) -> None:
    watchdog = Watchdog(0.2)
    watchdog.start()
    with psycopg.connect(store) as closed, watchdog.watching(closed):
        closed.close()
        time.sleep(0.4)
    with psycopg.connect(store) as late, watchdog.watching(late), pytest.raises(psycopg.Error):
        late.execute("SELECT pg_sleep(20)")
    watchdog.stop()
