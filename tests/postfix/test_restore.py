"""The database is lost under load and comes back from a backup, as docs/hosts.md says how."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from conversation_tracker.checks import database as check_database
from conversation_tracker.database.health import read_state
from conversation_tracker.database.migrate import migrate
from private import processes
from private.mailhost import MailHost
from private.postgres import Postgres, binaries
from private.restored_postgres import RestoredPostgres

from .senders import CARRIER, Load, buyer, delivered, letter, mask, orders, parcels, recorded

NAME, OWNER = "mail", "conversation-tracker"
ROLES = ("tracker_service", "tracker_reader", "tracker_integrator", "tracker_auditor")


def installed(server: Postgres) -> str:
    """Make the database as the installer does; return its URI."""
    with psycopg.connect(server.uri(), autocommit=True) as connection:
        connection.execute(f'CREATE ROLE "{OWNER}" LOGIN'.encode())
        for role in ROLES:
            connection.execute(f"CREATE ROLE {role} NOLOGIN".encode())
        connection.execute(f'GRANT tracker_service TO "{OWNER}"'.encode())
        connection.execute(f'CREATE DATABASE {NAME} OWNER "{OWNER}" TEMPLATE template0'.encode())
        connection.execute(f"ALTER DATABASE {NAME} SET log_error_verbosity TO terse".encode())
    uri = server.uri(NAME, OWNER, tcp=True)
    migrate(uri)
    return uri


def run(program: str, *arguments: str | Path) -> None:
    """Run one of PostgreSQL's programs."""
    subprocess.run([binaries() / program, *arguments], check=True, capture_output=True)


def dumped(server: Postgres, folder: Path) -> None:
    """Write roles and database into files."""
    roles = ["--roles-only", "--no-role-passwords", "-f", folder / "roles.sql"]
    run("pg_dumpall", *roles, "-d", server.uri())
    run("pg_dump", "-Fc", "-f", folder / "database", "-d", server.uri(NAME))


def restored(server: Postgres, folder: Path) -> str:
    """Read roles and database from files; return the database's URI."""
    run("psql", "-X", "-q", "-f", folder / "roles.sql", server.uri())
    run("pg_restore", "--exit-on-error", "--create", "-d", server.uri(), folder / "database")
    return server.uri(NAME, OWNER, tcp=True)


@contextmanager
def stopped(host: MailHost) -> Iterator[None]:
    """Stop the tracker while the block runs."""
    assert host.tracker.stop() == os.EX_OK
    yield
    host.tracker.start()


def lead(host: MailHost, old: str, new: str, *erased: Path) -> None:
    """Have the tracker use another database, and bring that up to date; by lists of erasures."""
    host.tracker.config.write_text(host.tracker.config.read_text().replace(old, new))
    again = (["erase", "--again", str(each)] for each in erased)
    for command in (["migrate"], *again, ["expire"]):
        assert host.tracker.run(*command).returncode == os.EX_OK


def answer(host: MailHost, alias: str) -> str:
    """Return what a message to an alias is answered."""
    return str(host.send(CARRIER, alias, letter(99, alias)).final)


def test_a_dump_restored_in_another_server(tmp_path: Path) -> None:
    """Mail waits and then flows; what the dump does not know is not refused until that is meant."""
    with Postgres(fsync=False) as lost, Postgres(fsync=False) as found:
        old = installed(lost)
        aliases = orders(old, 4)
        with MailHost(old) as host:
            load = Load(aliases[:3], host)
            load(0)
            dumped(lost, tmp_path)
            with psycopg.connect(old) as connection:
                late = mask(connection, 5)
            assert host.tracker.run("erase", buyer(4)).returncode == os.EX_OK
            erasures = tmp_path / "erasures"
            assert host.tracker.run("erase", "--list", str(erasures)).returncode == os.EX_OK
            load(1)
            host.postfix.configure({"defer_transports": "tracker-split"})
            host.postfix.reload()
            both = [aliases[0], late]
            assert host.send(CARRIER, both, letter(2, *both)).ok
            # A client that never read our 250 sends this one again later.
            numbers = range(10, 40)
            with load.sending(numbers):
                assert processes.until(lambda: len(load.taken) >= 10, 30.0)
                lost.kill()
                assert processes.until(lambda: load.deferred, 30.0)
                host.postfix.configure({"soft_bounce": "yes", "defer_transports": ""})
                host.postfix.reload()
                with stopped(host):
                    new = restored(found, tmp_path)
                    lead(host, old, new, erasures)
                    before = set(load.taken)
            assert load.other == []
            facts = [str(each) for each in check_database.check(read_state(new))]
            assert not [fact for fact in facts if fact.startswith("WRONG")]
            assert answer(host, late).startswith("450 4.1.1")
            assert answer(host, aliases[3]).startswith("450 4.2.1")
            host.postfix.flush()
            assert processes.until(lambda: host.sink.to(buyer(1)), 20.0)
            taken = parcels([0, 1, 2, *numbers])
            assert processes.until(lambda: delivered(host) == taken, 20.0), delivered(host)
            assert set(recorded(new).values()) == {1}
            # Taken after the dump and before the end, and so recorded in what is lost.
            assert taken.keys() - recorded(new).keys() <= before | parcels([1]).keys()
            assert parcels([0, 2]).keys() <= recorded(new).keys()
            host.postfix.configure({"soft_bounce": "no"})
            host.postfix.reload()
            # A process that was waiting for its next client may still have the old setting.
            assert processes.until(lambda: answer(host, late).startswith("550 5.1.1"), 10.0)
            host.postfix.flush()
            host.postfix.wait_until_queue_empty()
            [notice] = host.sink.to(CARRIER)
            assert late.encode() in notice.data
            assert buyer(5).encode() not in notice.data


@pytest.fixture
def archiving() -> Iterator[Postgres]:
    """A server that archives its WAL in a folder beside its data."""
    settings = {"archive_mode": "on", "archive_command": "cp %p ../archive/%f"}
    server = Postgres(fsync=False, settings=settings)
    folder = server.directory / "archive"
    folder.mkdir()
    shutil.chown(folder, server.directory.owner())
    with server:
        yield server


def test_a_base_backup_with_the_wal_since_loses_no_record(archiving: Postgres) -> None:
    """With all of the WAL the state is that of the crash: no record is lost, none is doubled."""
    base, archive = (archiving.directory / name for name in ("base", "archive"))
    old = installed(archiving)
    archiving.back_up(base)
    aliases = orders(old, 3)
    numbers = range(30)
    with ExitStack() as stack:
        host = stack.enter_context(MailHost(old))
        load = Load(aliases, host)
        with load.sending(numbers):
            assert processes.until(lambda: len(load.taken) >= 10, 30.0)
            archiving.kill()
            for segment in (archiving.directory / "data" / "pg_wal").glob("[0-9A-F]" * 24):
                shutil.copy(segment, archive)
                shutil.chown(archive / segment.name, archive.owner())
            found = stack.enter_context(RestoredPostgres(base, archive))
            new = found.uri(NAME, OWNER, tcp=True)
            with stopped(host):
                lead(host, old, new)
        host.postfix.wait_until_queue_empty()
        assert load.other == []
        assert load.deferred
        assert delivered(host) == recorded(new) == parcels(numbers)
