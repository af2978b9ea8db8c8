"""What `check` asks the database: server, schema, roles, stores, months, expiry.

`read_state` raises the driver's error only when there is no connection; what the server refuses
later is a fault of the state. Nothing is judged here.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, LiteralString

import psycopg

from conversation_tracker.database.connection import Connection, split_hosts, takes_writes
from conversation_tracker.database.faults import read_text
from conversation_tracker.database.migrate import NewerDatabase, NotMigrated, verify
from conversation_tracker.database.publishing import lag
from conversation_tracker.database.publishing.webhooks import WebhookState, read_states

# What an administrator may run to begin with.
FIRST_STORE = (
    "INSERT INTO tracker.stores (name, alias_domain, sender_domains)"
    " VALUES ('shop', 'ct.example.com', '{example.com}')"
)

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
           current_setting('log_error_verbosity') <> 'terse',
           current_setting('server_encoding')"""
_STORES: LiteralString = """
    SELECT name, alias_domain, active, sender_domains = '{}',
           mask = 'soft' OR issuer_mask = 'soft', sender_domains
      FROM tracker.stores ORDER BY name"""
_DOMAINS: LiteralString = "SELECT name FROM tracker.alias_domains"
_SECRET: LiteralString = "SELECT key FROM tracker.secrets"
_MONTHS: LiteralString = """
    SELECT count(*) FILTER (WHERE month > utc.now),
           bool_or(month = date_trunc('month', utc.now)) IS TRUE
      FROM (SELECT now() AT TIME ZONE 'UTC' AS now) AS utc, tracker.months(now())"""
# Of each pair of tables both must be there, and be part of the whole tables.
_LOST_TABLES: LiteralString = """
    WITH part AS (
        SELECT m.whole,
               substring(c.relname
                         FROM '^(?:messages|deliveries)_(\\d{4}_\\d{2}|default)$') AS which
          FROM (VALUES ('messages'), ('deliveries')) AS m (whole)
          JOIN pg_inherits AS i ON i.inhparent = to_regclass('tracker.' || m.whole)
          JOIN pg_class AS c ON c.oid = i.inhrelid)
    SELECT m.whole || '_' || every.which
      FROM (SELECT which FROM part WHERE which IS NOT NULL
            UNION SELECT 'default'
            UNION SELECT substring(c.relname FROM '^(?:messages|deliveries)_(\\d{4}_\\d{2})$')
              FROM pg_class AS c WHERE c.relnamespace = to_regnamespace('tracker')
                                   AND c.relkind = 'r') AS every,
           (VALUES ('messages'), ('deliveries')) AS m (whole)
     WHERE every.which IS NOT NULL
       AND NOT EXISTS (SELECT FROM part AS p WHERE p.whole = m.whole AND p.which = every.which)
     ORDER BY every.which, m.whole"""
# Months between the first there is and this one that are not there, could not have been dropped by
# expiry, and of which nothing lies in the default tables.
_LOST_MONTHS: LiteralString = """
    SELECT to_char(wanted, 'YYYY-MM')
      FROM (SELECT now() AT TIME ZONE 'UTC' AS now) AS utc,
           generate_series((SELECT min(month) FROM tracker.months(now())),
                           date_trunc('month', utc.now) - interval '1 month',
                           interval '1 month') AS wanted
     WHERE wanted + interval '1 month'
           > utc.now - (SELECT min(message_retention) FROM tracker.stores)
       AND NOT EXISTS (SELECT FROM tracker.months(now()) AS m WHERE m.month = wanted::date)
       AND NOT EXISTS (SELECT FROM tracker.messages AS m
                        WHERE m.at >= wanted AT TIME ZONE 'UTC'
                          AND m.at < (wanted + interval '1 month') AT TIME ZONE 'UTC')
     ORDER BY wanted"""
_OVERDUE: LiteralString = """
    SELECT count(*) FROM tracker.orders
     WHERE emptied_at IS NULL AND expires_at < now() - interval '2 days'"""

# How far the publisher is behind, and how many months after this one the feed has.
_FEED: LiteralString = (
    "SELECT"
    + lag.UNPUBLISHED
    + ","
    + lag.UNREAD
    + """,
           (SELECT count(*) FROM tracker.feed_months(now())
             WHERE month > (now() AT TIME ZONE 'UTC'))"""
)
_CONDEMNED: LiteralString = """
    SELECT count(*) FROM tracker.suspects
     WHERE condemned AND at > now() - interval '1 day'"""

# Who logs in to read and was granted nothing; and grants of roles that are gone, were made anew or
# renamed.
_UNGRANTED: LiteralString = """
    SELECT r.rolname::text FROM pg_roles AS r, pg_namespace AS n
     WHERE r.rolcanlogin AND n.nspname = 'tracker'
       AND (pg_has_role(r.oid, to_regrole('tracker_reader')::oid, 'MEMBER')
            OR pg_has_role(r.oid, to_regrole('tracker_integrator')::oid, 'MEMBER'))
       AND NOT pg_has_role(r.oid, n.nspowner, 'USAGE')
       AND pg_has_role(r.oid, to_regrole('tracker_service')::oid, 'USAGE') IS NOT TRUE
       AND NOT EXISTS (SELECT FROM tracker.grants_in_force AS g
                        WHERE pg_has_role(r.oid, g.role_id, 'USAGE'))
     ORDER BY 1"""
