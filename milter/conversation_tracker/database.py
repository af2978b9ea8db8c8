"""What mail needs of PostgreSQL: conversations by alias, orders by number, records, directory.

Only this module and `migrate`, `expire`, `timeline` and `check` run SQL. Every method is one round
trip in autocommit (behind a pooler one transaction of four), the functions of sql/ do the rest.
Whatever keeps an answer from coming - no server, no connection in time, an overdue or cancelled
statement, a missing schema - is raised as `DatabaseUnavailable`, whose text names no value; a
statement that the database refuses for another reason is a fault of ours and raises the driver's
error.
"""

import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, LiteralString, TypeVar

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from conversation_tracker.announcement import announcement
from conversation_tracker.announcer import Announcer
from conversation_tracker.connection import MAIL, OVERDUE, Connection, Limits
from conversation_tracker.core.alias import Bounce, Hard, Soft
from conversation_tracker.core.means import LARGE, windows
from conversation_tracker.core.plan import Record, Refusal
from conversation_tracker.core.reports.bounce import Delivery, Mark
from conversation_tracker.core.thread import Mapped
from conversation_tracker.deadline import Watchdog
from conversation_tracker.metrics import metrics
from conversation_tracker.mint import mint
from conversation_tracker.rows import Directory, Found, Status, delivery_of, found_of, store_of

T = TypeVar("T")

_PATIENCE = 5.0  # seconds

_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReadOnlySqlTransaction,
    PoolTimeout,
    PoolClosed,
    TooManyRequests,
)

_HARD = "SELECT * FROM tracker.conversation_of_hard(%s::uuid, %s)"
_SOFT = "SELECT * FROM tracker.conversation_of_soft(%s, %s, %s)"
_AGAIN = "SELECT * FROM tracker.conversation_with(%s, NULL)"
_OPEN = "SELECT * FROM tracker.conversation_of_number(%s, %s)"
_ANSWERED = "SELECT * FROM tracker.conversation_answered(%s, %s::text[])"
_IDENTIFIERS = "SELECT * FROM tracker.identifiers_of(%s, %s::text[])"
_REFUSE = "SELECT tracker.refuse(%s, %s, %s::uuid, %s::uuid, %s, %s)"
_DELIVERY = "SELECT * FROM tracker.delivery_of(%s::uuid, %s)"
_LAST_DELIVERY = "SELECT * FROM tracker.last_delivery(%s::uuid, %s::uuid)"
_MARK = "SELECT tracker.mark_delivery(%s::uuid, %s, %s, %s)"
_RECORD = (
    "SELECT outcome, bounces, id, store, number, alias_domain FROM tracker.record("
    "%s, %s, %b, %s, %s, %s::uuid, %s::uuid, %s::uuid[], %s::uuid[], %s, %s, %s, %s, %s,"
    " %s::text[], %s, %b, %s, %s, %s, %s, %s::text[])"
)
_GATHERED = (
    "(SELECT string_agg(data, ''::bytea ORDER BY number) FROM tracker.pieces WHERE id = %s::uuid)"
)
_RECORD_PIECES = _GATHERED.join(_RECORD.rsplit("%b", 1))
_PIECE = "INSERT INTO tracker.pieces (id, number, data) VALUES (%s::uuid, %s, %b)"
_PIECES_DONE = "DELETE FROM tracker.pieces WHERE id = %s::uuid"
# One JSON text in each line: the driver takes far longer to write an array of them.
_ANNOUNCE = (
    "SELECT set_config('synchronous_commit', 'off', true), pg_notify('tracker_messages', payload)"
    " FROM unnest(string_to_array(%s, E'\\n')) AS payload"
)
# The server's start stands for the server: of another one, the same number says nothing.
_VERSION = "SELECT version, pg_postmaster_start_time() FROM tracker.directory"
_DIRECTORY = (
    "SELECT (SELECT coalesce(array_agg(name), '{}') FROM tracker.alias_domains),"
    " (SELECT coalesce(jsonb_agg(to_jsonb(s)), '[]') FROM tracker.stores AS s),"
    " (SELECT key FROM tracker.secrets)"
)

_json = json.JSONEncoder().encode  # as text: the driver's own wrapper costs more than the writing

Outcome = Literal["done", "stale", "expired", "limited", "looping"]


class DatabaseUnavailable(Exception):
    """The database gave no answer in time; the same question may be asked again later."""


