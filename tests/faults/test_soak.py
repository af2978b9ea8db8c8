"""The soak runs, keeps count, and says so."""

import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[1] / "soak"


def test_a_short_soak_keeps_every_promise() -> None:
    command = [sys.executable, "-B", str(TOOL), "--messages", "120", "--seed", "4", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("seed 4\n")
    assert "\nsent       120 messages" in done.stdout
    assert done.stdout.endswith("every promise kept\n")


def test_what_makes_no_sense_is_refused() -> None:
    command = [sys.executable, "-B", str(TOOL), "--messages", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--messages" in done.stderr
