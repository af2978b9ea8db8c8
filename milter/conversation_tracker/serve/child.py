"""A process that the parent of `serve` starts for one piece of work.

It is forked from a process without threads. It ends with the work, or with its parent; what the
work raises is logged and is exit code 70.
"""

import ctypes
import os
import signal
from collections.abc import Callable

from conversation_tracker.telemetry.events import Event, log

_PR_SET_PDEATHSIG = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


def start(work: Callable[[], int]) -> int:
    """Start a process.

    Args:
        work: what it does; gives its exit code.

    Returns:
        Its id.

    Raises:
        OSError: no process can be started.
    """
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = os.EX_SOFTWARE
    try:
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == parent:
            code = work()
    except Exception as error:
        log.error(Event.ERROR, error)
    finally:
        os._exit(code)
