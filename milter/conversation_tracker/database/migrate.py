"""Brings the database to the program's schema, and tells whether it is there.

A new database gets the baseline, every numbered file since, and all functions and views; an older
one gets what it lacks, and functions and views of each file whose text changed. Then roles.sql says
who may do what. All of it is one transaction: a run that fails or is killed changes nothing. Two
runs at once wait for each other: on the lock of a table, which only who may write there can take
(an advisory lock could be kept by any role that can connect), or where there is none yet, on the
name of the schema, and begin again. At the end the tables of the coming months are made,
and older addresses get the number of their store, as many as go in some seconds.

A database from before the baseline is brought to it by the numbered files of that time. It must
then have the same tables, as must one that was made by another baseline or numbered file of the
same name: else `Differences`. Of that time's bookkeeping one line stays: a program from before the
baseline takes it for a newer program's, and ends.

Mail that needs a table waits behind a run that waits for it. So a run waits for a while only; then
it gives up with `Busy`, and nothing was changed.

Since 0019 whoever reads needs a grant on the store. Roles that could read all of them before it get
one on every store, once, and are named.

A database that a newer program has migrated is refused with `NewerDatabase`; one that cannot be
reached raises the driver's OperationalError.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from conversation_tracker import __version__
from conversation_tracker.base import timeouts
from conversation_tracker.database import partitions
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.publishing.numbering import number_for
from conversation_tracker.database.schema.catalogue import find_differences
from conversation_tracker.database.schema.files import File, Files, Kind, find_remaining, read_files
from conversation_tracker.database.schema.repeatable import Dependents, Remake
from conversation_tracker.database.schema.turn import Overtaken, notice_others, wait_for_others

__all__ = ["Dependents", "Differences", "NewerDatabase", "NotMigrated", "migrate", "verify"]

_ATTEMPTS = 20
_NAMED = 8  # of what lacks: of a new database it is all there is, and the end says what to do

_SEARCH_PATH = "SET LOCAL search_path TO pg_catalog, pg_temp"
_TABLE = "SELECT to_regclass('tracker.migrations')"
_SCHEMA = "SELECT to_regnamespace('tracker')"
_APPLIED = "SELECT name, digest, makes, program FROM tracker.migrations"
_THERE = """
    SELECT 'FUNCTION', proname::text FROM pg_proc
     WHERE pronamespace = to_regnamespace('tracker')
    UNION ALL
    SELECT 'VIEW', relname::text FROM pg_class
     WHERE relnamespace = to_regnamespace('tracker') AND relkind = 'v'"""
_NOTE = """
    INSERT INTO tracker.migrations (name, digest, makes, program) VALUES (%s, %s, %s, %s)
    ON CONFLICT (name) DO UPDATE
       SET digest = excluded.digest, makes = excluded.makes, program = excluded.program,
           applied_at = now()"""
_FORGET = "DELETE FROM tracker.migrations WHERE name = ANY (%s)"

# The bookkeeping of the time before the baseline, which yoyo kept.
_OLDER_TABLE = "SELECT to_regclass('public._yoyo_migration')"
_OLDER = "SELECT migration_id FROM public._yoyo_migration"
_IS_THERE = "SELECT to_regclass(%s)"
_LOGGED = """
    SELECT FROM public._yoyo_log
     WHERE migration_id IS NOT NULL AND migration_id <> ALL (%s) LIMIT 1"""
_DROP_OLDER = (
    "DROP TABLE IF EXISTS public._yoyo_migration, public._yoyo_log, public._yoyo_version,"
    " public.yoyo_lock"
)
_DROP_OLDER_LOG = "DROP TABLE IF EXISTS public._yoyo_log, public._yoyo_version, public.yoyo_lock"
_FORGET_OLDER = "DELETE FROM public._yoyo_migration WHERE migration_id = ANY (%s)"
_MARK = """
    INSERT INTO public._yoyo_migration (migration_hash, migration_id, applied_at_utc)
    VALUES (%s, %s, now() AT TIME ZONE 'UTC') ON CONFLICT DO NOTHING"""

# The step since which reading needs a grant, and who read without one: the roles that log in and
# are in a common one, but for those that need none, and those whose grant every reader would have.
_GRANTS = "0019-grants"
_KEEP_READERS = """
    SELECT r.rolname::text, tracker.grant_store(r.rolname, '*')
      FROM pg_roles AS r, pg_namespace AS n
     WHERE r.rolcanlogin AND n.nspname = 'tracker'
       AND NOT pg_has_role(r.oid, n.nspowner, 'USAGE')
       AND NOT EXISTS (SELECT FROM pg_roles AS s
                        WHERE s.rolname = 'tracker_service' AND pg_has_role(r.oid, s.oid, 'USAGE'))
       AND EXISTS (SELECT FROM pg_roles AS c
                    WHERE c.rolname IN ('tracker_reader', 'tracker_integrator')
                      AND pg_has_role(r.oid, c.oid, 'MEMBER'))
       AND NOT EXISTS (SELECT FROM pg_roles AS c
                        WHERE c.rolname IN ('tracker_reader', 'tracker_integrator')
                          AND pg_has_role(c.oid, r.oid, 'MEMBER'))
     ORDER BY r.rolname"""

_LIMIT_LOCKS = "SELECT set_config('lock_timeout', %s, true)"
# Who holds our tables, the longest transaction first; no query, which may hold an address.
_HOLDERS = """
    SELECT l.pid, extract(epoch FROM clock_timestamp() - min(a.xact_start))::bigint
      FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
     WHERE l.granted AND l.pid <> pg_backend_pid()
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND l.relation IN (SELECT oid FROM pg_class
                           WHERE relnamespace = to_regnamespace('tracker'))
     GROUP BY l.pid ORDER BY 2 DESC NULLS LAST LIMIT 5"""


class NewerDatabase(Exception):
    """The database has what this program does not know."""


class NotMigrated(Exception):
    """The database lacks what this program needs."""


class Differences(Exception):
    """The database's tables are others than the baseline makes; `lines` names each difference."""

    def __init__(self, lines: list[str]) -> None:
        """Take the differences."""
        self.lines = lines
        super().__init__(
            "the database's tables differ from this program's, as said above: nothing was changed"
        )


