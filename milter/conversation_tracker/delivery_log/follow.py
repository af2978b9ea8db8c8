"""`follow`: marks deliveries with what Postfix's own log says about them.

Postfix never tells a milter what became of a message. Its log does: each line about a delivery
is looked up by its queue id, many at once, and marks the one delivery there is. How a line
is read is in `core.reports.maillog`, how the log is in `log_file` and `journal`. How far it was
read stands in a state file (`follow_state`), which is written once the marks are in the database:
after a crash some lines are read twice, which changes nothing. No line that is logged holds an
address.

While the database is away, or the log cannot be read, this is logged once and tried again; nothing
is lost. That the log cannot be read stands in the state file too, for `check`. A log or state file
that cannot be used at the start is a `Failure`.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from conversation_tracker.base import timeouts
from conversation_tracker.base.failure import USAGE, Failure
from conversation_tracker.base.stop import Stopped, StopSignals
from conversation_tracker.config.config import Config
from conversation_tracker.core.model.alias import Bounce
from conversation_tracker.core.reports import maillog
from conversation_tracker.core.reports.maillog import LogLine
from conversation_tracker.database.deliveries import Queued, QueuedDeliveries
from conversation_tracker.database.faults import DatabaseError
from conversation_tracker.database.pool import DatabaseUnavailable
from conversation_tracker.database.readiness import wait_for_database
from conversation_tracker.delivery_log.filters import Filters
from conversation_tracker.delivery_log.journal import Journal
from conversation_tracker.delivery_log.log_file import LogFile, Place
from conversation_tracker.postfix import settings as postfix_settings
from conversation_tracker.telemetry.events import Event, log
from conversation_tracker.telemetry.follow_state import FollowState, StateFile
from conversation_tracker.telemetry.log_setup import catch_uncaught, configure

JOURNAL = "journal"
MAIL_LOG = Path("/var/log/mail.log")

_MISSING = "not there yet"


def run(config: Config, source: Path | None, state: Path) -> int:
    """Follow Postfix's log until told to stop.

    Args:
        config: the configuration.
        source: the log file; None stands for the journal.
        state: the file that says how far it was read; it is made if need be.

    Returns:
        The exit code.

    Raises:
        Failure: log, state file or schema is not as it must be.
    """
    configure(config.log_format)
    catch_uncaught()
    stop = StopSignals()
    reader = _LogReader(source, StateFile(state))
    filters = Filters.read(os.environ)
    database = Deliveries(config.database)

    def wait(seconds: float) -> None:
        stop.sleep(seconds)
        reader.live()

    try:
        reader.begin()
        wait_for_database(config.database, wait)
        database.open()
        log.following(source=reader.name)
        _Follower(reader, database, wait, filters).run()
    except Stopped:
        reader.live(stopped=True)
    finally:
        reader.close()
        database.close()
    log.stopping(signal=stop.signal)
    return os.EX_OK


def default_source(environ: Mapping[str, str]) -> Path | None:
    """Return the log that Postfix writes, as far as it says so; None stands for the journal."""
    named = ""
    with suppress(postfix_settings.Unreadable):
        named = postfix_settings.read_settings(environ).get_value("maillog_file")
    if named.startswith("/") and not named.startswith("/dev/"):
        return Path(named)
    return MAIL_LOG if MAIL_LOG.exists() else None


class Deliveries(QueuedDeliveries):
    """The database, and what lines of the log mark there."""

    def tell(self, found: Sequence[LogLine], origins: Mapping[str, Bounce] | None = None) -> None:
        """Mark deliveries with what lines of the log say, in the lines' order.

        Marking the same again changes nothing.

        Args:
            found: what the lines say.
            origins: deliveries by queue ids that nobody recorded.

        Raises:
            DatabaseUnavailable: some may be marked already, some not.
        """
        queued = self.look_up(sent.queue_id for sent in found)
        for sent in found:
            try:
                known = queued.get(sent.queue_id) or self._of_origin(sent.queue_id, origins or {})
                if known is not None and maillog.is_news(known.state, sent.state):
                    self._mark_delivery(sent, known)
            except DatabaseError as error:
                # A fault of ours: without this, the same line would be tried for ever.
                log.error(Event.ERROR, error, queue_id=sent.queue_id)

    def _of_origin(self, queue_id: str, origins: Mapping[str, Bounce]) -> Queued | None:
        """Find the delivery whose mail somebody handed in again, by its envelope sender."""
        bounce = origins.get(queue_id)
        found = self.delivery(bounce) if bounce is not None else None
        if bounce is None or found is None:
            return None
        return Queued(bounce, found[1].state)

    def _mark_delivery(self, sent: LogLine, known: Queued) -> None:
        found = self.delivery(known.bounce)
        mark = maillog.mark(found[1], sent) if found is not None else None
        if mark is None:
            return
        known.state = mark.state
        if self.mark(known.bounce.token, mark):
            log.delivery(queue_id=sent.queue_id, state=mark.state, status=sent.status)


class _LogReader:
    """The log, file or journal, together with the note of how far it was read."""

    def __init__(self, path: Path | None, file: StateFile) -> None:
        self.name = str(path) if path is not None else JOURNAL
        self._file = file
        known = file.load()
        self._state = FollowState(self.name, known.position if known.log == self.name else {})
        position = self._state.position
        self._log = (
            LogFile(path, _read_place(position)) if path else Journal(_read_cursor(position))
        )
        self._lost = 0

    @property
    def fault(self) -> str:
        """Why the log cannot be read now, "" if it can."""
        return self._state.fault

    def begin(self) -> None:
        """Open the log and note where that is; raise Failure if it is there but cannot be read."""
        try:
            self._log.open()
        except OSError as error:
            self._state = replace(self._state, fault=_describe_error(error))
            self.live()
            raise Failure(USAGE, f"cannot read {self.name}: {self.fault}") from None
        if not self._log.is_open:
            self._complain(_MISSING)
        self.commit()

    def lines(self) -> list[str]:
        """Return the next lines, none if there are none or the log cannot be read."""
        try:
            lines = self._log.lines()
        except OSError as error:
            self._complain(_describe_error(error))
            return []
        if not self._log.is_open:
            self._complain(_MISSING)
        elif self.fault and (lines or self._log.is_steady):
            self._state = replace(self._state, fault="")
            log.following(source=self.name)
        if isinstance(self._log, LogFile) and self._log.lost != self._lost:
            self._lost = self._log.lost
            log.log_gap(source=self.name)
        return lines

    def commit(self) -> None:
        """Note that all lines given so far have had their effect."""
        place = self._log
        position = asdict(place.place) if isinstance(place, LogFile) else {"cursor": place.cursor}
        self._state = replace(self._state, position=position)
        self.live()

    def live(self, *, stopped: bool = False) -> None:
        """Show that this still runs, or that it ends because it was asked to."""
        self._file.save(replace(self._state, stopped=stopped))

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    def _complain(self, reason: str) -> None:
        if reason != self.fault:
            self._state = replace(self._state, fault=reason)
            log.log_unreadable(source=self.name, reason=reason)


class _Follower:
    """Takes lines from the log to the database."""

    def __init__(
        self,
        reader: _LogReader,
        database: Deliveries,
        wait: Callable[[float], None],
        filters: Filters,
    ) -> None:
        self._reader = reader
        self._filters = filters
        self._database = database
        self._wait = wait

    def run(self) -> None:
        """Follow the log until told to stop; ends by Stopped."""
        while True:
            lines = self._reader.lines()
            if self._filters:
                self._filters.learn(lines)
            reads = (maillog.parse_line(line, self._filters.is_filter) for line in lines)
            found = [sent for sent in reads if sent is not None]
            if found:
                self._record_lines(found)
            self._reader.commit()
            self._wait(
                0.0
                if lines
                else timeouts.get().follow_retry_seconds
                if self._reader.fault
                else timeouts.get().follow_poll_seconds
            )

    def _record_lines(self, found: Sequence[LogLine]) -> None:
        lost_at: float | None = None
        while True:
            try:
                self._database.tell(found, self._filters.origins)
                break
            except DatabaseUnavailable as error:
                if lost_at is None:
                    lost_at = time.monotonic()
                    log.database_unreachable(error)
            self._wait(timeouts.get().follow_poll_seconds)
        if lost_at is not None:
            log.database_back(seconds=time.monotonic() - lost_at)


def _describe_error(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _read_place(known: Mapping[str, Any]) -> Place | None:
    """Read a place in a file from the state; None if it has none."""
    file, offset, head = (known.get(name) for name in ("file", "offset", "head"))
    if isinstance(file, str) and isinstance(offset, int) and offset >= 0 and isinstance(head, str):
        return Place(file, offset, head)
    return None


def _read_cursor(known: Mapping[str, Any]) -> str | None:
    """Read a place in the journal from the state; None if it has none."""
    cursor = known.get("cursor")
    return cursor if isinstance(cursor, str) else None
