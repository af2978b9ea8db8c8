"""A statement that is run again and again, by the shortest way there is.

A cursor of the driver takes several times as long as all that libpq does for the same round trip.
So a statement is prepared once on each connection, and libpq runs it; the driver's adapters write
the values and read the rows, and its errors are raised. Behind a pooler nothing can be prepared,
and limits hold for a transaction only: there it is a transaction of four round trips. One query
with its values written into it would be one, but the server logs the text of what fails.
"""

import re
from collections.abc import Sequence
from itertools import count
from typing import Any, LiteralString

import psycopg
from psycopg.adapt import PyFormat
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

from conversation_tracker.connection import Connection

_PLACEHOLDER = re.compile("%[sb]")
# What was prepared is not there any more, or its rows are others since an upgrade.
_OUTDATED = (b"26000", b"0A000")


class Statement:
    """One statement; made once, for all connections."""

    _numbers = count()

    def __init__(self, text: LiteralString) -> None:
        """Make it.

        Args:
            text: the statement as the driver takes it, with %s and %b where values stand; nothing
                else in it may be a percent sign.
        """
        self._text = text
        places = _PLACEHOLDER.findall(text)
        self._formats = [PyFormat.BINARY if p == "%b" else PyFormat.TEXT for p in places]
        numbers = count(1)
        self._numbered = _PLACEHOLDER.sub(lambda _: f"${next(numbers)}", text).encode()
        self._name = b"tracker_%d" % next(self._numbers)

    def rows(self, connection: Connection, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Run it.

        Args:
            connection: where; nobody else uses it meanwhile.
            values: one for each place.

        Returns:
            Its rows.

        Raises:
            psycopg.Error: as the driver does.
        """
        if connection.pooled or not connection.autocommit:
            with connection.limited():
                return connection.execute(self._text, values).fetchall()
        if self._name not in connection.prepared:
            _run(connection, connection.pgconn.prepare, self._name, self._numbered)
            connection.prepared.add(self._name)
        adapters = connection.transformer
        written = adapters.dump_sequence(values, self._formats)
        execute = connection.pgconn.exec_prepared
        result = _run(connection, execute, self._name, written, adapters.formats)
        adapters.set_pgresult(result)
        return adapters.load_rows(0, result.ntuples, tuple)


def _run(connection: Connection, work: Any, *values: object) -> PGresult:
    try:
        result: PGresult = work(*values)
    except MemoryError:
        # So the driver says that libpq gave no result at all, as it does without a connection.
        if connection.closed:
            raise psycopg.OperationalError("the connection is lost") from None
        raise
    if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
        return result
    error = psycopg.errors.error_from_result(result, connection.info.encoding)
    state = result.error_field(DiagnosticField.SQLSTATE)
    # Without a state it is not the server who says so but libpq, which lost it, whether or not it
    # has noticed already.
    if state is None or state in _OUTDATED:
        connection.close()
        raise psycopg.OperationalError(str(error))
    raise error
