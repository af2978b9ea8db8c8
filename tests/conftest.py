"""Servers that tests share. Each starts when a test first asks for it; unit tests need none."""

import gc
import itertools
import os
import signal
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

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
_PARTS = 3  # scopes that share the tests of a long file
# Long files whose tests share nothing that takes long to start, or have a server for each of many.
_PARTED = (
    "/test_cases.py",
    "/test_commands.py",
    "/test_configure.py",
    "/test_output_capture.py",
    "/test_requirements.py",
    "milter/test_isolation.py",
)
# Their tests share what takes long to start: a browser, and a site with orders in it.
_TOGETHER = ("tests/web/",)
# What takes longest comes first, or one process would be left with it at the end.
_LONGEST = (
    "web/test_alone.py",
    "postfix/test_demo.py",
    "milter/test_isolation.py",
    "packaging/test_package.py",
    "postfix/test_requirements.py",
    "faults/test_database.py",
    "postfix/test_isolation.py",
    "postfix/test_failover.py",
    "database/commands/test_follow.py",
    "milter/test_fault_injection.py",
    "milter/test_service.py",
    "postfix/test_configure.py",
    "postfix/test_conversation.py",
    "postfix/test_hosts.py",
    "postfix/test_restore.py",
    "postfix/test_cases.py",
    "database/commands/test_commands.py",
    "database/web/test_web_server.py",
    "milter/test_large.py",
    "postfix/test_forged.py",
)
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
    """Begin with what takes longest, so that short tests fill the time at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=_rank)


def pytest_collection_finish() -> None:
    """Have the garbage collector look at what is there no more: thousands of tests, which stay."""
    gc.collect()
    gc.freeze()


def _rank(item: pytest.Item) -> tuple[bool, int]:
    """Return the place of a test in the run: servers first, of each kind the longest first."""
    if is_unit(item.nodeid):
        return True, item.get_closest_marker("slow") is None
    file = item.nodeid.partition("::")[0]
    places = (number for number, name in enumerate(_LONGEST) if file.endswith(name))
    return False, next(places, len(_LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling":
    """Hand out tests by their scopes.

    Tests with servers mostly wait and unit tests never do. So the first process takes unit tests
    for as long as there are any and the others do not, for as long as there are others: that keeps
    the processors busy from the beginning to the end, whereas in turn each kind would leave them
    idle, or be too much for them.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        _places: ClassVar[dict[str, int]] = {}

        def _split_scope(self, nodeid: str) -> str:
            return find_scope(nodeid)

        def _assign_work_unit(self, node: Any) -> None:
            computes = next(iter(self.assigned_work)) is node
            wanted = (each for each in self.workqueue if is_unit(each) == computes)
            scope = next(wanted, next(iter(self.workqueue)))
            tests = self.assigned_work[node][scope] = self.workqueue.pop(scope)
            # All processes have the same tests; to look for each in the list takes seconds.
            if len(self._places) != len(self.collection):
                self._places = {test: place for place, test in enumerate(self.collection)}
            node.send_runtest_some([self._places[test] for test, done in tests.items() if not done])

        def _pending_of(self, workload: dict[str, dict[str, bool]]) -> int:
            for scope in [scope for scope, tests in workload.items() if all(tests.values())]:
                del workload[scope]
            return int(super()._pending_of(workload))

        def _reschedule(self, node: Any) -> None:
            # Nothing more before it is at its last test: another process may be free earlier.
            if self._pending_of(self.assigned_work[node]) <= 1:
                super()._reschedule(node)

    return Scheduler(config, log)


def find_scope(nodeid: str) -> str:
    """Return the scope of a test: the tests of one scope run in one process, one after another.

    It is the file, whose tests share servers; of unit tests the function. A long file has parts,
    and some folders are one scope.
    """
    for folder in _TOGETHER:
        if nodeid.startswith(folder):
            return folder
    file, _, name = nodeid.partition("::")
    if file.endswith(_PARTED):
        return f"{file} {zlib.crc32(name.encode()) % _PARTS}"
    return nodeid.partition("[")[0] if is_unit(file) else file


def is_unit(name: str) -> bool:
    """Whether a test or a scope is one of the unit tests, which use no server."""
    return "tests/unit/" in name


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
