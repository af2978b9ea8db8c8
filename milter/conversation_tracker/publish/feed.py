"""The feed's step: from the queue of events to the feed, a batch at a time.

What is committed is visible and is taken, what is not comes later: nothing waits for it. The queue
is gone through from its beginning to its end, again and again; within one pass a batch goes on
where the one before ended, and does not read over what was just taken and not yet vacuumed.
"""

from conversation_tracker.database.connection import Connection
from conversation_tracker.database.publishing.feed import publish_events

MOST = 1000  # events of a batch; memory and time of a transaction are bounded by it
_BATCHES = 200  # of a pass: then what came late, with a lower number, has its turn


class Feed:
    """The step, and how far its pass has come."""

    def __init__(self) -> None:
        """Begin with the whole queue."""
        self._after = 0
        self._batches = 0

    def publish(self, connection: Connection) -> bool:
        """Publish the next batch; return whether there is more to do at once."""
        taken = publish_events(connection, self._after, MOST)
        self._batches += 1
        if taken.events < MOST or self._batches >= _BATCHES:
            self._after = self._batches = 0
        else:
            self._after = taken.last
        return taken.events == MOST
