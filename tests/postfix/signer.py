"""A private OpenDKIM that signs what the tracker forwards, set up as our documentation says.

It signs for whoever the client is, but only mail whose From is in the alias domain. RuntimeError
when it does not start.
"""

import base64
import shutil
import signal
import subprocess

import dkim

from private.server import Server, listens

SELECTOR = "tracker"
USER = "opendkim"


class Signer(Server):
    """One OpenDKIM for one domain; `socket` is where it answers, as Postfix names it."""

    _name = "OpenDKIM"
    _gentle = signal.SIGKILL  # it has nothing to lose, and takes seconds to end otherwise

    def __init__(self, domain: str) -> None:
        self.domain = domain
        super().__init__("opendkim")
        directory = self.directory
        self._socket = directory / "socket" / "signer.sock"
        self._socket.parent.mkdir()
        shutil.chown(self._socket.parent, USER, "postfix")
        self._socket.parent.chmod(0o2750)
        self.socket = f"unix:{self._socket}"
        self._key = directory / "key"
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

    def _spawn(self) -> "subprocess.Popen[bytes]":
        program = shutil.which("opendkim", path="/usr/sbin:/usr/bin") or "opendkim"
        command = [program, "-f", "-x", str(self._config)]
        return self._reaper.spawn(command, log=self.log, user=USER)

    def _answers(self) -> bool:
        return listens(self._socket)

    @property
    def record(self) -> str:
        """What the name server would say of its key."""
        public = _run("openssl", "rsa", "-in", str(self._key), "-pubout", "-outform", "DER")
        return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"

    def verifies(self, data: bytes) -> bool:
        """Return whether a message's signature holds, asking nobody's name server."""
        record = self.record.encode()
        asked = f"{SELECTOR}._domainkey.{self.domain}.".encode()
        return bool(dkim.verify(data, dnsfunc=lambda name, **_: record if name == asked else b""))


def _run(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout
