"""The HTTP client: one connection to one receiver, who may be slow, broken or hostile.

urllib3 speaks HTTP and TLS. It is given an IP address that was judged, and the host's name for the
certificate only: so it resolves nothing. It follows no redirect, keeps no cookie, reads no proxy
from the environment and tries nothing a second time. Whatever the receiver does, a try ends in
time: each read has a limit, and a clock shuts the connection down when the whole took too long.
Of an answer the status counts; of its body a little is read, so that the connection can be used
again, and a long one is not read at all.
"""

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import urllib3
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection

from conversation_tracker.base import timeouts
from conversation_tracker.publish.webhooks.destination import (
    Destination,
    Resolver,
    Unsendable,
    choose_addresses,
    is_address,
    resolve,
)
from conversation_tracker.publish.webhooks.schedule import read_retry_after
from conversation_tracker.telemetry.events import Event, log

_ANSWER = 4_096  # octets of a body that are read
_ADDRESSES = 4  # of a name, that are tried


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one try.

    Attributes:
        said: the HTTP status, or a word of a closed list where there is none.
        status: the HTTP status, 0 where there is none.
        wait: the seconds that the receiver asked us to wait.
    """

    said: str
    status: int = 0
    wait: float = 0.0

    @property
    def taken(self) -> bool:
        """Whether the receiver has it now."""
        return 200 <= self.status <= 299


class _Clock:
    """Shuts the socket of a connection down when a try has taken too long.

    The socket is reached by a number of its own, which stays taken while the clock runs: closed
    meanwhile, the first one may be another file's already.
    """

    def __init__(self) -> None:
        self.over = False
        self._handle: socket.socket | None = None
        self._lock = threading.Lock()

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """End what happens in the block after so many seconds."""
        self.over = False
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._release()

    def watch(self, connected: socket.socket) -> None:
        """Watch this socket from now on."""
        with self._lock, suppress(OSError):
            if self._handle is not None:
                self._handle.close()
            self._handle = socket.socket(fileno=os.dup(connected.fileno()))
            if self.over:
                self._handle.shutdown(socket.SHUT_RDWR)

    def _end(self) -> None:
        with self._lock:
            self.over = True
            if self._handle is not None:
                with suppress(OSError):
                    self._handle.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        with self._lock:
            if self._handle is not None:
                self._handle.close()
                self._handle = None


class _PlainConnection(HTTPConnection):
    """A connection that a clock watches."""

    def __init__(self, *args: Any, clock: _Clock, **more: Any) -> None:
        super().__init__(*args, **more)
        self._clock = clock

    def connect(self) -> None:
        super().connect()
        self._clock.watch(self.sock)

    def request(self, *args: Any, **more: Any) -> None:
        if self.sock is not None:
            self._clock.watch(self.sock)
        super().request(*args, **more)


class _SecureConnection(_PlainConnection, HTTPSConnection):
    """The same with TLS: what is plain there is urllib3's HTTPSConnection here."""


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class Trust:
    """Whose certificates are believed: those of the system's authorities.

    They are read once: that takes as long as many a webhook.
    """

    def __init__(self, make: Callable[[], ssl.SSLContext] = ssl.create_default_context) -> None:
        """Take what makes a context that checks certificates and names."""
        self._named, self._numbered = make(), make()
        # OpenSSL is told no IP address as a server's name: urllib3 looks for it itself.
        self._numbered.check_hostname = False

    def describe(self, host: str) -> dict[str, Any]:
        """Return urllib3's arguments for a host, a name or an IP address."""
        if is_address(host):
            more = {"ssl_context": self._numbered, "assert_hostname": host}
        else:
            more = {"ssl_context": self._named, "server_hostname": host}
        return {"cert_reqs": "CERT_REQUIRED", **more}


