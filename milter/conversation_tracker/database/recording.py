"""Recording a message: what tracker.record takes, by name, and what it answers.

A large message is sent in pieces beforehand, so that no parameter holds the whole of it. Small ones
that would wait for each other anyway are recorded together.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, LiteralString

from conversation_tracker.base import timeouts
from conversation_tracker.base.random_token import make_token
from conversation_tracker.core.base.octets import LARGE, iter_windows
from conversation_tracker.core.model.plan import Record
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.notifications import write_announcement
from conversation_tracker.database.pool import DatabaseUnavailable, Pool
from conversation_tracker.database.prepared import Statement
from conversation_tracker.database.turns.group_commit import GroupCommit
from conversation_tracker.telemetry.in_flight import Waiting

Outcome = Literal["done", "stale", "unknown", "expired", "limited", "looping", "locked", "alone"]
"""What `tracker.record` says; `repository` begins again where it is "locked" or "alone"."""

Written = tuple[Outcome, dict[str, str], list[str]]
"""What came of a record, the bounce token of each recipient's token, and what to announce."""

_SMALL = 64 * 1024  # octets
_TOGETHER = 16  # records in one transaction
# Of one order: no record counts what others write at the same moment, for which 16 of the order's
# hour are kept free (tracker.limit_reached).
_ALIKE = 2
# With fewer the server has less to do, but mail waits: with two, ten clients sent a fifth less.
_LEADERS = 3

_json = json.JSONEncoder().encode  # as text: the driver's own wrapper costs more than the writing

# The columns of tracker.new_message in their order, and how the driver writes each.
_NEW_MESSAGE: dict[str, LiteralString] = {
    "order_id": "%s",
    "joined": "%s",
    "digest": "%b",
    "queue_id": "%s",
    "direction": "%s",
    "sender": "%s",
    "return_path": "%s",
    "recipients": "%s::uuid[]",
    "bounces": "%s::uuid[]",
    "sender_name": "%s",
    "message_id": "%s",
    "subject": "%s",
    "first_words": "%s",
    "size": "%s",
    "attachment_names": "%s::text[]",
    "automatic": "%s",
    "auto_reply": "%s",
    "identifiers": "%s",
    "verdict": "%s",
    "first_pass": "%s",
    "notes": "%s::text[]",
    "own": "%s",
    "brief": "%s",
    "mentioned": "%s::text[]",
    "shown": "%s::uuid[]",
}
_GATHERED: LiteralString = (
    "(SELECT string_agg(data, ''::bytea ORDER BY number) FROM tracker.pieces WHERE id = %s::uuid)"
)


def _recording(raw: LiteralString) -> Statement:
    row: LiteralString = ", ".join(_NEW_MESSAGE.values())
    return Statement(
        "SELECT outcome, bounces, id, store, number, alias_domain"
        f" FROM tracker.record(ROW({row})::tracker.new_message, {raw}, %s, %s)"
    )


_RECORD = _recording("%b")
_RECORD_PIECES = _recording(_GATHERED)
_PIECE = "INSERT INTO tracker.pieces (id, number, data) VALUES (%s::uuid, %s, %b)"
_PIECES_DONE = "DELETE FROM tracker.pieces WHERE id = %s::uuid"


def write_record(connection: Connection, record: Record, *, wait: bool, alone: bool) -> Written:
    """Record one message of one order.

    Args:
        connection: in a transaction, if there is more to write in it.
        record: the message.
        wait: for whoever holds the order.
        alone: have the order for itself, whether it must or not.

    Returns:
        What came of it, the bounce token of each recipient's token, and what to announce.

    Raises:
        psycopg.Error: as the driver does.
    """
    if len(record.raw) <= LARGE:
        rows = _RECORD.rows(connection, _values(record, (_read_raw(record), wait, alone)))
        return _read(record, rows)
    pieces = make_token()
    with connection.begin_limited():
        for number, piece in enumerate(iter_windows(record.raw, 0, len(record.raw))):
            connection.execute(_PIECE, (pieces, number, piece))
        rows = _RECORD_PIECES.rows(connection, _values(record, (pieces, wait, alone)))
        connection.execute(_PIECES_DONE, (pieces,))
    return _read(record, rows)


def can_be_together(record: Record) -> bool:
    """Return whether a record may be written beside others: it takes no longer than any of them."""
    return len(record.raw) <= _SMALL and not record.joined and not record.shown


