"""The tables of months for messages: makes them ahead, and drops those whose time is over.

A month is a pair of tables; sql/repeatable/partitions.sql decides which may be made or dropped, and
does it. The locks this needs are waited for half a second, so that mail never waits longer; what
could not be had is left to the next try, and mail works without it. Errors are the driver's.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, LiteralString

import psycopg

Rows = Callable[[LiteralString, dict[str, object]], list[Any]]

_LACKING: LiteralString = (
    "SELECT month FROM tracker.months_lacking(coalesce(%(now)s, now())) AS month ORDER BY month"
)
_MAKE: LiteralString = "SELECT tracker.make_month(%(month)s)"
_OUTDATED: LiteralString = (
    "SELECT month FROM tracker.months(coalesce(%(now)s, now())) WHERE outdated ORDER BY month"
)
_DROP: LiteralString = "SELECT tracker.drop_month(%(month)s, coalesce(%(now)s, now()))"

BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


def make(rows: Rows, now: datetime | None = None) -> tuple[list[str], bool]:
    """Make the months that are missing: this one and the next four.

    Args:
        rows: runs a statement in a transaction of its own and gives its rows.
        now: the time to go by, with its zone; None stands for the database's.

    Returns:
        The months made, as YYYY-MM; and whether that was all, False if others' locks were in the
        way.
    """
    made, whole = [], True
    for (month,) in rows(_LACKING, {"now": now}):
        try:
            rows(_MAKE, {"month": month})
        except BUSY:
            whole = False
        except psycopg.errors.CheckViolation:
            # A message has come that no month took: the default pair keeps this one.
            pass
        else:
            made.append(_month_name(month))
    return made, whole


def drop(rows: Rows, now: datetime | None = None) -> tuple[dict[str, int], bool]:
    """Drop the months in which no message is kept any longer.

    Args:
        rows: runs a statement in a transaction of its own and gives its rows.
        now: the time to go by, with its zone; None stands for the database's.

    Returns:
        The months dropped, as YYYY-MM, with the number of their messages; and whether that was
        all, False if others' locks were in the way.
    """
    dropped, whole = {}, True
    for (month,) in rows(_OUTDATED, {"now": now}):
        try:
            [(held,)] = rows(_DROP, {"month": month, "now": now})
        except BUSY:
            whole = False
        else:
            if held is not None:
                dropped[_month_name(month)] = held
    return dropped, whole


def _month_name(month: date) -> str:
    return f"{month:%Y-%m}"
