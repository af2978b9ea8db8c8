"""A private standby of a private PostgreSQL, until it is promoted.

It is made from the running primary by pg_basebackup, follows it by streaming, and lives and ends as
any private PostgreSQL does. RuntimeError, with its log, when it cannot be made or started.
"""

from collections.abc import Mapping

import psycopg

from private import processes
from private.postgres import SUPERUSER, Postgres


class Replica(Postgres):
    """One standby, from `with` (or `start`) to the end of the block (or `close`).

    `primary` is the server it follows; to that one's `synchronous_standby_names` it is `name`.
    """

    def __init__(
        self, primary: Postgres, *, name: str = "standby", settings: Mapping[str, str] | None = None
    ) -> None:
        self._primary, self.name = primary, name
        super().__init__(fsync=primary.durable, settings=settings)

    def start(self, timeout: float = 30.0) -> None:
        """Start it, and wait until it follows its primary if that runs."""
        super().start(timeout)
        if self._primary.running and not processes.until(self._follows, timeout):
            raise RuntimeError(f"the standby does not follow:\n{self.log_text()}")

    def promote(self) -> None:
        """Make it a primary; it has become one when this returns."""
        with psycopg.connect(self.uri(), autocommit=True) as connection:
            connection.execute("SELECT pg_promote(true, 30)")

    def _create(self) -> None:
        where = f"host=127.0.0.1 port={self._primary.port} user={SUPERUSER}"
        conninfo = f"{where} application_name={self.name}"
        options = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-d", conninfo]
        self._run("pg_basebackup", "-D", self.directory / "data", *options)

    def _follows(self) -> bool:
        query = (
            "SELECT FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
        )
        with psycopg.connect(self._primary.uri(), autocommit=True) as connection:
            return connection.execute(query, (self.name,)).fetchone() is not None
