"""The milters to compare the tracker with, each a private process on a Unix socket.

RuntimeError when one does not start; `found` tells which of them this machine has.
"""

import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from private import processes
from private.reaper import Reaper
from private.server import listens

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# No module of it asks the network here, so none waits for it either.
_RSPAMD = """\
.include "/etc/rspamd/common.conf"
options {{ pidfile = "{folder}/pid"; filters = "chartable,regexp"; check_all_filters = false;
  dns {{ nameserver = ["127.0.0.1"]; timeout = 0.05s; retransmits = 1; }} }}
logging {{ type = "file"; filename = "{folder}/rspamd.log"; level = "error"; }}
{disabled}
worker "normal" {{ enabled = false; count = 0; bind_socket = "{folder}/normal.sock"; }}
worker "controller" {{ enabled = false; count = 0; bind_socket = "{folder}/controller.sock"; }}
worker "rspamd_proxy" {{
  bind_socket = "{socket} mode=0666"; milter = yes; timeout = 10s; count = 2;
  upstream "local" {{ default = yes; self_scan = yes; }}
}}
"""
_ASKING = "rbl surbl spf dkim dkim_signing arc dmarc asn fuzzy_check phishing neural".split()


class Milter:
    """One milter process, from `with` to the end of the block; `socket` is its path, `pid` its id.

    `prepare` gets a folder and the socket's path, and gives the command that runs in the
    foreground.
    """

    def __init__(self, prepare: Callable[[Path, Path], Sequence[str]], user: str | None = None):
        self._reaper = Reaper("bench")
        folder = self._reaper.directory / "milter"
        folder.mkdir()
        folder.chmod(0o777)
        self.socket = folder / "milter.sock"
        self._log, self._user = self._reaper.directory / "log", user
        try:
            self._command = prepare(folder, self.socket)
        except BaseException:
            self._reaper.close()
            raise

    def __enter__(self) -> Self:
        self._process = process = self._reaper.spawn(self._command, log=self._log, user=self._user)
        self.pid = process.pid
        processes.until(lambda: listens(self.socket) or process.poll() is not None, 60.0)
        if not listens(self.socket):
            told = self._log.read_text(errors="replace")
            self._reaper.close()
            raise RuntimeError(f"{self._command[0]} did not start: {told}")
        self.socket.chmod(0o666)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._reaper.end(self._process, signal.SIGTERM)
        finally:
            self._reaper.close()


def found(name: str) -> str | None:
    """Return the path of a program, if there is one."""
    return shutil.which(name, path=_PATH)


def compiled(program: Path) -> Milter:
    """Prepare one of our milters in C: `idle`, which does nothing, or `edit`, which edits."""
    return Milter(lambda _folder, socket: [str(program), f"unix:{socket}"])


def opendkim(domain: str) -> Milter:
    """Prepare OpenDKIM; it signs what comes from a domain."""

    def prepare(folder: Path, socket: Path) -> Sequence[str]:
        key = folder / "key"
        command = ["openssl", "genrsa", "-out", str(key), "2048"]
        subprocess.run(command, capture_output=True, check=True)
        shutil.chown(key, "opendkim")
        (folder / "hosts").write_text("0.0.0.0/0\n")
        (folder / "conf").write_text(
            f"Mode s\nSyslog no\nUMask 000\nSocket local:{socket}\nDomain {domain}\n"
            f"Selector bench\nKeyFile {key}\nInternalHosts {folder / 'hosts'}\n"
            "RequireSafeKeys no\nCanonicalization relaxed/relaxed\n"
        )
        return [found("opendkim") or "opendkim", "-f", "-x", str(folder / "conf")]

    return Milter(prepare, user="opendkim")


def rspamd() -> Milter:
    """Prepare rspamd; of its modules, those that ask nobody."""

    def prepare(folder: Path, socket: Path) -> Sequence[str]:
        disabled = "\n".join(f"{module} {{ enabled = false; }}" for module in _ASKING)
        text = _RSPAMD.format(folder=folder, socket=socket, disabled=disabled)
        (folder / "conf").write_text(text)
        folders = [f"--var={name}={folder}" for name in ("DBDIR", "RUNDIR", "LOGDIR")]
        return [found("rspamd") or "rspamd", "-f", "-i", "-c", str(folder / "conf"), *folders]

    return Milter(prepare)
