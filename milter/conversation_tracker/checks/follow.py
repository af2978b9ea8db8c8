"""What `check` finds out about the log follower: whether it runs, and can read Postfix's log.

The follower says so itself, in its state file on this host (`follow_state`).
"""

import time
from collections.abc import Iterator
from pathlib import Path

from conversation_tracker.base import timeouts
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.telemetry import follow_state

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
    else:
        yield ok(f"the log follower reads {state.log}")
