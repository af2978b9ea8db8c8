"""The right to publish: whoever holds it is the only one in the whole database.

It is a table's lock, in a transaction that is kept open on a connection of its own with nothing
else in it: it holds up no vacuum, a pooler may stand before the server, and only who may write the
table can take it. An advisory lock could be taken, and kept, by any role that can connect.
"""

from dataclasses import replace

import psycopg

from conversation_tracker.base import timeouts
from conversation_tracker.database.connection import SET_LOCAL, Connection, write_settings
from conversation_tracker.database.deadline import Watchdog

_TAKE = "LOCK TABLE ONLY tracker.publisher IN EXCLUSIVE MODE NOWAIT"
_KEPT = "SELECT 1"
# Else the server would know of a host that is cut off after two hours.
_NOTICE = (
    "SELECT set_config('tcp_keepalives_idle', '30', false),"
    " set_config('tcp_keepalives_interval', '10', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)


class PublishingLock:
    """The lock, as one process has it or not."""

    def __init__(self, conninfo: str, watchdog: Watchdog) -> None:
        """Take nothing yet.

        Args:
            conninfo: a libpq URI or connection string.
            watchdog: ends a question that the server does not answer.
        """
        self._conninfo = conninfo
        self._watchdog = watchdog
        self._keeper: Connection | None = None

    def take(self) -> bool:
        """Take it if nobody has it; return whether it is ours now.

        Raises:
            psycopg.Error: as the driver does.
        """
        if self._keeper is None:
            self._keeper = Connection.connect(self._conninfo)
        with self._watchdog.watching(self._keeper):
            return _take(self._keeper)

    def keep(self) -> None:
        """See that it is still ours, and tell the server that we live.

        Raises:
            psycopg.Error: it is lost.
        """
        if self._keeper is not None:
            with self._watchdog.watching(self._keeper):
                self._keeper.execute(_KEPT)

    def release(self) -> None:
        """Let it go, if it is ours."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.close()


def _take(keeper: Connection) -> bool:
    if not keeper.pooled:
        keeper.execute(_NOTICE)
    keeper.execute("BEGIN")
    idle = timeouts.get().publish_idle_milliseconds
    limits = replace(timeouts.get().publish, idle_milliseconds=idle)
    keeper.execute(SET_LOCAL, write_settings(limits))
    try:
        keeper.execute(_TAKE)
    except psycopg.errors.LockNotAvailable:
        keeper.execute("ROLLBACK")
        return False
    return True
