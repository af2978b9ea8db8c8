"""What mail needs of PostgreSQL: conversations by alias, orders by number, records, directory.

Every method is one round trip, but for what is large or of several orders; the functions of sql/ do
the rest. Raises `DatabaseUnavailable` where no answer came in time, and the driver's errors, as
`pool` tells.
"""

import os
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import psycopg

from conversation_tracker.base import timeouts
from conversation_tracker.base.timeouts import ServerTimeouts
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import Bounce, Hard, Soft
from conversation_tracker.core.model.conversation import MappedId
from conversation_tracker.core.model.plan import Record, Refusal
from conversation_tracker.core.model.variant import base_identity, mailbox_identity
from conversation_tracker.core.reports.bounce import Delivery, Mark
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.hourly_usage import HourlyUsage
from conversation_tracker.database.notifications import Announcer
from conversation_tracker.database.pool import Pool, RollbackPool
from conversation_tracker.database.prepared import Statement
from conversation_tracker.database.publishing import lag
from conversation_tracker.database.recording import (
    Batches,
    Outcome,
    Written,
    can_be_together,
    write_array,
    write_joined,
    write_record,
    write_tokens,
)
from conversation_tracker.database.rows import (
    Directory,
    Lookup,
    Status,
    read_delivery,
    read_lookup,
    read_people,
    read_stores,
)

T = TypeVar("T")

_HARD = Statement("SELECT * FROM tracker.conversation_of_hard(%s::uuid, %s)")
_SOFT = Statement("SELECT * FROM tracker.conversation_of_soft(%s, %s, %s)")
_AGAIN = Statement(
    "SELECT c.*, tracker.known_of(c.order_id, %s::text[], '{}')"
    " FROM tracker.conversation_with(%s, NULL) AS c"
)
_OPEN = Statement("SELECT * FROM tracker.conversation_of_number(%s, %s)")
_ANSWERED = Statement("SELECT * FROM tracker.conversation_answered(%s, %s::text[])")
_TAKES_PART = Statement(
    "SELECT EXISTS (SELECT FROM"
    " (SELECT p.order_id, p.introduced, p.role FROM tracker.participants AS p"
    "   WHERE tracker.address_key(p.address) = ANY (%s::text[]) AND p.address IS NOT NULL"
    "  UNION ALL SELECT p.order_id, p.introduced, p.role FROM tracker.participants AS p"
    "   WHERE %s AND tracker.gmail_key(p.address) = ANY (%s::text[])"
    "     AND tracker.gmail_key(p.address) IS NOT NULL"
    "  UNION ALL SELECT p.order_id, p.introduced, p.role FROM tracker.participants AS p"
    "   WHERE coalesce(tracker.gmail_key(regexp_replace(p.address, '\\+[^@]*@', '@')),"
    "                  tracker.address_key(regexp_replace(p.address, '\\+[^@]*@', '@')))"
    "         = ANY (%s::text[]) AND p.address ~ '^[^\"+@]+\\+') AS p"
    " JOIN tracker.orders AS o ON o.id = p.order_id"
    " WHERE p.introduced AND p.role <> 'store'"
    " AND o.store = %s AND o.expires_at > now() AND o.closed_at IS NULL)"
)
_IDENTIFIERS = Statement("SELECT * FROM tracker.identifiers_of(%s, %s::text[])")
_REFUSE = Statement("SELECT tracker.refuse(%s, %s, %s::uuid, %s::uuid, %s, %s)")
_SHARES = Statement(
    "SELECT s.hourly_limit, u.own, u.others, u.strangers, u.senders,"
    " %s OR tracker.is_stranger(o.id, g.token, %s::jsonb)"
    " FROM tracker.orders AS o JOIN tracker.stores AS s ON s.name = o.store"
    " CROSS JOIN (SELECT %s::uuid AS token) AS g"
    " LEFT JOIN tracker.participants AS p ON p.token = g.token AND p.order_id = o.id,"
    " tracker.used(o.id, p.id, 1) AS u WHERE o.id = %s"
)
_DELIVERY = Statement("SELECT * FROM tracker.delivery_of(%s::uuid, %s)")
_LAST_DELIVERY = Statement(
    "SELECT found.* FROM unnest(%s::uuid[]) WITH ORDINALITY AS r (token, place),"
    " tracker.last_delivery(%s::uuid, r.token) AS found ORDER BY r.place LIMIT 1"
)
_MARK = Statement("SELECT tracker.mark_delivery(%s::uuid, %s, %s, %s, %s)")
# One JSON text in each line: the driver takes far longer to write an array of them. Whoever can
# connect can listen: where not all of them may read every store, nothing but the id is told.
_ANNOUNCE = Statement(
    "SELECT set_config('synchronous_commit', 'off', true),"
    " pg_notify('tracker_messages', CASE WHEN everybody.reads_all THEN payload"
    "                               ELSE '{\"id\" : ' || (payload::json ->> 'id') || '}' END)"
    " FROM (SELECT tracker.all_read_all() AS reads_all OFFSET 0) AS everybody,"
    " unnest(string_to_array(%s, E'\\n')) AS payload"
)
# The server's start stands for the server: of another one, the same number says nothing.
_VERSION = Statement("SELECT version, pg_postmaster_start_time() FROM tracker.directory")
_DIRECTORY = Statement(
    "SELECT (SELECT coalesce(array_agg(name), '{}') FROM tracker.alias_domains),"
    " (SELECT coalesce(jsonb_agg(to_jsonb(s) - '{alias_domain,alias_lifetime,close_grace,wake_for,"
    "message_retention,hourly_limit}'::text[]), '[]')::text FROM tracker.stores AS s),"
    " (SELECT key FROM tracker.secrets),"
    " (SELECT coalesce(jsonb_object_agg(encode(digest, 'hex'), condemned), '{}')"
    "    FROM tracker.suspects)"
)
_LAG = Statement("SELECT" + lag.UNPUBLISHED + "," + lag.UNREAD)
_WEBHOOKS = Statement("SELECT behind, dead FROM tracker.webhook_lag()")
_SUSPECT = Statement("SELECT tracker.suspect(%s::bytea[], %s::text[], %s)")


