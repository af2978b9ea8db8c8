"""Migrating brings any database to our schema, whole or not at all, once."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from conversation_tracker.database import migrate as module
from conversation_tracker.database.migrate import NewerDatabase, NotMigrated, migrate, verify
from conversation_tracker.database.schema import files as schema_files

if TYPE_CHECKING:
    from private.postgres import Postgres

SCRIPTS = Path(str(files("conversation_tracker.database").joinpath("sql")))
NAMES = [file.name for file in schema_files.read_files().all]

KILLED = """
import os, signal, sys
from conversation_tracker.database import migrate
migrate._note = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
migrate.migrate(sys.argv[1])
"""
RUN = """
import sys
from conversation_tracker.database.migrate import migrate
print(migrate(sys.argv[1]))
"""


@pytest.fixture
def empty(postgres: "Postgres") -> Iterator[str]:
    """Return the URI of an empty database."""
    yield postgres.create_database("empty")
    postgres.drop_database("empty")


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let `migrate` run a copy of our scripts; return its folder."""
    shutil.copytree(SCRIPTS, tmp_path / "sql")
    (tmp_path / "sql/migrations").mkdir(exist_ok=True)
    monkeypatch.setattr(schema_files, "files", lambda _package: tmp_path)
    return tmp_path / "sql"


def marks(uri: str) -> list[str]:
    """Return the names of the files that are noted as applied."""
    with psycopg.connect(uri) as connection:
        if connection.execute("SELECT to_regclass('tracker.migrations')").fetchone() == (None,):
            return []
        query = 'SELECT name FROM tracker.migrations ORDER BY name COLLATE "C"'
        return [name for (name,) in connection.execute(query)]


def schema(uri: str) -> list[tuple[object, ...]]:
    """Return everything there is in a database: relations, functions, constraints, privileges."""
    query = """
        SELECT 'relation', c.oid::regclass::text, c.relkind::text, c.relacl::text FROM pg_class AS c
         WHERE c.relnamespace::regnamespace::text IN ('public', 'tracker')
        UNION ALL SELECT 'function', p.oid::regprocedure::text, md5(p.prosrc), p.proacl::text
          FROM pg_proc AS p WHERE p.pronamespace::regnamespace::text IN ('public', 'tracker')
        UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid), NULL FROM pg_constraint
         WHERE connamespace::regnamespace::text IN ('public', 'tracker')
        UNION ALL SELECT 'schema', nspname, nspacl::text, NULL FROM pg_namespace
         WHERE nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2, 3
    """
    with psycopg.connect(uri) as connection:
        return connection.execute(query).fetchall()


def works(uri: str) -> bool:
    """Return whether an alias can be made and unmade, and `verify` is content."""
    with psycopg.connect(uri) as connection:
        verify(connection)
        connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain) VALUES ('s', 'ct.test')"
        )
        query = "SELECT tracker.unmask(tracker.mask('s', '1', 'john@doe.example'), 'test')"
        row = connection.execute(query).fetchone()
        connection.rollback()
        return row == ("john@doe.example",)


def python(code: str, uri: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, uri],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(SCRIPTS.parent.parent), "PATH": os.environ["PATH"]},
    )


def test_an_empty_database_gets_everything_and_each_file_is_told(empty: str) -> None:
    told: list[str] = []
    assert migrate(empty, told.append) == len(NAMES)
    assert told == NAMES
    assert marks(empty) == sorted(NAMES)
    assert works(empty)


def test_migrating_again_changes_nothing(empty: str) -> None:
    migrate(empty)
    before = schema(empty)
    told: list[str] = []
    assert migrate(empty, told.append) == 0
    assert told == []
    assert schema(empty) == before


def test_two_at_once_wait_for_each_other(empty: str) -> None:
    """Each file is applied once, by whichever comes first."""
    with ThreadPoolExecutor() as pool:
        assert sum(pool.map(migrate, [empty, empty])) == len(NAMES)
    assert works(empty)


def test_many_at_once_where_there_is_nothing_yet(empty: str) -> None:
    """None is ended by another's having made the schema first."""
    with ThreadPoolExecutor(5) as pool:
        counts = sorted(pool.map(migrate, [empty] * 5))
    assert counts == [0, 0, 0, 0, len(NAMES)]
    assert works(empty)


