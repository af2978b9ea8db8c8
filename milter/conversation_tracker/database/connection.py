"""How every connection to the database is opened, whatever stands between us and it.

The server may be one of several hosts, and a pooler such as PgBouncer may stand before it. What a
pooler that hands out its connections per transaction does not pass on is not used behind one:
neither startup options, nor settings of a session, nor prepared statements. It is recognised
without any setting: the server's process is another one than the one that greeted the connection.
Errors are the driver's.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from typing import Any, LiteralString, Self

import psycopg
from psycopg import abc
from psycopg.adapt import Transformer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from conversation_tracker.base import timeouts
from conversation_tracker.base.timeouts import ServerTimeouts
from conversation_tracker.database.deadline import limit_time

_SETTINGS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
# What takes writes; a pooler may tell libpq what the server was when the pooler first met it.
_WRITABLE = ("read-write", "primary")
_DIRECT = (
    "SELECT pg_backend_pid() = %s,"
    " pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
)
_SET = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS s(name, value)"
SET_LOCAL: LiteralString = (
    "SELECT set_config(name, value, true) FROM unnest(%s::text[], %s::text[]) AS s(name, value)"
)


class Connection(psycopg.Connection[Any]):
    """A connection in autocommit.

    Attributes:
        pooled: a pooler stands before the server; time is limited within `apply_limits` only.
        limits: how long the server may take.
        prepared: the names of what `prepared` has prepared here.
        transformer: what writes its values and reads its rows.
    """

    pooled = False
    prepared: set[bytes]
    transformer: abc.Transformer
    limits: ServerTimeouts

    @classmethod
    def connect(  # type: ignore[override]
        cls, conninfo: str = "", *, limits: ServerTimeouts | None = None, **more: Any
    ) -> Self:
        """Connect to the first host that answers as it should.

        Args:
            conninfo: a libpq URI or connection string; what it sets for the server stays in force.
            limits: how long the server may take; None stands for what mail allows it.
            more: passed to the driver.

        Raises:
            psycopg.OperationalError: there is no such host.
        """
        limits = limits or timeouts.get().mail
        given = {"autocommit": True, **_options(), **more}
        writable = takes_writes(conninfo)
        if writable:
            given["target_session_attrs"] = "any"
        *others, last = split_hosts(conninfo)
        for where in others:
            try:
                return cls._open(
                    where,
                    limits,
                    writable,
                    {"connect_timeout": timeouts.get().connect_each_seconds, **given},
                )
            except psycopg.OperationalError:
                continue
        each = timeouts.get().connect_each_seconds if others else timeouts.get().connect_seconds
        return cls._open(last, limits, writable, {"connect_timeout": each, **given})

    @classmethod
    def _open(
        cls, conninfo: str, limits: ServerTimeouts, writable: bool, given: dict[str, Any]
    ) -> Self:
        connection = super().connect(conninfo, **given)
        try:
            with limit_time(connection, given["connect_timeout"]):
                connection._begin(limits, writable)
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin(self, limits: ServerTimeouts, writable: bool) -> None:
        """Find out who is there, and set the limits where they are ours to set."""
        self.limits = limits
        # The driver would prepare statements of its own, and throw all away at a rollback.
        self.prepare_threshold = None
        self.prepared = set()
        self.transformer = Transformer.from_context(self)
        autocommit = self.autocommit
        self.autocommit = True
        [(direct, read_only)] = self.execute(_DIRECT, (self.info.backend_pid,)).fetchall()
        if writable and read_only:
            raise psycopg.OperationalError("the server takes no writes")
        self.pooled = not direct
        if not self.pooled:
            self.execute(_SET, write_settings(limits))
        self.autocommit = autocommit

    @property
    def inside(self) -> bool:
        """Whether a transaction is under way in which the limits are in force."""
        if not self.autocommit:
            return True
        return self.pooled and self.info.transaction_status == TransactionStatus.INTRANS

    @contextmanager
    def apply_limits(self) -> Iterator[None]:
        """Run the block's statements under the limits.

        Behind a pooler they run in one transaction: settings of ours must not stay in a session
        that others use next. Within a transaction it does nothing: `limit` is said at its
        beginning.
        """
        if not self.pooled or self.inside:
            yield
            return
        with self.begin_limited():
            yield

    @contextmanager
    def begin_limited(self) -> Iterator[None]:
        """Run the block's statements in one transaction, under the limits."""
        with self.transaction():
            if self.pooled:
                self.limit()
            yield

    @contextmanager
    def limit_lock_wait(self, milliseconds: int) -> Iterator[None]:
        """Bound how long the block's statements wait for a lock; they run in one transaction."""
        with self.begin_limited():
            self.execute(SET_LOCAL, (["lock_timeout"], [str(milliseconds)]))
            yield

    def limit(self) -> None:
        """Set the limits for the rest of a transaction; without autocommit it begins here."""
        self.execute(SET_LOCAL, write_settings(self.limits))


def write_settings(limits: ServerTimeouts) -> tuple[list[str], list[str]]:
    """Return the server's settings for time-outs, names and values."""
    values = [limits.statement_milliseconds, limits.lock_milliseconds, limits.idle_milliseconds]
    # No JIT: the planner thinks that a statement over many months is long, and compiling it takes
    # longer than running it.
    return [*_SETTINGS, "jit"], [*map(str, values), "off"]


def _options() -> dict[str, str | int]:
    """Return what every connection is opened with."""
    limits = timeouts.get()
    return {
        "application_name": "conversation-tracker",
        "tcp_user_timeout": int(limits.network_seconds * 1000),
        "keepalives_idle": limits.keepalive_seconds,
    }


def takes_writes(conninfo: str) -> bool:
    """Return whether a connection string wants no other server than one that takes writes."""
    named = conninfo_to_dict(conninfo).get("target_session_attrs")
    return (named or os.environ.get("PGTARGETSESSIONATTRS")) in _WRITABLE


def split_hosts(conninfo: str) -> list[str]:
    """Take a connection string with several hosts apart, in their order.

    libpq would go through them itself, but the driver gives all of them one time limit: a host that
    does not even refuse would use it up.

    Args:
        conninfo: a libpq URI or connection string.

    Returns:
        One connection string for each host.
    """
    parts = conninfo_to_dict(conninfo)
    several = {key: str(parts.get(key) or "").split(",") for key in ("host", "hostaddr", "port")}
    count = max(map(len, several.values()))
    if count == 1:
        return [conninfo]
    named = {key: list(islice(cycle(values), count)) for key, values in several.items()}
    rest = {key: value for key, value in parts.items() if key not in named}
    found = []
    for number in range(count):
        where = {key: values[number] for key, values in named.items() if values[number]}
        found.append(make_conninfo("", **rest, **where))
    return found
