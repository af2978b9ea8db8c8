"""Which messages are in flight in which process: marks in memory that all processes share.

The parent makes the memory before it forks; each worker writes in a row of its own, and the parent
reads, also when the worker hangs, holds the interpreter or is dead. A mark is made before anything
looks into the message, and costs no system call but the one that names the thread. Waiting for the
database is noted, for it is no fault of a message. Raises `Crowded` where a row has no place left.
"""

import itertools
import mmap
import struct
import threading
from collections import deque
from dataclasses import dataclass

ROWS = 600
"""As many as `metrics` has; a worker has the same number in both."""
PLACES = 500
"""Messages that may be decided on at once in one process."""

NOBODY = bytes(32)
"""In place of a digest: this message is not to be recognised again."""

_RUNNING, _WAITING = 1, 2
_STATE = struct.Struct("=I")
# The state last: what stands before it is whole once it is there.
_MARK = struct.Struct("=32s24sQII")
_STATE_AT = _MARK.size - _STATE.size
_BEAT = struct.Struct("=Q")
_BEAT_AT = PLACES * _MARK.size
_ROW = _BEAT_AT + _BEAT.size
_FREE = _STATE.pack(0)
_RUNS = _STATE.pack(_RUNNING)
_WAITS = _STATE.pack(_WAITING)

_here = threading.local()


class Crowded(Exception):
    """As many messages are in flight as there are places."""


@dataclass(frozen=True, slots=True)
class FlightMark:
    """One message in flight, as the parent sees it.

    Attributes:
        place: where in the row.
        number: which message of the process it is, counted from its start.
        digest: what identifies the message, `NOBODY` for what is none.
        queue_id: Postfix's, "" where there is none yet.
        thread: the id of the thread that decides on it.
        waiting: it waits for the database.
    """

    place: int
    number: int
    digest: bytes
    queue_id: str
    thread: int
    waiting: bool


class InFlight:
    """The marks of all processes."""

    def __init__(self) -> None:
        """Make the memory; its pages take room only once they are written."""
        self._memory = mmap.mmap(-1, ROWS * _ROW)
        self._base = 0
        self._free: deque[int] = deque()
        self._numbers = itertools.count(1)
        self._beats = 0

    # A worker's part --------------------------------------------------------------------------

    def use(self, row: int) -> None:
        """Mark in this row from now on."""
        self._base = row * _ROW
        self._free = deque(range(PLACES))
        self._numbers = itertools.count(1)
        self.clear(row)

    def beat(self) -> None:
        """Show that Python runs in this process; from the first time on this is looked at."""
        self._beats += 1
        _BEAT.pack_into(self._memory, self._base + _BEAT_AT, self._beats)

    def mark(self, digest: bytes, queue_id: str = "") -> "_Flight":
        """Mark a message as in flight while the block runs, in the thread that decides on it.

        Args:
            digest: what identifies it, 32 octets.
            queue_id: Postfix's.

        Raises:
            Crowded: there is no place.
        """
        return _Flight(self, digest, queue_id)

    def _begin(self, digest: bytes, queue_id: str) -> int:
        try:
            place = self._free.popleft()
        except IndexError:
            raise Crowded from None
        at = self._base + place * _MARK.size
        name = queue_id.encode("ascii", "replace")
        number, thread = next(self._numbers), threading.get_native_id()
        _MARK.pack_into(self._memory, at, digest, name, number, thread, _RUNNING)
        return place

    def _set(self, place: int, state: bytes) -> None:
        at = self._base + place * _MARK.size + _STATE_AT
        self._memory[at : at + _STATE.size] = state

    def _end(self, place: int) -> None:
        self._set(place, _FREE)
        self._free.append(place)

    # The parent's part ------------------------------------------------------------------------

    def list_marks(self, row: int) -> list[FlightMark]:
        """Read what is in flight in a row now."""
        found = []
        octets = self._memory[row * _ROW : row * _ROW + _BEAT_AT]
        for place, mark in enumerate(_MARK.iter_unpack(octets)):
            digest, queue_id, number, thread, state = mark
            if state:
                name = queue_id.rstrip(b"\0").decode("ascii")
                found.append(FlightMark(place, number, digest, name, thread, state == _WAITING))
        return found

    def count_beats(self, row: int) -> int:
        """Return how often the process of a row has shown that it runs; 0 where it never does."""
        [beats] = _BEAT.unpack_from(self._memory, row * _ROW + _BEAT_AT)
        return int(beats)

    def clear(self, row: int) -> None:
        """Forget what is in flight in a row: its process has ended."""
        self._memory[row * _ROW : (row + 1) * _ROW] = bytes(_ROW)


class _Flight:
    """One message in flight; every message makes one, so it is no generator."""

    __slots__ = ("_digest", "_in_flight", "_place", "_queue_id")

    def __init__(self, in_flight: InFlight, digest: bytes, queue_id: str) -> None:
        self._in_flight, self._digest, self._queue_id = in_flight, digest, queue_id

    def __enter__(self) -> None:
        self._place = self._in_flight._begin(self._digest, self._queue_id)
        _here.flight = self

    def __exit__(self, *_: object) -> None:
        _here.flight = None
        self._in_flight._end(self._place)

    def _pause(self) -> None:
        self._in_flight._set(self._place, _WAITS)

    def _resume(self) -> None:
        self._in_flight._set(self._place, _RUNS)


class Waiting:
    """What the message in flight in this thread does in the block is wait; its clock stands."""

    __slots__ = ("_flight",)

    def __enter__(self) -> None:
        """Stop the clock, if this thread has one."""
        self._flight: _Flight | None = getattr(_here, "flight", None)
        if self._flight is not None:
            self._flight._pause()

    def __exit__(self, *_: object) -> None:
        """Start the clock again."""
        if self._flight is not None:
            self._flight._resume()
