"""How the page reads: in transactions that change nothing."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from psycopg import errors

from conversation_tracker.database.connection import Connection

T = TypeVar("T")

_READ_ONLY = "SET TRANSACTION READ ONLY"
_RAISE = "exec_stmt_raise"  # the server's function for RAISE in PL/pgSQL


class NotThere(Exception):
    """There is no such thing, or whoever asks has no grant of it."""


@dataclass(frozen=True, slots=True)
class Row:
    """An order in a list: what it is, and what of it is told there."""

    store: str
    number: str
    at: datetime
    subject: str = ""
    role: str = ""
    status: str = ""
    reason: str = ""


def list_rows(connection: Connection, statement: str, *values: object) -> list[Row]:
    """Read rows of a list.

    Args:
        connection: a connection.
        statement: the statement.
        values: its parameters.

    Raises:
        NotThere: there is no such thing, or no grant.
    """

    def read() -> list[Row]:
        with reading(connection):
            rows = connection.execute(statement.encode(), values).fetchall()
        return [make_row(row) for row in rows]

    return ask(read)


def make_row(found: Sequence[Any]) -> Row:
    """Make a row; what is not known is empty."""
    known: list[Any] = ["" if each is None else each for each in found]
    return Row(*known)


def ask(read: Callable[[], T]) -> T:
    """Read; what our functions refuse, for want of a grant or of a thing, is `NotThere`."""
    try:
        return read()
    except (errors.NoDataFound, errors.InvalidParameterValue):
        raise NotThere from None
    except errors.InsufficientPrivilege as error:
        # The server's own: the role is no reader at all.
        if error.diag.source_function != _RAISE:
            raise
        raise NotThere from None


@contextmanager
def reading(connection: Connection) -> Iterator[None]:
    """Run the block's statements in a transaction that changes nothing."""
    with connection.begin_limited():
        connection.execute(_READ_ONLY)
        yield
