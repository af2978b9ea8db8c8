"""Receivers of webhooks on a loopback address: as good, slow, broken or hostile as a test wants."""

import http.server
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

Behave = Callable[["Handler"], None]


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


class Handler(http.server.BaseHTTPRequestHandler):
    """Takes one request after another, notes it and behaves."""

    protocol_version = "HTTP/1.1"
    server: "Receiver"

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # whoever sent it died
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.note(Received(self.path, headers, body, self.client_address[1]))
        self.server.behave(self)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Answer in full."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Receiver(http.server.ThreadingHTTPServer):
    """Listens at a port of its own."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, behave: Behave, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behave = behave
        self.got: list[Received] = []
        self.seen = threading.Condition()
        self.over = threading.Event()
        self._context = context

    def get_request(self) -> Any:
        connection, address = super().get_request()
        if self._context is None:
            return connection, address
        # The handshake is each connection's own: in its thread, at its first read.
        wrapped = self._context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )
        return wrapped, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away."""

    def note(self, received: Received) -> None:
        with self.seen:
            self.got.append(received)
            self.seen.notify_all()

    def wait_for(self, number: int, seconds: float = 30.0) -> list[Received]:
        """Wait until it got so many requests."""
        with self.seen:
            assert self.seen.wait_for(lambda: len(self.got) >= number, seconds), len(self.got)
            return list(self.got)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Its URL, without TLS."""
        return f"http://127.0.0.1:{self.port}/hook?token=hidden"


@contextmanager
def receiving(behave: Behave, context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver during the block."""
    with Receiver(behave, context) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.over.set()
            receiver.shutdown()
            thread.join()


def take(handler: Handler) -> None:
    """Answer 204."""
    handler.answer(204)


def say(status: int, **headers: str) -> Behave:
    """Return a behaviour: answer with this status."""
    return lambda handler: handler.answer(status, **headers)


@dataclass(frozen=True)
class Authority:
    """A private authority, and a receiver's certificate of it for a name."""

    folder: Path

    def serve(self, name: str) -> ssl.SSLContext:
        """Return the context of a server with a certificate for a name or IP address."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*_make_certificate(self.folder, name))
        return context

    def trust(self) -> ssl.SSLContext:
        """Return a client's context that believes this authority alone."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python does from 3.13 on
        return context


@cache
def make_authority() -> Authority:
    """Make an authority, once for each process."""
    folder = Path(mkdtemp(prefix="authority-"))
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-days", "2", "-subj", "/CN=authority", "-addext", "keyUsage=critical,keyCertSign",
        "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.pem",
    )  # fmt: skip
    return Authority(folder)


@cache
def _make_certificate(folder: Path, name: str) -> tuple[str, str]:
    kind = "IP" if name.replace(".", "").isdigit() else "DNS"
    base = folder / name
    _openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-subj", "/CN=receiver", "-keyout", f"{base}.key", "-out", f"{base}.csr",
    )  # fmt: skip
    extensions = Path(f"{base}.ext")
    extensions.write_text(
        f"subjectAltName={kind}:{name}\nbasicConstraints=CA:FALSE\n"
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    _openssl(
        "x509", "-req", "-in", f"{base}.csr", "-CA", f"{folder}/ca.pem",
        "-CAkey", f"{folder}/ca.key", "-CAcreateserial", "-days", "2",
        "-extfile", str(extensions), "-out", f"{base}.pem",
    )  # fmt: skip
    return f"{base}.pem", f"{base}.key"


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
