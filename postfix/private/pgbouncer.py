"""A private PgBouncer before private PostgreSQL servers.

It lives in a temporary directory, listens on a loopback port, lets every user in without password
as the servers do, and is otherwise as Debian ships it; nothing of the machine's own is looked at.
RuntimeError, with its log, when it does not start.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import psycopg

from private import processes
from private.guard import Guard
from private.ports import free_port

PROGRAM = Path("/usr/sbin/pgbouncer")
_USER = "postgres"


class PgBouncer:
    """One PgBouncer, from `with` (or `start`) to the end of the block (or `close`).

    `server_port` is the loopback port of the PostgreSQL it stands before, `settings` go to its
    configuration; transactions are pooled unless they say otherwise. `port` is there to read.
    """

    def __init__(self, server_port: int, *, settings: Mapping[str, str] | None = None) -> None:
        self._guard = Guard("pgbouncer")
        self._user = _USER if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = dict(settings or {})
        self.port = free_port()
        self.directory = self._guard.directory
        self.log = self.directory / "log"
        self._configuration = self.directory / "pgbouncer.ini"
        self.lead_to(server_port)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, timeout: float = 10.0) -> None:
        """Start it and wait until it answers; RuntimeError when it does not."""
        if self._process is not None:
            return
        command = [PROGRAM, self._configuration]
        self._process = process = self._guard.spawn(command, log=self.log, user=self._user)
        processes.until(lambda: process.poll() is not None or self._answers(), timeout)
        if process.poll() is not None or not self._answers():
            self.stop()
            raise RuntimeError(f"PgBouncer did not start:\n{self.log.read_text()}")

    def stop(self) -> None:
        """End it at once; whoever is connected is cut off."""
        if self._process is not None:
            self._guard.end(self._process, signal.SIGTERM)
            self._process = None

    def restart(self) -> None:
        """Stop and start again, on the same port."""
        self.stop()
        self.start()

    def lead_to(self, server_port: int) -> None:
        """Lead to another server from now on, as an administrator does after a failover."""
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "server_login_retry": "1",
            "admin_users": _USER,
        } | self._settings
        lines = [f"{name} = {value}\n" for name, value in settings.items()]
        server = f"* = host=127.0.0.1 port={server_port} user={_USER}\n"
        self._configuration.write_text(f"[databases]\n{server}[pgbouncer]\n{''.join(lines)}")
        if self._user:
            shutil.chown(self._configuration, self._user)
        if self._process is not None:
            self.order("RELOAD")

    def order(self, command: str) -> None:
        """Give a command on its console, such as PAUSE or RESUME."""
        with psycopg.connect(self.uri("pgbouncer"), autocommit=True) as console:
            console.pgconn.exec_(command.encode())

    def uri(self, dbname: str = "postgres") -> str:
        """Return a libpq URI of a database behind it."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{dbname}"

    def close(self) -> None:
        """Stop it if it runs and remove all it had."""
        try:
            self.stop()
        finally:
            self._guard.close()

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.uri("pgbouncer"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