class Database:
    """A pool of connections to the tracker's database, for one process."""

    def __init__(self, conninfo: str, *, size: int = 8, limits: Limits = MAIL) -> None:
        """Make a pool; it connects when it is opened.

        Args:
            conninfo: a libpq URI or connection string.
            size: how many connections to hold at most.
            limits: how long the server may take.
        """
        self._watchdog = Watchdog(OVERDUE)
        self._announcer = Announcer(lambda payloads: self._rows(_ANNOUNCE, ("\n".join(payloads),)))
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            conninfo,
            min_size=1,
            max_size=size,
            open=False,
            timeout=_PATIENCE,
            reconnect_timeout=1.0,
            connection_class=Connection,
            kwargs={"limits": limits},
        )

    def open(self) -> None:
        """Start to connect, without waiting for it."""
        self._watchdog.start()
        self._pool.open(wait=False)
        self._announcer.start()

    def close(self) -> None:
        """Announce what is still to be, and close all connections."""
        self._announcer.stop()
        self._pool.close(timeout=1.0)
        self._watchdog.stop()

    @property
    def waiting(self) -> int:
        """How many threads wait for a connection now."""
        return int(self._pool.get_stats().get("requests_waiting", 0))

    def find(self, alias: Hard | Soft) -> Found | None:
        """Look an alias up: one indexed look-up; None where there is no such alias."""
        if isinstance(alias, Hard):
            rows = self._rows(_HARD, (alias.token, alias.domain))
        else:
            rows = self._rows(_SOFT, (alias.key, alias.ref, alias.domain))
        return found_of(rows[0]) if rows else None

    def again(self, order: int) -> Found | None:
        """Read a conversation once more by its order's id."""
        rows = self._rows(_AGAIN, (order,))
        return found_of(rows[0]) if rows else None

    def open_order(self, store: str, number: str) -> Found:
        """Find an order by its number for the store's own mail: it is made or woken if need be."""
        return found_of(self._rows(_OPEN, (store, number))[0])

    def answered(self, store: str, identifiers: Sequence[str]) -> Found | None:
        """Find the order of the recorded message that a store's own mail answers; it is woken."""
        rows = self._rows(_ANSWERED, (store, list(identifiers)))
        return found_of(rows[0]) if rows else None

    def identifiers(self, order: int, identifiers: Sequence[str]) -> dict[str, Mapped]:
        """Look message identifiers of ours up, in one order; gives those there are."""
        rows = self._rows(_IDENTIFIERS, (order, list(identifiers)))
        return {ours: Mapped(ours, original, token.hex) for ours, original, token in rows}

    def refuse(self, refusal: Refusal) -> None:
        """Write down that a message was refused."""
        self._rows(
            _REFUSE,
            (
                refusal.order,
                refusal.digest,
                refusal.author,
                refusal.recipient,
                refusal.subject,
                refusal.reply,
            ),
        )

    def delivery(self, bounce: Bounce) -> tuple[Status, Delivery] | None:
        """Look a bounce address up: its order's status and its delivery, None if there is none."""
        rows = self._rows(_DELIVERY, (bounce.token, bounce.domain))
        return (rows[0][0], delivery_of(rows[0])) if rows else None

    def last_delivery(self, author: str, recipient: str) -> Delivery | None:
        """Find the last message from one participant to another, by their tokens."""
        rows = self._rows(_LAST_DELIVERY, (author, recipient))
        return delivery_of(rows[0]) if rows else None

    def mark(self, bounce: str, mark: Mark, report: bytes | None = None) -> bool:
        """Mark the delivery with this bounce token.

        Args:
            bounce: the token.
            mark: state and status.
            report: digest of the report that says so, None where it was no report.

        Returns:
            Whether its state changed, now or when the same report came before.
        """
        return bool(self._rows(_MARK, (bounce, mark.state, mark.status, report))[0][0])

    def directory(self) -> Directory:
        """Read the alias domains and the stores."""
        # The version first: what changes in between is read once more, and not missed.
        version = self.directory_version()
        [(domains, stores, secret)] = self._rows(_DIRECTORY, ())
        return Directory(
            frozenset(domains),
            {domain: store_of(row) for row in stores for domain in row["sender_domains"]},
            frozenset(row["name"] for row in stores if not row["active"]),
            bytes(secret),
            version,
        )

    def directory_version(self) -> object:
        """Tell which version of the directory is in force; cheap, to be asked all the time."""
        [version] = self._rows(_VERSION, ())
        return version

    def record(self, records: Sequence[Record]) -> tuple[Outcome, dict[str, str]]:
        """Write what a message is to leave behind, all of it or nothing.

        Writing the same again changes nothing and gives the same answer.

        Args:
            records: one for each order the message belongs to.

        Returns:
            "done" and the bounce token of each recipient's token; or why nothing was written:
            "stale" (somebody joined meanwhile: plan again), "expired", "limited" or
            "looping".
        """

        def write(connection: Connection) -> tuple[Outcome, dict[str, str], list[str]]:
            if len(records) == 1:
                return _written(connection, records[0])
            bounces: dict[str, str] = {}
            announcements: list[str] = []
            with connection.transaction():
                # Each locks its order: always in the same sequence, so that no two wait in a ring.
                for record in sorted(records, key=lambda each: each.order):
                    outcome, found, announced = _written(connection, record)
                    if outcome != "done":
                        bounces, announcements = {}, []
                        raise psycopg.Rollback
                    bounces |= found
                    announcements += announced
            return outcome, bounces, announcements

        outcome, bounces, announcements = self._run(write)
        for each in announcements:
            self._announcer.put(each)
        return outcome, bounces

    def announce(self) -> None:
        """Send at once what is still to be announced, as happens by itself within a moment."""
        self._announcer.flush()

    def _rows(self, statement: LiteralString, values: Sequence[object]) -> list[Any]:
        return self._run(lambda connection: connection.execute(statement, values).fetchall())

    def _run(self, work: Callable[[Connection], T]) -> T:
        """Do a piece of work that may be done twice, once more if its connection was dead."""
        give_up = time.monotonic() + _PATIENCE
        while True:
            connection = None
            try:
                connection = self._take()
                try:
                    with self._watchdog.watching(connection):
                        return _limited(connection, work)
                except psycopg.errors.ReadOnlySqlTransaction:
                    # Of several hosts, another may be the primary by now: only a new connection
                    # knows.
                    connection.close()
                    raise
                finally:
                    self._give_back(connection)
            except _UNAVAILABLE as error:
                stale = (
                    connection is not None
                    and connection.closed
                    and not isinstance(error, psycopg.errors.ReadOnlySqlTransaction)
                )
                if not stale or time.monotonic() > give_up:
                    metrics.database_unavailable()
                    raise DatabaseUnavailable(type(error).__name__) from None

    def _take(self) -> Connection:
        return self._pool.getconn()

    def _give_back(self, connection: Connection) -> None:
        self._pool.putconn(connection)


