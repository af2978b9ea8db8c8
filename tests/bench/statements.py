"""The two statements of a message, as the tracker asks them and as the driver would.

What the tracker has prepared is run by libpq; the driver's own way is a cursor, which prepares
too. Both wait for the same answers: what is measured is the processor time of the thread that asks.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Self

from bench import records
from bench.records import Order
from conversation_tracker.database import recording, repository
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.prepared import Statement

_DOMAIN = "ct.example.com"
Ask = Callable[[Statement, Sequence[object]], list[tuple[Any, ...]]]


class Statements:
    """Two connections, from `with` to the end of the block."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            ours = stack.enter_context(Connection.connect(self._uri))
            theirs = stack.enter_context(Connection.connect(self._uri))
            theirs.prepare_threshold = 0  # the driver prepares what it meets for the first time
            self._orders = records.read_orders(self._uri)
            self.ways: dict[str, Ask] = {
                "by the driver": lambda asked, values: theirs.execute(
                    asked._text, values
                ).fetchall(),
                "by libpq": lambda asked, values: asked.rows(ours, values),
            }
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def find(self, ask: Ask, count: int) -> float:
        """Look aliases up; give how many there would be in a second of the processor."""
        tokens = [self._choose(number)[2] for number in range(count)]
        return _rate(ask, repository._HARD, [(token, _DOMAIN) for token in tokens])

    def record(self, ask: Ask, count: int) -> float:
        """Record messages; give how many there would be in a second of the processor."""
        made = [records._message(self._choose(number)) for number in range(count)]
        values = [recording._values(each, (each.raw[:], False, False)) for each in made]
        return _rate(ask, recording._RECORD, values)

    def _choose(self, number: int) -> Order:
        return self._orders[number % len(self._orders)]


def _rate(ask: Ask, statement: Statement, asked: Sequence[Sequence[object]]) -> float:
    started = time.thread_time()
    for values in asked:
        [row] = ask(statement, values)
        if row[0] not in ("live", "done"):
            raise RuntimeError(f"the database says {row[0]}")
    return len(asked) / (time.thread_time() - started)