class Database:
    """A pool of connections to the tracker's database, for one process."""

    def __init__(
        self, conninfo: str, *, size: int = 8, limits: ServerTimeouts | None = None
    ) -> None:
        """Make a pool; it connects when it is opened.

        Args:
            conninfo: a libpq URI or connection string.
            size: how many connections to hold at most.
            limits: how long the server may take.
        """
        self._pool = Pool(conninfo, size, limits or timeouts.get().mail)
        self._batches = Batches(self._pool)
        self._announcer = Announcer(
            lambda payloads: self._fetch_rows(_ANNOUNCE, ("\n".join(payloads),))
        )

    def open(self) -> None:
        """Start to connect, without waiting for it."""
        self._pool.open()
        self._announcer.start()

    def close(self) -> None:
        """Announce what is still to be, and close all connections."""
        self._announcer.stop()
        self._pool.close()

    @property
    def waiting(self) -> int:
        """How many threads wait for a connection now."""
        return self._pool.waiting

    def find(self, alias: Hard | Soft) -> Lookup | None:
        """Look an alias up: one indexed look-up; None where there is no such alias."""
        if isinstance(alias, Hard):
            rows = self._fetch_rows(_HARD, (alias.token, alias.domain))
        else:
            rows = self._fetch_rows(_SOFT, (alias.key, alias.ref, alias.domain))
        return read_lookup(rows[0]) if rows else None

    def again(self, order: int, mentioned: Sequence[str] = ()) -> Lookup | None:
        """Read a conversation once more by its order's id.

        Args:
            order: the order's id.
            mentioned: identities (`Address.key`) of more people, to be read if they are known.
        """
        rows = self._fetch_rows(_AGAIN, (write_array(mentioned), order))
        if not rows:
            return None
        *row, known = rows[0]
        found = read_lookup(row)
        return replace(found, conversation=found.conversation.add_people(read_people(known)))

    def open_order(self, store: str, number: str) -> Lookup:
        """Find an order by its number for the store's own mail: it is made or woken if need be."""
        return read_lookup(self._fetch_rows(_OPEN, (store, number), [(store, number)])[0])

    def find_by_reply(self, store: str, identifiers: Sequence[str]) -> Lookup | None:
        """Find the order of the recorded message that a store's own mail answers; it is woken."""
        rows = self._fetch_rows(_ANSWERED, (store, list(identifiers)))
        return read_lookup(rows[0]) if rows else None

    def takes_part(self, store: str, addresses: Sequence[Address]) -> bool:
        """Whether somebody takes part in an open order of a store, the store itself left aside.

        They do under the address without its tag too, with another one, and under each spelling of
        one at Gmail.
        Guests do not count: a stranger must not stop the store's mail by naming people.

        Args:
            store: the store's name.
            addresses: real addresses.
        """
        untagged = sorted(set(map(base_identity, addresses)))
        spellings = {*untagged, *map(mailbox_identity, addresses)}
        keys = sorted(spellings.union(each.key for each in addresses))
        # Addresses at Gmail are kept with their dots, and found without by an index of their own.
        gmail = [each for each in keys if each.endswith("@gmail.com")]
        gmail_values = (bool(gmail), write_array(gmail))
        values = (write_array(keys), *gmail_values, write_array(untagged), store)
        return bool(self._fetch_rows(_TAKES_PART, values)[0][0])

    def identifiers(self, order: int, identifiers: Sequence[str]) -> dict[str, MappedId]:
        """Look message identifiers of ours up, in one order; gives those there are."""
        rows = self._fetch_rows(_IDENTIFIERS, (order, list(identifiers)))
        return {ours: MappedId(ours, original, token.hex) for ours, original, token in rows}

    def refuse(self, refusal: Refusal) -> None:
        """Write down that a message was refused."""
        self._fetch_rows(
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

    def shares(self, record: Record) -> HourlyUsage | None:
        """Return how much of its hour an order has used, before a record; None: it is gone."""
        flagged = record.verdict == "flagged"
        rows = self._fetch_rows(
            _SHARES, (flagged, write_joined(record), record.sender, record.order)
        )
        return HourlyUsage(*rows[0]) if rows else None

    def delivery(self, bounce: Bounce) -> tuple[Status, Delivery] | None:
        """Look a bounce address up: its order's status and its delivery, None if there is none."""
        rows = self._fetch_rows(_DELIVERY, (bounce.token, bounce.domain))
        return (rows[0][0], read_delivery(rows[0])) if rows else None

    def last_delivery(self, author: str, recipients: Sequence[str]) -> Delivery | None:
        """Find the last message from one participant to the first of others who got one."""
        rows = self._fetch_rows(_LAST_DELIVERY, (write_tokens(recipients), author))
        return read_delivery(rows[0]) if rows else None

    def mark(self, bounce: str, mark: Mark, report: bytes | None = None) -> bool:
        """Mark the delivery with this bounce token.

        Args:
            bounce: the token.
            mark: state, status and reason.
            report: digest of the report that says so, None where it was no report.

        Returns:
            Whether its state changed, now or when the same report came before.
        """
        return bool(
            self._fetch_rows(_MARK, (bounce, mark.state, mark.status, mark.reason, report))[0][0]
        )

    def directory(self) -> Directory:
        """Read the alias domains and the stores."""
        # The version first: what changes in between is read once more, and not missed.
        version = self.directory_version()
        [(domains, text, secret, suspects)] = self._fetch_rows(_DIRECTORY, ())
        stores = read_stores(text)
        return Directory(
            frozenset(domains),
            {domain: store for store, _active in stores for domain in store.sender_domains},
            frozenset(store.name for store, active in stores if not active),
            bytes(secret),
            version,
            {bytes.fromhex(digest): condemned for digest, condemned in suspects.items()},
        )

    def suspect(self, found: Sequence[tuple[bytes, str]]) -> None:
        """Record for all hosts which messages were in flight when a process ended.

        Args:
            found: digest and state of each: suspected, condemned or cleared.
        """
        digests = [digest for digest, _ in found]
        states = [state for _, state in found]
        self._fetch_rows(_SUSPECT, (digests, states, os.uname().nodename))

    def directory_version(self) -> object:
        """Return which version of the directory is in force; cheap, to be asked all the time."""
        [version] = self._fetch_rows(_VERSION, ())
        return version

    def publisher_lag(self) -> tuple[float, float]:
        """Return how far the publisher is behind, in seconds.

        Returns:
            How old the oldest event is that is not published, and how old the oldest message that
            nothing was taken out of; 0 if there is none.
        """
        [(events, texts)] = self._fetch_rows(_LAG, ())
        return max(0.0, float(events)), max(0.0, float(texts))

    def webhook_lag(self) -> tuple[float, int]:
        """Return for how many seconds a webhook is behind, and how many events were given up."""
        [(seconds, dead)] = self._fetch_rows(_WEBHOOKS, ())
        return max(0.0, float(seconds)), int(dead)

    def record(self, records: Sequence[Record]) -> tuple[Outcome, dict[str, str]]:
        """Write what a message is to leave behind, all of it or nothing.

        Writing the same again changes nothing and gives the same answer.

        Args:
            records: one for each order the message belongs to.

        Returns:
            "done" and the bounce token of each recipient's token; or why nothing was written:
            "stale" (somebody joined meanwhile, or the order knows somebody the record mentions:
            plan again), "unknown" (what it copies is not there), "expired", "limited" or "looping".
        """
        written = self._write_at_once(records)
        rows = sorted({record.order for record in records})
        if written[0] == "locked":
            written = self._run(lambda connection: _write_records(connection, records), rows)
        if written[0] == "alone":
            written = self._run(
                lambda connection: _write_records(connection, records, alone=True), rows
            )
        outcome, bounces, announcements = written
        for each in announcements:
            self._announcer.put(each)
        return outcome, bounces

    def _write_at_once(self, records: Sequence[Record]) -> Written:
        """Write records without waiting: nobody holds a connection for long, or takes turns."""
        if len(records) == 1 and can_be_together(records[0]):
            written = self._batches.write(records[0])
            if written is not None:
                return written
        return self._run(lambda connection: _write_records(connection, records, wait=False))

    def _fetch_rows(
        self, statement: Statement, values: Sequence[object], locks: Sequence[Hashable] = ()
    ) -> list[Any]:
        return self._run(lambda connection: statement.rows(connection, values), locks)

    def _run(self, work: Callable[[Connection], T], locks: Sequence[Hashable] = ()) -> T:
        return self._pool.run(work, locks)


def _write_records(
    connection: Connection, records: Sequence[Record], *, wait: bool = True, alone: bool = False
) -> Written:
    """Write one message's records in one transaction, as `write_record` does each."""
    if len(records) == 1:
        return write_record(connection, records[0], wait=wait, alone=alone)
    bounces: dict[str, str] = {}
    announcements: list[str] = []
    with connection.begin_limited():
        # Each locks its order: always in the same sequence, so that there is no deadlock.
        for record in sorted(records, key=lambda each: each.order):
            outcome, found, announced = write_record(connection, record, wait=wait, alone=alone)
            if outcome != "done":
                bounces, announcements = {}, []
                raise psycopg.Rollback
            bounces |= found
            announcements += announced
    return outcome, bounces, announcements


class Rehearsal(Database):
    """A database on which everything can be tried and nothing stays."""

    def __init__(self, conninfo: str) -> None:
        """Open one transaction that is rolled back at the end."""
        super().__init__(conninfo)
        self._pool = RollbackPool(conninfo, timeouts.get().mail)

    def open(self) -> None:
        """Begin to ask; what is recorded is announced to nobody."""
        self._pool.open()

    def record(self, records: Sequence[Record]) -> tuple[Outcome, dict[str, str]]:
        """Write what a message is to leave behind, as of `Database`, within the transaction.

        It takes each order for itself: what it holds it must never want more strongly.
        """
        outcome, bounces, _unannounced = self._run(
            lambda connection: _write_records(connection, records, alone=True)
        )
        return outcome, bounces

    def close(self) -> None:
        """Undo everything."""
        self._pool.close()
