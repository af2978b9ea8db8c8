"""Which tests run in one process: those that share servers, which are started once for them."""

from collections.abc import Callable
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture
def find_scope(pytestconfig: pytest.Config) -> Callable[[str], str]:
    """Return what tells the scope of a test by its name."""
    plugin = pytestconfig.pluginmanager.get_plugin(str(CONFTEST))
    assert plugin is not None
    found: Callable[[str], str] = plugin.find_scope
    return found


@pytest.mark.parametrize("folder", ["database", "milter", "faults", "postfix"])
def test_a_file_whose_tests_share_servers_is_one_scope(
    folder: str, find_scope: Callable[[str], str]
) -> None:
    files = sorted(
        f"tests/{folder}/{path.name}" for path in CONFTEST.parent.glob(f"{folder}/test_*.py")
    )
    whole = [
        file
        for file in files
        if len({find_scope(f"{file}::test_{n}[{n}]") for n in range(50)}) == 1
    ]
    parted = [Path(file).name for file in files if file not in whole]
    expected = ["test_cases.py", "test_configure.py", "test_requirements.py"]
    assert parted == (expected if folder == "postfix" else [])
    assert len({find_scope(f"{file}::test") for file in files}) == len(files)


def test_a_long_file_has_three_parts_of_about_the_same_length(
    find_scope: Callable[[str], str],
) -> None:
    scopes = [find_scope(f"tests/postfix/test_cases.py::test_case[{n}]") for n in range(300)]
    assert len(set(scopes)) == 3
    assert all(scopes.count(scope) > 50 for scope in scopes)


def test_a_unit_test_is_one_scope_with_all_its_parameters(
    find_scope: Callable[[str], str],
) -> None:
    one, two = "tests/unit/test_mask.py::test_one", "tests/unit/test_mask.py::test_two"
    assert find_scope(f"{one}[a]") == find_scope(f"{one}[b]") == find_scope(one)
    assert find_scope(one) != find_scope(two)
