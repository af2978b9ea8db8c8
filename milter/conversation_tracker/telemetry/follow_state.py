"""The follower's state file: which log it reads, how far it is, and whether it can.

`follow` writes it, and `check` reads it. Its modification time is a sign of life: it is renewed
while the follower runs, whatever it waits for. It holds no address.
"""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conversation_tracker.base import timeouts
from conversation_tracker.base.failure import USAGE, Failure

DIRECTORY = Path("/var/lib/conversation-tracker")

_LIMIT = 65_536  # octets


@dataclass(frozen=True, slots=True)
class FollowState:
    """What the file says; the default stands for a file that says nothing.

    Attributes:
        log: the log's path, or `journal`.
        position: how far it was read.
        fault: why it cannot be read now, "" if it can.
        stopped: the follower was told to stop, and did.
    """

    log: str = ""
    position: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    stopped: bool = False


def find_place(environ: Mapping[str, str]) -> Path:
    """Return the file's place: in the directory that systemd made for it, if it did."""
    directory = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return Path(directory or DIRECTORY) / "follow"


def read_state(path: Path) -> FollowState:
    """Read the file; what is no such file is as good as an empty one.

    Raises:
        OSError: it is not there, or may not be read.
    """
    with path.open("rb") as file:
        text = file.read(_LIMIT)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return FollowState()
    if not isinstance(found, dict):
        return FollowState()
    log, fault = (str(found.pop(name, "")) for name in ("log", "fault"))
    stopped = found.pop("stopped", False) is True
    return FollowState(log, found, fault, stopped)


class StateFile:
    """The file as its one writer knows it."""

    def __init__(self, path: Path) -> None:
        """Write to this path; nothing is written yet."""
        self._path = path
        self._saved: FollowState | None = None
        self._at = 0.0

    def load(self) -> FollowState:
        """Read it, if it is there.

        Raises:
            Failure: it may not be read.
        """
        try:
            return read_state(self._path)
        except FileNotFoundError:
            return FollowState()
        except OSError as error:
            raise Failure(USAGE, f"cannot read {self._path}: {error.strerror}") from None

    def save(self, state: FollowState) -> None:
        """Write it anew, whole or not at all; where it says the same already, show a sign of life.

        Raises:
            Failure: it cannot be written.
        """
        if state != self._saved:
            self._write(state)
        elif time.monotonic() - self._at > timeouts.get().follow_sign_seconds:
            with suppress(OSError):  # it was written before, and will be
                os.utime(self._path)
        else:
            return
        self._saved, self._at = state, time.monotonic()

    def _write(self, state: FollowState) -> None:
        fresh = self._path.with_name(f"{self._path.name}.new")
        values = {"log": state.log, **state.position}
        values |= {"fault": state.fault} if state.fault else {}
        values |= {"stopped": True} if state.stopped else {}
        try:
            with fresh.open("w", encoding="utf-8") as file:
                json.dump(values, file)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            raise Failure(USAGE, f"cannot write {self._path}: {error.strerror}") from None
