"""What `check` finds out about the database: server, schema, roles, stores, months, expiry.

`read` asks and raises the driver's error only when there is no connection; what the server refuses
later is a finding. `facts` judges what was read, and asks nothing.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, LiteralString

import psycopg

from conversation_tracker.checks.finding import Fact, note, ok, wrong
from conversation_tracker.database.connection import Connection, hosts, takes_writes
from conversation_tracker.database.migrate import NewerDatabase, NotMigrated, verify

ROLES = ("tracker_service", "tracker_reader", "tracker_integrator")

_OLDEST = 130000  # server_version_num
_SKEW = 5.0  # seconds
_MONTHS_AHEAD = 2  # expiry makes four: it has not run for two months
_FIRST_STORE = (
    "INSERT INTO tracker.stores (name, alias_domain, sender_domains)"
    " VALUES ('shop', 'ct.example.com', '{example.com}')"
)

_MIGRATE = "run conversation-tracker migrate"
_TIMER = (
    "systemctl enable --now conversation-tracker-expire.timer (or: conversation-tracker expire)"
)
_GRANT = "GRANT tracker_service to it, and run conversation-tracker migrate"
_LACKING = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
)

_SERVER: LiteralString = """
    SELECT current_setting('server_version_num')::integer, pg_is_in_recovery(),
           current_setting('transaction_read_only')::boolean,
           extract(epoch FROM clock_timestamp())::float8,
           ARRAY(SELECT rolname::text FROM pg_roles),
           current_setting('synchronous_commit'),
           (SELECT count(*) FROM pg_stat_replication WHERE application_name <> 'pg_basebackup'),
           current_setting('synchronous_standby_names') <> '',
           current_setting('log_error_verbosity') <> 'terse'"""
_STORES: LiteralString = """
    SELECT name, alias_domain, active, sender_domains = '{}' FROM tracker.stores ORDER BY name"""
_DOMAINS: LiteralString = "SELECT name FROM tracker.alias_domains"
_SECRET: LiteralString = "SELECT key FROM tracker.secrets"
_MONTHS: LiteralString = """
    SELECT count(*) FILTER (WHERE month > utc.now),
           bool_or(month = date_trunc('month', utc.now)) IS TRUE
      FROM (SELECT now() AT TIME ZONE 'UTC' AS now) AS utc, tracker.months(now())"""
_OVERDUE: LiteralString = """
    SELECT count(*) FROM tracker.orders
     WHERE emptied_at IS NULL AND expires_at < now() - interval '2 days'"""

_CONDEMNED: LiteralString = """
    SELECT count(*) FROM tracker.suspects
     WHERE condemned AND at > now() - interval '1 day'"""


@dataclass(frozen=True, slots=True)
class Store:
    """What matters here of one row of tracker.stores."""

    name: str
    alias_domain: str
    active: bool
    silent: bool


@dataclass(frozen=True, slots=True)
class State:
    """What was found in the database.

    Attributes:
        version: the server's, as server_version_num.
        standby: it is no primary.
        read_only: it takes no writes.
        ahead: seconds that this host's clock is ahead of the server's.
        roles: all roles of the server.
        pooled: a pooler stands before the server.
        synchronous: the server's synchronous_commit.
        standbys: how many standbys are connected.
        waits: a commit waits for some of them.
        hosts: how many hosts the configuration names.
        picky: of these, only one that takes writes is used.
        quoting: the server's log quotes the rows of statements that fail.
        fault: what keeps the schema from being used, None if nothing does.
        stores: the stores.
        domains: the alias domains, those in use only by older orders among them.
        month: this month has tables for its messages.
        months: how many months after this one have.
        overdue: orders that expired more than two days ago and were not emptied.
        condemned: messages that ended a process alone, within a day.
        secret: what a probe is signed with.
    """

    version: int
    standby: bool
    read_only: bool
    ahead: float
    roles: frozenset[str]
    pooled: bool = False
    synchronous: str = "on"
    standbys: int = 0
    waits: bool = False
    hosts: int = 1
    picky: bool = False
    quoting: bool = False
    fault: Fact | None = None
    stores: tuple[Store, ...] = ()
    domains: frozenset[str] = frozenset()
    month: bool = True
    months: int = 0
    overdue: int = 0
    condemned: int = 0
    secret: bytes = field(default=b"", repr=False)


def read(conninfo: str) -> State:
    """Ask the database.

    Args:
        conninfo: a libpq URI or connection string.

    Returns:
        What was found.

    Raises:
        psycopg.Error: it cannot be reached.
    """
    with Connection.connect(conninfo) as connection:
        before = time.time()
        [(version, standby, read_only, clock, roles, *commits)] = _rows(connection, _SERVER)
        ahead = (before + time.time()) / 2 - clock
        synchronous, standbys, waits, quoting = commits
        server = State(
            version,
            standby,
            read_only,
            ahead,
            frozenset(roles),
            connection.pooled,
            synchronous,
            standbys,
            waits,
            len(hosts(conninfo)),
            takes_writes(conninfo),
            quoting,
        )
        return _with_schema(connection, server)


def _with_schema(connection: psycopg.Connection, server: State) -> State:
    fault: Fact | None = None
    try:
        fault = _schema_fault(connection)
        stores = tuple(Store(*row) for row in _rows(connection, _STORES))
        domains = frozenset(row[0] for row in _rows(connection, _DOMAINS))
        [(overdue,)] = _rows(connection, _OVERDUE)
        [(later, present)] = _rows(connection, _MONTHS)
        [(condemned,)] = _rows(connection, _CONDEMNED)
        [(secret,)] = _rows(connection, _SECRET)
    except psycopg.errors.InsufficientPrivilege as error:
        said = error.diag.message_primary or "permission denied"
        return replace(server, fault=wrong(f"the database's role may not work ({said})", _GRANT))
    except _LACKING as error:
        lacking = wrong(f"the schema cannot be read ({type(error).__name__})", _MIGRATE)
        return replace(server, fault=fault or lacking)
    return replace(
        server,
        fault=fault,
        stores=stores,
        domains=domains,
        month=present,
        months=later,
        overdue=overdue,
        condemned=condemned,
        secret=bytes(secret),
    )


def _schema_fault(connection: psycopg.Connection) -> Fact | None:
    try:
        verify(connection)
    except NotMigrated as error:
        return wrong("the database is not migrated", f"{error}")
    except NewerDatabase as error:
        text, _, mend = str(error).partition("; ")
        return wrong(text, mend or "install the newer program")
    return None


def _rows(connection: psycopg.Connection, statement: LiteralString) -> list[Any]:
    return connection.execute(statement).fetchall()


def facts(state: State) -> Iterator[Fact]:
    """Judge what was found in the database."""
    yield from _server(state)
    yield from _way(state)
    yield from _commits(state)
    if state.fault is not None:
        yield state.fault
        return
    yield ok("the schema is this program's")
    yield from _roles(state)
    yield from _stores(state)
    yield from _months(state)
    yield from _expiry(state)
    if state.condemned:
        yield note(
            f"{state.condemned} messages of the last day ended a process each and are refused:"
            " look for condemned and worker-overdue in the log"
        )


def _server(state: State) -> Iterator[Fact]:
    name = f"PostgreSQL {state.version // 10000}.{state.version % 10000}"
    if state.version < _OLDEST:
        yield wrong(f"the database is {name}", "13 is the oldest that will do")
    else:
        yield ok(f"the database answers: {name}")
    mend = "name the primary in `database`, or add target_session_attrs=read-write to it"
    if state.standby:
        yield wrong("the database is a standby: nothing can be recorded", mend)
    elif state.read_only:
        yield wrong("the database takes no writes: nothing can be recorded", mend)
    if state.quoting:
        yield note(
            "of a statement that fails, the database server's log quotes the row, with an address:"
            " as its administrator run ALTER DATABASE ... SET log_error_verbosity TO terse"
        )
    if abs(state.ahead) > _SKEW:
        side = "ahead of" if state.ahead > 0 else "behind"
        yield wrong(
            f"this host's clock is {abs(state.ahead):.0f} s {side} the database's",
            "synchronise both hosts (NTP)",
        )
    else:
        yield ok("this host's clock and the database's agree")


def _way(state: State) -> Iterator[Fact]:
    """Judge what lies between this host and the server."""
    if state.pooled:
        yield ok("connections go through a pooler: nothing is used that it does not carry")
    if state.hosts > 1 and not state.picky:
        yield wrong(
            f"`database` names {state.hosts} hosts, and whichever answers first is used",
            "add target_session_attrs=read-write to it",
        )


def _commits(state: State) -> Iterator[Fact]:
    """Judge whether what was recorded outlives the server, and its machine."""
    if state.synchronous == "off":
        yield wrong(
            "synchronous_commit is off: a crash of the server loses what mail was taken for",
            "ALTER ROLE ... SET synchronous_commit = on, for the role the tracker connects as",
        )
    if state.waits and state.synchronous in ("on", "remote_apply", "remote_write"):
        yield ok("what is recorded is on a standby too before mail is taken")
    elif state.standbys or state.hosts > 1:
        yield note(
            "no commit waits for a standby (synchronous_standby_names): what was recorded just"
            " before a failover may be lost"
        )


def _roles(state: State) -> Iterator[Fact]:
    missing = [role for role in ROLES if role not in state.roles]
    if missing:
        statements = "; ".join(f"CREATE ROLE {role} NOLOGIN" for role in missing)
        yield wrong(
            f"the database lacks the roles {', '.join(missing)}",
            f"as its administrator run {statements}; then {_MIGRATE.removeprefix('run ')}",
        )
    else:
        yield ok(f"the roles {', '.join(ROLES)} exist")


def _stores(state: State) -> Iterator[Fact]:
    if not state.stores:
        yield note(
            f"there is no store yet; the first one is added by, for instance: {_FIRST_STORE}"
        )
        return
    yield ok(f"stores: {', '.join(store.name for store in state.stores)}")
    for store in state.stores:
        if not store.active:
            yield note(f"store {store.name} is not active: mail to its aliases and its own waits")
        if store.silent:
            yield note(f"store {store.name} has no sender_domains: its own mail is not masked")


def _months(state: State) -> Iterator[Fact]:
    if not state.month:
        yield note("this month's messages lie in the default tables, and will go one by one")
    if state.months < _MONTHS_AHEAD:
        yield wrong(
            f"messages have tables of their own for {state.months} months to come,"
            " the timer does not run",
            _TIMER,
        )
    else:
        yield ok(f"messages have tables of their own for {state.months} months to come")


def _expiry(state: State) -> Iterator[Fact]:
    if state.overdue:
        yield wrong(
            f"{state.overdue} orders expired more than 2 days ago and still have their addresses,"
            " the timer does not run",
            _TIMER,
        )
    else:
        yield ok("no order has its addresses for more than 2 days after it expired")
