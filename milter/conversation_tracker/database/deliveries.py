"""The deliveries that lines of Postfix's log are about, by their queue ids.

Raises as `repository` does.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from conversation_tracker.core.model.alias import Bounce
from conversation_tracker.database.prepared import Statement
from conversation_tracker.database.recording import name_queue_id
from conversation_tracker.database.repository import Database

_QUEUED = Statement("SELECT * FROM tracker.deliveries_queued(%s::text[])")


@dataclass(slots=True)
class Queued:
    """A delivery as its queue id leads to it: its bounce address, and the state it is in."""

    bounce: Bounce
    state: str


class QueuedDeliveries(Database):
    """The database, asked about queue ids."""

    def __init__(self, conninfo: str) -> None:
        """Make a pool of one connection."""
        super().__init__(conninfo, size=1)

    def look_up(self, queue_ids: Iterable[str]) -> dict[str, Queued]:
        """Look queue ids of this host up; gives those that lead to exactly one delivery."""
        ours = {name_queue_id(queue_id): queue_id for queue_id in queue_ids}
        rows = self._fetch_rows(_QUEUED, (sorted(ours),))
        return {
            ours[found]: Queued(Bounce(bounce.hex, domain), state)
            for found, bounce, domain, state in rows
        }
