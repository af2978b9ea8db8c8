"""A private PgBouncer before private PostgreSQL servers.

It lives in a temporary directory, listens on a loopback port, lets every user in without password
as the servers do, and is otherwise as Debian ships it; nothing of the machine's own is looked at.
RuntimeError, with its log, when it does not start.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psycopg

from private.ports import free_port
from private.server import Server

PROGRAM = Path("/usr/sbin/pgbouncer")
_USER = "postgres"


class PgBouncer(Server):
    """One PgBouncer.

    `server_port` is the loopback port of the PostgreSQL it stands before, `settings` go to its
    configuration; transactions are pooled unless they say otherwise. `port` is there to read.
    To stop it cuts off whoever is connected.
    """

    _name = "PgBouncer"

    def __init__(self, server_port: int, *, settings: Mapping[str, str] | None = None) -> None:
        super().__init__("pgbouncer")
        self._user = _USER if os.geteuid() == 0 else None
        self._settings = dict(settings or {})
        self.port = free_port()
        self._configuration = self.directory / "pgbouncer.ini"
        self.lead_to(server_port)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        return self._reaper.spawn([PROGRAM, self._configuration], log=self.log, user=self._user)

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
        """Send a command to its console, such as PAUSE or RESUME."""
        with psycopg.connect(self.uri("pgbouncer"), autocommit=True) as console:
            console.pgconn.exec_(command.encode())

    def uri(self, dbname: str = "postgres") -> str:
        """Return a libpq URI of a database behind it."""
        return f"postgresql://{_USER}@127.0.0.1:{self.port}/{dbname}"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.uri("pgbouncer"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True
