"""Times as pages show them, until a script turns them into those of whoever looks."""

from dataclasses import dataclass
from datetime import UTC, datetime

_SHOWN = "%d %b %Y, %H:%M"


@dataclass(frozen=True, slots=True)
class ShownTime:
    """A time.

    Attributes:
        machine: as RFC 3339 has it, in UTC; "" if it is none that a calendar has.
        words: as it is read.
        full: with seconds, in UTC.
    """

    machine: str
    words: str
    full: str


def read_time(text: str | datetime | None) -> datetime | None:
    """Read a time as the database writes it; None if it is none, or without end."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else text
        return None if found is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def show_time(text: str | datetime | None, *, local: bool = False) -> ShownTime:
    """Write a time out.

    Args:
        text: a time, or what the database wrote of one.
        local: whether in the time zone of this process, or else in UTC.
    """
    at = read_time(text)
    if at is None:
        words = str(text or "")
        return ShownTime("", "never" if words.endswith("infinity") else words, words)
    shown = at.astimezone() if local else at
    return ShownTime(
        at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        f"{shown:{_SHOWN}} {shown.tzname()}".lstrip("0"),
        f"{at:%Y-%m-%d %H:%M:%S} UTC",
    )
