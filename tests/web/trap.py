"""Where every name leads in the tests' browser: a listener that notes whoever comes.

Nothing that a page shows may make the browser ask somebody else for anything. Each address in a
hostile message has a host name of its own below `HOST`, so that what comes here tells which way it
took.
"""

import re
import socket
import threading
from contextlib import suppress
from typing import Self

HOST = "remote.example"
_NAME = re.compile(rf"([a-z0-9-]+)\.{re.escape(HOST)}".encode())
_ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Trap:
    """A listener on loopback, from `with` to the end of the block; `seen` is all that came."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.seen: list[bytes] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(30)
            # A TLS client names the host in its first message, in plain text.
            said = connection.recv(65536)
            self.seen.append(said)
            connection.sendall(_ANSWER)


def find_ways(said: bytes) -> set[str]:
    """Return the labels below `HOST` that a text names."""
    return {label.decode() for label in _NAME.findall(said.lower())}
