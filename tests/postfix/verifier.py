"""A private OpenDKIM that verifies before the tracker, as a mail host's does.

RuntimeError when it does not start.
"""

import shutil
import signal
from typing import Self

from private import processes
from private.guard import Guard

USER = "opendkim"


class Verifier:
    """One OpenDKIM; `socket` is where it answers, as Postfix names it, `name` its authserv-id."""

    def __init__(self, name: str, *settings: str) -> None:
        self.name = name
        self._guard = Guard("opendkim")
        directory = self._guard.directory
        self._path = directory / "socket" / "verifier.sock"
        self._path.parent.mkdir()
        shutil.chown(self._path.parent, USER, "postfix")
        self._path.parent.chmod(0o2750)
        self.socket = f"unix:{self._path}"
        self._log = directory / "log"
        self._config = directory / "opendkim.conf"
        lines = (
            f"Mode v\nSyslog no\nUMask 007\nSocket local:{self._path}\nAuthservID {name}\n"
            "AlwaysAddARHeader yes\nOn-DNSError accept\nOn-KeyNotFound accept\n"
        )
        self._config.write_text(lines + "".join(f"{setting}\n" for setting in settings))

    def __enter__(self) -> Self:
        command = [shutil.which("opendkim", path="/usr/sbin:/usr/bin") or "opendkim"]
        command += ["-f", "-x", str(self._config)]
        process = self._process = self._guard.spawn(command, log=self._log, user=USER)
        processes.until(lambda: self._path.exists() or process.poll() is not None, 10.0)
        if not self._path.exists():
            told = self._log.read_text()
            self.__exit__()
            raise RuntimeError(f"OpenDKIM did not start: {told}")
        return self

    def __exit__(self, *_: object) -> None:
        self._guard.end(self._process, signal.SIGKILL)
        self._guard.close()