class Rehearsal(Database):
    """A database on which everything can be tried and nothing stays."""

    def __init__(self, conninfo: str) -> None:
        """Open one transaction that is rolled back at the end."""
        super().__init__(conninfo)
        try:
            self._one = Connection.connect(conninfo, autocommit=False)
            self._one.limit()
        except _UNAVAILABLE as error:
            raise DatabaseUnavailable(type(error).__name__) from None

    def open(self) -> None:
        """Start to watch; the connection is there already."""
        self._watchdog.start()

    def close(self) -> None:
        """Undo everything."""
        self._watchdog.stop()
        self._one.close()

    def _take(self) -> Connection:
        return self._one

    def _give_back(self, connection: Connection) -> None:
        """Keep it until `close`."""


def here(queue_id: str) -> str:
    """Name a queue id of this host so that no other host's can be taken for it."""
    return f"{os.uname().nodename}/{queue_id}"


def _array(values: Sequence[str]) -> list[str] | str:
    """Give an array; the driver writes an empty one, as most are, at the price of many texts."""
    return list(values) or "{}"


def _tokens(values: Iterable[str]) -> str:
    """Give an array of tokens, which need no quotes."""
    return "{" + ",".join(values) + "}"


def _limited(connection: Connection, work: Callable[[Connection], T]) -> T:
    if not connection.pooled:
        return work(connection)
    with connection.limited():
        return work(connection)


def _written(connection: Connection, record: Record) -> tuple[Outcome, dict[str, str], list[str]]:
    if len(record.raw) <= LARGE:
        return _recorded(connection, record, _RECORD, record.raw[:])
    pieces = mint()
    with connection.transaction():
        for number, piece in enumerate(windows(record.raw, 0, len(record.raw))):
            connection.execute(_PIECE, (pieces, number, piece))
        found = _recorded(connection, record, _RECORD_PIECES, pieces)
        connection.execute(_PIECES_DONE, (pieces,))
    return found


def _recorded(
    connection: Connection, record: Record, statement: LiteralString, raw: bytes | str
) -> tuple[Outcome, dict[str, str], list[str]]:
    joined = [
        {"token": p.token, "role": p.role, "address": str(p.address), "vouched": p.vouched}
        for p in record.joined
    ]
    identifiers = [
        {"ours": i.ours, "original": i.original, "token": i.token} for i in record.identifiers
    ]
    row = connection.execute(
        statement,
        (
            record.order,
            _json(joined) if joined else None,
            record.digest,
            here(record.queue_id),
            record.direction,
            record.sender,
            record.return_path,
            _tokens(token for token, _bounce in record.recipients),
            _tokens(bounce for _token, bounce in record.recipients),
            record.sender_name,
            record.message_id,
            record.subject,
            record.first_words,
            record.size,
            _array(record.attachment_names),
            record.automatic,
            raw,
            _json(identifiers) if identifiers else None,
            record.verdict,
            record.auto_reply,
            record.first_pass,
            _array(record.notes),
        ),
    ).fetchone()
    assert row is not None
    outcome, bounces, new, store, number, domain = row
    if new is None:
        return outcome, bounces or {}, []
    return outcome, dict(record.recipients), [announcement(new, store, number, domain, record)]
