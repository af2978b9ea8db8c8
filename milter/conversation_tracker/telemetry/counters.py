"""What the processes of `serve` count: numbers in memory that they share, and nothing else.

The parent makes the memory before it forks, and gives each worker a row of its own in it; a row
outlives its worker, and the next worker goes on adding to it, so that nothing is lost when one is
killed. Every number has a fixed place and a name from the closed lists here: no text of a message,
no store and no order can become a label. In other programs than `serve` counting is one comparison.
What serves the numbers is in `exporter`; the status line is made from them too. Nothing here fails
or waits.

The client library's own way for several processes keeps files for each process that ever was: it
took 3.3 us a message for 0.6, 10 MB more, and after 500 workers 95 ms a scrape for 1.5, from 1500
files that somebody has to remove.
"""

import mmap
import threading
from bisect import bisect_left
from collections.abc import Sequence

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.replies import Reply

OUTCOMES = ("untouched", "forwarded", "split", "returned", "refused", "failed")
DIRECTIONS = ("none", "outbound", "inbound", "internal")
_OTHER = "other"
REPLIES = (
    *sorted({f"{r.code} {r.status}" for r in vars(replies).values() if isinstance(r, Reply)}),
    _OTHER,
)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ISOLATION = {
    "overdue": ("workers_overdue", "Processes ended because a message outlasted its clock"),
    "outgrown": ("workers_outgrown", "Processes that a message took too much memory in"),
    "suspected": ("messages_suspected", "Messages in flight in a process that ended"),
    "condemned": ("messages_condemned", "Messages that ended a process alone"),
    "order_locked": ("order_locked", "Requests that waited too long for the row of an order"),
}
"""Plain counters, most of them of what the limits that trust no code did: each with the name and
help text that `exporter` shows."""

_MESSAGES = 0
_REFUSED = _MESSAGES + len(OUTCOMES) * len(DIRECTIONS)
_RECIPIENTS = _REFUSED + len(REPLIES)
_BUCKETS = _RECIPIENTS + len(REPLIES)
_SUM = _BUCKETS + len(SECONDS) + 1
_UNAVAILABLE = _SUM + 1
_RESTARTS = _UNAVAILABLE + 1
_ISOLATION = _RESTARTS + 1
_GAUGES = _ISOLATION + len(ISOLATION)
_WORKERS, _IN_FLIGHT, _WAITING, _AWAY = range(_GAUGES, _GAUGES + 4)
_OF_ALL = range(_AWAY + 1, _AWAY + 5)  # what each process knows of all
_BEHIND, _TEXTS_BEHIND, _WEBHOOKS_BEHIND, _WEBHOOKS_DEAD = _OF_ALL
_WIDTH = _WEBHOOKS_DEAD + 1

_ROWS = 600  # the parent's, and more than workers may run at once, leaving ones among them
_OCTETS = 8

_MESSAGE = {
    (outcome, direction): _MESSAGES + len(DIRECTIONS) * first + second
    for first, outcome in enumerate(OUTCOMES)
    for second, direction in enumerate(DIRECTIONS)
}
_PLACE = {what: _ISOLATION + number for number, what in enumerate(ISOLATION)}
_REPLY = {reply: number for number, reply in enumerate(REPLIES)}


def _place_of_reply(reply: Reply) -> int:
    return _REPLY.get(f"{reply.code} {reply.status}", _REPLY[_OTHER])


