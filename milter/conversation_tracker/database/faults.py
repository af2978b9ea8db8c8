"""What an error of the driver means to whoever gave a command: one line, and the exit code.

Nothing here prints. No line holds the password of the configuration.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from conversation_tracker.base.failure import NO, TEMPORARY, USAGE, Failure

DatabaseError = psycopg.Error  # all that the driver raises

_SHORT = 4  # characters: a password below this would blot out ordinary words

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


@contextmanager
def raise_failures(conninfo: str) -> Iterator[None]:
    """Raise a `Failure` in place of every error of the driver in the block.

    Args:
        conninfo: the libpq URI or connection string in use, for the password not to be shown.
    """
    try:
        yield
    except DatabaseError as error:
        raise make_failure(error, conninfo) from None


def make_failure(error: DatabaseError, conninfo: str) -> Failure:
    """Say what an error of the driver means.

    Args:
        error: the error.
        conninfo: the libpq URI or connection string in use, for the password not to be shown.

    Returns:
        The failure; `raise ... from None` keeps the driver's text out of what follows.
    """
    said = _without_password(error.diag.message_primary or str(error), conninfo)
    if isinstance(error, _NEGATIVE):
        return Failure(NO, said)
    if isinstance(error, _WRONG):
        return Failure(USAGE, _constraint_name(error) or f"{said}{_hint(error)}")
    if isinstance(error, _LACKING):
        return Failure(TEMPORARY, f"the database is not migrated ({said}): run migrate")
    if error.sqlstate is None and isinstance(
        error, psycopg.OperationalError | psycopg.InterfaceError
    ):
        return Failure(TEMPORARY, f"the database cannot be reached: {said}")
    return Failure(TEMPORARY, f"the database cannot do this now: {said}")


def _constraint_name(error: DatabaseError) -> str | None:
    """Give the constraint that says no; each is named as a sentence."""
    name = error.diag.constraint_name if isinstance(error, errors.CheckViolation) else None
    return f"refused: {name.replace('_', ' ')}" if name else None


def _hint(error: DatabaseError) -> str:
    return f" ({error.diag.message_hint})" if error.diag.message_hint else ""


def _without_password(text: str, conninfo: str) -> str:
    password = str(conninfo_to_dict(conninfo).get("password") or "")
    return text.replace(password, "***") if len(password) >= _SHORT else text