def test_a_run_waits_for_one_at_work_and_not_for_who_may_not_write(database: str) -> None:
    """Whoever can connect may take any advisory lock, and keep it."""
    with psycopg.connect(database) as stranger, psycopg.connect(database) as other:
        stranger.execute("CREATE ROLE stranger; SET ROLE stranger")
        stranger.execute("SELECT pg_advisory_lock(%s)", (0x7472_6163_6B65_7200,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege), stranger.transaction():
            stranger.execute("LOCK TABLE tracker.migrations IN ACCESS SHARE MODE")
        assert migrate(database) == 0
        other.execute("LOCK TABLE tracker.migrations IN SHARE UPDATE EXCLUSIVE MODE")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(migrate, database)
            query = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            with psycopg.connect(database, autocommit=True) as looking:
                while looking.execute(query).fetchone() == (0,):
                    assert not waiting.done()
            other.rollback()
            assert waiting.result(30) == 0
        stranger.rollback()


def test_two_processes_at_once_wait_for_each_other(empty: str) -> None:
    both = [python(RUN, empty), python(RUN, empty)]
    answers = [process.communicate(timeout=30)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(map(int, answers)) == len(NAMES)
    assert works(empty)


def test_a_newer_database_is_refused_and_left_as_it_is(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO tracker.migrations (name, digest, program)"
            " VALUES ('9999-of-the-future', 'ffff', '0')"
        )
    before = schema(database)
    with pytest.raises(NewerDatabase, match="9999-of-the-future; install the newer program"):
        migrate(database)
    assert schema(database) == before
    with psycopg.connect(database) as connection, pytest.raises(NewerDatabase):
        verify(connection)


def test_verify_names_what_is_lacking(empty: str, scripts: Path) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        named, more = ", ".join(NAMES[:8]), len(NAMES) - 8
        with pytest.raises(NotMigrated, match=rf"lacks {named}, and {more} more: run migrate"):
            verify(connection)
        migrate(empty)
        verify(connection)
        (scripts / "migrations/9998-more.sql").write_text("SELECT 1;")
        with pytest.raises(NotMigrated, match="lacks 9998-more: run migrate"):
            verify(connection)
        (scripts / "migrations/9998-more.sql").unlink()
        with (scripts / "repeatable/erase.sql").open("a") as file:
            file.write("-- more\n")
        with pytest.raises(NotMigrated, match="lacks repeatable/erase: run migrate"):
            verify(connection)
        (scripts / "repeatable/erase.sql").unlink()
        with pytest.raises(NotMigrated, match="lacks -repeatable/erase: run migrate"):
            verify(connection)


@pytest.mark.parametrize("flaw", ["SELECT 1/0;", "SELECT 1/0; COMMENT ON SCHEMA public IS ''"])
@pytest.mark.parametrize("file", ["migrations/9998-more.sql", "repeatable/timeline.sql"])
def test_a_run_that_fails_is_undone_whole(empty: str, scripts: Path, flaw: str, file: str) -> None:
    """What was applied before the fault as well, whatever it was."""
    migrate(empty)
    before = schema(empty)
    (scripts / "migrations/9997-good.sql").write_text("CREATE TABLE tracker.good (id integer)")
    place = scripts / file
    whole = place.read_text() if place.exists() else "SELECT 1;"
    place.write_text(f"{whole}\n{flaw}\n")
    told: list[str] = []
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty, told.append)
    assert told == []
    assert marks(empty) == sorted(NAMES)
    assert schema(empty) == before
    place.write_text(f"{whole}\n")
    assert migrate(empty, told.append) == 2
    assert told[0] == "9997-good"
    assert works(empty)


def test_a_run_that_cannot_be_noted_is_undone(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(module, "_note", fail)
    with pytest.raises(RuntimeError):
        migrate(empty)
    assert marks(empty) == []
    assert not [name for kind, name, *_ in schema(empty) if str(name).startswith("tracker")]
    monkeypatch.undo()
    assert migrate(empty) == len(NAMES)
    assert works(empty)


def test_a_run_that_mail_is_in_the_way_of_is_done_again(empty: str, scripts: Path) -> None:
    """Both hold what the other waits for, and the database ends the migration."""
    migrate(empty)
    (scripts / "migrations/9999-newest.sql").write_text(
        "LOCK TABLE tracker.messages; LOCK TABLE tracker.participants"
    )
    with (
        psycopg.connect(empty) as mail,
        psycopg.connect(empty, autocommit=True) as watcher,
        ThreadPoolExecutor(1) as pool,
    ):
        # Who looks for a deadlock is ended for it: mail does not look.
        mail.execute("SET deadlock_timeout = '1h'")
        mail.execute("LOCK TABLE tracker.participants IN ROW EXCLUSIVE MODE")
        watcher.execute("ALTER ROLE CURRENT_USER SET deadlock_timeout = '3s'")
        done = pool.submit(migrate, empty)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
        try:
            while watcher.execute(waiting, ("tracker.participants",)).fetchone() == (0,):
                assert not done.done(), done.result()
            mail.execute("SELECT FROM tracker.messages")
            mail.rollback()
            assert done.result(60) == 1
        finally:
            watcher.execute("ALTER ROLE CURRENT_USER RESET deadlock_timeout")


def test_after_a_kill_everything_is_done_again(empty: str) -> None:
    process = python(KILLED, empty)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert marks(empty) == []
    assert migrate(empty) == len(NAMES)
    assert works(empty)


def test_without_the_right_to_make_roles_the_rest_is_done_and_roles_can_come_later() -> None:
    from private.postgres import Postgres

    with Postgres(fsync=False) as server:
        with psycopg.connect(server.uri(), autocommit=True) as connection:
            connection.execute("CREATE ROLE plain LOGIN")
            connection.execute("CREATE DATABASE plain OWNER plain")
        assert migrate(server.uri("plain", "plain")) == len(NAMES)
        assert works(server.uri("plain", "plain"))
        roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'tracker%'"
        with psycopg.connect(server.uri("plain"), autocommit=True) as connection:
            assert connection.execute(roles).fetchone() == (0,)
            assert migrate(server.uri("plain")) == 0
            assert connection.execute(roles).fetchone() == (4,)
            grants = "SELECT has_schema_privilege('tracker_reader', 'tracker', 'USAGE')"
            assert connection.execute(grants).fetchone() == (True,)


def test_a_plain_role_that_owns_the_database_grants_to_roles_that_are_there(
    postgres: "Postgres", migrated: str
) -> None:
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute("CREATE ROLE plain LOGIN")
        connection.execute("CREATE DATABASE plain OWNER plain")
        migrate(postgres.uri("plain", "plain"))
        with psycopg.connect(postgres.uri("plain")) as inside:
            query = "SELECT has_table_privilege('tracker_service', 'tracker.orders', 'UPDATE')"
            assert inside.execute(query).fetchone() == (True,)
        postgres.drop_database("plain")
        connection.execute("DROP ROLE plain")


@pytest.mark.parametrize("form", ["key=value", "socket", "tcp", "several hosts", "options"])
def test_every_form_of_connection_string_is_understood(
    postgres: "Postgres", empty: str, form: str
) -> None:
    conninfo = {
        "key=value": make_conninfo(empty),
        "socket": empty,
        "tcp": postgres.uri("empty", tcp=True),
        "several hosts": f"postgresql://postgres@127.0.0.1:1,127.0.0.1:{postgres.port}/empty"
        "?target_session_attrs=read-write",
        "options": f"{empty}&options=-c%20search_path%3Dpg_temp",
    }[form]
    assert migrate(conninfo) == len(NAMES)
    assert works(empty)


def test_a_database_in_another_encoding_is_refused(postgres: "Postgres") -> None:
    create = "CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LC_CTYPE 'C' LC_COLLATE 'C'"
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute(create)
    with pytest.raises(psycopg.errors.RaiseException, match="must be encoded in UTF8, not LATIN1"):
        migrate(postgres.uri("latin"))
    postgres.drop_database("latin")


def test_a_database_out_of_reach_raises_the_drivers_error(postgres: "Postgres") -> None:
    with pytest.raises(psycopg.OperationalError):
        migrate("postgresql://postgres@127.0.0.1:1/none")
    with pytest.raises(psycopg.OperationalError):
        migrate(postgres.uri("no_such_database"))


def test_the_owner_may_keep_strangers_out_of_public(empty: str) -> None:
    """The role that migrates needs no more than to own the database."""
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(sql.SQL("REVOKE ALL ON SCHEMA public FROM PUBLIC"))
    assert migrate(empty) == len(NAMES)
    assert works(empty)
