"""A private PostgreSQL made from another one's base backup and the WAL it had archived.

It recovers up to the end of the archive, and lives and ends as any private PostgreSQL does.
RuntimeError, with its log, when it cannot be made or started.
"""

import subprocess
from pathlib import Path

import psycopg

from private import processes
from private.postgres import Postgres


class RestoredPostgres(Postgres):
    """One recovered server, from `with` (or `start`) to the end of the block (or `close`).

    `base` is a folder that `Postgres.back_up` made, `archive` the one with the WAL.
    """

    def __init__(self, base: Path, archive: Path) -> None:
        self._base = base
        super().__init__(
            fsync=False,
            settings={"archive_mode": "off", "restore_command": f'cp "{archive}/%f" "%p"'},
        )

    def start(self, timeout: float = 30.0) -> None:
        """Start it, and wait until it has recovered; then it takes writes."""
        super().start(timeout)
        if not processes.until(self._writable, timeout):
            raise RuntimeError(f"PostgreSQL did not recover:\n{self.log_text()}")

    def _create(self) -> None:
        data = self.directory / "data"
        subprocess.run(["cp", "-a", self._base, data], check=True)
        (data / "recovery.signal").touch()

    def _writable(self) -> bool:
        with psycopg.connect(self.uri()) as connection:
            return connection.execute("SELECT pg_is_in_recovery()").fetchone() == (False,)
