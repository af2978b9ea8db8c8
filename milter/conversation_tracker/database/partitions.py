"""The tables of months, of messages and of the feed: makes them ahead, drops those that are over.

A month of messages is a pair of tables, one of the feed a single one; sql/repeatable/partitions.sql
and feed_months.sql decide which may be made or dropped, and do it. The locks this needs are waited
for half a second, so that mail never waits longer; what could not be had is left to the next try,
and all works without it. Errors are the driver's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, LiteralString

import psycopg

Rows = Callable[[LiteralString, dict[str, object]], list[Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is kept by months: the statements that tell which lack and are over, make and drop."""

    lacking: LiteralString
    make: LiteralString
    outdated: LiteralString
    drop: LiteralString


MESSAGES = Kind(
    "SELECT month FROM tracker.months_lacking(coalesce(%(now)s, now())) AS month ORDER BY month",
    "SELECT tracker.make_month(%(month)s)",
    "SELECT month FROM tracker.months(coalesce(%(now)s, now())) WHERE outdated ORDER BY month",
    "SELECT tracker.drop_month(%(month)s, coalesce(%(now)s, now()))",
)
FEED = Kind(
    "SELECT month FROM tracker.feed_months_lacking(coalesce(%(now)s, now())) AS month"
    " ORDER BY month",
    "SELECT tracker.make_feed_month(%(month)s)",
    "SELECT month FROM tracker.feed_months(coalesce(%(now)s, now())) WHERE outdated ORDER BY month",
    "SELECT tracker.drop_feed_month(%(month)s, coalesce(%(now)s, now()))",
)

BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


def make(rows: Rows, kind: Kind, now: datetime | None = None) -> tuple[list[str], bool]:
    """Make the months that are missing: this one and the next four.

    Args:
        rows: runs a statement in a transaction of its own and gives its rows.
        kind: of what.
        now: the time to go by, with its zone; None stands for the database's.

    Returns:
        The months made, as YYYY-MM; and whether that was all, False if others' locks were in the
        way.
    """
    made, whole = [], True
    for (month,) in rows(kind.lacking, {"now": now}):
        try:
            rows(kind.make, {"month": month})
        except BUSY:
            whole = False
        except psycopg.errors.CheckViolation:
            # A row has come that no month took: the default tables keep this one.
            pass
        else:
            made.append(_month_name(month))
    return made, whole


def drop(rows: Rows, kind: Kind, now: datetime | None = None) -> tuple[dict[str, int], bool]:
    """Drop the months of which nothing is kept any longer.

    Args:
        rows: runs a statement in a transaction of its own and gives its rows.
        kind: of what.
        now: the time to go by, with its zone; None stands for the database's.

    Returns:
        The months dropped, as YYYY-MM, with the number of messages or events that were in them; and
        whether that was all, False if others' locks were in the way.
    """
    dropped, whole = {}, True
    for (month,) in rows(kind.outdated, {"now": now}):
        try:
            [(held,)] = rows(kind.drop, {"month": month, "now": now})
        except BUSY:
            whole = False
        else:
            if held is not None:
                dropped[_month_name(month)] = held
    return dropped, whole


def _month_name(month: date) -> str:
    return f"{month:%Y-%m}"
