"""Expiry: takes away what has had its time, in small transactions, and says what it took.

The addresses of expired orders, messages older than their store keeps them, orders of which nothing
is left, alias domains that nobody uses: in this order, since each leads to the next. Every batch is
a transaction of its own, so a run that is killed leaves nothing half done and the next one goes on.
Each looks again once it holds the locks: an order that was woken meanwhile is left alone. Rows that
somebody else has locked are passed over: runs at the same time share the work, mail never waits for
long. The clock is the database's.

No database, or one that is not migrated, is exit code 75 with one line; so is work that was in the
way of somebody's locks until the end. No line names an address.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString, TextIO

import psycopg
from psycopg import IsolationLevel

from conversation_tracker.config import Config
from conversation_tracker.database import connection_options
from conversation_tracker.deadline import Watchdog
from conversation_tracker.failure import TEMPORARY, USAGE, Failure, of
from conversation_tracker.logs import log
from conversation_tracker.migrate import NewerDatabase, NotMigrated, verify

# Rows of a batch: what fails in one pass is tried again in the next, in smaller company.
_SIZES = (1000, 100, 10, 1)
_PAUSE = 1.0  # seconds between passes
_OVERDUE = 60.0  # seconds a batch may take, whatever the server and the network do
_TIMEOUTS = (
    "-c statement_timeout=15000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=15000"
)
_COUNTING = "SET LOCAL statement_timeout = '10min'"

_BUSY = (
    psycopg.errors.LockNotAvailable,
    psycopg.errors.QueryCanceled,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.ForeignKeyViolation,
)


@dataclass(slots=True)
class Counts:
    """What a run took away, or with a dry run would have."""

    orders: int = 0
    addresses: int = 0
    messages: int = 0
    removed: int = 0
    domains: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """One kind of thing to take away.

    Attributes:
        counts: the fields of Counts that `act` gives a row of.
        seek: gives the next rows in line, (time, id), due or not: so each batch's work is bounded.
        lock: locks those of them that are due, and gives their ids.
        act: takes them away. A statement of its own, and so of a later snapshot: it sees all that
            was committed before the locks were had.
    """

    counts: tuple[str, ...]
    seek: LiteralString
    lock: LiteralString
    act: LiteralString


_EMPTY = _Step(
    ("orders", "addresses"),
    seek="""
        SELECT o.expires_at::text, o.id FROM tracker.orders AS o
         WHERE o.emptied_at IS NULL AND o.expires_at <= %(now)s
           AND (o.expires_at, o.id) > (%(at)s::timestamptz, %(id)s)
         ORDER BY o.expires_at, o.id LIMIT %(size)s""",
    lock="""
        SELECT id FROM tracker.orders
         WHERE id = ANY (%(ids)s) AND emptied_at IS NULL AND expires_at <= %(now)s
           FOR NO KEY UPDATE SKIP LOCKED""",
    act="""
        WITH emptied AS (
            UPDATE tracker.participants SET address = NULL
             WHERE order_id = ANY (%(ids)s) AND address IS NOT NULL RETURNING id
        ), marked AS (
            UPDATE tracker.orders SET emptied_at = %(now)s WHERE id = ANY (%(ids)s) RETURNING id
        )
        SELECT (SELECT count(*) FROM marked), (SELECT count(*) FROM emptied)""",
)
_DELETE_MESSAGES = _Step(
    ("messages",),
    seek="""
        SELECT m.at::text, m.id FROM tracker.messages AS m
         WHERE m.at < %(now)s - (SELECT min(message_retention) FROM tracker.stores)
           AND (m.at, m.id) > (%(at)s::timestamptz, %(id)s)
         ORDER BY m.at, m.id LIMIT %(size)s""",
    lock="""
        SELECT m.id FROM tracker.messages AS m
          JOIN tracker.orders AS o ON o.id = m.order_id
          JOIN tracker.stores AS s ON s.name = o.store
         WHERE m.id = ANY (%(ids)s)
           AND m.at < %(now)s - s.message_retention
           FOR UPDATE OF m SKIP LOCKED""",
    act="""
        WITH deleted AS (DELETE FROM tracker.messages WHERE id = ANY (%(ids)s) RETURNING id)
        SELECT count(*) FROM deleted""",
)
_REMOVE_ORDERS = _Step(
    ("removed",),
    seek="""
        SELECT o.expires_at::text, o.id FROM tracker.orders AS o
         WHERE o.emptied_at IS NOT NULL
           AND o.expires_at < %(now)s - (SELECT min(message_retention) FROM tracker.stores)
           AND (o.expires_at, o.id) > (%(at)s::timestamptz, %(id)s)
         ORDER BY o.expires_at, o.id LIMIT %(size)s""",
    lock="""
        SELECT o.id FROM tracker.orders AS o JOIN tracker.stores AS s ON s.name = o.store
         WHERE o.id = ANY (%(ids)s) AND o.emptied_at IS NOT NULL
           AND o.expires_at < %(now)s - s.message_retention
           FOR UPDATE OF o SKIP LOCKED""",
    act="""
        WITH deleted AS (
            DELETE FROM tracker.orders AS o
             WHERE o.id = ANY (%(ids)s)
               AND NOT EXISTS (SELECT FROM tracker.messages AS m WHERE m.order_id = o.id)
            RETURNING o.id
        )
        SELECT count(*) FROM deleted""",
)
_DELETE_DOMAINS = """
    WITH deleted AS (
        DELETE FROM tracker.alias_domains AS d
         WHERE NOT EXISTS (SELECT FROM tracker.stores AS s WHERE s.alias_domain = d.name)
           AND NOT EXISTS (SELECT FROM tracker.orders AS o WHERE o.alias_domain = d.name)
        RETURNING d.name
    )
    SELECT count(*) FROM deleted"""

# What a run would count; an order whose messages would go now is removed in the same run.
_DRY_RUN = """
    WITH kept AS (
        SELECT name, %(now)s - message_retention AS since FROM tracker.stores
    ), due AS (
        SELECT id FROM tracker.orders WHERE emptied_at IS NULL AND expires_at <= %(now)s
    ), gone AS (
        SELECT o.id FROM tracker.orders AS o JOIN kept ON kept.name = o.store
         WHERE o.expires_at <= %(now)s AND o.expires_at < kept.since
           AND NOT EXISTS (SELECT FROM tracker.messages AS m
                            WHERE m.order_id = o.id AND m.at >= kept.since)
    )
    SELECT (SELECT count(*) FROM due) AS orders,
           (SELECT count(*) FROM tracker.participants
             WHERE address IS NOT NULL AND order_id IN (SELECT id FROM due)) AS addresses,
           (SELECT count(*) FROM tracker.messages AS m
              JOIN tracker.orders AS o ON o.id = m.order_id JOIN kept ON kept.name = o.store
             WHERE m.at < kept.since) AS messages,
           (SELECT count(*) FROM gone) AS removed,
           (SELECT count(*) FROM tracker.alias_domains AS d
             WHERE NOT EXISTS (SELECT FROM tracker.stores AS s WHERE s.alias_domain = d.name)
               AND NOT EXISTS (SELECT FROM tracker.orders AS o WHERE o.alias_domain = d.name
                                AND o.id NOT IN (SELECT id FROM gone))) AS domains"""


def run(
    config: Config, *, dry_run: bool, out: TextIO, err: TextIO, now: datetime | None = None
) -> int:
    """Take away what has had its time.

    Args:
        config: the configuration.
        dry_run: count only, and change nothing.
        out: where the line goes that says what was done.
        err: where errors go, and on a terminal how far it is.
        now: the time to go by, with its zone; None stands for the database's.

    Returns:
        The exit code: 0 done; 2 the database is newer than the program, or its role may not do
        this; 75 it cannot be reached, is not migrated, or others' locks kept something from being
        done.
    """
    counts, started = Counts(), time.monotonic()
    progress = _Progress(err)
    failure, begun = None, False
    try:
        with _connection(config.database) as (connection, watchdog):
            with watchdog.watching(connection):
                verify(connection)
            begun = True
            if dry_run:
                _count(connection, now, counts)
            else:
                _Run(connection, watchdog, now, counts, progress).everything()
    except Failure as raised:
        failure = raised
    except NewerDatabase as error:
        failure = Failure(USAGE, str(error))
    except NotMigrated as error:
        failure = Failure(TEMPORARY, str(error))
    except psycopg.Error as error:
        failure = of(error, config.database)
    progress.clear()
    if begun:
        print(_summary(counts, dry_run=dry_run), file=out)
        _log(counts, time.monotonic() - started, dry_run=dry_run)
    if failure is not None:
        print(f"conversation-tracker: {failure}", file=err)
        return failure.code
    return os.EX_OK


class _Run:
    """One run on one connection; adds up in `counts` what has been committed."""

    def __init__(
        self,
        connection: psycopg.Connection,
        watchdog: Watchdog,
        now: datetime | None,
        counts: Counts,
        progress: "_Progress",
    ) -> None:
        self._connection = connection
        self._watchdog = watchdog
        self._now = now or _clock(connection)
        self._counts = counts
        self._progress = progress

    def everything(self) -> None:
        """Take every step; raise Failure at the end if others' locks kept one from being done."""
        done = [self._step(step) for step in (_EMPTY, _DELETE_MESSAGES, _REMOVE_ORDERS)]
        if not (self._domains() and all(done)):
            raise Failure(TEMPORARY, "others' locks were in the way: the next run takes the rest")

    def _step(self, step: _Step) -> bool:
        """Go through all that is due, again for what failed; False if some of it always did."""
        for attempt, size in enumerate(_SIZES):
            if attempt:
                time.sleep(_PAUSE)
            if self._pass(step, size):
                return True
        return False

    def _pass(self, step: _Step, size: int) -> bool:
        at, last, whole = "-infinity", 0, True
        while True:
            values = {"now": self._now, "at": at, "id": last, "size": size}
            try:
                line = self._rows(step.seek, values)
            except _BUSY:
                return False
            if not line:
                return whole
            at, last = line[-1]
            try:
                self._batch(step, [row[1] for row in line])
            except _BUSY:
                whole = False

    def _batch(self, step: _Step, ids: Sequence[int]) -> None:
        """Take away what is due of these rows, in one transaction."""
        with self._watchdog.watching(self._connection), self._connection.transaction():
            due = [row[0] for row in self._rows(step.lock, {"now": self._now, "ids": ids})]
            [done] = self._rows(step.act, {"now": self._now, "ids": due}) if due else [()]
        for name, number in zip(step.counts, done, strict=False):
            setattr(self._counts, name, getattr(self._counts, name) + number)
        self._progress.show(self._counts)

    def _domains(self) -> bool:
        """Forget the alias domains nobody uses; one that is just being taken up again stays."""
        try:
            [(self._counts.domains,)] = self._rows(_DELETE_DOMAINS, {})
        except _BUSY:
            return False
        return True

    def _rows(self, statement: LiteralString, values: dict[str, object]) -> list[Any]:
        with self._watchdog.watching(self._connection):
            return self._connection.execute(statement, values).fetchall()


