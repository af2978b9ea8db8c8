"""The small orders that support and integrators give: mask, unmask, close, erase.

Each is one call of a function of sql/, on a connection of its own; which rules hold is decided
there. Whatever the database or the driver says comes as a `Failure`. No address is logged.
"""

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg

from conversation_tracker.base import failure
from conversation_tracker.base.failure import USAGE, Failure
from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.database.connection import MAIL, Connection, Limits

_MASK = "SELECT tracker.mask(%s, %s, %s, %s)"
_ACTOR = "SELECT set_config('tracker.actor', %s, true)"
_UNMASK = "SELECT tracker.unmask(%s, %s)"
# Python knows no later year.
_CLOSE = "SELECT least(tracker.close_order(%s, %s), '9999-12-30 UTC')"
_ERASE = "SELECT tracker.erase(%s)"
# It looks at every identifier there is; nothing waits for it meanwhile.
_LONG = Limits(statement=1_800_000, lock=5_000, idle=15_000)


@contextmanager
def connected(conninfo: str, limits: Limits = MAIL) -> Iterator[psycopg.Connection]:
    """Connect for one command, in autocommit.

    Args:
        conninfo: a libpq URI or connection string.
        limits: how long the server may take.

    Raises:
        Failure: in place of every error of the driver, also in the block.
    """
    try:
        with Connection.connect(conninfo, limits=limits) as connection, connection.limited():
            yield connection
    except psycopg.Error as error:
        raise failure.of(error, conninfo) from None


def address(text: str, what: str = "ADDRESS") -> Address:
    """Read an address that was given on the command line.

    Args:
        text: one bare address (RFC 5322 section 3.4.1).
        what: what the command line calls it.

    Raises:
        Failure: it is none.
    """
    try:
        return Address.parse(text)
    except AddressError as error:
        raise Failure(USAGE, f"{what} is no mail address: {error}") from None


def mask(conninfo: str, store: str, number: str, given: str, role: str) -> str:
    """Give the alias of an address in an order; order and alias are made at first sight.

    Args:
        conninfo: a libpq URI or connection string.
        store: the store's name.
        number: the order's number.
        given: the real address.
        role: buyer, store or partner; what it is known by already stays.

    Raises:
        Failure: the store is unknown, the order has expired, or a value is no good.
    """
    values = (store, number, str(address(given)), role)
    with connected(conninfo) as connection:
        return str(_value(connection, _MASK, *values))


def unmask(conninfo: str, alias: str, reason: str, actor: str) -> str:
    """Give the real address behind an alias, and have it noted who asked and why.

    Args:
        conninfo: a libpq URI or connection string.
        alias: the alias, hard or soft.
        reason: why; it must not name the address.
        actor: who asks.

    Raises:
        Failure: no such alias, it has expired, or the reason is no good.
    """
    wanted = str(address(alias, "ALIAS"))
    with connected(conninfo) as connection, connection.transaction():
        _value(connection, _ACTOR, actor)
        return str(_value(connection, _UNMASK, wanted, reason))


def close(conninfo: str, store: str, number: str) -> datetime:
    """Close an order and give the time at which its aliases stop working.

    Raises:
        Failure: no such order.
    """
    with connected(conninfo) as connection:
        ends = _value(connection, _CLOSE, store, number)
    assert isinstance(ends, datetime)
    return ends.astimezone()


def erase(conninfo: str, given: str) -> int:
    """Take an address out of every order and give the number of orders it was in.

    Raises:
        Failure: it is no address.
    """
    wanted = str(address(given))
    with connected(conninfo, _LONG) as connection:
        return int(_value(connection, _ERASE, wanted))


def actor(environ: Mapping[str, str]) -> str:
    """Say who is at the keyboard, for the audit: sudo's word, else the login, else the account.

    The database notes its own user beside it, which no environment can change.
    """
    if name := environ.get("SUDO_USER"):
        return name.encode("utf-8", "replace").decode()
    try:
        return os.getlogin()
    except OSError:  # no terminal: a job, a container
        pass
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _value(connection: psycopg.Connection, statement: str, *values: object) -> Any:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row[0]
