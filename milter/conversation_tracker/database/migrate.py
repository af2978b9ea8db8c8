"""Brings the database to the program's schema, and tells whether it is there.

The numbered files of sql/migrations are run by yoyo, each as one script in one transaction with the
note that it was run; then sql/roles.sql says who may do what, and the months that messages will lie
in are made ahead. Two runs at once wait for each other on an advisory lock, at each step. A step's
lock lies in its transaction: behind a pooler the next one may run in another session. A database
that a newer program has migrated is refused with
`NewerDatabase`; a database that cannot be reached raises the driver's OperationalError.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import psycopg
from yoyo import internalmigrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri
from yoyo.migrations import Migration, MigrationList, StepCollector, read_migrations

from conversation_tracker.database import partitions
from conversation_tracker.database.connection import Connection, Limits

_LOCK = 0x7472_6163_6B65_7200  # "tracker", as a number no one else takes
_SCRIPTS_LIMITS = Limits(statement=0, lock=0, idle=0)
_ATTEMPTS = 20
_ROLES = "roles.sql"
_MARKS = "SELECT to_regclass('public._yoyo_migration')"
_APPLIED = "SELECT migration_id FROM public._yoyo_migration"


class NewerDatabase(Exception):
    """The database has migrations that this program does not know."""


class NotMigrated(Exception):
    """The database lacks migrations that this program needs."""


def migrate(conninfo: str, say: Callable[[str], object] = lambda _line: None) -> int:
    """Apply the migrations that the database lacks.

    Args:
        conninfo: a libpq URI or connection string.
        say: called with the name of each migration once it is applied.

    Returns:
        How many were applied.

    Raises:
        NewerDatabase: the database is newer than the program; nothing was changed.
        psycopg.Error: the database cannot be reached, or refuses.
    """
    applied = 0
    with (
        Connection.connect(conninfo, limits=_SCRIPTS_LIMITS) as connection,
        _migrations() as known,
    ):
        while (name := _apply_next(connection, known)) is not None:
            say(name)
            applied += 1
        roles = files("conversation_tracker.database").joinpath("sql", _ROLES).read_text("utf-8")
        with _locked(connection):
            connection.execute(roles.encode("utf-8"))
        # Where mail's locks are in the way, `expire` makes them.
        partitions.make(lambda statement, values: connection.execute(statement, values).fetchall())
    return applied


def _apply_next(connection: Connection, known: MigrationList) -> str | None:
    """Apply the next migration that lacks, and give its name; None if none does.

    Mail may still come in, and locks the same tables in its own order. Where the database ends one
    of the two for that, and it is the migration, that was undone whole and is done again.
    """
    for _ in range(_ATTEMPTS - 1):
        with suppress(psycopg.errors.DeadlockDetected):
            return _apply_one(connection, known)
    return _apply_one(connection, known)


def _apply_one(connection: Connection, known: MigrationList) -> str | None:
    with _locked(connection):
        _refuse_newer(_applied(connection), known)
        backend = _Backend(connection)
        for migration in backend.to_apply(known):
            backend.apply_one(migration)
            return str(migration.id)
    return None


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    """Run the block in one transaction that nobody else's migration runs beside."""
    with connection.transaction():
        connection.limit()
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        yield


def verify(connection: psycopg.Connection) -> None:
    """Check that a database has exactly the program's schema.

    Raises:
        NotMigrated: it lacks a migration, or has none.
        NewerDatabase: it has one more.
    """
    applied = _applied(connection)
    with _migrations() as known:
        _refuse_newer(applied, known)
        if lacking := sorted({migration.id for migration in known} - applied):
            raise NotMigrated(f"the database lacks {', '.join(lacking)}: run migrate")


def _applied(connection: psycopg.Connection) -> set[str]:
    if connection.execute(_MARKS).fetchone() == (None,):
        return set()
    return {row[0] for row in connection.execute(_APPLIED)}


def _refuse_newer(applied: set[str], known: MigrationList) -> None:
    if unknown := sorted(applied - {migration.id for migration in known}):
        raise NewerDatabase(
            f"the database is newer than this program: it has {', '.join(unknown)};"
            " install the newer program"
        )


@contextmanager
def _migrations() -> Iterator[MigrationList]:
    with as_file(files("conversation_tracker.database").joinpath("sql", "migrations")) as folder:
        found = read_migrations(str(folder))
        yield MigrationList([_Script(each.id, each.path, each.source_dir) for each in found])


class _Script(Migration):  # type: ignore[misc]
    """A migration that is run as it stands: yoyo would cut it at semicolons inside functions."""

    def load(self) -> None:
        """Read the file as one step."""
        if self.loaded:
            return
        self.source = Path(self.path).read_text("utf-8")
        collector = StepCollector(migration=self)
        collector.add_step(self.source)
        self._depends: set[Migration | None] = set()
        self.use_transactions = True
        self.steps = collector.create_steps(True)


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]
    """yoyo on our own connection, in our own transaction: what it begins are savepoints there."""

    _in_transaction = True

    def __init__(self, connection: psycopg.Connection) -> None:
        """Use a connection that is within a transaction."""
        self._given = connection
        super().__init__(parse_uri("postgresql+psycopg:///"), "_yoyo_migration")
        self.init_database()

    def connect(self, dburi: object) -> psycopg.Connection:
        """Give the connection there is."""
        return self._given

    def init_connection(self, connection: psycopg.Connection) -> None:
        """Keep yoyo's own tables in public, whatever the role's search path."""
        connection.execute("SET LOCAL search_path TO public")

    def execute(self, sql: str, params: dict[str, Any] | None = None) -> Any:
        """Run a statement; one without parameters may be a whole script."""
        if not params:
            return self._given.execute(sql.encode("utf-8"))
        return super().execute(sql, params)

    @contextmanager
    def lock(self, timeout: int = 10) -> Iterator[None]:
        """Do nothing: the advisory lock is held, and goes with its transaction."""
        yield

    def ensure_internal_schema_updated(self) -> None:
        """Bring yoyo's own tables up to date."""
        if internalmigrations.needs_upgrading(self):
            internalmigrations.upgrade(self)

    def apply_one(self, migration: Migration, force: bool = False, mark: bool = True) -> None:
        """Apply a migration and note it."""
        self.ensure_internal_schema_updated()
        migration.process_steps(self, "apply", force=force)
        self.mark_one(migration, log=False)
