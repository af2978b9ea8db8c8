"""What an error of the driver means to the user of a command: one line, and the exit code.

Nothing here prints. No line holds the password of the configuration, nor a text that may quote a
value: what our own functions raise is shown, and what the server says in its own words of objects,
connections and locks. A trigger of somebody else's may raise any text, with an address in it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from conversation_tracker.base.conninfo import hide_password
from conversation_tracker.base.failure import NO, TEMPORARY, USAGE, Failure
from conversation_tracker.database.schema.files import read_files

DatabaseError = psycopg.Error  # all that the driver raises

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
# Classes of errors (PostgreSQL, appendix A) in whose texts the server names objects and no values.
_NAMING = frozenset("08 0A 23 25 28 3D 3F 40 42 53 54 55 57 58".split())
_RAISE = "exec_stmt_raise"  # the server's function for RAISE in PL/pgSQL
_LANGUAGES = ("pl_", "plpy", "plperl", "pltcl")  # where the server's languages have their source
# Whose RAISE it was stands in the first line of the context, whatever language the server speaks; a
# DO block of ours is in no other function.
_BY_FUNCTION = re.compile(r"[^\n]*\btracker\.(\w+)\(")
_BY_BLOCK = re.compile(r"[^\n]*\binline_code_block\b[^\n]*\Z")


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


def is_lost(error: Exception, connection: psycopg.Connection) -> bool:
    """Return whether an error means that a connection is of no use any more.

    Args:
        error: what a statement on it raised.
        connection: the connection.
    """
    # Of several hosts, another may be the primary by now: only a new connection knows.
    demoted = isinstance(error, errors.ReadOnlySqlTransaction)
    return isinstance(error, DatabaseError) and (connection.closed or demoted)


def make_failure(error: DatabaseError, conninfo: str) -> Failure:
    """Make a failure of an error of the driver.

    Args:
        error: the error.
        conninfo: the libpq URI or connection string in use, for the password not to be shown.

    Returns:
        The failure; `raise ... from None` keeps the driver's text out of what follows.
    """
    if not _is_understood(conninfo):
        # What the driver says of it quotes it, and its password with it.
        return Failure(USAGE, "the database's connection string is none that libpq understands")
    said = read_text(error, conninfo)
    if said is None:
        return Failure(TEMPORARY, f"the database cannot do this now: {_describe_untold(error)}")
    if isinstance(error, _NEGATIVE):
        return Failure(NO, said)
    if isinstance(error, _WRONG):
        return Failure(USAGE, _find_constraint(error) or f"{said}{_find_hint(error)}")
    if isinstance(error, _LACKING):
        return Failure(TEMPORARY, f"the database is not migrated ({said}): run migrate")
    if error.sqlstate is None and isinstance(
        error, psycopg.OperationalError | psycopg.InterfaceError
    ):
        return Failure(TEMPORARY, f"the database cannot be reached: {said}")
    return Failure(TEMPORARY, f"the database cannot do this now: {said}")


def read_text(error: DatabaseError, conninfo: str) -> str | None:
    """Read what an error says.

    Args:
        error: the error.
        conninfo: the libpq URI or connection string in use, for the password not to be shown.

    Returns:
        The text, None if it must not be shown: it may quote a value.
    """
    state, diag = error.sqlstate, error.diag
    if state is None:
        may_show = True  # by libpq, of the connection
    elif diag.source_function == _RAISE:
        may_show = _is_ours(diag.context or "")
    else:
        may_show = state[:2] in _NAMING and not (diag.source_file or "").startswith(_LANGUAGES)
    return hide_password(diag.message_primary or str(error), conninfo) if may_show else None


def _is_ours(context: str) -> bool:
    """Whether a function or block of our files raised what has this context."""
    if found := _BY_FUNCTION.match(context):
        files = read_files()
        return found[1] in {name for _kind, name in (*files.baseline.makes, *files.makes())}
    return _BY_BLOCK.match(context) is not None


def _describe_untold(error: DatabaseError) -> str:
    raised = error.diag.source_function == _RAISE
    whose = "a function that is not this program's raised" if raised else "the server says"
    return f"{whose} error {error.sqlstate}, whose text may quote an address; see its log"


def _find_constraint(error: DatabaseError) -> str | None:
    """Return the constraint that says no; each is named as a sentence."""
    name = error.diag.constraint_name if isinstance(error, errors.CheckViolation) else None
    return f"refused: {name.replace('_', ' ')}" if name else None


def _find_hint(error: DatabaseError) -> str:
    return f" ({error.diag.message_hint})" if error.diag.message_hint else ""


def _is_understood(conninfo: str) -> bool:
    try:
        conninfo_to_dict(conninfo)
    except DatabaseError:
        return False
    return True
