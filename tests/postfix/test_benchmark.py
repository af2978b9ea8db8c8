"""The benchmark runs, and tells what it measured in figures that can be."""

import json
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[1] / "benchmark"


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-B", str(TOOL), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_short_run_gives_sane_figures(tmp_path: Path) -> None:
    """Each variant has a positive rate in each round; ratios are to the first; a table is shown."""
    figures = tmp_path / "figures.json"
    done = _run(
        *("--rounds", "1", "--messages", "8", "--kinds", "text,foreign", "--workers", "1"),
        *("--milters", "none,idle,tracker,one alias,not ours", "--json", str(figures)),
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(figures.read_text())
    text = told["through"]["text"]
    assert list(text) == ["none", "idle", "tracker", "one alias", "not ours"]
    assert text["none"]["ratio"] == 1
    assert sorted(told["direct"]) == sorted(
        f"{kind} at {connections}" for kind in ("text", "foreign") for connections in (1, 10, 50)
    )
    for group in (*told["through"].values(), *told["direct"].values()):
        for values in group.values():
            assert len(values["rates"]) == 1
            assert values["median"] > 0
            assert values["ratio"] > 0
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