class _Progress:
    """One line on a terminal, drawn again after each batch; nothing elsewhere."""

    def __init__(self, err: TextIO) -> None:
        self._err = err if err.isatty() else None

    def show(self, counts: Counts) -> None:
        """Draw how far it is."""
        self._draw(
            f"expire: {counts.orders} orders emptied, {counts.messages} messages"
            f" and {counts.removed} orders deleted"
        )

    def clear(self) -> None:
        """Leave an empty line to whoever writes next."""
        self._draw("")

    def _draw(self, text: str) -> None:
        if self._err is not None:
            self._err.write(f"\r\x1b[K{text}")
            self._err.flush()


@contextmanager
def _connection(conninfo: str) -> Iterator[tuple[psycopg.Connection, Watchdog]]:
    watchdog = Watchdog(_OVERDUE)
    watchdog.start()
    try:
        options = {**connection_options(), "options": _TIMEOUTS}
        # Each batch is planned for its own values: where the line has come to matters.
        with psycopg.connect(conninfo, **options, prepare_threshold=None) as connection:
            connection.isolation_level = IsolationLevel.READ_COMMITTED
            yield connection, watchdog
    finally:
        watchdog.stop()


def _clock(connection: psycopg.Connection) -> datetime:
    row = connection.execute("SELECT now()").fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def _count(connection: psycopg.Connection, now: datetime | None, counts: Counts) -> None:
    connection.read_only = True
    with connection.transaction():
        connection.execute(_COUNTING)
        row = connection.execute(_DRY_RUN, {"now": now or _clock(connection)}).fetchone()
    assert row is not None
    counts.orders, counts.addresses, counts.messages, counts.removed, counts.domains = row


def _summary(counts: Counts, *, dry_run: bool) -> str:
    expire, delete = ("would expire", "delete") if dry_run else ("expired", "deleted")
    return (
        f"{expire} {counts.orders} orders ({counts.addresses} addresses),"
        f" {delete} {counts.messages} messages and {counts.removed} orders"
    )


def _log(counts: Counts, seconds: float, *, dry_run: bool) -> None:
    log.expire(
        orders=counts.orders,
        addresses=counts.addresses,
        messages=counts.messages,
        removed=counts.removed,
        domains=counts.domains,
        ms=seconds * 1000,
        dry_run=dry_run,
    )