def write_together(connection: Connection, records: Sequence[Record]) -> list[Written]:
    """Record messages that have nothing to do with each other in one transaction, or none.

    They wait for nobody, but that it takes a moment to see that one would have to.

    Args:
        connection: not in a transaction.
        records: the messages, of which each can be together with others.

    Returns:
        What came of each, as of `write_record`. What is not done left nothing behind.

    Raises:
        psycopg.Error: as the driver does.
    """
    if len(records) == 1:
        return [write_record(connection, records[0], wait=False, alone=False)]
    # As all do: identifiers of two orders are never waited for in a circle.
    sequence = sorted(range(len(records)), key=lambda place: records[place].order)
    limits = replace(connection.limits, lock_milliseconds=timeouts.get().together_lock_milliseconds)
    values = [_values(records[n], (_read_raw(records[n]), False, False)) for n in sequence]
    found = _RECORD.rows_of_each(connection, values, limits)
    answers = {n: _read(records[n], rows) for n, rows in zip(sequence, found, strict=True)}
    return [answers[n] for n in range(len(records))]


class Batches:
    """Records messages of one order each, those that wait at the same time in one transaction."""

    def __init__(self, pool: Pool) -> None:
        """Use the connections of a pool."""
        self._pool = pool
        self._turns = GroupCommit[Record, Written | DatabaseUnavailable](
            self._write_all,
            leaders=_LEADERS,
            most=_TOGETHER,
            kind=lambda record: record.order,
            alike=_ALIKE,
            patience=timeouts.get().together_seconds,
        )

    def write(self, record: Record) -> Written | None:
        """Record a message, one that `can_be_together`.

        Returns:
            What came of it; None where it was not written, or may not have been, and is to be
            written by itself.

        Raises:
            DatabaseUnavailable: there is no server, and by itself it would be waited for once more.
        """
        with Waiting():
            written = self._turns.write(record)
        if isinstance(written, DatabaseUnavailable):
            raise written
        return written

    def _write_all(
        self, records: Sequence[Record]
    ) -> Sequence[Written | DatabaseUnavailable] | None:
        try:
            return self._pool.attempt(lambda connection: write_together(connection, records))
        except DatabaseUnavailable as error:
            # One for each thread that raises it.
            return [DatabaseUnavailable(*error.args) for _ in records]


def name_queue_id(queue_id: str) -> str:
    """Name a queue id of this host so that no other host can have the same: HOST/QUEUE-ID."""
    return f"{os.uname().nodename}/{queue_id}"


def write_array(values: Sequence[str]) -> list[str] | str:
    """Write an array; the driver writes an empty one, as most are, at the price of many texts."""
    return list(values) or "{}"


def write_tokens(values: Iterable[str]) -> str:
    """Write an array of tokens, which need no quotes."""
    return "{" + ",".join(values) + "}"


def write_joined(record: Record) -> str | None:
    """Write who joins with a message, as tracker.join_order takes them."""
    joined = [
        {
            "token": p.token,
            "role": p.role,
            "address": str(p.address),
            "introduced": p.introduced,
            "named": p.named,
            "owner": p.owner,
        }
        for p in record.joined
    ]
    return _json(joined) if joined else None


def _identifiers(record: Record) -> str | None:
    identifiers = [
        {"ours": i.ours, "original": i.original, "token": i.token} for i in record.identifiers
    ]
    return _json(identifiers) if identifiers else None


def _new_message(record: Record) -> dict[str, object]:
    """Return the columns of tracker.new_message."""
    return {
        "order_id": record.order,
        "joined": write_joined(record),
        "digest": record.digest,
        "queue_id": name_queue_id(record.queue_id),
        "direction": record.direction,
        "sender": record.sender,
        "return_path": record.return_path,
        "recipients": write_tokens(token for token, _bounce in record.recipients),
        "bounces": write_tokens(bounce for _token, bounce in record.recipients),
        "sender_name": record.sender_name,
        "message_id": record.message_id,
        "subject": record.subject,
        "first_words": record.first_words,
        "size": record.size,
        "attachment_names": write_array(record.attachment_names),
        "automatic": record.automatic,
        "auto_reply": record.auto_reply,
        "identifiers": _identifiers(record),
        "verdict": record.verdict,
        "first_pass": record.first_pass,
        "notes": write_array(record.notes),
        "own": record.own,
        "brief": record.brief,
        "mentioned": list(record.mentioned) or None,
        "shown": write_tokens(record.shown) if record.shown else None,
    }


def _read_raw(record: Record) -> bytes | None:
    """Return a message as a whole; None for one that is there already."""
    return None if record.again else record.raw[:]


def _values(record: Record, more: Sequence[object]) -> list[object]:
    columns = _new_message(record)
    return [*(columns[name] for name in _NEW_MESSAGE), *more]


def _read(record: Record, rows: Sequence[tuple[Any, ...]]) -> Written:
    [(outcome, bounces, new, store, number, domain)] = rows
    if new is None:
        return outcome, bounces or {}, []
    return (
        outcome,
        dict(record.recipients),
        [write_announcement(new, store, number, domain, record)],
    )
