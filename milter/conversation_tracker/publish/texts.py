"""Takes out of recorded messages what programs and people read: text, page, files, words.

New messages come first; those of before this version, and whatever was missed, are gone through
from the newest to the oldest whenever the publisher begins, and once a day. A message that cannot
be read keeps its first words, and a mark.
"""

import time
from collections import deque

from conversation_tracker.base import timeouts
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.publishing import texts as rows
from conversation_tracker.publish.texts_reader import UNREADABLE, MessageReader

_BATCH = 50
_LINE = 2000  # old messages that are looked at in one turn, most of them done long ago
_MAX_RAW = 64 * 1024 * 1024
# A message is seen when it is committed, at most minutes after the time that it bears.
_SHORT, _LONG = "2 minutes", "1 hour"


class Texts:
    """The step, and how far back it has come."""

    def __init__(self) -> None:
        """Begin with the newest message."""
        self._reader = MessageReader()
        self._older: rows.MessagePlace | None = rows.NEWEST
        self._waiting: deque[rows.MessagePlace] = deque()
        self._again_at = 0.0
        self._long_at = 0.0

    def take_out(self, connection: Connection) -> bool:
        """Take out what there is of some messages; return whether there is more to do at once.

        Raises:
            psycopg.Error: as the driver does; what was taken out before stays.
            OSError: the process that reads messages cannot be started.
        """
        ends = time.monotonic() + timeouts.get().text_turn_seconds
        recent = deque(rows.find_recent(connection, self._choose_window(), _BATCH))
        whole = len(recent) < _BATCH
        if not self._take_each(connection, recent, ends) or not whole:
            return True
        if not self._waiting:
            self._look_back(connection)
        return not self._take_each(connection, self._waiting, ends) or self._older is not None

    def close(self) -> None:
        """End the process that reads."""
        self._reader.close()

    def _choose_window(self) -> str:
        now = time.monotonic()
        if now < self._long_at:
            return _SHORT
        self._long_at = now + timeouts.get().text_look_back_seconds
        return _LONG

    def _look_back(self, connection: Connection) -> None:
        """Look at older messages; behind the oldest it begins again a day later."""
        now = time.monotonic()
        if self._older is None and now > self._again_at:
            self._older = rows.NEWEST
        if self._older is not None:
            found, self._older = rows.find_older(connection, self._older, _LINE)
            self._waiting.extend(found)
            self._again_at = now + timeouts.get().text_again_seconds

    def _take_each(
        self, connection: Connection, waiting: deque[rows.MessagePlace], ends: float
    ) -> bool:
        """Take out what there is of messages, in order; return whether there was time for all."""
        while waiting:
            if time.monotonic() > ends:
                return False
            self._take(connection, waiting[0])
            waiting.popleft()
        return True

    def _take(self, connection: Connection, place: rows.MessagePlace) -> None:
        raw = rows.fetch_raw(connection, place, _MAX_RAW)
        reading = UNREADABLE if raw is None else self._reader.read(raw)
        kept = rows.insert(
            connection, place, reading.body, reading.html, reading.files, reading.contents,
            reading.marks,
        )  # fmt: skip
        if not kept:
            rows.insert(connection, place, None, None, [], [], UNREADABLE.marks)
