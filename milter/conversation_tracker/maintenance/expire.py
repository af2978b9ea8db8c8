"""Expiry: removes what is due, in small transactions, and says what was removed.

The addresses of expired orders and the identifiers that hold them, messages and refusals older than
their store keeps them, orders of which nothing is left, alias domains that nobody uses: in this
order, since each leads to the next. Months of which all messages have had their time are dropped
whole, and months to come are made before anything else; those of the feed of events likewise.
Every batch is a transaction of its own, so a run that is killed leaves nothing half done and the
next one goes on. Each looks again once it holds the locks: an order that was woken meanwhile is
left alone. Rows that somebody else has locked are passed over: runs at the same time share the
work, mail never waits for long. The clock is the database's.

No database, or one that is not migrated, is exit code 75 with one line; so is work that was in the
way of somebody's locks until the end. No line names an address.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import TextIO

from conversation_tracker.base import timeouts
from conversation_tracker.base.failure import TEMPORARY, USAGE, Failure
from conversation_tracker.config.config import Config
from conversation_tracker.database.expiry import BUSY, Expiry, open_expiry
from conversation_tracker.database.expiry_steps import (
    DELETE_EVENTS,
    DELETE_MESSAGES,
    DELETE_REFUSALS,
    EMPTY,
    REMOVE_ORDERS,
    Step,
)
from conversation_tracker.database.faults import raise_failures
from conversation_tracker.database.migrate import NewerDatabase, NotMigrated
from conversation_tracker.database.partitions import FEED, MESSAGES, Kind
from conversation_tracker.telemetry.events import log
from conversation_tracker.telemetry.journal import choose_prefix

# Rows of a batch: what fails in one pass is tried again in the next, in smaller company.
_SIZES = (1000, 100, 10, 1)


@dataclass(slots=True)
class Counts:
    """What a run removed, or with a dry run would have."""

    orders: int = 0
    addresses: int = 0
    messages: int = 0
    refusals: int = 0
    removed: int = 0
    domains: int = 0
    made: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    unpublished: int = 0
    feed_dropped: list[str] = field(default_factory=list)


def run(
    config: Config, *, dry_run: bool, out: TextIO, err: TextIO, now: datetime | None = None
) -> int:
    """Remove what is due.

    Args:
        config: the configuration.
        dry_run: count only, and change nothing.
        out: where the line goes that says what was done.
        err: where errors go, and on a terminal how far it is.
        now: the time to go by, with its zone; None stands for the database's.

    Returns:
        The exit code: 0 done; 2 the database is newer than the program, or its role may not do
        this; 75 it cannot be reached, is not migrated, or others' locks kept something from being
        done.
    """
    counts, started = Counts(), time.monotonic()
    progress = _Progress(err)
    failure, begun = None, False
    try:
        with raise_failures(config.database), open_expiry(config.database, now) as expiry:
            expiry.verify()
            begun = True
            if dry_run:
                _count(expiry, counts)
            else:
                _Run(expiry, counts, progress).take_all_steps()
    except Failure as raised:
        failure = raised
    except NewerDatabase as error:
        failure = Failure(USAGE, str(error))
    except NotMigrated as error:
        failure = Failure(TEMPORARY, str(error))
    progress.clear()
    if begun:
        print(_write_summary(counts, dry_run=dry_run), file=out)
        _log(counts, time.monotonic() - started, dry_run=dry_run)
    if failure is not None:
        prefix = choose_prefix("error", err, os.environ)
        print(f"{prefix}conversation-tracker: {failure}", file=err)
        return failure.code
    return os.EX_OK


class _Run:
    """One run on one connection; adds up in `counts` what has been committed."""

    def __init__(self, expiry: Expiry, counts: Counts, progress: "_Progress") -> None:
        self._expiry = expiry
        self._counts = counts
        self._progress = progress

    def take_all_steps(self) -> None:
        """Take every step; raise Failure at the end if others' locks kept one from being done."""
        done = [
            *(self._repeat(partial(self._make_months, kind)) for kind in (MESSAGES, FEED)),
            self._step(EMPTY),
            self._repeat(partial(self._drop_months, MESSAGES)),
            self._step(DELETE_MESSAGES),
            # Of stores that keep messages for less long, the last ones may just have gone.
            self._repeat(partial(self._drop_months, MESSAGES)),
            self._step(DELETE_REFUSALS),
            self._step(REMOVE_ORDERS),
            self._repeat(partial(self._drop_months, FEED)),
            self._trim_feed(),
            self._step(DELETE_EVENTS),
            self._expire_domains(),
            self._expire_suspects(),
            self._expire_erasures(),
            self._expire_tests(),
        ]
        if not all(done):
            raise Failure(TEMPORARY, "others' locks were in the way: the next run takes the rest")

    def _step(self, step: Step) -> bool:
        return self._repeat(lambda size: self._run_pass(step, size))

    @staticmethod
    def _repeat(work: Callable[[int], bool]) -> bool:
        """Go through all that is due, again for what failed; False if some of it always did."""
        for attempt, size in enumerate(_SIZES):
            if attempt:
                time.sleep(timeouts.get().expiry_pause_seconds)
            if work(size):
                return True
        return False

    def _make_months(self, kind: Kind, _size: int) -> bool:
        made, whole = self._expiry.make_months(kind)
        if kind is MESSAGES:  # the feed's are the same, and nobody counts them
            self._counts.made += made
        return whole

    def _drop_months(self, kind: Kind, _size: int) -> bool:
        dropped, whole = self._expiry.drop_months(kind)
        if kind is FEED:
            self._counts.feed_dropped += dropped
        else:
            self._counts.dropped += dropped
            self._counts.messages += sum(dropped.values())
        return whole

    def _run_pass(self, step: Step, size: int) -> bool:
        at, last, whole = "-infinity", 0, True
        while True:
            try:
                line = self._expiry.seek(step, at, last, size)
            except BUSY:
                return False
            if not line:
                return whole
            at, last = line[-1]
            try:
                self._run_batch(step, line)
            except BUSY:
                whole = False

    def _run_batch(self, step: Step, line: Sequence[tuple[str, int]]) -> None:
        """Take away what is due of these rows, in one transaction."""
        done = self._expiry.take(step, line)
        for name, number in zip(step.counts, done, strict=False):
            setattr(self._counts, name, getattr(self._counts, name) + number)
        self._progress.show(self._counts)

    def _expire_domains(self) -> bool:
        """Forget the alias domains nobody uses; one that is just being taken up again stays."""
        try:
            self._counts.domains = self._expiry.delete_domains()
        except BUSY:
            return False
        return True

    def _trim_feed(self) -> bool:
        """Remove from the feed what no month took and was kept for one; nobody counts it."""
        try:
            self._expiry.trim_feed()
        except BUSY:
            return False
        return True

    def _expire_suspects(self) -> bool:
        """Forget the messages that ended a process long ago; nobody counts them."""
        try:
            self._expiry.delete_suspects()
        except BUSY:
            return False
        return True

    def _expire_erasures(self) -> bool:
        """Forget the erasures that no backup can undo any more; nobody counts them."""
        try:
            self._expiry.delete_erasures()
        except BUSY:
            return False
        return True

    def _expire_tests(self) -> bool:
        """Remove what tests left; nobody counts them."""
        try:
            self._expiry.delete_tests()
        except BUSY:
            return False
        return True


