"""How long one message may take: the clock that the core does not have.

Nothing here knows what is done in that time. What is over raises `Overdue`.
"""

import time
from collections.abc import Callable

from conversation_tracker.core.base.limits import MAX_SECONDS, MAX_WAIT, Overdue


def begin_time(seconds: float = MAX_SECONDS, wait: float = MAX_WAIT) -> Callable[[], None]:
    """Begin the time of one message, in the thread that decides on it.

    Args:
        seconds: processor time of this thread.
        wait: time by the clock; a machine with too much to do is no fault of the message.

    Returns:
        What raises `Overdue` once the time is over.
    """
    used, begun = time.thread_time(), time.monotonic()
    early = begun + seconds  # before that, no thread can have used up its processor time

    def check() -> None:
        now = time.monotonic()
        if now < early and now < begun + wait:
            return
        if time.thread_time() - used > seconds:
            raise Overdue(hopeless=True)
        if now - begun > wait:
            raise Overdue(hopeless=False)

    return check
