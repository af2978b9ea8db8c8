"""The benchmark runs, and tells what it measured in figures that can be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from actions import Action, AddHeader, ChangeHeader, ReplaceBody
from private.postgres import Postgres
from private.tracker import Tracker
from wire import Wire
from world import World, seeded

TESTS = Path(__file__).parents[1]
TOOL = TESTS / "benchmark"
sys.path.append(str(TESTS))
from bench import mail, milters, programs  # noqa: E402


def _run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-B", str(TOOL), *arguments]
    given = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=given)


def test_a_short_run_gives_sane_figures(tmp_path: Path) -> None:
    """Each variant has a positive rate in each round; ratios are to the first; a table is shown."""
    figures = tmp_path / "figures.json"
    done = _run(
        *("--rounds", "1", "--messages", "8", "--kinds", "text,several,foreign", "--workers", "1"),
        *("--milters", "none,idle,edit,tracker,one alias,not ours", "--json", str(figures)),
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(figures.read_text())
    text = told["through"]["text"]
    assert list(text) == ["none", "idle", "edit", "tracker", "one alias", "not ours"]
    assert text["none"]["ratio"] == 1
    assert list(told["through"]["several"]) == ["none", "idle", "edit", "tracker"]
    # The system counts in hundredths of a second: eight messages may well be none.
    used = [each for group in told["through"].values() for each in group.items()]
    assert sum(values["cpu_ms"]["postfix"] for _, values in used) > 0
    assert sum(values["cpu_ms"]["milter"] for name, values in used if name == "tracker") > 0
    assert all(values["cpu_ms"]["milter"] == 0 for name, values in used if name == "none")
    assert all(values["cpu_ms"]["database"] == 0 for name, values in used if name == "idle")
    assert sorted(told["direct"]) == sorted(
        f"{kind} at {connections}" for kind in ("text", "foreign") for connections in (1, 10, 50)
    )
    for group in (*told["through"].values(), *told["direct"].values()):
        for values in group.values():
            assert len(values["rates"]) == 1
            assert values["median"] > 0
            assert values["ratio"] > 0
    for group in told["statements"].values():
        # Two to three times as many are usual; of eight, on a busy machine, they may be fewer.
        assert group["by libpq"]["median"] > 0.7 * group["by the driver"]["median"] > 0
    assert len(told["megabytes"]) == 1
    assert 10 < told["megabytes"][0] < 1000
    assert "tracker, text at 10" in told["used"]
    assert "Through Postfix" in done.stdout
    assert "Resident memory" in done.stdout


def test_what_it_does_not_know_is_refused() -> None:
    """A milter or kind that there is not ends it before anything is started."""
    done = _run("--milters", "none,sieve")
    assert done.returncode == 2
    assert "sieve" in done.stderr


def test_the_table_is_written_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    """It says where, when and how it was measured, and what is not installed."""
    page = tmp_path / "page.md"
    begin = "<!-- written by tests/benchmark --table -->\n"
    end = "<!-- end of what tests/benchmark --table writes -->\n"
    page.write_text(f"# Before\n\n{begin}what was there\n{end}\nAfter\n")
    small = ("--rounds", "1", "--messages", "8", "--kinds", "text", "--workers", "1", "--quiet")
    done = _run("--table", str(page), *small, "--milters", "none,tracker")
    assert done.returncode == 0, done.stderr
    before, _, rest = page.read_text().partition(begin)
    table, _, after = rest.partition(end)
    assert (before, after) == ("# Before\n\n", "\nAfter\n")
    assert "what was there" not in table
    assert " processors (" in table
    assert "of 8 messages" in " ".join(table.split())
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert [row[1] for row in rows[1:]] == ["no milter", "tracker, masked and recorded"]
    assert rows[1][3] == "1.00"


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    """It says so at once: there are no servers yet that could not be started."""
    page = tmp_path / "page.md"
    page.write_text("no table\n")
    small = ("--rounds", "1", "--messages", "4", "--kinds", "text", "--workers", "1", "--quiet")
    # Without a PATH no server could be.
    done = _run("--table", str(page), *small, "--milters", "none", PATH="/nowhere")
    assert done.returncode == 1
    assert "has not got the line" in done.stderr
    assert page.read_text() == "no table\n"


@pytest.mark.parametrize("kind", ["text", "html", "files"])
def test_the_milter_that_edits_makes_the_tracker_s_edits(
    kind: str, postgres: Postgres, migrated: str, tmp_path: Path
) -> None:
    """Else it would say nothing about what the tracker costs beyond its edits."""
    tmp_path.chmod(0o755)
    uri = seeded(postgres, migrated, "edits")
    letter = mail.letters()[kind]
    with (
        Tracker(uri, options={"workers": "1"}) as tracker,
        milters.compiled(programs.compiled("edit", tmp_path)) as edits,
    ):
        world = World(tracker, uri)
        world.alias(mail.SENDER, "1")
        alias = world.alias("buyer1@customers.example", "1", "buyer")
        made = [
            _shape(_send(socket, alias, letter))
            for socket in (tracker.socket, f"unix:{edits.socket}")
        ]
    postgres.drop_database("edits")
    assert len(made[0]) > 8
    assert made[0] == made[1]


def _send(socket: str, alias: str, letter: bytes) -> tuple[Action, ...]:
    mailbox = alias.partition("@")[0].encode()
    data = letter.replace(mail.MAILBOX.encode(), mailbox).replace(mail.NUMBER.encode(), b"0" * 10)
    with Wire(socket, macros={"{client_addr}": "192.0.2.25"}) as wire:
        wire.connect()
        wire.helo()
        result = wire.send(mail.SENDER, [alias], data)
    assert result.reply.kind == "continue", result
    return result.actions


def _shape(actions: tuple[Action, ...]) -> list[tuple[object, ...]]:
    """Return what was done to which field, without values, and how much body there is."""
    made: list[tuple[object, ...]] = []
    body = 0
    for action in actions:
        match action:
            case ReplaceBody(chunk):
                body += len(chunk)
            case ChangeHeader(index, name, value):
                made.append((ChangeHeader, index, name, value == b""))
            case AddHeader(name, _):
                made.append((AddHeader, name))
            case _:
                made.append((type(action),))
    return [*made, (ReplaceBody, body // 1024)]
