"""A private OpenDKIM that signs what the tracker forwards, set up as our documentation says.

It signs for whoever the client is, but only mail whose From is in the alias domain. RuntimeError
when it does not start.
"""

import base64
import shutil
import signal
import subprocess
from typing import Self

import dkim

from private import processes
from private.guard import Guard

SELECTOR = "tracker"
USER = "opendkim"


class Signer:
    """One OpenDKIM for one domain; `socket` is where it answers, as Postfix names it."""

    def __init__(self, domain: str) -> None:
        self.domain = domain
        self._guard = Guard("opendkim")
        directory = self._guard.directory
        self._socket = directory / "socket" / "signer.sock"
        self._socket.parent.mkdir()
        shutil.chown(self._socket.parent, USER, "postfix")
        self._socket.parent.chmod(0o2750)
        self.socket = f"unix:{self._socket}"
        self._key, self._log = directory / "key", directory / "log"
        _run("openssl", "genrsa", "-out", str(self._key), "2048")
        shutil.chown(self._key, USER)
        (directory / "keys").write_text(f"alias {domain}:{SELECTOR}:{self._key}\n")
        (directory / "signed").write_text(f"*@{domain} alias\n*@*.{domain} alias\n")
        (directory / "hosts").write_text("0.0.0.0/0\n::/0\n")
        self._config = directory / "opendkim.conf"
        self._config.write_text(
            f"Mode s\nSyslog no\nUMask 007\nSocket local:{self._socket}\n"
            f"KeyTable file:{directory / 'keys'}\nSigningTable refile:{directory / 'signed'}\n"
            f"InternalHosts {directory / 'hosts'}\nCanonicalization relaxed/relaxed\n"
            # Anybody may write in the directory above a temporary one.
            "OversignHeaders From\nSignHeaders *,+List-Unsubscribe-Post\nRequireSafeKeys no\n"
        )

    def __enter__(self) -> Self:
        command = [shutil.which("opendkim", path="/usr/sbin:/usr/bin") or "opendkim"]
        command += ["-f", "-x", str(self._config)]
        process = self._process = self._guard.spawn(command, log=self._log, user=USER)
        processes.until(lambda: self._socket.exists() or process.poll() is not None, 10.0)
        if not self._socket.exists():
            told = self._log.read_text()
            self.__exit__()
            raise RuntimeError(f"OpenDKIM did not start: {told}")
        return self

    def __exit__(self, *_: object) -> None:
        # It has nothing to lose, and takes seconds to end otherwise.
        self._guard.end(self._process, signal.SIGKILL)
        self._guard.close()

    def verifies(self, data: bytes) -> bool:
        """Tell whether a message's signature holds, asking nobody's name server."""
        public = _run("openssl", "rsa", "-in", str(self._key), "-pubout", "-outform", "DER")
        record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
        asked = f"{SELECTOR}._domainkey.{self.domain}.".encode()
        return bool(dkim.verify(data, dnsfunc=lambda name, **_: record if name == asked else b""))


def _run(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout
