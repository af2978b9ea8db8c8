"""Migrating brings any database to our schema, each step whole or not at all, once."""

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

if TYPE_CHECKING:
    from private.postgres import Postgres

SCRIPTS = Path(str(files("conversation_tracker.database").joinpath("sql")))
NAMES = sorted(path.stem for path in (SCRIPTS / "migrations").glob("*.sql"))

KILLED = """
import os, signal, sys
from conversation_tracker.database.migrate import migrate
migrate(sys.argv[1], lambda name: os.kill(os.getpid(), signal.SIGKILL))
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


OLDER = """
INSERT INTO tracker.stores (name, alias_domain, mask)
VALUES ('hard', 'ct.example.com', 'hard'), ('soft', 'soft.example.com', 'soft');
INSERT INTO tracker.orders (store, number, ref, alias_domain, expires_at)
SELECT name, '1', lpad(length(alias_domain)::text, 12, '0'), alias_domain, now() + '1 day'
  FROM tracker.stores;
INSERT INTO tracker.participants (order_id, token, role, address, vouched)
SELECT o.id, md5(o.store || p.role)::uuid, split_part(p.role, ' ', 1), p.address, p.vouched
  FROM tracker.orders AS o,
       (VALUES ('buyer', 'john@doe.example', true), ('store', 'info@shop.example', true),
               ('partner', 'eve@far.example', false), ('return', 'b@far.example', true))
           AS p(role, address, vouched);
INSERT INTO tracker.messages (order_id, digest, queue_id, direction, sender_id, return_id,
                              sender_name, message_id, subject, first_words, size,
                              attachment_names, automatic, auto_reply, verdict, notes, raw)
SELECT o.id, '1', 'q', 'internal', s.id, r.id, '', '', '', '', 1, '{}', false, false,
       'unverified', '{}', ''
  FROM tracker.orders AS o
  JOIN tracker.participants AS s ON s.order_id = o.id AND s.role = 'store'
  JOIN tracker.participants AS r ON r.order_id = o.id AND r.role = 'return';
"""


def test_an_older_databases_people_keep_their_aliases(
    empty: str, scripts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Soft ones that may be out there resolve, return paths lie apart, and all is as before."""
    later = [path for path in scripts.glob("*.sql") if path.stem > "0008-months"]
    for path in later:
        path.rename(path.with_suffix(".later"))
    (scripts.parent / "roles.sql").rename(scripts.parent / "roles.later")
    (scripts.parent / "roles.sql").write_text("SELECT 1")
    migrate(empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute(OLDER)
    for path in later:
        path.with_suffix(".later").rename(path)
    (scripts.parent / "roles.later").rename(scripts.parent / "roles.sql")
    assert migrate(empty) == len(later)
    with psycopg.connect(empty) as connection:
        people = connection.execute(
            "SELECT o.store, p.role, p.address, p.introduced, p.handed_out, p.owner_id IS NOT NULL"
            " FROM tracker.participants AS p JOIN tracker.orders AS o ON o.id = p.order_id"
            " ORDER BY 1, 2"
        ).fetchall()
        expected = []
        for store in ("hard", "soft"):
            expected += [
                (store, "buyer", "john@doe.example", True, store == "soft", False),
                (store, "partner", "eve@far.example", False, False, False),
                (store, "return", None, False, False, True),
                (store, "store", "info@shop.example", True, True, False),
            ]
        assert people == expected
        found = connection.execute(
            "SELECT a.address FROM tracker.return_addresses AS a"
            " JOIN tracker.messages AS m ON m.return_id = a.participant_id"
        ).fetchall()
        assert found == [("b@far.example",)] * 2


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let `migrate` run a copy of our scripts; return its folder."""
    shutil.copytree(SCRIPTS, tmp_path / "sql")
    monkeypatch.setattr(module, "files", lambda _package: tmp_path)
    return tmp_path / "sql/migrations"


def marks(uri: str) -> list[str]:
    """Return the names of the migrations that are noted as applied."""
    with psycopg.connect(uri) as connection:
        if connection.execute("SELECT to_regclass('public._yoyo_migration')").fetchone() == (None,):
            return []
        query = "SELECT migration_id FROM public._yoyo_migration ORDER BY 1"
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
    """Tell whether an alias can be made and unmade, and `verify` is content."""
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


def test_an_empty_database_gets_everything_and_each_step_is_told(empty: str) -> None:
    told: list[str] = []
    assert migrate(empty, told.append) == len(NAMES)
    assert told == marks(empty) == NAMES
    assert works(empty)


def test_migrating_again_changes_nothing(empty: str) -> None:
    migrate(empty)
    before = schema(empty)
    told: list[str] = []
    assert migrate(empty, told.append) == 0
    assert told == []
    assert schema(empty) == before


def test_two_at_once_wait_for_each_other(empty: str) -> None:
    """Each step is applied once, by whichever comes first."""
    with ThreadPoolExecutor() as pool:
        assert sum(pool.map(migrate, [empty, empty])) == len(NAMES)
    assert works(empty)


def test_two_processes_at_once_wait_for_each_other(empty: str) -> None:
    both = [python(RUN, empty), python(RUN, empty)]
    answers = [process.communicate(timeout=30)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(map(int, answers)) == len(NAMES)
    assert works(empty)


def test_a_newer_database_is_refused_and_left_as_it_is(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO public._yoyo_migration (migration_hash, migration_id, applied_at_utc)"
            " VALUES ('ffff', '9999-of-the-future', now())"
        )
    before = schema(database)
    with pytest.raises(NewerDatabase, match="9999-of-the-future; install the newer program"):
        migrate(database)
    assert schema(database) == before
    with psycopg.connect(database) as connection, pytest.raises(NewerDatabase):
        verify(connection)


def test_verify_names_what_is_lacking(empty: str, scripts: Path) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        with pytest.raises(NotMigrated, match=rf"lacks {', '.join(NAMES)}: run migrate"):
            verify(connection)
        migrate(empty)
        verify(connection)
        (scripts / "9998-more.sql").write_text("SELECT 1;")
        with pytest.raises(NotMigrated, match="lacks 9998-more: run migrate"):
            verify(connection)


@pytest.mark.parametrize("flaw", ["SELECT 1/0;", "SELECT 1/0; COMMENT ON SCHEMA public IS ''"])
def test_a_step_that_fails_is_undone_whole_and_the_steps_before_it_stay(
    empty: str, scripts: Path, flaw: str
) -> None:
    second = scripts / f"{NAMES[1]}.sql"
    whole = second.read_text()
    second.write_text(f"{whole}\n{flaw}\n")
    told: list[str] = []
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(empty, told.append)
    assert told == marks(empty) == NAMES[:1]
    functions = {name for kind, name, *_ in schema(empty) if kind == "function"}
    assert functions
    assert not [name for name in functions if "canonical_address" in str(name)]
    second.write_text(whole)
    assert migrate(empty, told.append) == len(NAMES) - 1
    assert told == NAMES
    assert works(empty)


def test_a_step_that_cannot_be_noted_is_undone(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(module._Backend, "mark_one", fail)
    with pytest.raises(RuntimeError):
        migrate(empty)
    assert marks(empty) == []
    assert not [name for kind, name, *_ in schema(empty) if str(name).startswith("tracker")]
    monkeypatch.undo()
    assert migrate(empty) == len(NAMES)
    assert works(empty)


def test_a_step_that_mail_is_in_the_way_of_is_done_again(empty: str, scripts: Path) -> None:
    """Both hold what the other waits for, and the database ends the migration."""
    migrate(empty)
    (scripts / "9999-newest.sql").write_text(
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


def test_after_a_kill_between_two_steps_the_rest_is_done(empty: str) -> None:
    process = python(KILLED, empty)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGKILL
    assert marks(empty) == NAMES[:1]
    assert migrate(empty) == len(NAMES) - 1
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
            assert connection.execute(roles).fetchone() == (3,)
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