class Busy(Exception):
    """Others kept a table locked for too long."""


@dataclass(frozen=True, slots=True)
class _Applied:
    """A row of the bookkeeping."""

    name: str
    digest: str
    makes: list[str]
    program: str


def _ignore(_text: str) -> None:
    pass


def migrate(
    conninfo: str,
    say: Callable[[str], object] = _ignore,
    say_granted: Callable[[str], object] = _ignore,
) -> int:
    """Migrate a database to the program's schema.

    Args:
        conninfo: a libpq URI or connection string.
        say: called with the name of each file that was applied, once all are.
        say_granted: called then with each role that was granted every store, because it could read
            all before grants were needed.

    Returns:
        How many were applied.

    Raises:
        NewerDatabase: the database is newer than the program; nothing was changed.
        Differences: its tables are others than they should be; nothing was changed.
        Dependents: something of somebody else's is in the way; nothing was changed.
        Busy: others keep a table locked; nothing was changed.
        psycopg.Error: the database cannot be reached, or refuses.
    """
    with Connection.connect(conninfo, limits=timeouts.get().migration) as connection:
        applied, granted = _try(connection, read_files())
        for name in applied:
            say(name)
        for role in granted:
            say_granted(role)
        # Where mail's locks are in the way, `expire` makes them.
        for kind in (partitions.MESSAGES, partitions.FEED):
            partitions.make(
                lambda query, values: connection.execute(query, values).fetchall(), kind
            )
        number_for(connection, timeouts.get().migration_numbering_seconds)
    return len(applied)