class _Progress:
    """One line on a terminal, drawn again after each batch; nothing elsewhere."""

    def __init__(self, err: TextIO) -> None:
        self._err = err if err.isatty() else None

    def show(self, counts: Counts) -> None:
        """Draw how far it is."""
        self._draw(
            f"expire: {counts.orders} orders emptied, {counts.messages} messages"
            f" and {counts.removed} orders deleted"
        )

    def clear(self) -> None:
        """Leave an empty line for the next output."""
        self._draw("")

    def _draw(self, text: str) -> None:
        if self._err is not None:
            self._err.write(f"\r\x1b[K{text}")
            self._err.flush()


def _count(expiry: Expiry, counts: Counts) -> None:
    for name, number in zip(Counts.__slots__, expiry.count(), strict=True):
        setattr(counts, name, number)


def _write_summary(counts: Counts, *, dry_run: bool) -> str:
    expire, delete = ("would expire", "delete") if dry_run else ("expired", "deleted")
    make, drop = ("make", "drop") if dry_run else ("made", "dropped")
    parts = [
        f"{expire} {counts.orders} orders ({counts.addresses} addresses)",
        f"{delete} {counts.messages} messages and {counts.removed} orders",
    ]
    if counts.unpublished:
        parts.append(f"{delete} {counts.unpublished} events that nobody published")
    for what, months in (
        (f"{drop} the months", counts.dropped),
        (f"{drop} the feed's months", counts.feed_dropped),
        (f"{make} the months", counts.made),
    ):
        if months:
            parts.append(f"{what} {' '.join(months)}")
    return ", ".join(parts)


def _log(counts: Counts, seconds: float, *, dry_run: bool) -> None:
    log.expire(**asdict(counts), ms=seconds * 1000, dry_run=dry_run)
