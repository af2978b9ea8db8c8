"""A private PostgreSQL server.

It lives in a temporary directory with a Unix socket and a loopback port of its own, trusts every
local user, and runs as the user `postgres` when we are root. The machine's own clusters are not
looked at. RuntimeError, with the server's log, when it does not start.
"""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psycopg
from psycopg import sql

from private import processes
from private.ports import free_port
from private.server import Server

SUPERUSER = "postgres"
IMAGES = "PRIVATE_POSTGRES_IMAGES"
"""The environment may name a folder here, which keeps the files of a new cluster for the next."""
PROGRAMS = "PRIVATE_POSTGRES"
"""The environment may name another PostgreSQL's folder of programs here."""
_MEMORY = Path("/dev/shm")
_ROOM = 2 << 30  # octets free
_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
Mode = Literal["smart", "fast", "immediate"]


def binaries() -> Path:
    """Return the folder of programs: the newest PostgreSQL's, unless the environment names one.

    FileNotFoundError when there is none.
    """
    if named := os.environ.get(PROGRAMS):
        return Path(named)
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    newest = max(found, key=lambda path: int(re.sub(r"\D", "", path.parts[-3])), default=None)
    if newest is None:
        raise FileNotFoundError("no PostgreSQL server in /usr/lib/postgresql: install postgresql")
    return newest.parent


def parent_directory(*, durable: bool) -> Path:
    """Return where clusters lie: in memory those that need not outlive it, where there is room."""
    if not durable:
        with suppress(OSError):
            room = os.statvfs(_MEMORY)
            if room.f_bavail * room.f_frsize > _ROOM and os.access(_MEMORY, os.W_OK | os.X_OK):
                return _MEMORY
    return Path(tempfile.gettempdir())


