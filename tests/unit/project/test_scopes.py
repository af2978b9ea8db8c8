"""Which tests run in one process: those that share servers, which are started once for them."""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from xdist.remote import Producer

CONFTEST = Path(__file__).parents[2] / "conftest.py"


@pytest.fixture
def conftest(pytestconfig: pytest.Config) -> ModuleType:
    plugin = pytestconfig.pluginmanager.get_plugin(str(CONFTEST))
    assert isinstance(plugin, ModuleType)
    return plugin


@pytest.fixture
def find_scope(conftest: ModuleType) -> Callable[[str], str]:
    """Return what tells the scope of a test by its name."""
    found: Callable[[str], str] = conftest.find_scope
    return found


class Process:
    """One that runs tests, as the scheduler sees it."""

    def __init__(self) -> None:
        self.gateway = SimpleNamespace(id="gw")
        self.shutting_down = False
        self.given: list[int] = []

    def send_runtest_some(self, places: list[int]) -> None:
        assert not self.shutting_down
        self.given += places

    def shutdown(self) -> None:
        self.shutting_down = True


def share(conftest: ModuleType, tests: list[str], number: int) -> tuple[Any, list[Process]]:
    """Let so many processes share tests; none of them has begun."""
    config = SimpleNamespace(
        getvalue=lambda _: ["popen"] * number, option=SimpleNamespace(loadscopereorder=False)
    )
    scheduler = conftest.pytest_xdist_make_scheduler(config, Producer("x", enabled=False))
    processes = [Process() for _ in range(number)]
    for process in processes:
        scheduler.add_node(process)
    for process in processes:
        scheduler.add_node_collection(process, tests)
    scheduler.schedule()
    return scheduler, processes


@pytest.mark.parametrize("folder", ["database", "milter", "faults", "postfix"])
def test_a_file_whose_tests_share_servers_is_one_scope(
    folder: str, find_scope: Callable[[str], str]
) -> None:
    root = CONFTEST.parents[1]
    files = sorted(
        str(path.relative_to(root)) for path in root.glob(f"tests/{folder}/**/test_*.py")
    )
    whole = [
        file
        for file in files
        if len({find_scope(f"{file}::test_{n}[{n}]") for n in range(50)}) == 1
    ]
    parted = [Path(file).name for file in files if file not in whole]
    expected = {
        "postfix": ["test_cases.py", "test_configure.py", "test_requirements.py"],
        "database": ["test_commands.py", "test_output_capture.py"],
        "milter": ["test_isolation.py"],
    }
    assert parted == expected.get(folder, [])
    assert len({find_scope(f"{file}::test") for file in files}) == len(files)


def test_what_shares_a_browser_is_one_scope(find_scope: Callable[[str], str]) -> None:
    files = sorted(path.name for path in CONFTEST.parent.glob("web/test_*.py"))
    assert len(files) > 1
    assert {find_scope(f"tests/web/{file}::test[{n}]") for file in files for n in "ab"} == {
        "tests/web/"
    }


def test_a_long_file_has_three_parts_of_about_the_same_length(
    find_scope: Callable[[str], str],
) -> None:
    scopes = [find_scope(f"tests/postfix/test_cases.py::test_case[{n}]") for n in range(300)]
    assert len(set(scopes)) == 3
    assert all(scopes.count(scope) > 50 for scope in scopes)


def test_a_unit_test_is_one_scope_with_all_its_parameters(
    find_scope: Callable[[str], str],
) -> None:
    one, two = (
        "tests/unit/address/test_mask.py::test_one",
        "tests/unit/address/test_mask.py::test_two",
    )
    assert find_scope(f"{one}[a]") == find_scope(f"{one}[b]") == find_scope(one)
    assert find_scope(one) != find_scope(two)


UNIT = [f"tests/unit/test_a.py::test_{n}[{m}]" for n in range(6) for m in range(n % 3 + 1)]
SERVERS = [f"tests/milter/test_{n}.py::test[{m}]" for n in range(9) for m in range(n % 4 + 1)]


@pytest.mark.parametrize("number", [1, 2, 3, 4, 30])
def test_each_test_is_run_once_whatever_process_is_free_first(
    conftest: ModuleType, number: int
) -> None:
    tests = SERVERS + UNIT
    scheduler, processes = share(conftest, tests, number)
    done: dict[Process, int] = dict.fromkeys(processes, 0)
    while not scheduler.tests_finished:
        # The last test of a process is not begun before more comes, or nothing more will.
        ready = [each for each in processes if len(each.given) - done[each] > 1]
        process = min(ready, key=lambda each: done[each])
        place = process.given[done[process]]
        done[process] += 1
        scheduler.mark_test_complete(process, place)
        left = len(process.given) - done[process]
        assert left > 1 or not scheduler.workqueue
    assert sorted(place for each in processes for place in each.given) == list(range(len(tests)))
    for process in processes:
        given = [tests[place] for place in process.given]
        scopes = [conftest.find_scope(test) for test in given]
        runs = [scope for n, scope in enumerate(scopes) if n == 0 or scopes[n - 1] != scope]
        assert len(runs) == len(set(scopes))


def test_the_first_process_takes_unit_tests_while_others_wait_for_servers(
    conftest: ModuleType,
) -> None:
    scheduler, (first, second, third) = share(conftest, SERVERS + UNIT, 3)
    tests = SERVERS + UNIT
    for _ in range(5):
        for process in (first, second, third):
            scheduler.mark_test_complete(process, process.given.pop(0))
    assert all(test in UNIT for test in [tests[place] for place in first.given])
    assert all(tests[place] in SERVERS for place in second.given + third.given)


def test_each_takes_what_there_is_when_its_own_are_done(conftest: ModuleType) -> None:
    tests = SERVERS + UNIT[:1]
    _, (first, *_) = share(conftest, tests, 2)
    assert {tests[place] in UNIT for place in first.given} == {True, False}


def marked(path: Path) -> set[str]:
    """Return the tests of a file that are marked slow, as they are written."""
    return {
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        if any(ast.unparse(each).startswith("pytest.mark.slow") for each in node.decorator_list)
    }


def test_what_quick_leaves_out_is_a_short_list_and_no_file_is_left_out_whole() -> None:
    text = (CONFTEST.parents[1] / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"(?m)^\| `(\w+/test_\w+\.py)` \| (.+) \|$", text)
    listed = {file: set(re.findall(r"`(\w+)`", names)) for file, names in rows}
    unit = CONFTEST.parent / "unit"
    files = {str(path.relative_to(unit)): path for path in unit.glob("*/test_*.py")}
    assert {name: each for name, path in files.items() if (each := marked(path))} == listed
    others = [path for path in CONFTEST.parent.rglob("test_*.py") if unit not in path.parents]
    assert not any(map(marked, others))
    assert sum(map(len, listed.values())) < 20
    for file, names in listed.items():
        assert files[file].read_text().count("\ndef test_") > 2 * len(names)
