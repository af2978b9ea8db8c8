"""Why a command could not do what it was asked: one line for a person, and the exit code.

What the driver raises becomes a `Failure` here, and only here is decided which exit code it means:

    1   the answer is no: no such store, order or alias; an order or alias that has expired; an
        order that has as many participants as its store allows
    2   usage or configuration: a bad address, role, number or reason; a database role that may not
    75  temporary: the database is out of reach, busy, read-only, or not migrated

Nothing here prints. No line holds the password of the configuration.
"""

import os

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

NO = 1
USAGE = 2
TEMPORARY = os.EX_TEMPFAIL

_LONGEST = 500  # characters of a line
_SHORT = 4  # a password below this would blot out ordinary words

_NEGATIVE = (
    errors.NoDataFound,
    errors.ObjectNotInPrerequisiteState,
    errors.ProgramLimitExceeded,
)
_WRONG = (errors.InvalidParameterValue, errors.CheckViolation, errors.InsufficientPrivilege)
_LACKING = (
    errors.InvalidSchemaName,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    errors.UndefinedTable,
)


class Failure(Exception):
    """What keeps a command from its end: `code` is the exit code, `str` the line to show."""

    def __init__(self, code: int, text: str) -> None:
        """Take the exit code, and a text that becomes one line without control characters."""
        self.code = code
        super().__init__(one_line(text))


def one_line(text: str) -> str:
    """Give a text as one line that no terminal can be led by, cut where it is very long."""
    words = " ".join(text.split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def of(error: psycopg.Error, conninfo: str) -> Failure:
    """Say what an error of the driver means.

    Args:
        error: the error.
        conninfo: the libpq URI or connection string in use, for the password not to be shown.

    Returns:
        The failure; `raise of(...) from None` keeps the driver's text out of what follows.
    """
    said = _without_password(error.diag.message_primary or str(error), conninfo)
    if isinstance(error, _NEGATIVE):
        return Failure(NO, said)
    if isinstance(error, _WRONG):
        return Failure(USAGE, _broken_rule(error) or f"{said}{_hint(error)}")
    if isinstance(error, _LACKING):
        return Failure(TEMPORARY, f"the database is not migrated ({said}): run migrate")
    if error.sqlstate is None and isinstance(
        error, psycopg.OperationalError | psycopg.InterfaceError
    ):
        return Failure(TEMPORARY, f"the database cannot be reached: {said}")
    return Failure(TEMPORARY, f"the database cannot do this now: {said}")


def _broken_rule(error: psycopg.Error) -> str | None:
    """Give the constraint that says no; each is named as a sentence."""
    name = error.diag.constraint_name if isinstance(error, errors.CheckViolation) else None
    return f"refused: {name.replace('_', ' ')}" if name else None


def _hint(error: psycopg.Error) -> str:
    return f" ({error.diag.message_hint})" if error.diag.message_hint else ""


def _without_password(text: str, conninfo: str) -> str:
    password = str(conninfo_to_dict(conninfo).get("password") or "")
    return text.replace(password, "***") if len(password) >= _SHORT else text
