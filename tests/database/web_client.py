"""`conversation-tracker web` as a process of its own, and a client for it."""

import http.client
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from private.publisher import Publisher


@dataclass(frozen=True)
class Answer:
    """What came back: status, headers in lower case, and octets."""

    status: int
    headers: Mapping[str, str]
    octets: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.octets.decode()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("orders.example.com", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect to a unix socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


class Web(Publisher):
    """The process; it may be ended and started again, and ends with the block."""

    def __init__(self, home: Path, uri: str, **options: str) -> None:
        """Write its configuration.

        Args:
            home: a folder of its own; the socket lies in it, unless `listen` says otherwise.
            uri: the database, as a role that reads.
            options: of the section [web].
        """
        home.mkdir(exist_ok=True)
        self.socket = home / "web.sock"
        self.config = home / "web.conf"
        self.uri = uri
        self.port = 0
        self.configure(**options)
        super().__init__(home, command=_command(self.config))

    def configure(self, uri: str | None = None, **options: str) -> None:
        """Write another configuration."""
        self.uri = uri or self.uri
        options = {"listen": f"unix:{self.socket}", **options}
        kind, _, where = options["listen"].partition(":")
        self.port = int(where.partition("@")[0]) if kind == "inet" else 0
        lines = "".join(f"{key} = {value}\n" for key, value in options.items())
        self.config.write_text(
            f"[tracker]\ndatabase = {self.uri}\nsocket = unix:/nowhere\n[web]\n{lines}"
        )

    def start(self, *events: str) -> None:
        """Start it and wait until it serves."""
        super().start(*(events or ("web",)))

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to it."""
        if self.port:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        return _UnixConnection(str(self.socket))

    def get(
        self, path: str, *, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> Answer:
        """Ask for a path, as it is; underscores in headers' names are hyphens."""
        connection = self.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers=named)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def search(self, words: str, store: str = "", *, field: str = "q", **headers: str) -> Answer:
        """Send the search form as a browser does."""
        given = {"Sec_Fetch_Site": "same-origin", **headers}
        given = {"Content_Type": "application/x-www-form-urlencoded", **given}
        body = urlencode({field: words, "store": store}).encode()
        return self.get("/", method="POST", body=body, **given)


def _command(config: Path) -> list[str | Path]:
    import sys

    return [sys.executable, "-m", "conversation_tracker", "-c", config, "web"]