class Postbox:
    """What is sent to one destination in a row; a context manager, of one thread."""

    def __init__(
        self,
        destination: Destination,
        *,
        allow_private: bool,
        trust: Trust,
        resolver: Resolver = resolve,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Prepare to send; nothing is connected yet.

        Args:
            destination: where to.
            allow_private: addresses of this host and its network are good as well.
            trust: whose certificates are believed.
            resolver: gives a host's addresses.
            now: tells the time.
        """
        self._destination = destination
        self._allow_private = allow_private
        self._trust = trust
        self._resolver = resolver
        self._now = now
        self._clock = _Clock()
        self._pool: urllib3.HTTPConnectionPool | None = None

    def __enter__(self) -> "Postbox":
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._close()

    def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one webhook.

        Args:
            headers: its own.
            body: JSON.

        Returns:
            What came of it; whatever goes wrong is an answer too.
        """
        with self._clock.limit(timeouts.get().webhook_total_seconds):
            try:
                return self._try(headers, body)
            except Unsendable as error:
                return Answer(error.why)
            except (exceptions.HTTPError, OSError, ValueError) as error:
                self._close()
                return Answer("timeout" if self._clock.over else _name(error))
            except Exception as error:
                # Ours or a library's: told, and tried for a day as any other. Raised, it would
                # have the event sent without end, and keep all others back.
                self._close()
                log.error(Event.WEBHOOKS, error)
                return Answer("cut")

    def _try(self, headers: Mapping[str, str], body: bytes) -> Answer:
        if self._pool is not None:
            return self._send(self._pool, headers, body)
        found = choose_addresses(
            self._destination, allow_private=self._allow_private, resolver=self._resolver
        )[:_ADDRESSES]
        for number, address in enumerate(found, 1):
            self._pool = self._make_pool(address)
            try:
                return self._send(self._pool, headers, body)
            except (exceptions.NewConnectionError, exceptions.ConnectTimeoutError):
                self._close()
                if number == len(found) or self._clock.over:
                    raise
        raise Unsendable("no-address")

    def _send(
        self, pool: urllib3.HTTPConnectionPool, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        limits = timeouts.get()
        response = pool.urlopen(
            "POST",
            self._destination.target,
            body=body,
            headers={
                "Host": self._destination.origin,
                "User-Agent": "conversation-tracker",
                "Content-Type": "application/json",
                **headers,
            },
            retries=False,
            redirect=False,
            assert_same_host=False,
            timeout=urllib3.Timeout(
                connect=limits.webhook_connect_seconds, read=limits.webhook_read_seconds
            ),
            preload_content=False,
            decode_content=False,
        )
        if self._clock.over:  # the library takes a header that was cut off for whole
            raise TimeoutError
        status = int(response.status)
        wait = read_retry_after(response.headers.get("Retry-After"), self._now())
        self._finish(response)
        return Answer(str(status), status, wait)

    def _finish(self, response: Any) -> None:
        """Read a short body, so that the connection can be used again, or close it."""
        length = response.headers.get("Content-Length", "0" if response.status == 204 else "")
        short = length.isascii() and length.isdecimal() and len(length) < 9
        # In chunks it may be longer than it says.
        if short and int(length) <= _ANSWER and "Transfer-Encoding" not in response.headers:
            with suppress(exceptions.HTTPError, OSError, ValueError):
                response.read(_ANSWER + 1, decode_content=False)
                response.release_conn()
                return
        response.close()
        self._close()

    def _make_pool(self, address: str) -> urllib3.HTTPConnectionPool:
        common: dict[str, Any] = {"maxsize": 1, "clock": self._clock}
        if not self._destination.secure:
            return _PlainPool(address, self._destination.port, **common)
        host = self._destination.host.rstrip(".")
        return _SecurePool(address, self._destination.port, **self._trust.describe(host), **common)

    def _close(self) -> None:
        if self._pool is not None:
            self._pool.close()
            self._pool = None


def _name(error: Exception) -> str:
    """Return the word for a failure of urllib3's; its text may quote the URL."""
    if isinstance(error, exceptions.SSLError | ssl.SSLError):
        return "certificate"
    if isinstance(error, exceptions.NewConnectionError | exceptions.ConnectTimeoutError):
        return "unreachable"
    if isinstance(error, exceptions.TimeoutError | TimeoutError):
        return "timeout"
    return "cut"