class Metrics:
    """The numbers; one object for the program, off until `share` is called."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._cells: memoryview[float] | None = None
        self._row = 0
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    # The parent's part ------------------------------------------------------------------------

    def share(self) -> None:
        """Begin to count, in memory that processes forked from here share. A second call is none.

        The pages take real memory only once they are written.
        """
        if self._cells is None:
            self._cells = memoryview(mmap.mmap(-1, _ROWS * _WIDTH * _OCTETS)).cast("d")

    def take(self) -> int:
        """Choose the row of the next worker; nobody else's as long as there are enough."""
        row = next((each for each in range(1, _ROWS) if each not in self._taken), _ROWS - 1)
        self._taken.add(row)
        return row

    def give_back(self, row: int) -> None:
        """Free the row of a worker that has ended; what it counted stays."""
        self._taken.discard(row)
        if self._cells is not None:
            for gauge in range(_GAUGES, _WIDTH):
                self._cells[row * _WIDTH + gauge] = 0

    def count_restart(self) -> None:
        """Count a worker that died and has to be replaced."""
        self._add(_RESTARTS)

    def note_workers(self, workers: int) -> None:
        """Note how many workers there are, those that are leaving not among them."""
        self._set(_WORKERS, workers)

    # The workers' part ------------------------------------------------------------------------

    def use(self, row: int) -> None:
        """Count in this row from now on."""
        self._row = row
        self._lock = threading.Lock()  # the parent's may have been held at the fork

    def count_message(
        self, outcome: str, direction: str, seconds: float, reply: Reply | None
    ) -> None:
        """Count one message at its end.

        Args:
            outcome: one of OUTCOMES.
            direction: one of DIRECTIONS, "" for none.
            seconds: how long it took to decide and to record.
            reply: what it was refused with.
        """
        cells = self._cells
        if cells is None:
            return
        place = _MESSAGE.get((outcome, direction or "none"))
        start = self._row * _WIDTH
        bucket = start + _BUCKETS + bisect_left(SECONDS, seconds)
        # Adding is not one step for threads.
        with self._lock:
            if place is not None:
                cells[start + place] += 1
            if reply is not None:
                cells[start + _REFUSED + _place_of_reply(reply)] += 1
            cells[bucket] += 1
            cells[start + _SUM] += seconds

    def count_refused_recipient(self, reply: Reply) -> None:
        """Count one recipient that was refused or deferred."""
        if self._cells is not None:
            self._add(_RECIPIENTS + _place_of_reply(reply))

    def count_database_failure(self) -> None:
        """Count one question that the database did not answer."""
        self._add(_UNAVAILABLE)

    def count_order_lock(self) -> None:
        """Count one piece of work that waited too long for somebody's lock."""
        self.count_isolation("order_locked")

    def count_isolation(self, what: str, number: int = 1) -> None:
        """Count one of the events in ISOLATION."""
        self._add(_PLACE[what], number)

    def note_load(self, *, in_flight: int, waiting: int) -> None:
        """Note how many messages are being decided on, and how many of us wait for a connection."""
        self._set(_IN_FLIGHT, in_flight)
        self._set(_WAITING, waiting)

    def note_database(self, *, away: bool) -> None:
        """Note whether the database answered this process's last question."""
        self._set(_AWAY, away)

    def note_publisher(self, events: float, texts: float) -> None:
        """Note how far the publisher is behind, in seconds.

        Args:
            events: how old the oldest event is that is not published, 0 if there is none.
            texts: how old the oldest message is that nothing was taken out of, likewise.
        """
        self._set(_BEHIND, events)
        self._set(_TEXTS_BEHIND, texts)

    def note_webhooks(self, seconds: float, dead: int) -> None:
        """Note for how long a webhook is behind, and how many events were given up."""
        self._set(_WEBHOOKS_BEHIND, seconds)
        self._set(_WEBHOOKS_DEAD, dead)

    def _add(self, place: int, number: int = 1) -> None:
        if self._cells is not None:
            with self._lock:
                self._cells[self._row * _WIDTH + place] += number

    def _set(self, place: int, value: float) -> None:
        if self._cells is not None:
            self._cells[self._row * _WIDTH + place] = value

    # The reader's part ------------------------------------------------------------------------

    def count_messages_so_far(self) -> int:
        """Return how many messages came to their end since the start, of all processes."""
        return int(sum(map(self._sum, _MESSAGE.values())))

    def count_workers_without_database(self) -> int:
        """Return how many workers the database did not answer last."""
        return int(self._sum(_AWAY))

    def _sum(self, place: int) -> float:
        return 0.0 if self._cells is None else sum(self._cells[place::_WIDTH].tolist())

    def add_up(self) -> "Totals":
        """Add all rows up, at this moment."""
        cells = self._cells
        if cells is None:
            return Totals((0.0,) * _WIDTH)
        sums = [sum(cells[place::_WIDTH].tolist()) for place in range(_WIDTH)]
        # All ask the same database: whoever has seen it as it was lately.
        for place in _OF_ALL:
            sums[place] = max(cells[place::_WIDTH].tolist())
        return Totals(sums)


class Totals:
    """The sums of all processes, by name; of what all know, such as `behind`, the most."""

    def __init__(self, cells: Sequence[float]) -> None:
        """Take one number for each place."""
        self.messages = {key: cells[place] for key, place in _MESSAGE.items()}
        self.refused = {reply: cells[_REFUSED + n] for reply, n in _REPLY.items()}
        self.recipients = {reply: cells[_RECIPIENTS + n] for reply, n in _REPLY.items()}
        self.seconds = list(cells[_BUCKETS:_SUM])
        self.seconds_sum = cells[_SUM]
        self.unavailable = cells[_UNAVAILABLE]
        self.restarts = cells[_RESTARTS]
        self.isolation = {what: cells[_ISOLATION + n] for n, what in enumerate(ISOLATION)}
        self.workers = cells[_WORKERS]
        self.in_flight = cells[_IN_FLIGHT]
        self.waiting = cells[_WAITING]
        self.away = cells[_AWAY]
        self.behind = cells[_BEHIND]
        self.texts_behind = cells[_TEXTS_BEHIND]
        self.webhooks_behind = cells[_WEBHOOKS_BEHIND]
        self.webhooks_dead = cells[_WEBHOOKS_DEAD]


metrics = Metrics()
