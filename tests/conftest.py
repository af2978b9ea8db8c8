"""Servers that tests share. Each starts when a test first asks for it; unit tests need none."""

import itertools
import os
import signal
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from conversation_tracker.base import timeouts
from output_capture import OutputCapture
from verdict import Verdict

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

    from private.postgres import Postgres

# The same examples each time: a run tells of a change, not of luck. By the clock, a busy machine is
# slow; `cost` says what work may cost. `--hypothesis-profile random` tries others, and more.
settings.register_profile("suite", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("random", deadline=None, max_examples=1_000)
settings.load_profile("suite")

TEMPLATE = "migrated"
_PARTS = 3  # processes that share the tests of a long file
# Long files whose tests share nothing that takes long to start, or have a server for each of many.
_PARTED = ("/test_cases.py", "/test_configure.py", "/test_requirements.py")
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    """Capture all that the program says from now on, in each process that runs tests."""
    # What is started in the background ignores it, and all that it starts would do so as well.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    capture = OutputCapture()
    if config.getoption("dist", "no") == "no":
        capture.start()
        config.add_cleanup(capture.stop)
        config.pluginmanager.register(capture, "output_capture")
    config.pluginmanager.register(Verdict(capture), "verdict")
    # Every private PostgreSQL begins as a copy of files that are kept: making them takes a second.
    if (cache := getattr(config, "cache", None)) is not None:
        os.environ.setdefault("PRIVATE_POSTGRES_IMAGES", str(cache.mkdir("postgres")))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what waits for servers, so that unit tests fill the time at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: "unit" in item.path.parts)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling":
    """Hand out tests by their scopes."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return find_scope(nodeid)

    return Scheduler(config, log)


def find_scope(nodeid: str) -> str:
    """Return the scope of a test: the tests of one scope run in one process, one after another.

    It is the file, whose tests share servers; of unit tests the function. A long file has parts.
    """
    file, _, name = nodeid.partition("::")
    if file.endswith(_PARTED):
        return f"{file} {zlib.crc32(name.encode()) % _PARTS}"
    return nodeid.partition("[")[0] if "/unit/" in file else file


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