def _try(connection: Connection, files: Files) -> tuple[list[str], list[str]]:
    """Migrate it, and return the names of what was applied, and the roles that were granted all.

    Mail may still come in, and locks the same tables in its own order. Where the database ends one
    of the two for that, and it is this one, that was undone whole and is done again.
    """
    try:
        for _ in range(_ATTEMPTS - 1):
            with suppress(psycopg.errors.DeadlockDetected, Overtaken):
                return _apply(connection, files)
        return _apply(connection, files)
    except psycopg.errors.LockNotAvailable:
        raise Busy(_describe_holders(connection)) from None


def _describe_holders(connection: Connection) -> str:
    found = [
        f"process {pid}" + ("" if seconds is None else f" in a transaction of {seconds} s")
        for pid, seconds in connection.execute(_HOLDERS).fetchall()
    ]
    return (
        f"others kept a table locked for {timeouts.get().migration_lock_milliseconds / 1000:g} s"
        f" ({', '.join(found) or 'it is free now'}), and mail would have to wait: nothing was"
        " changed; run migrate again once they have ended"
    )


def _apply(connection: Connection, files: Files) -> tuple[list[str], list[str]]:
    granted: list[str] = []
    with connection.transaction():
        # Each statement must see what another run did while this one waited for it.
        connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        connection.limit()
        is_new = connection.execute(_SCHEMA).fetchone() == (None,)
        if not is_new:
            wait_for_others(connection)
            # Of a new database no mail has to wait.
            connection.execute(_LIMIT_LOCKS, (str(timeouts.get().migration_lock_milliseconds),))
        connection.execute(_SEARCH_PATH)
        remake = Remake(connection, files)
        applied = _read(connection)
        if is_new and applied:
            raise Overtaken
        known = [_parse(each) for row in applied.values() for each in row.makes]
        _refuse_newer(applied, files)
        new: list[File] = []
        if not applied:
            with notice_others():
                new, before = _begin(connection, files, remake)
            known = sorted(before)
        else:
            earlier = [each for each in files.migrations if each.name in applied]
            new = [each for each in (files.baseline, *earlier) if _is_changed(each, applied)]
            if new:
                _compare(connection, files, earlier)
        for file in files.migrations:
            if file.name not in applied:
                remake.apply(file)
                new.append(file)
        changed = [
            file for file in files.repeatable if _is_changed(file, applied) or remake.lacks(file)
        ]
        remake.make(changed, known)
        for file in (*new, *changed):
            if file not in files.before:
                _note(connection, file)
        unknown = applied.keys() - {file.name for file in files.all}
        connection.execute(_FORGET, (sorted(unknown),))
        connection.execute(files.roles.text.encode())
        if not is_new and any(file.name == _GRANTS for file in new):
            granted = [role for role, _new in connection.execute(_KEEP_READERS).fetchall()]
    return [file.name for file in (*new, *changed)], granted


def _begin(
    connection: Connection, files: Files, remake: Remake
) -> tuple[list[File], set[tuple[Kind, str]]]:
    """Make the tables, or bring those of an older database there.

    Returns:
        The files that were applied; and kind and name of the functions and views there may be.
    """
    older, ours = _read_older(connection), {file.name for file in files.before}
    foreign = bool(older) and not older & ours  # another program's bookkeeping
    if foreign:
        older = set()
    if unknown := sorted(older - ours):
        raise NewerDatabase(_describe_newer(unknown))
    if not older and connection.execute(_SCHEMA).fetchone() != (None,):
        raise Differences(["has a schema tracker, and no bookkeeping of what it was made from"])
    chapters = [file for file in files.before if older and file.name not in older]
    for file in chapters if older else [files.baseline]:
        remake.apply(file)
    if older:
        _compare(connection, files)
        connection.execute(_MARK, (files.baseline.digest, files.baseline.name))
    if not foreign:
        _drop_older(connection, ours, keep_mark=bool(older))
    connection.execute(files.bookkeeping.text.encode())
    known = find_remaining(files.before if older else ())
    return [*chapters, files.baseline], known - set(files.baseline.makes)


