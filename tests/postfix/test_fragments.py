"""The fragments for configuring by hand say what `postfix/configure` sets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from conversation_tracker.postfix.milters import SAFE_ACTIONS

FRAGMENTS = Path(__file__).parents[2] / "postfix"
ACTION = "milter_default_action"
TABLES = ("tracker_transport", "tracker_header_checks")


def by_hand(debian: Any) -> None:
    """Do what the fragments tell an administrator to do."""
    for name in ("main.cf", "master.cf"):
        text = (FRAGMENTS / name).read_text().replace("/etc/postfix", str(debian.directory))
        with (debian.directory / name).open("a") as file:
            file.write(text)
    for name in TABLES:
        (debian.directory / name).write_bytes((FRAGMENTS / name).read_bytes())


def settings(debian: Any) -> dict[str, str]:
    """Return every setting of main.cf and master.cf, paths of the directory left out."""
    lines = [*debian.postconf("-x").splitlines(), *debian.postconf("-Px").splitlines()]
    lines += debian.postconf("-F").splitlines()
    for path in (debian.directory, debian.queue):
        lines = [line.replace(str(path), "") for line in lines]
    pairs = (line.partition("=") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs if name != "process_id "}


def rules(debian: Any, table: str) -> list[bytes]:
    """Return the lines of a table, without what `configure` notes for its removal."""
    lines: list[bytes] = debian.files()[table].splitlines()
    return [line for line in lines if not line.startswith(b"# Changed: ")]


def test_fragments_leave_nothing_to_configure(debian: Any) -> None:
    by_hand(debian)
    before = debian.files()
    assert debian.configured().stdout == "configure: nothing to change\n"
    assert debian.files() == before


def test_fragments_set_what_configure_sets_and_nothing_else(
    debian: Any, another: Callable[[], Any]
) -> None:
    by_hand(debian)
    other = another()
    own = other.value(ACTION)
    other.configured()
    by_hand_set, set_by_configure = settings(debian), settings(other)
    # Where Postfix's own is as good, as 3.10's is, `configure` leaves it.
    assert (by_hand_set.pop(ACTION), set_by_configure.pop(ACTION)) == (SAFE_ACTIONS[0], own)
    assert own in SAFE_ACTIONS
    assert by_hand_set == set_by_configure
    assert all(rules(debian, name) == rules(other, name) for name in TABLES)
