"""Announces recorded messages, a moment after they were committed and several at once.

A transaction that notifies holds a lock of the whole database until its commit is on disk: were
each message announced with its record, no two could be committed together. So one thread of each
process does it, apart. What it cannot send it keeps, and tries again; what a killed process had not
sent is never announced, and neither is the oldest of more than `_KEPT`. Nothing raises.

An announcement is one JSON text, with aliases only. It has no line break in it, whatever the order
is called, and is short enough for a notification: less than 8000 octets. docs/sql.md shows one.
"""

import json
import threading
from collections import deque
from collections.abc import Callable, Sequence

from conversation_tracker.base import timeouts
from conversation_tracker.core.model.plan import Record

_KEPT = 10_000
_AT_ONCE = 200
_MANY = 50  # recipients
_OCTETS = 5500  # of their aliases; the rest is for the names of store and order, of any characters
_TOKEN = 36  # octets around the domain: the token, "@", quotes and a comma

_json = json.JSONEncoder(ensure_ascii=False, separators=(", ", " : ")).encode


class Announcer:
    """A thread that sends what it is given; started before it is used."""

    def __init__(self, send: Callable[[Sequence[str]], object]) -> None:
        """Make it.

        Args:
            send: sends all of these; raises where it could not.
        """
        self._send = send
        self._waiting: deque[str] = deque(maxlen=_KEPT)
        self._given = threading.Event()
        self._stopped = threading.Event()
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def put(self, payload: str) -> None:
        """Queue one announcement to be sent."""
        self._waiting.append(payload)
        self._given.set()

    def stop(self) -> None:
        """Send what is left, if it can be sent now, and end."""
        self._stopped.set()
        self._given.set()
        self.flush()

    def flush(self) -> bool:
        """Send what is waiting, now; tell whether all of it went."""
        with self._sending:
            while batch := [self._waiting.popleft() for _ in range(self._many())]:
                try:
                    self._send(batch)
                except Exception:
                    self._waiting.extendleft(reversed(batch))
                    return False
            return True

    def _many(self) -> int:
        return min(len(self._waiting), _AT_ONCE)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._given.wait()
            self._stopped.wait(timeouts.get().announcement_gather_seconds)
            self._given.clear()
            if not self.flush():
                self._stopped.wait(timeouts.get().announcement_retry_seconds)
                self._given.set()


def write_announcement(
    number: int, store: str, order: str, alias_domain: str, record: Record
) -> str:
    """Write the announcement of a message.

    Args:
        number: its id in the database.
        store: the store's name.
        order: the order's number.
        alias_domain: the order's alias domain.
        record: the message; of very many recipients, only the first ones are named.

    Returns:
        The text.
    """
    first = min(_MANY, _OCTETS // (len(alias_domain) + _TOKEN))
    return _json(
        {
            "id": number,
            "store": store,
            "order": order,
            "direction": record.direction,
            "from": f"{record.sender}@{alias_domain}",
            "to": [f"{token}@{alias_domain}" for token, _bounce in record.recipients[:first]],
        }
    )