def _drop_older(connection: Connection, ours: Collection[str], *, keep_mark: bool) -> None:
    """Drop the bookkeeping of the time before, unless another program's is in it as well."""
    for table in ("public._yoyo_migration", "public._yoyo_log"):
        if connection.execute(_IS_THERE, (table,)).fetchone() == (None,):
            return
    if connection.execute(_LOGGED, (list(ours),)).fetchone() is not None:
        return
    if keep_mark:
        connection.execute(_FORGET_OLDER, (list(ours),))
        connection.execute(_DROP_OLDER_LOG)
    else:
        connection.execute(_DROP_OLDER)


def _compare(connection: Connection, files: Files, since: Iterable[File] = ()) -> None:
    if lines := find_differences(connection, files, list(since)):
        raise Differences(lines)


def verify(connection: psycopg.Connection) -> None:
    """Check that a database has exactly the program's schema.

    Raises:
        NotMigrated: it lacks something, or has none.
        NewerDatabase: it has something more.
    """
    files, applied = read_files(), _read(connection)
    _refuse_newer(applied, files)
    lacking = [file.name for file in files.all if _is_changed(file, applied)]
    known = {file.name for file in files.repeatable}
    there = Counter(connection.execute(_THERE).fetchall())
    lacking += [
        f"{kind.lower()} {name}"
        for file in files.repeatable
        if file.name not in lacking
        for (kind, name), times in Counter(file.makes).items()
        if there[(kind, name)] < times
    ]
    lacking += [f"-{row.name}" for row in applied.values() if row.makes and row.name not in known]
    if len(lacking) > _NAMED:
        lacking = [*lacking[:_NAMED], f"and {len(lacking) - _NAMED} more"]
    if lacking:
        raise NotMigrated(f"the database lacks {', '.join(lacking)}: run migrate")


def _refuse_newer(applied: dict[str, _Applied], files: Files) -> None:
    """Refuse numbered files that are unknown, and functions of a newer version."""
    numbered = {files.baseline.name, *(file.name for file in files.migrations)}
    digests = {file.name: file.digest for file in files.repeatable}
    unknown = []
    for row in applied.values():
        if "/" in row.name:
            changed = row.digest != digests.get(row.name)
            newer = changed and _read_version(row.program) > _read_version(__version__)
        else:
            newer = row.name not in numbered
        if newer:
            unknown.append(row.name)
    if unknown:
        raise NewerDatabase(_describe_newer(sorted(unknown)))


def _describe_newer(unknown: list[str]) -> str:
    return (
        f"the database is newer than this program: it has {', '.join(unknown)};"
        " install the newer program"
    )


def _read(connection: psycopg.Connection) -> dict[str, _Applied]:
    if connection.execute(_TABLE).fetchone() == (None,):
        return {}
    with connection.cursor(row_factory=class_row(_Applied)) as cursor:
        return {row.name: row for row in cursor.execute(_APPLIED)}


def _read_older(connection: psycopg.Connection) -> set[str]:
    if connection.execute(_OLDER_TABLE).fetchone() == (None,):
        return set()
    return {row[0] for row in connection.execute(_OLDER)}


def _note(connection: Connection, file: File) -> None:
    makes = [f"{kind} {name}" for kind, name in file.makes] if "/" in file.name else []
    connection.execute(_NOTE, (file.name, file.digest, makes, __version__))


def _is_changed(file: File, applied: dict[str, _Applied]) -> bool:
    return file.name not in applied or applied[file.name].digest != file.digest


def _parse(made: str) -> tuple[Kind, str]:
    kind, _, name = made.partition(" ")
    return ("VIEW" if kind == "VIEW" else "FUNCTION"), name


def _read_version(text: str) -> tuple[int, ...]:
    """Return the numbers of a release; what comes before it, such as 1.0rc1, counts as it."""
    numbers = [int(each) for each in re.split(r"[^0-9.]", text)[0].split(".") if each]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
