"""The growth tool runs, and tells what it measured in figures that can be."""

import json
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "growth"


def test_it_measures_a_message_among_others_and_mail_during_expiry(tmp_path: Path) -> None:
    told = tmp_path / "told.json"
    sizes = ["--aliases", "40000", "--messages", "20000", "--expiring", "2000"]
    done = subprocess.run(
        [sys.executable, TOOL, *sizes, "--rounds", "3", "--quiet", "--json", told],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(told.read_text())
    assert (result["aliases"], result["messages"], result["expiring"]) == (40_000, 20_000, 2000)
    for way in ("without fsync", "with fsync", "with little memory"):
        assert 0 < result[way]["empty median ms"] <= result[way]["empty p99 ms"]
        # Medians of turns on a machine that does other things as well.
        assert 0.02 < result[way]["ratio"] < 50
    expiry = result["expiry"]
    assert expiry["messages meanwhile"] > 0
    # No message waits for the expiry of others.
    assert expiry["meanwhile max ms"] < 4000  # a lock is waited for no longer than five seconds
    assert 1.0 <= expiry["participants grew to"] < 1.5
    assert "ratio" in done.stdout
