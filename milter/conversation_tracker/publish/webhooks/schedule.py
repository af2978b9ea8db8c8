"""When a webhook that was not taken is sent again.

The same pauses hold for one event and for its receiver as a whole: the event's grow with the times
it was tried, the receiver's with all that failed there one after another. So a receiver that is
away is tried now and then with one event, and one event that it cannot take keeps back no other.
"""

import email.utils
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

_PAUSES = (5, 30, 120, 600, 1_800, 3_600)  # seconds; the last for all further ones
_RECEIVER = 600  # seconds: no receiver that is back waits for longer
_JITTER = 0.2  # of a pause, more or less
_OF_THE_RECEIVER = {408, 410, 425, 429}  # of 4xx; the others say that this event is none for it
_THROTTLING = {429, 502, 503, 504}
_ASKED = 3_600  # seconds: longer than this nobody can ask us to wait


@dataclass(frozen=True, slots=True)
class Pauses:
    """What is waited for after a try that failed.

    Attributes:
        event: seconds until the event is tried again.
        receiver: seconds until anything is sent to its receiver; None if the fault is the event's.
    """

    event: float
    receiver: float | None


def choose_pauses(
    status: int, tries: int, failures: int, asked: float, draw: Callable[[], float]
) -> Pauses:
    """Choose the pauses after a try that failed.

    Args:
        status: the HTTP status, 0 if there was no answer.
        tries: how often this event was tried by now; at least 1.
        failures: what `count_failure` says.
        asked: the seconds that the receiver asked us to wait, 0 if it did not.
        draw: gives numbers from 0 to 1 by chance.
    """
    wait = min(max(asked, 0.0), _ASKED)
    jitter = 1 + _JITTER * (2 * draw() - 1)
    event = max(_choose(tries) * jitter, wait)
    if failures < 1 or _is_of_the_event(status):
        return Pauses(event, wait or None)
    # One that fails among others that do not is no reason to keep those back.
    number = failures if status in _THROTTLING else failures - 1
    receiver = min(_choose(number), _RECEIVER) * jitter if number > 0 else 0.0
    return Pauses(event, max(receiver, wait))


def count_failure(status: int, tries: int, failures: int, asked: float) -> int:
    """Return how many events in a row failed at the receiver, after one more try that did.

    What is tried again and fails again says nothing new of the receiver: one event that breaks it
    must not count for many.

    Args:
        status: the HTTP status, 0 if there was no answer.
        tries: how often this event was tried by now; at least 1.
        failures: how many had failed before.
        asked: the seconds that the receiver asked us to wait, 0 if it did not.
    """
    new = tries == 1 and not _is_of_the_event(status)
    return failures + (new or status in _THROTTLING or asked > 0)


def _is_of_the_event(status: int) -> bool:
    return 400 <= status <= 499 and status not in _OF_THE_RECEIVER


def _choose(number: int) -> float:
    return _PAUSES[min(max(number, 1), len(_PAUSES)) - 1]


def read_retry_after(value: str | None, now: datetime) -> float:
    """Read the header Retry-After (RFC 9110 section 10.2.3), a number of seconds or a date.

    Args:
        value: the header's, None if there is none.
        now: the time.

    Returns:
        Seconds; 0 if it says nothing, or nothing that can be understood.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    if len(text) > 64:
        return 0.0
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - now).total_seconds())
