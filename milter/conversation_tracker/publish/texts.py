"""Takes out of recorded messages what programs and people read: text, page, files, words.

New messages come first; those of before this version, and whatever was missed, are gone through
from the newest to the oldest whenever the publisher begins, after a long time without the database,
and once a day. A message that cannot be read keeps its first words, and a mark; one that the
database fails with, or for which the system had no memory, is tried again a minute later, and keeps
no other back.
"""

import time
from collections import deque

from conversation_tracker.base import timeouts
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.faults import DatabaseError, is_lost
from conversation_tracker.database.publishing import texts as rows
from conversation_tracker.publish.texts_reader import UNREADABLE, MessageReader, ReaderKilled

_BATCH = 50
_LINE = 2000  # old messages that are looked at in one turn, most of them done long ago
_MAX_RAW = 64 * 1024 * 1024
_ASIDE = 60.0  # seconds until a message that failed is tried again
_KILLS = 60  # so often a message may end with the process that reads; then it is unreadable
_GAP = 1800.0  # seconds without a look, after which the longer window may have missed something
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
        self._aside: dict[rows.MessagePlace, float] = {}
        self._kills: dict[rows.MessagePlace, int] = {}
        self._looked_at = time.monotonic()

    def take_out(self, connection: Connection) -> bool:
        """Take out what there is of some messages; return whether there is more to do at once.

        Raises:
            psycopg.Error: as the driver does; what was taken out before stays.
            OSError: the process that reads messages cannot be started.
            ReaderKilled: it was killed; the message is tried again later.
        """
        ends = time.monotonic() + timeouts.get().text_turn_seconds
        most = _BATCH + len(self._aside)
        found = rows.find_recent(connection, self._choose_window(), most)
        self._note_look()
        whole = len(found) < most
        recent = deque(place for place in found if place not in self._aside)
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

    def _note_look(self) -> None:
        """Begin with the newest once more after a long time without a look; let what waited on."""
        now = time.monotonic()
        if now > self._looked_at + _GAP:
            self._older = rows.NEWEST
        self._looked_at = now
        for place, due in [*self._aside.items()]:
            if due <= now:
                del self._aside[place]
                self._waiting.append(place)

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
            try:
                self._take(connection, waiting[0])
            except (DatabaseError, ValueError) as error:
                # Somebody may keep it locked, or it is poison: the others go on with the next turn.
                if not is_lost(error, connection):
                    self._aside[waiting.popleft()] = time.monotonic() + _ASIDE
                raise
            except ReaderKilled:
                place = waiting.popleft()
                self._aside[place] = time.monotonic() + _ASIDE
                self._kills[place] = self._kills.get(place, 0) + 1
                raise
            self._kills.pop(waiting.popleft(), None)
        return True

    def _take(self, connection: Connection, place: rows.MessagePlace) -> None:
        raw = rows.fetch_raw(connection, place, _MAX_RAW)
        hopeless = raw is None or self._kills.get(place, 0) >= _KILLS
        reading = UNREADABLE if raw is None or hopeless else self._reader.read(raw)
        kept = rows.insert(
            connection, place, reading.body, reading.html, reading.files, reading.contents,
            reading.marks,
        )  # fmt: skip
        if not kept:
            rows.insert(connection, place, None, None, [], [], UNREADABLE.marks)
