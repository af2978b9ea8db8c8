"""The C programs of the benchmark, compiled when it begins.

They need `cc`, and libmilter's headers for the milters. RuntimeError, with what the compiler
says, when one cannot be made.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent
_LIBRARIES = {
    "idle": ["-lmilter"],
    "edit": ["-lmilter"],
    "send": ["-pthread"],
    "drive": ["-pthread"],
}


def compiled(name: str, folder: Path) -> Path:
    """Compile one of the programs into a folder; give its path."""
    made = folder / name
    command = ["cc", "-O2", "-o", str(made), str(_FOLDER / f"{name}.c"), *_LIBRARIES[name]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"cannot compile {name}.c: {done.stderr}")
    return made


@dataclass(frozen=True, slots=True)
class Load:
    """What one generator is to send: `count` messages, the first with this number."""

    letter: Path
    recipients: Path
    sender: str
    count: int
    first: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What a generator printed: seconds in all, messages refused, milliseconds of one."""

    seconds: float
    refused: int
    median_ms: float
    slow_ms: float


def run(program: Path, where: str, lines: int, load: Load) -> Sent:
    """Run a generator to its end.

    Args:
        program: `send` or `drive`, compiled.
        where: the port or the socket's path.
        lines: how many connections at once.
        load: what to send.

    Raises:
        RuntimeError: it failed, or a message was refused.
    """
    values: Sequence[object] = (
        program, where, lines, load.count, load.first, load.sender, load.letter, load.recipients
    )  # fmt: skip
    done = subprocess.run([str(v) for v in values], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{program.name} failed: {done.stderr}")
    sent = Sent(**json.loads(done.stdout))
    if sent.refused:
        raise RuntimeError(f"{program.name}: {sent.refused} of {load.count} messages refused")
    return sent
