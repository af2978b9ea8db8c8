"""A private instance of somebody else's program: own directory, own ports, gone at the end.

RuntimeError, with what it said, when it does not start. Nothing of the machine's own is read but
the program's files, and nothing of it is written.
"""

import shutil
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from private import processes
from private.reaper import Reaper

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class Program:
    """One program, from `with` to the end of the block; a subclass writes its configuration.

    `name` is its command; `directory` is its own, which `user` may write in.
    """

    name = ""
    user = "daemon"
    owner = ""  # of its directory, where that is not the user
    patience = 180.0  # seconds until it is ready: as long as a busy machine needs

    def __init__(self) -> None:
        self._reaper = Reaper(self.name)
        self.directory = self._reaper.directory
        shutil.chown(self.directory, self.owner or self.user)
        self.log = self.directory / "log"
        self.log.touch()

    @classmethod
    def found(cls) -> bool:
        """Return whether it is installed here."""
        return shutil.which(cls.name, path=_PATH) is not None

    def command(self) -> list[str | Path]:
        """Return what starts it in the foreground; its configuration is written by then."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Tell whether it answers."""
        raise NotImplementedError

    def runs_as(self) -> str | None:
        """Return the user it is started as; None where it changes by itself."""
        return self.user

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._reaper.close()
            raise
        return self

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = self.command()
        process = self._process = self._reaper.spawn(
            command, log=self.log, user=self.runs_as(), environment={"PATH": _PATH, "LC_ALL": "C"}
        )
        processes.until(lambda: process.poll() is not None or self.ready(), self.patience, 0.1)
        if process.poll() is not None or not self.ready():
            told = self.log.read_text(errors="replace")[-2000:]
            self.stop()
            raise RuntimeError(f"{self.name} did not start: {told}")

    def stop(self) -> None:
        """End it and all it started."""
        self._reaper.end(self._process, signal.SIGTERM)

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._reaper.close()

    def folder(self, name: str, user: str | None = None, mode: int = 0o750) -> Path:
        """Make a directory in its own one."""
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True)
        shutil.chown(path, user or self.user)
        path.chmod(mode)
        return path

    def write(self, name: str, text: str) -> Path:
        """Write a file into its directory."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o644)
        return path

    def socket_folder(self) -> Path:
        """Make the directory of a socket that Postfix may open."""
        path = self.directory / "socket"
        path.mkdir()
        shutil.chown(path, self.user, "postfix")
        path.chmod(0o2750)
        return path


def answers(port: int, greeting: bytes = b"") -> Callable[[], bool]:
    """Return what tells whether a loopback port is open, and begins so."""

    def ask() -> bool:
        with (
            suppress(OSError),
            socket.create_connection(("127.0.0.1", port), timeout=5) as connection,
        ):
            return not greeting or connection.recv(512).startswith(greeting)
        return False

    return ask
