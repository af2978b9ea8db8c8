"""`check` says whether the log follower runs and can read, by the state file that it keeps."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from conversation_tracker.base import timeouts
from conversation_tracker.checks import follow as check_follow
from conversation_tracker.telemetry import follow_state
from conversation_tracker.telemetry.follow_state import FollowState, StateFile

NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "follow"


def facts(path: Path) -> str:
    """Return what is found, as lines."""
    return "\n".join(map(str, check_follow.check(path, NOW)))


@pytest.mark.parametrize(
    ("state", "age", "said"),
    [
        ({"log": "journal", "cursor": "c1"}, 20, "ok      the log follower reads journal"),
        ({"log": "/var/log/mail.log"}, 200, "ok      the log follower reads /var/log/mail.log"),
        ({"log": "journal"}, 400, "WRONG   the log follower gave its last sign of life at 20"),
        ({"log": "journal", "fault": "no"}, 20, "WRONG   the log follower cannot read journal (no"),
        ({"log": "journal", "fault": "no"}, 400, "WRONG   the log follower cannot read journal (n"),
        ({"log": "journal", "stopped": True}, 9999, "note    the log follower was stopped: "),
        ({"log": "x", "fault": "no", "stopped": True}, 0, "note    the log follower was stopped: "),
    ],
)
def test_a_follower_is_judged_by_its_state(
    path: Path, state: dict[str, Any], age: int, said: str
) -> None:
    path.write_text(json.dumps(state))
    os.utime(path, (NOW - age, NOW - age))
    assert facts(path).startswith(said)


def test_a_follower_that_leaves_lines_unread_is_wrong(path: Path, tmp_path: Path) -> None:
    """It gives signs of life whatever it waits for; its place in the log tells the rest."""
    log = tmp_path / "mail.log"
    log.write_text("a line\n")
    found = log.stat()
    for file, offset, age, said in (
        (f"{found.st_dev}:{found.st_ino}", 3, 70, "WRONG"),
        (f"{found.st_dev}:{found.st_ino}", 3, 50, "ok"),
        (f"{found.st_dev}:{found.st_ino}", 7, 70, "ok"),
        ("1:2", 3, 70, "ok"),
    ):
        os.utime(log, (NOW - age, NOW - age))
        path.write_text(json.dumps({"log": str(log), "file": file, "offset": offset, "head": ""}))
        os.utime(path, (NOW - 20, NOW - 20))
        assert facts(path).startswith(said)
    os.utime(log, (NOW - 70, NOW - 70))
    place = {"file": f"{found.st_dev}:{found.st_ino}", "offset": 3}
    path.write_text(json.dumps({"log": str(log), **place}))
    os.utime(path, (NOW - 20, NOW - 20))
    assert "has left 4 octets of it unread" in facts(path)


def test_a_follower_that_never_ran_is_worth_a_note(path: Path) -> None:
    assert facts(path).startswith("note    the log follower has not run here")
    path.mkdir()
    assert facts(path).startswith(
        "note    the log follower's state cannot be read (Is a directory)"
    )


def test_what_is_saved_is_read_again(path: Path) -> None:
    for state in (
        FollowState("journal", {"cursor": "c"}),
        FollowState("journal", {"cursor": "c"}, "no", stopped=True),
        FollowState("x", {"file": "1:2", "offset": 3, "head": "4"}),
    ):
        StateFile(path).save(state)
        assert follow_state.read_state(path) == state


@pytest.mark.parametrize("text", ["", "[]", "[" * 9_999, "\0", "{"])
def test_what_is_no_state_says_nothing(path: Path, text: str) -> None:
    path.write_text(text)
    assert follow_state.read_state(path) == FollowState()


def test_the_same_state_is_a_sign_of_life_now_and_then(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not written anew each time: a follower looks at its log every 0.5 s."""
    now = 100.0
    monkeypatch.setattr(follow_state.time, "monotonic", lambda: now)
    file = StateFile(path)
    file.save(FollowState("journal"))
    number = path.stat().st_ino
    os.utime(path, (NOW, NOW))
    now += timeouts.get().follow_sign_seconds - 1
    file.save(FollowState("journal"))
    assert path.stat().st_mtime == NOW
    now += 2
    file.save(FollowState("journal"))
    assert path.stat().st_mtime != NOW
    assert path.stat().st_ino == number
