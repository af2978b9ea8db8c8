"""Who asks the database: root, where the database does not know root, as the service's user."""

import os
import pwd
from collections.abc import Callable
from typing import TypeVar

import psycopg

SERVICE_USER = "conversation-tracker"

_Answer = TypeVar("_Answer")


def ask_as_service(ask: Callable[[], _Answer]) -> _Answer:
    """Connect and ask, and once more as the service's user if root may not.

    A database on this host goes by who connects (peer): it knows the service's user and no other.

    Args:
        ask: connects; what it returns may be used as root.

    Returns:
        What it returns.

    Raises:
        psycopg.Error: neither may, or the database cannot be reached.
    """
    try:
        return ask()
    except psycopg.OperationalError:
        user = _find_user()
        if os.geteuid() != 0 or user is None:
            raise
    os.seteuid(user)
    try:
        return ask()
    finally:
        os.seteuid(0)


def _find_user() -> int | None:
    try:
        return pwd.getpwnam(SERVICE_USER).pw_uid
    except KeyError:
        return None
