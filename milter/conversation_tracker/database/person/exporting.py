"""What there is of one person, read piece by piece.

That it is read is noted first, in a transaction of its own. Raises the driver's errors; `connect`
of `database.orders` makes a `Failure` of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row

from conversation_tracker.database.connection import Connection

_ACTOR = "SELECT set_config('tracker.actor', %s, true)"
_PERSON = "SELECT * FROM tracker.export_person(%s)"
_LOOKUPS = """
    SELECT at, store FROM tracker.lookups WHERE digest = tracker.lookup_digest(%s) ORDER BY id"""
_EXPORTS = """
    SELECT at FROM tracker.exports
     WHERE digest = tracker.lookup_digest(%s) AND found > 0 ORDER BY id"""
_ERASURES = """
    SELECT at FROM tracker.erasures
     WHERE kind = 'address' AND digest = tracker.lookup_digest(%s) ORDER BY id"""
_UNMASKINGS = "SELECT at, alias, reason FROM tracker.unmaskings WHERE alias = ANY (%s) ORDER BY id"
# Of these, whatever somebody else's address might be in is left out: its local part as it is, or
# the whole of it in any spelling, as `erase` looks for it.
_IDENTIFIERS = """
    WITH mine AS MATERIALIZED (SELECT DISTINCT unnest(%s::bigint[]) AS id),
    found AS MATERIALIZED (
        SELECT i.order_id, i.original
          FROM tracker.message_ids AS i JOIN mine ON mine.id = i.participant_id),
    others AS MATERIALIZED (
        SELECT a.order_id, lower(substring(a.address FROM '^(.*)@')) AS local,
               a.address, tracker.encodings(a.address) AS encodings
          FROM (SELECT q.order_id, q.id, q.owner_id, coalesce(q.address, r.address) AS address
                  FROM tracker.participants AS q
                  LEFT JOIN tracker.return_addresses AS r ON r.participant_id = q.id
                 WHERE q.order_id IN (SELECT f.order_id FROM found AS f)) AS a
         WHERE a.address IS NOT NULL AND a.id NOT IN (SELECT mine.id FROM mine)
           AND coalesce(a.owner_id, a.id) NOT IN (SELECT mine.id FROM mine))
    SELECT o.store, o.number, f.original
      FROM found AS f JOIN tracker.orders AS o ON o.id = f.order_id
     WHERE NOT EXISTS (
           SELECT FROM others AS q
            WHERE q.order_id = f.order_id
              AND (position(q.local IN lower(f.original)) > 0
                   OR f.original ~* '[%%+=][0-9a-f]{2}|mail.com'
                      AND f.original ~* tracker.holding(q.address)
                   OR lower(f.original) LIKE ANY (q.encodings)
                   OR translate(f.original, '-_', '+/') LIKE ANY (q.encodings)))
     ORDER BY o.store, o.number, f.original LIMIT 100000"""
_TAGGED = "SELECT tracker.count_tagged(tracker.canonical_address(%s))"
_PAGE = "SELECT tracker.conversation(%s, %s, most => 50, after => %s::timestamptz)"


@dataclass(frozen=True, slots=True)
class KnownAs:
    """What the person is in one order: a participant, or a Reply-To address or return path.

    Attributes:
        order_id: the order's id.
        store: the store's name.
        order_number: the order's number.
        placed_at: when the order was first seen.
        closed_at: when it was closed, None if it was not.
        expires_at: when its aliases end, and the address is deleted; None for ever.
        retention: how long the store keeps a message, in PostgreSQL's words.
        participant_id: the id of what stands for the person there.
        alias: in hard form.
        role: buyer, store or partner; of a return path the role of who gave it.
        known_as: the address, as it is stored.
        introduced: somebody whose word counts named the person.
        joined_at: when.
        apart: it is a Reply-To address or return path.
    """

    order_id: int
    store: str
    order_number: str
    placed_at: datetime
    closed_at: datetime | None
    expires_at: datetime | None
    retention: str
    participant_id: int
    alias: str
    role: str
    known_as: str
    introduced: bool
    joined_at: datetime
    apart: bool


def find_person(
    connection: Connection, address: str, actor: str
) -> tuple[list[KnownAs], list[dict[str, Any]]]:
    """Return whatever an address is known as, the oldest order first; it is noted who asks.

    And when it was exported before.

    Args:
        connection: a connection of the service's role.
        address: the real address.
        actor: who asks.
    """
    with connection.transaction():
        connection.execute(_ACTOR, (actor,))
        exports = _fetch_dicts(connection, _EXPORTS, address)
        with connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(_PERSON, (address,)).fetchall()
    return [KnownAs(**row) for row in rows], exports


def fetch_traces(
    connection: Connection, address: str, known: Sequence[KnownAs]
) -> dict[str, list[dict[str, Any]]]:
    """Return what else is stored because of the person: when they were looked up, unmasked, erased.

    Who did it is not the person's to know, and is left out.
    """
    ids = [each.participant_id for each in known]
    return {
        "lookups": _fetch_dicts(connection, _LOOKUPS, address),
        "unmaskings": _fetch_dicts(connection, _UNMASKINGS, [each.alias for each in known]),
        "erasures": _fetch_dicts(connection, _ERASURES, address),
        "identifiers": _fetch_dicts(connection, _IDENTIFIERS, ids),
    }


def count_tagged(connection: Connection, address: str) -> int:
    """Return how many other addresses are this one with a +tag."""
    row = connection.execute(_TAGGED, (address,)).fetchone()
    assert row is not None
    return int(row[0])


def iter_messages(connection: Connection, store: str, number: str) -> Iterator[dict[str, Any]]:
    """Read an order's messages as `tracker.conversation` gives them, the oldest first."""
    after, more = "-infinity", True
    while more:
        row = connection.execute(_PAGE, (store, number, after)).fetchone()
        assert row is not None
        yield from row[0]["messages"]
        more = row[0]["more"]
        after = row[0]["messages"][-1]["date"] if more else after


def _fetch_dicts(connection: Connection, statement: str, *values: object) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement, values).fetchall()
