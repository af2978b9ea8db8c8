"""What `check` finds out about the database: server, schema, roles, stores, months, expiry.

`database/health.py` asks; here it is judged.
"""

from collections.abc import Iterator

from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.database.health import FIRST_STORE, DatabaseState, Fault

ROLES = ("tracker_service", "tracker_reader", "tracker_integrator")
AUDITOR = "tracker_auditor"

_OLDEST = 150000  # server_version_num
_SKEW = 5.0  # seconds
_MONTHS_AHEAD = 2  # expiry makes four: it has not run for two months

_MIGRATE = "run conversation-tracker migrate"
_TIMER = (
    "systemctl enable --now conversation-tracker-expire.timer (or: conversation-tracker expire)"
)
_GRANT = "GRANT tracker_service to it, and run conversation-tracker migrate"


def check(state: DatabaseState) -> Iterator[CheckLine]:
    """Judge what was found in the database."""
    yield from _check_server(state)
    yield from _check_way(state)
    yield from _check_commits(state)
    if state.fault is not None:
        yield _fault(state.fault)
        return
    yield ok("the schema is this program's")
    yield from _check_roles(state)
    yield from _check_grants(state)
    yield from _check_stores(state)
    yield from _check_months(state)
    yield from _check_expiry(state)
    if state.condemned:
        yield note(
            f"{state.condemned} messages of the last day ended a process each and are refused:"
            " look for condemned and worker-overdue in the log"
        )


def _fault(fault: Fault) -> CheckLine:
    if fault.kind == "denied":
        return wrong(f"the database's role may not work ({fault.text})", _GRANT)
    if fault.kind == "unreadable":
        return wrong(f"the schema cannot be read ({fault.text})", _MIGRATE)
    if fault.kind == "not migrated":
        text, _, mend = fault.text.rpartition(": ")
        return wrong(f"the database is not migrated: {text}", mend)
    text, _, mend = fault.text.partition("; ")
    return wrong(text, mend or "install the newer program")


def _check_server(state: DatabaseState) -> Iterator[CheckLine]:
    name = f"PostgreSQL {state.version // 10000}.{state.version % 10000}"
    if state.version < _OLDEST:
        yield wrong(
            f"the database is {name}, too old",
            "move it to 15 or later (pg_upgrade, or pg_dump and restore)",
        )
    else:
        yield ok(f"the database answers: {name}")
    if state.encoding != "UTF8":
        yield wrong(
            f"the database is encoded as {state.encoding}: mail in other characters cannot be kept",
            "make one with ENCODING 'UTF8' TEMPLATE template0, and dump and restore into it",
        )
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


def _check_way(state: DatabaseState) -> Iterator[CheckLine]:
    """Judge what lies between this host and the server."""
    if state.pooled:
        yield ok("connections go through a pooler: nothing is used that it does not carry")
    if state.hosts > 1 and not state.picky:
        yield wrong(
            f"`database` names {state.hosts} hosts, and whichever answers first is used",
            "add target_session_attrs=read-write to it",
        )


def _check_commits(state: DatabaseState) -> Iterator[CheckLine]:
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


def _check_roles(state: DatabaseState) -> Iterator[CheckLine]:
    missing = [role for role in ROLES if role not in state.roles]
    if missing:
        statements = "; ".join(f"CREATE ROLE {role} NOLOGIN" for role in missing)
        yield wrong(
            f"the database lacks the roles {', '.join(missing)}",
            f"as its administrator run {statements}; then {_MIGRATE.removeprefix('run ')}",
        )
    else:
        yield ok(f"the roles {', '.join(ROLES)} exist")
    # No mail needs it, and a database from before has it not.
    if AUDITOR not in state.roles:
        yield note(
            f"there is no role {AUDITOR}, which reads who asked for whose address: as the"
            f" database's administrator run CREATE ROLE {AUDITOR} NOLOGIN; then"
            f" {_MIGRATE.removeprefix('run ')}"
        )


def _check_grants(state: DatabaseState) -> Iterator[CheckLine]:
    if state.ungranted:
        yield note(
            f"{', '.join(state.ungranted)} may read, and no store was granted, so there is nothing"
            " to see: SELECT tracker.grant_store('ROLE', 'STORE')"
        )
    if state.dead_grants:
        yield note(
            f"grants of {', '.join(state.dead_grants)} count for nobody: the role is gone, was made"
            " anew or renamed, or all readers are in it: grant again, or"
            " SELECT tracker.revoke_store('ROLE', 'STORE')"
        )


def _check_stores(state: DatabaseState) -> Iterator[CheckLine]:
    if not state.stores:
        yield note(f"there is no store yet; the first one is added by, for instance: {FIRST_STORE}")
        return
    yield ok(f"stores: {', '.join(store.name for store in state.stores)}")
    for store in state.stores:
        if not store.active:
            yield note(f"store {store.name} is not active: mail to its aliases and its own waits")
        if store.silent:
            yield note(f"store {store.name} has no sender_domains: its own mail is not masked")


def _check_months(state: DatabaseState) -> Iterator[CheckLine]:
    for table in state.lost_tables:
        yield wrong(
            f"the table tracker.{table} is lost, or no part of the whole table any more",
            "restore it from a backup, or attach it again; for a month that may stay without,"
            " SELECT tracker.make_month('YYYY-MM-01') makes an empty one",
        )
    if state.lost_months:
        yield note(
            f"there are no tables for the messages of {', '.join(state.lost_months)}: either mail"
            " and the timer stood still then, or they are lost; look into a backup"
        )
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
    if state.feed_months < _MONTHS_AHEAD:
        yield wrong(
            f"the feed has tables of its own for {state.feed_months} months to come,"
            " the timer does not run",
            _TIMER,
        )


def _check_expiry(state: DatabaseState) -> Iterator[CheckLine]:
    if state.overdue:
        yield wrong(
            f"{state.overdue} orders expired more than 2 days ago and still have their addresses,"
            " the timer does not run",
            _TIMER,
        )
    else:
        yield ok("no order has its addresses for more than 2 days after it expired")