class Postgres(Server):
    """One PostgreSQL cluster.

    `fsync=False` is for tests: faster, and a crash of the machine may lose data. `settings` go to
    postgresql.conf, `environment` to the processes. `port` and `durable` are there to read.
    """

    _name = "PostgreSQL"

    def __init__(
        self,
        *,
        fsync: bool = True,
        settings: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._bin = binaries()
        self.durable = fsync
        self._user = SUPERUSER if os.geteuid() == 0 else None
        self._environment = _environment() | dict(environment or {})
        super().__init__("postgres", parent_directory(durable=fsync))
        self.port = free_port()
        try:
            self._initialise(settings or {})
        except BaseException:
            self._reaper.close()
            raise

    def _spawn(self) -> "subprocess.Popen[bytes]":
        return self._reaper.spawn(
            [self._bin / "postgres", "-D", self.directory / "data"],
            log=self.log,
            environment=self._environment,
            user=self._user,
            gentle=signal.SIGQUIT,
        )

    def stop(self, mode: Mode = "fast") -> int | None:
        """Stop the server; `mode` as in pg_ctl: smart waits for clients, immediate is a crash."""
        return self._end(_SIGNALS[mode], timeout=30.0)

    def kill(self) -> None:
        """Kill the server and all its processes at once, as a failing machine would."""
        if self._process is not None:
            killed = processes.family(self._process.pid)
            for process in killed:
                _signal(process, signal.SIGKILL)
            self._process.wait()
            processes.until(lambda: not any(map(processes.group, killed)), timeout=10.0)
            self._reaper.forget(self._process)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all processes of the server while the block runs; its sockets stay open."""
        stopped = processes.family(self.pid)
        # The first one first: it would start others.
        for process in sorted(stopped, key=lambda each: each != self.pid):
            _signal(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in stopped:
                _signal(process, signal.SIGCONT)

    def restart(self, mode: Mode = "fast") -> None:
        """Stop and start again, on the same port and with the same data."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop the server if it runs and remove all it had."""
        try:
            self.stop("fast" if self.durable else "immediate")
        finally:
            self._reaper.close()

    def set(self, name: str, value: str) -> None:
        """Change a setting of the running server for good; new transactions have it soon."""
        with psycopg.connect(self.uri(), autocommit=True) as connection:
            change = sql.SQL("ALTER SYSTEM SET {} = {}")
            connection.execute(change.format(sql.Identifier(name), sql.Literal(value)))
            connection.execute("SELECT pg_reload_conf()")

    def uri(self, dbname: str = "postgres", user: str | None = None, *, tcp: bool = False) -> str:
        """Return a libpq URI of a database, over the Unix socket or over TCP, as `user`."""
        who = quote(user or SUPERUSER, safe="")
        if tcp:
            return f"postgresql://{who}@127.0.0.1:{self.port}/{quote(dbname, safe='')}"
        where = quote(str(self.directory), safe="")
        return f"postgresql://{who}@/{quote(dbname, safe='')}?host={where}&port={self.port}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create a database, a copy of `template` if given (unused just then); return its URI."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            # Copying files needs a checkpoint, which is fastest where nothing waits for the disk.
            way = "WAL_LOG" if self.durable else "FILE_COPY"
            statement += sql.SQL(" TEMPLATE {} STRATEGY {}").format(
                sql.Identifier(template), sql.SQL(way)
            )
        self._execute(statement)
        return self.uri(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and cut whoever is still connected to it; absent is well too."""
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        self._execute(drop)

    def back_up(self, folder: Path) -> None:
        """Make a base backup of the running server, in a folder that is not there yet."""
        self._run("pg_basebackup", "-D", folder, "--checkpoint=fast", "--no-sync", "-d", self.uri())

    def _initialise(self, settings: Mapping[str, str]) -> None:
        """Create the cluster's files and its configuration."""
        self.log.touch()
        if self._user:
            for path in (self.directory, self.log):
                os.chown(path, *_ids(self._user))
        self._create()
        with (self.directory / "data/postgresql.conf").open("a") as configuration:
            for name, value in (self._defaults() | dict(settings)).items():
                quoted = value.replace("'", "''")
                configuration.write(f"{name} = '{quoted}'\n")

    def _create(self) -> None:
        """Create the cluster's files, or copy those that were kept of another one's creation."""
        data, images = self.directory / "data", os.environ.get(IMAGES)
        if images is None:
            self._initdb(data)
            return
        image = Path(images) / f"{self._bin.parts[-2]}-{os.geteuid()}"
        if not image.exists():
            self._initdb(data)
            _keep(data, image)
        else:
            subprocess.run(["cp", "-a", image, data], check=True)

    def _initdb(self, data: Path) -> None:
        options = ["--auth=trust", f"--username={SUPERUSER}", "--encoding=UTF8", "--locale=C.UTF-8"]
        self._run("initdb", "--no-sync", "-D", data, *options)

    def _run(self, program: str, *arguments: str | Path) -> None:
        """Run one of PostgreSQL's programs to its end; RuntimeError when it fails."""
        process = self._reaper.spawn(
            [self._bin / program, *arguments],
            log=self.log,
            environment=_environment(),
            user=self._user,
        )
        status = process.wait()
        self._reaper.forget(process)
        if status != 0:
            raise RuntimeError(f"{program} failed:\n{self.log_text()}")

    def _defaults(self) -> dict[str, str]:
        # synchronous_commit stays on without fsync too: what was committed survives `kill`.
        durable = "on" if self.durable else "off"
        return {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
            "fsync": durable,
            "full_page_writes": durable,
            "log_min_messages": "warning",
            "log_line_prefix": "%m [%p] %a ",
            "timezone": "UTC",
            "max_wal_size": "1GB" if self.durable else "128MB",
        }

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.uri(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.uri(), autocommit=True) as connection:
            connection.execute(statement)


def _keep(data: Path, image: Path) -> None:
    """Keep a cluster's files; whoever keeps the same just now may be first."""
    made = Path(tempfile.mkdtemp(dir=image.parent))
    try:
        subprocess.run(["cp", "-a", data, made / "data"], check=True)
        with suppress(OSError):
            (made / "data").rename(image)
    finally:
        shutil.rmtree(made)


def _environment() -> dict[str, str]:
    """Return a clean environment: PGDATA and the like must not reach the server."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


def _signal(process: int, number: int) -> None:
    """Signal a process that may have ended by itself meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(process, number)


def _ids(user: str) -> tuple[int, int]:
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid
