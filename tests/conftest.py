"""Servers that tests share. Each starts when a test first asks for it; unit tests need none."""

import itertools
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from conversation_tracker.base import timeouts
from output_capture import OutputCapture
from verdict import Verdict

if TYPE_CHECKING:
    from private.postgres import Postgres

# By the clock, a busy machine is slow; what work may cost is told by `cost`.
settings.register_profile("busy", deadline=None)
settings.load_profile("busy")

TEMPLATE = "migrated"
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Hear all that is said from now on, in each process that runs tests."""
    # What is started in the background ignores it, and all that it starts would do so as well.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    capture = OutputCapture()
    if config.getoption("dist", "no") == "no":
        capture.listen()
        config.add_cleanup(capture.stop)
        config.pluginmanager.register(capture, "output_capture")
    config.pluginmanager.register(Verdict(capture), "verdict")


@pytest.fixture
def change_timeouts() -> Iterator[Callable[..., object]]:
    """Return a function that changes time-outs of this process, until the test ends."""
    usual = timeouts.get()
    yield lambda **changes: timeouts.use(replace(timeouts.get(), **changes))
    timeouts.use(usual)


@pytest.fixture(scope="session")
def postgres() -> "Iterator[Postgres]":
    """One private PostgreSQL for the whole run."""
    from private.postgres import Postgres

    with Postgres(fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgres: "Postgres") -> str:
    """Return the name of a database with our schema and nothing in it; connect to no such thing."""
    from conversation_tracker.database.migrate import migrate

    migrate(postgres.create_database(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database(postgres: "Postgres", migrated: str) -> Iterator[str]:
    """Return the URI of a fresh database with our schema, dropped after the test."""
    name = f"test_{next(_numbers)}"
    yield postgres.create_database(name, template=migrated)
    postgres.drop_database(name)
