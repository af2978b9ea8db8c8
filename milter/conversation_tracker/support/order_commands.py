"""The commands that support and integrators use: mask, unmask, close.

Each is one call of a function of sql/, on a connection of its own; which rules hold is decided
there. Whatever the database or the driver says comes as a `Failure`. No address is logged.
"""

import os
import pwd
from collections.abc import Mapping
from datetime import datetime

from conversation_tracker.base.failure import USAGE, Failure
from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.database import orders


def read_address(text: str, what: str = "ADDRESS") -> Address:
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
    """Return the alias of an address in an order; order and alias are made at first sight.

    Args:
        conninfo: a libpq URI or connection string.
        store: the store's name.
        number: the order's number.
        given: the real address.
        role: buyer, store or partner; one that is known already stays.

    Raises:
        Failure: the store is unknown, the order has expired, or a value is no good.
    """
    return orders.mask(conninfo, store, number, str(read_address(given)), role)


def unmask(conninfo: str, alias: str, reason: str, actor: str) -> str:
    """Return the real address behind an alias, and have it noted who asked and why.

    Args:
        conninfo: a libpq URI or connection string.
        alias: the alias, hard or soft.
        reason: why; it must not name the address.
        actor: who asks.

    Raises:
        Failure: no such alias, it has expired, or the reason is no good.
    """
    return orders.unmask(conninfo, str(read_address(alias, "ALIAS")), reason, actor)


def close(conninfo: str, store: str, number: str) -> datetime:
    """Close an order and give the time at which its aliases stop working.

    Raises:
        Failure: no such order.
    """
    return orders.close(conninfo, store, number).astimezone()


def find_actor(environ: Mapping[str, str]) -> str:
    """Return who runs the command, for the audit: sudo's user, else the login, else the account.

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
