"""What `check` finds out about the log follower: whether it runs, and can read Postfix's log.

The follower says so itself, in its state file on this host (`follow_state`).
"""

import time
from collections.abc import Iterator
from pathlib import Path

from conversation_tracker.base import timeouts
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.telemetry import follow_state
from conversation_tracker.telemetry.follow_state import FollowState

_FRESH = 60.0  # seconds: a line may wait for the database, or for its own end
_NO_MORE = "no delivery becomes more than accepted"
_READABLE = (
    "see journalctl -u conversation-tracker-follow; its user must be in the groups adm and"
    " systemd-journal, and its unit as this program's"
)
_RESTART = "systemctl restart conversation-tracker-follow.service"


def check(path: Path, now: float) -> Iterator[CheckLine]:
    """Judge the follower by its state file.

    Args:
        path: the file.
        now: the time, in seconds since 1970.
    """
    try:
        state, at = follow_state.read_state(path), path.stat().st_mtime
    except FileNotFoundError:
        yield note(f"the log follower has not run here: {_NO_MORE}")
        return
    except OSError as error:
        yield note(f"the log follower's state cannot be read ({error.strerror}): run check as root")
        return
    if state.stopped:
        yield note(f"the log follower was stopped: {_NO_MORE}")
    elif state.fault:
        yield wrong(f"the log follower cannot read {state.log} ({state.fault})", _READABLE)
    elif now - at > 10 * timeouts.get().follow_sign_seconds:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
        yield wrong(f"the log follower gave its last sign of life at {since}", _RESTART)
    elif unread := _count_unread(state, now):
        yield wrong(
            f"the log follower reads {state.log}, and has left {unread} octets of it unread for"
            f" over {_FRESH:.0f} s",
            f"see journalctl -u conversation-tracker-follow; {_RESTART}",
        )
    else:
        yield ok(f"the log follower reads {state.log}")


def _count_unread(state: FollowState, now: float) -> int:
    """Count what a log file holds behind the place that was read, if it is not of this moment."""
    file, offset = state.position.get("file"), state.position.get("offset")
    try:
        found = Path(state.log).stat()
    except OSError:
        return 0
    same = file == f"{found.st_dev}:{found.st_ino}" and isinstance(offset, int)
    if not same or now - found.st_mtime <= _FRESH:
        return 0
    return max(0, found.st_size - int(offset or 0))
