"""Users and passwords for a private Postfix: the part of Dovecot's that answers AUTH PLAIN.

It speaks Dovecot's authentication protocol 1.1 on a Unix socket, in threads of this process. Any
malformed request is a failed authentication.
"""

import base64
import os
import socketserver
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import cast


class Accounts:
    """The server, from creation to `close`; `passwords` maps user names to passwords."""

    def __init__(self, socket: Path, passwords: Mapping[str, str]) -> None:
        self._server = _Server(socket, passwords)
        # Postfix's smtpd asks as its own user.
        socket.chmod(0o666)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Answer no longer."""
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, socket: Path, passwords: Mapping[str, str]) -> None:
        self.passwords = dict(passwords)
        super().__init__(str(socket), _Session)

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over a Postfix that went away."""


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._say("VERSION", "1", "1")
        self._say("MECH", "PLAIN", "plaintext")
        self._say("SPID", str(os.getpid()))
        self._say("CUID", "1")
        self._say("COOKIE", "0" * 32)
        self._say("DONE")
        for line in self.rfile:
            words = line.decode().rstrip("\n").split("\t")
            if words[0] == "AUTH":
                user = self._authenticated(words)
                self._say(*(("OK", words[1], f"user={user}") if user else ("FAIL", words[1])))

    def _authenticated(self, words: list[str]) -> str | None:
        """Return the user whose name and password an AUTH request holds, if they are right."""
        try:
            response = next(word for word in words if word.startswith("resp="))[5:]
            _, user, password = base64.b64decode(response).decode().split("\0")
        except (StopIteration, ValueError):
            return None
        return user if cast(_Server, self.server).passwords.get(user) == password else None

    def _say(self, *words: str) -> None:
        self.wfile.write("\t".join(words).encode() + b"\n")
