"""Messages recorded while the server is away: each is told in time, and waits for it only once.

Several come at once: some lead a batch, others are in one, and the rest go by themselves.
"""

import socket
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING

import pytest
from records import make_record

from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.repository import Database
from private import processes
from private.ports import free_port

if TYPE_CHECKING:
    from private.postgres import Postgres

AT_ONCE = 12
PATIENCE, NETWORK = 4.0, 5.0
LATE = 3.0  # much less than to wait once more


@contextmanager
def stopped(postgres: "Postgres") -> Iterator[None]:
    """The server ends as it does when the machine goes down, and takes its socket with it."""
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


WAYS: dict[str, tuple[Callable[["Postgres"], AbstractContextManager[None]], float]] = {
    "stopped": (stopped, PATIENCE),
    "frozen": (lambda postgres: postgres.frozen(), NETWORK),
}


def record(database: Database, order: int = 1) -> tuple[str, float]:
    """Record a message; return what came of it, and after how many seconds."""
    tokens = [uuid.uuid4().hex for _ in range(2)]
    message = make_record(order, tokens[0], [tokens[1]], digest=uuid.uuid4().bytes * 2)
    started = time.monotonic()
    try:
        found = database.record([message])[0]
    except DatabaseUnavailable as error:
        found = f"{type(error).__name__}: {error}"  # as it is logged
    return found, time.monotonic() - started


def record_all(database: Database) -> list[tuple[str, float]]:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        return list(threads.map(lambda number: record(database, number), range(AT_ONCE)))


def check(found: list[tuple[str, float]], seconds: float) -> None:
    assert all(outcome.startswith("DatabaseUnavailable: ") for outcome, _ in found)
    assert max(taken for _, taken in found) < seconds + LATE


@pytest.fixture(autouse=True)
def _impatient(change_timeouts: Callable[..., object]) -> None:
    change_timeouts(pool_seconds=PATIENCE, network_seconds=NETWORK, connect_seconds=2)


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_went_away_is_waited_for_once(
    postgres: "Postgres", database: str, way: str
) -> None:
    leave, seconds = WAYS[way]
    with closing(Database(database, size=4)) as opened:
        opened.open()
        # There is no such order; so much is known as long as there is a server.
        assert {outcome for outcome, _ in record_all(opened)} == {"expired"}
        with leave(postgres):
            check(record_all(opened), seconds)
        assert processes.until(lambda: record(opened)[0] == "expired", 30.0)


def test_a_port_that_refuses_is_waited_for_once() -> None:
    with closing(Database(f"postgresql://postgres@127.0.0.1:{free_port()}/none")) as opened:
        opened.open()
        check(record_all(opened), PATIENCE)


def test_a_port_that_says_nothing_is_waited_for_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        uri = f"postgresql://postgres@127.0.0.1:{mute.getsockname()[1]}/none"
        with closing(Database(uri)) as opened:
            opened.open()
            check(record_all(opened), PATIENCE)
