"""The right to publish: whoever holds it is the only one in the whole database.

It is an advisory lock of the session that publishes: a connection that dies takes it along, with
what was not committed. Behind a pooler a session is nobody's own, and the lock that of a
transaction that is kept open on a connection of its own, with nothing else in it: it holds up no
vacuum.
"""

from dataclasses import replace

from conversation_tracker.base import timeouts
from conversation_tracker.database.connection import SET_LOCAL, Connection, write_settings

_LOCK = 0x7472_6163_6B65_7201  # the number behind that of `migrate`
_TAKE = "SELECT pg_try_advisory_lock(%s)"
_TAKE_IN_TRANSACTION = "SELECT pg_try_advisory_xact_lock(%s)"
_KEPT = "SELECT 1"
# Else the server would know of a host that is cut off after two hours.
_NOTICE = (
    "SELECT set_config('idle_session_timeout', %s, false),"
    " set_config('tcp_keepalives_idle', '30', false),"
    " set_config('tcp_keepalives_interval', '10', false),"
    " set_config('tcp_keepalives_count', '3', false)"
)


class PublishingLock:
    """The lock, as one process has it or not."""

    def __init__(self, conninfo: str) -> None:
        """Take nothing yet.

        Args:
            conninfo: a libpq URI or connection string.
        """
        self._conninfo = conninfo
        self._keeper: Connection | None = None

    def take(self, connection: Connection) -> bool:
        """Take it if nobody has it.

        Args:
            connection: the one that publishes, and on which nothing was taken yet.

        Returns:
            Whether it is ours now.

        Raises:
            psycopg.Error: as the driver does.
        """
        if not connection.pooled:
            connection.execute(_NOTICE, (str(timeouts.get().publish_idle_milliseconds),))
            row = connection.execute(_TAKE, (_LOCK,)).fetchone()
            return row == (True,)
        if self._keeper is None:
            self._keeper = Connection.connect(self._conninfo)
        self._keeper.execute("BEGIN")
        idle = timeouts.get().publish_idle_milliseconds
        limits = replace(timeouts.get().publish, idle_milliseconds=idle)
        self._keeper.execute(SET_LOCAL, write_settings(limits))
        if self._keeper.execute(_TAKE_IN_TRANSACTION, (_LOCK,)).fetchone() == (True,):
            return True
        self._keeper.execute("ROLLBACK")
        return False

    def keep(self) -> None:
        """See that it is still ours; without a pooler the connection that publishes tells.

        Raises:
            psycopg.Error: it is lost.
        """
        if self._keeper is not None:
            self._keeper.execute(_KEPT)

    def release(self) -> None:
        """Forget it; without a pooler it goes with the connection that publishes."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.close()
