"""What messages leave behind, recorded by two processes as the workers do it, without any mail.

Ten threads record for an order each time another, or all for one. Nothing but the recording is
measured: who joins, masks and sends is somebody else's time.
"""

import multiprocessing
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Self
from uuid import uuid4

import psycopg

from conversation_tracker.core.model.plan import Record
from conversation_tracker.database.repository import Database

_PROCESSES, _THREADS = 2, 5
_RAW = b"From: a@ct.example.com\r\nSubject: s\r\n\r\n" + b"One thing of many.\r\n" * 200
_PEOPLE = (
    "SELECT o.id, (SELECT replace(p.token::text, '-', '') FROM tracker.participants AS p"
    "   WHERE p.order_id = o.id AND p.role = 'partner'),"
    " (SELECT replace(p.token::text, '-', '') FROM tracker.participants AS p"
    "   WHERE p.order_id = o.id AND p.role = 'buyer')"
    " FROM tracker.orders AS o ORDER BY o.id"
)
Order = tuple[int, str, str]
"""An order's id, and the tokens of who writes and of who gets it."""


class Recorders:
    """Two processes with five connections each, from `with` to the end of the block."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def __enter__(self) -> Self:
        spawn = multiprocessing.get_context("spawn")
        self._processes = ProcessPoolExecutor(_PROCESSES, spawn, _connect, (self._uri,))
        return self

    def __exit__(self, *_: object) -> None:
        self._processes.shutdown()

    def rate(self, orders: Sequence[Order], count: int) -> float:
        """Record `count` messages, for these orders in turn; give how many there were in a second.

        Raises:
            RuntimeError: one was not recorded.
        """
        share = count // _PROCESSES
        before = time.perf_counter()
        jobs = [
            self._processes.submit(_record, [*orders[n:], *orders[:n]], share)
            for n in range(_PROCESSES)
        ]
        for job in jobs:
            job.result()
        return share * _PROCESSES / (time.perf_counter() - before)


def read_orders(uri: str) -> list[Order]:
    """Read who takes part in each order of a database, as `world` fills it."""
    with psycopg.connect(uri) as connection:
        return connection.execute(_PEOPLE).fetchall()


_database: Database


def _connect(uri: str) -> None:
    """Begin a process."""
    global _database
    _database = Database(uri, size=_THREADS)
    _database.open()


def _record(orders: Sequence[Order], count: int) -> None:
    """Record messages in one process, from all of its threads."""
    with ThreadPoolExecutor(_THREADS) as threads:
        made = (_message(orders[n * _PROCESSES % len(orders)]) for n in range(count))
        for outcome, _bounces in threads.map(_database.record, ([each] for each in made)):
            if outcome != "done":
                raise RuntimeError(f"a message was not recorded: {outcome}")


def _message(order: Order) -> Record:
    number, sender, recipient = order
    return Record(
        order=number,
        joined=(),
        digest=os.urandom(32),
        queue_id="4NNNNNNNNNN",
        direction="outbound",
        sender=sender,
        return_path=None,
        recipients=((recipient, uuid4().hex),),
        sender_name="Parcel service",
        message_id=f"<{uuid4().hex}@ct.example.com>",
        subject="Your parcel is on its way",
        first_words="One thing of many.",
        size=len(_RAW),
        attachment_names=(),
        automatic=False,
        auto_reply=False,
        raw=_RAW,
        verdict="unverified",
    )
