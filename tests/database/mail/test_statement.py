"""A statement run by the short way answers, and fails, as the driver's own."""

import os
import socket
import uuid
from collections.abc import Iterator
from typing import LiteralString

import psycopg
import pytest

from conversation_tracker.base.timeouts import ServerTimeouts
from conversation_tracker.database import prepared as statement
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.prepared import Statement

EVERYTHING = Statement(
    "SELECT %s::text, %s::bigint, %s::boolean, %b::bytea, %s::uuid, %s::text[], %s::jsonb, %s::text"
)
VALUES = ("Köln", 2**40, True, b"\0\xff\\", "0" * 32, "{a,b}", '{"a": 1}', None)
ROW = ("Köln", 2**40, True, b"\0\xff\\", uuid.UUID(int=0), ["a", "b"], {"a": 1}, None)
DIVIDE = Statement("SELECT 1 / %s::integer")


LIMITS = ServerTimeouts(500, 500, 5000)


@pytest.fixture
def direct(database: str) -> Iterator[Connection]:
    with Connection.connect(database, limits=LIMITS) as connection:
        yield connection


@pytest.fixture(params=["prepared", "piped"])
def connection(request: pytest.FixtureRequest, direct: Connection) -> Connection:
    """A connection on which statements run the one way, or as they do behind a pooler."""
    direct.pooled = request.param == "piped"
    return direct


def prepared(connection: Connection) -> int:
    query = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'tracker%'"
    [(count,)] = connection.execute(query).fetchall()
    return int(count)


def test_values_and_rows_are_what_the_driver_makes_of_them(connection: Connection) -> None:
    assert EVERYTHING.rows(connection, VALUES) == [ROW]
    assert EVERYTHING.rows(connection, VALUES) == [ROW]


def test_a_text_with_a_nul_is_refused_and_not_cut(connection: Connection) -> None:
    with pytest.raises(psycopg.DataError):
        EVERYTHING.rows(connection, ("a\0b", *VALUES[1:]))
    assert EVERYTHING.rows(connection, VALUES) == [ROW]


def test_it_is_prepared_once_but_not_behind_a_pooler(connection: Connection) -> None:
    for _ in range(2):
        EVERYTHING.rows(connection, VALUES)
    assert prepared(connection) == (0 if connection.pooled else 1)


def test_behind_a_pooler_its_limits_are_gone_with_it(direct: Connection) -> None:
    """The session is somebody else's next."""
    direct.pooled = True
    direct.execute("SET statement_timeout = 77")
    shown = Statement("SELECT current_setting('statement_timeout')")
    assert shown.rows(direct, ()) == [("500ms",)]
    assert direct.execute("SHOW statement_timeout").fetchall() == [("77ms",)]


def test_what_breaks_off_in_a_pipeline_costs_its_connection(
    direct: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the server still says would be taken for the answer to somebody else's question."""

    def broken(*_: object) -> None:
        raise ValueError("broken off")

    direct.pooled = True
    monkeypatch.setattr(statement.generators, "fetch_many", broken)
    with pytest.raises(ValueError, match="broken off"):
        DIVIDE.rows(direct, (1,))
    assert direct.closed


def test_what_is_large_goes_whole(connection: Connection) -> None:
    large = os.urandom(8_000_000)
    echo = Statement("SELECT %b::bytea")
    connection.execute("SET statement_timeout = 0")
    connection.limits = ServerTimeouts(0, 0, 0)
    assert echo.rows(connection, (large,)) == [(large,)]


def test_a_transaction_that_the_driver_is_to_begin_is_begun(connection: Connection) -> None:
    connection.autocommit = False
    assert EVERYTHING.rows(connection, VALUES) == [ROW]
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


def test_within_a_transaction_it_is_part_of_it(connection: Connection) -> None:
    note = Statement("INSERT INTO tracker.unmaskings (db_user, actor, alias, reason)"
                    " VALUES ('', '', '', %s) RETURNING 1")  # fmt: skip
    with connection.transaction(force_rollback=True):
        assert note.rows(connection, ("prepared",)) == [(1,)]
    query = "SELECT FROM tracker.unmaskings WHERE reason = 'prepared'"
    assert connection.execute(query).fetchall() == []


def test_what_was_prepared_outlives_a_rollback(direct: Connection) -> None:
    with direct.transaction(force_rollback=True):
        assert DIVIDE.rows(direct, (1,)) == [(1,)]
        for _ in range(9):
            direct.execute("SELECT 1")
    direct.execute("SELECT 1")
    assert DIVIDE.rows(direct, (1,)) == [(1,)]


def test_one_without_rows_gives_none(connection: Connection) -> None:
    none = Statement("DELETE FROM tracker.pieces WHERE id = %s::uuid")
    assert none.rows(connection, ("0" * 32,)) == []


def test_an_error_is_the_drivers_and_the_connection_stays(connection: Connection) -> None:
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero):
            DIVIDE.rows(connection, (0,))
    assert DIVIDE.rows(connection, (1,)) == [(1,)]


def test_a_commit_that_fails_is_not_taken_for_done(connection: Connection) -> None:
    """What the server says at the very end, when there are rows already, counts."""
    connection.execute("CREATE TEMP TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    late = Statement("INSERT INTO late VALUES (1) RETURNING n")
    assert late.rows(connection, ()) == [(1,)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        late.rows(connection, ())


def test_a_statement_that_takes_too_long_is_cancelled(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.QueryCanceled):
        Statement("SELECT pg_sleep(%s)").rows(connection, (5,))
    assert not connection.closed


def test_a_server_that_closed_without_a_word_is_an_operational_error(
    connection: Connection,
) -> None:
    DIVIDE.rows(connection, (1,))
    with socket.socket(fileno=os.dup(connection.fileno())) as handle:
        handle.shutdown(socket.SHUT_WR)
    with pytest.raises(psycopg.OperationalError):
        DIVIDE.rows(connection, (1,))
    assert connection.closed


@pytest.mark.parametrize("again", [False, True])
def test_a_lost_connection_is_an_operational_error(
    database: str, connection: Connection, again: bool
) -> None:
    with Connection.connect(database) as other:
        DIVIDE.rows(connection, (1,))
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
        for _ in range(1 + again):
            with pytest.raises(psycopg.OperationalError):
                DIVIDE.rows(connection, (1,))
            assert connection.closed


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("DEALLOCATE ALL", id="it is forgotten"),
        pytest.param("ALTER TABLE changing ALTER n TYPE text", id="its rows are others now"),
    ],
)
def test_what_was_prepared_and_is_of_no_use_any_more_costs_one_connection(
    direct: Connection, change: LiteralString
) -> None:
    """Another host's upgrade changes functions while this one runs; a new connection is well."""
    direct.execute("CREATE TEMP TABLE changing AS SELECT 1 AS n")
    changing = Statement("SELECT * FROM changing")
    assert changing.rows(direct, ()) == [(1,)]
    direct.execute(change)
    with pytest.raises(psycopg.OperationalError):
        changing.rows(direct, ())
    assert direct.closed