_DEAD_GRANTS: LiteralString = """
    SELECT DISTINCT g.role::text FROM tracker.grants AS g
     WHERE NOT EXISTS (SELECT FROM tracker.grants_in_force AS f WHERE f.role = g.role) ORDER BY 1"""


@dataclass(frozen=True, slots=True)
class Fault:
    """What keeps the schema from being used.

    Attributes:
        kind: the role may not use it; it cannot be read; it lacks something; it is newer.
        text: what the server or `verify` says.
    """

    kind: Literal["denied", "unreadable", "not migrated", "newer"]
    text: str


@dataclass(frozen=True, slots=True)
class StoreRow:
    """What matters here of one row of tracker.stores."""

    name: str
    alias_domain: str
    active: bool
    silent: bool
    soft: bool = True
    sender_domains: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class DatabaseState:
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
        encoding: how the database writes text.
        fault: what keeps the schema from being used, None if nothing does.
        stores: the stores.
        domains: the alias domains, those in use only by older orders among them.
        month: this month has tables for its messages.
        months: how many months after this one have.
        lost_tables: tables of which the other one of the pair is there.
        lost_months: months before this one that should have tables and have none, as YYYY-MM.
        overdue: orders that expired more than two days ago and were not emptied.
        condemned: messages that ended a process alone, within a day.
        ungranted: roles that log in to read, and were granted no store.
        dead_grants: roles of grants that count for nobody.
        secret: what a probe is signed with.
        unpublished: seconds since the oldest event happened that is not published, 0 if all are.
        unread: seconds since the oldest message came that nothing was taken out of, likewise.
        feed_months: how many months after this one the feed has tables for.
        webhooks: how each webhook is doing.
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
    encoding: str = "UTF8"
    fault: Fault | None = None
    stores: tuple[StoreRow, ...] = ()
    domains: frozenset[str] = frozenset()
    month: bool = True
    months: int = 0
    lost_tables: tuple[str, ...] = ()
    lost_months: tuple[str, ...] = ()
    overdue: int = 0
    condemned: int = 0
    ungranted: tuple[str, ...] = ()
    dead_grants: tuple[str, ...] = ()
    secret: bytes = field(default=b"", repr=False)
    unpublished: float = 0.0
    unread: float = 0.0
    feed_months: int = 4
    webhooks: tuple[WebhookState, ...] = ()


def read_state(conninfo: str) -> DatabaseState:
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
        [(version, standby, read_only, clock, roles, *commits)] = _fetch_rows(connection, _SERVER)
        ahead = (before + time.time()) / 2 - clock
        synchronous, standbys, waits, quoting, encoding = commits
        server = DatabaseState(
            version,
            standby,
            read_only,
            ahead,
            frozenset(roles),
            connection.pooled,
            synchronous,
            standbys,
            waits,
            len(split_hosts(conninfo)),
            takes_writes(conninfo),
            quoting,
            encoding,
        )
        return _with_schema(connection, server)


def _with_schema(connection: psycopg.Connection, server: DatabaseState) -> DatabaseState:
    fault: Fault | None = None
    try:
        fault = _check_schema(connection)
        stores = tuple(StoreRow(*row) for row in _fetch_rows(connection, _STORES))
        domains = frozenset(row[0] for row in _fetch_rows(connection, _DOMAINS))
        [(overdue,)] = _fetch_rows(connection, _OVERDUE)
        [(later, present)] = _fetch_rows(connection, _MONTHS)
        tables = tuple(row[0] for row in _fetch_rows(connection, _LOST_TABLES))
        lost = tuple(row[0] for row in _fetch_rows(connection, _LOST_MONTHS))
        [(condemned,)] = _fetch_rows(connection, _CONDEMNED)
        ungranted = tuple(row[0] for row in _fetch_rows(connection, _UNGRANTED))
        dead = tuple(row[0] for row in _fetch_rows(connection, _DEAD_GRANTS))
        [(secret,)] = _fetch_rows(connection, _SECRET)
        [(unpublished, unread, feed_months)] = _fetch_rows(connection, _FEED)
        webhooks = tuple(read_states(connection))
    except psycopg.errors.InsufficientPrivilege as error:
        said = read_text(error, "") or "permission denied"
        return replace(server, fault=Fault("denied", said))
    except _LACKING as error:
        return replace(server, fault=fault or Fault("unreadable", type(error).__name__))
    return replace(
        server,
        fault=fault,
        stores=stores,
        domains=domains,
        month=present,
        months=later,
        lost_tables=tables,
        lost_months=lost,
        overdue=overdue,
        condemned=condemned,
        ungranted=ungranted,
        dead_grants=dead,
        secret=bytes(secret),
        unpublished=unpublished,
        unread=unread,
        feed_months=feed_months,
        webhooks=webhooks,
    )


def _check_schema(connection: psycopg.Connection) -> Fault | None:
    try:
        verify(connection)
    except NotMigrated as error:
        return Fault("not migrated", str(error))
    except NewerDatabase as error:
        return Fault("newer", str(error))
    return None


def _fetch_rows(connection: psycopg.Connection, statement: LiteralString) -> list[Any]:
    return connection.execute(statement).fetchall()
