"""Erasing a person, and the list of erasures that is kept for the day a backup is restored.

Which rules hold is decided in sql/. Whatever the database or the driver says comes as a `Failure`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conversation_tracker.base import timeouts
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.orders import connect

_ACTOR = "SELECT set_config('tracker.actor', %s, true)"
# Python knows no later year.
_ERASE = """
    SELECT orders, aliases, return_paths, identifiers, names, deleted, kept,
           least(kept_until, '9999-12-30 UTC'), unmaskings, tagged
      FROM tracker.erase_person(%s, %s)"""
_KEY = "SELECT tracker.erasures_key()"
_LIST = """
    SELECT kind, encode(digest, 'hex'), max(at), least(max(keep_until), '9999-12-30 UTC')
      FROM tracker.erasures GROUP BY kind, digest ORDER BY max(at), kind, digest"""
_AGAIN = """
    SELECT tracker.erase_again(%s::text[], %s::bytea[], %s::timestamptz[], %s::timestamptz[])"""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was done for one person, and what is left.

    Attributes:
        orders: how many orders the person was in.
        aliases: how many aliases of theirs stopped working.
        return_paths: Reply-To addresses and return paths that held the address.
        identifiers: message identifiers of theirs, and others' that held the address.
        names: recorded messages that lost the person's display name.
        deleted: recorded messages that were deleted.
        kept: recorded messages of these orders that are left.
        kept_until: when the last of those goes, None if there is none.
        unmaskings: notes that one of their aliases was unmasked.
        tagged: addresses that are this one with a +tag, and were not erased.
    """

    orders: int
    aliases: int
    return_paths: int
    identifiers: int
    names: int
    deleted: int
    kept: int
    kept_until: datetime | None
    unmaskings: int
    tagged: int


@dataclass(frozen=True, slots=True)
class ErasedItem:
    """One line of the list of erasures.

    Attributes:
        kind: address, or identifier.
        digest: keyed, in hexadecimal.
        at: when it was erased last.
        keep_until: until when no restore may do without this line.
    """

    kind: str
    digest: str
    at: datetime
    keep_until: datetime


def erase(conninfo: str, address: str, actor: str, *, messages: bool = False) -> Erasure:
    """Take an address out of every order.

    Args:
        conninfo: a libpq URI or connection string.
        address: the real address.
        actor: who asks.
        messages: whether what the person wrote or got is deleted too.
    """
    with connect(conninfo, timeouts.get().erase) as connection, connection.transaction():
        connection.execute(_ACTOR, (actor,))
        return Erasure(*_fetch_row(connection, _ERASE, address, messages))


def read_key(conninfo: str) -> str:
    """Return what says of which database a list of erasures is."""
    with connect(conninfo) as connection:
        return str(_fetch_row(connection, _KEY)[0])


def iter_erasures(conninfo: str) -> Iterator[ErasedItem]:
    """Read the list of erasures, the oldest first."""
    with connect(conninfo) as connection:
        for kind, digest, at, until in connection.execute(_LIST).fetchall():
            yield ErasedItem(kind, digest, at, until)


def erase_again(conninfo: str, items: Sequence[ErasedItem], actor: str) -> int:
    """Erase what a restored backup brought back; return how many addresses that were.

    Args:
        conninfo: a libpq URI or connection string.
        items: the list of erasures, from before the restore.
        actor: who asks.
    """
    with connect(conninfo, timeouts.get().erase_again) as connection, connection.transaction():
        connection.execute(_ACTOR, (actor,))
        kinds = [item.kind for item in items]
        digests = [bytes.fromhex(item.digest) for item in items]
        untils = [item.keep_until for item in items]
        ats = [item.at for item in items]
        return int(_fetch_row(connection, _AGAIN, kinds, digests, untils, ats)[0])


def _fetch_row(connection: Connection, statement: str, *values: object) -> Any:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row
