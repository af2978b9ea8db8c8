"""A statement that is run again and again, by the shortest way there is.

A cursor of the driver takes two to three times as long as libpq for the same round trip, though it
prepares as well: 39 us of processor against 14 to look an alias up, 156 against 74 to record; with
the driver's Python alone the difference is twice as large (`tests/benchmark --only statements`). So
a statement is prepared once on each connection, and libpq runs it; the driver's adapters write the
values and read the rows, and its errors are raised. Behind a pooler nothing can be prepared, and
limits hold for a transaction only: there they go along with it, in a pipeline. Values never stand
in the statement itself: the server logs the text of what fails.
"""

import re
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, LiteralString

import psycopg
from psycopg import generators
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import PyFormat
from psycopg.pq import DiagnosticField, ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

from conversation_tracker.base.timeouts import ServerTimeouts
from conversation_tracker.database.connection import SET_LOCAL, Connection, write_settings

_PLACEHOLDER = re.compile("%[sb]")
# What was prepared is not there any more, or its rows are others since an upgrade.
_OUTDATED = (b"26000", b"0A000")
_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK, ExecStatus.PIPELINE_SYNC)


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
        if connection.inside:
            return connection.execute(self._text, values).fetchall()
        if connection.pooled:
            [result] = self._run_in_pipeline(connection, [values], connection.limits)
        else:
            result = self._run_by_name(connection, values)
        return _load(connection, result)

    def rows_of_each(
        self,
        connection: Connection,
        values: Sequence[Sequence[object]],
        limits: ServerTimeouts,
    ) -> list[list[tuple[Any, ...]]]:
        """Run it several times in one transaction and one round trip: all of it, or nothing.

        Args:
            connection: where, outside of a transaction; nobody else uses it meanwhile.
            values: those of each time, one for each place.
            limits: how long the server may take.

        Returns:
            The rows of each time.

        Raises:
            psycopg.Error: as the driver does.
        """
        results = self._run_in_pipeline(connection, values, limits)
        return [_load(connection, each) for each in results]

    def _prepare(self, connection: Connection) -> None:
        """Have the server know it by its name, from the first time on."""
        if self._name not in connection.prepared:
            prepare = connection.pgconn.prepare
            _check(connection, _wait_for(connection, prepare, self._name, self._numbered))
            connection.prepared.add(self._name)

    def _run_by_name(self, connection: Connection, values: Sequence[object]) -> PGresult:
        self._prepare(connection)
        written, formats = self._adapt(connection, values)
        run = connection.pgconn.exec_prepared
        result = _wait_for(connection, run, self._name, written, formats)
        _check(connection, result)
        return result

    def _run_in_pipeline(
        self,
        connection: Connection,
        values: Sequence[Sequence[object]],
        limits: ServerTimeouts,
    ) -> list[PGresult]:
        """Run it behind its limits: a pipeline without BEGIN is a transaction, and ends them."""
        line = connection.pgconn
        steps = [(_LIMITING, write_settings(limits)), *((self, each) for each in values)]
        if not connection.pooled:
            for step in (_LIMITING, self):
                step._prepare(connection)
        # What cannot be written raises, and costs no connection before the pipeline has begun.
        written = [(step, *step._adapt(connection, each)) for step, each in steps]
        try:
            line.enter_pipeline_mode()
            for step, texts, formats in written:
                step._send(connection, texts, formats)
            line.pipeline_sync()
            # The driver's own pipelines expect no error at the end of the transaction, and break.
            results = connection.wait(_results(line))
        except BaseException:
            # What is still to come of this one must never be taken for an answer to the next.
            connection.close()
            raise
        ended = bool(results) and results[-1].status == ExecStatus.PIPELINE_SYNC
        if ended:
            line.exit_pipeline_mode()
        else:
            # An older libpq (15.1) takes an error in place of the end for the end.
            connection.close()
        for each in results:
            _check(connection, each)
        if not ended:
            raise psycopg.OperationalError("the end of the transaction was not seen")
        _limited, *found, _end = results
        return found

    def _send(
        self, connection: Connection, written: Sequence[Buffer | None], formats: list[Format]
    ) -> None:
        line = connection.pgconn
        if connection.pooled:
            line.send_query_params(self._numbered, written, param_formats=formats)
        else:
            line.send_query_prepared(self._name, written, formats)

    def _adapt(
        self, connection: Connection, values: Sequence[object]
    ) -> tuple[Sequence[Buffer | None], list[Format]]:
        adapters = connection.transformer
        written = adapters.dump_sequence(values, self._formats)
        return written, list(adapters.formats or ())


_LIMITING = Statement(SET_LOCAL)


def _load(connection: Connection, result: PGresult) -> list[tuple[Any, ...]]:
    adapters = connection.transformer
    adapters.set_pgresult(result)
    return adapters.load_rows(0, result.ntuples, tuple)


def _results(line: PGconn) -> PQGen[list[PGresult]]:
    """Take what a pipeline of libpq gives, up to where it ends, or until nothing comes."""
    yield from generators.send(line)
    found: list[PGresult] = []
    while True:
        results = yield from generators.fetch_many(line)
        found += results
        if not results or results[-1].status == ExecStatus.PIPELINE_SYNC:
            return found


def _wait_for(connection: Connection, work: Callable[..., PGresult], *values: object) -> PGresult:
    try:
        return work(*values)
    except MemoryError:
        # So the driver says that libpq gave no result at all, as it does without a connection.
        if connection.closed:
            raise psycopg.OperationalError("the connection is lost") from None
        raise


def _check(connection: Connection, result: PGresult) -> None:
    if result.status in _GOOD:
        return
    error = psycopg.errors.error_from_result(result, connection.info.encoding)
    state = result.error_field(DiagnosticField.SQLSTATE)
    # Without a state it is not the server who says so but libpq, which lost it, whether or not it
    # has noticed already.
    if state is None or state in _OUTDATED:
        connection.close()
        raise psycopg.OperationalError(str(error))
    raise error
