"""A private OpenDKIM that verifies before the tracker, as a mail host's does.

RuntimeError when it does not start.
"""

import shutil
import signal
import subprocess

from private.server import Server

USER = "opendkim"


class Verifier(Server):
    """One OpenDKIM; `socket` is where it answers, as Postfix names it, `name` its authserv-id."""

    _name = "OpenDKIM"
    _gentle = signal.SIGKILL  # it has nothing to lose, and takes seconds to end otherwise

    def __init__(self, name: str, *settings: str) -> None:
        self.name = name
        super().__init__("opendkim")
        directory = self.directory
        self._path = directory / "socket" / "verifier.sock"
        self._path.parent.mkdir()
        shutil.chown(self._path.parent, USER, "postfix")
        self._path.parent.chmod(0o2750)
        self.socket = f"unix:{self._path}"
        self._config = directory / "opendkim.conf"
        lines = (
            f"Mode v\nSyslog no\nUMask 007\nSocket local:{self._path}\nAuthservID {name}\n"
            "AlwaysAddARHeader yes\nOn-DNSError accept\nOn-KeyNotFound accept\n"
        )
        self._config.write_text(lines + "".join(f"{setting}\n" for setting in settings))

    def _spawn(self) -> "subprocess.Popen[bytes]":
        program = shutil.which("opendkim", path="/usr/sbin:/usr/bin") or "opendkim"
        command = [program, "-f", "-x", str(self._config)]
        return self._reaper.spawn(command, log=self.log, user=USER)

    def _answers(self) -> bool:
        return self._path.exists()
