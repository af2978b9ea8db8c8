"""uvicorn with ends to what a client may keep waiting, and without signals and words of its own."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from conversation_tracker.base import timeouts
from conversation_tracker.telemetry.events import log
from conversation_tracker.web.headers import guard_data

CONNECTIONS = 500
"""At most. A process has a thousand file handles; without any left, asyncio logs without end."""

BACKLOG = 128
"""Connections that wait to be taken; so many are taken at once, before any of them is counted."""


class Protocol(H11Protocol):
    """One connection: its client has so long for the head of a request, and for all of it."""

    def __init__(self, *given: Any, **named: Any) -> None:
        """Begin; what is given is the server's, another in each version of uvicorn."""
        super().__init__(*given, **named)
        self._due: asyncio.TimerHandle | None = None
        self._answering = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, b"Too many connections.\n")
        else:
            self._limit(timeouts.get().web_head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._limit(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; with a whole head the answer's time begins."""
        super().data_received(data)
        if not self._begin_answer() and self._due is None:
            self._limit(timeouts.get().web_head_seconds)

    def on_response_complete(self) -> None:
        """Wait for the next request, for as long as uvicorn keeps a connection."""
        self._answering = False
        # What the client has yet to read has the same end.
        if not self._holds_octets():
            self._limit(None)
        super().on_response_complete()
        # What came with the last request may be another one.
        self._begin_answer()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request."""
        self._refuse(HTTPStatus.BAD_REQUEST, b"This is no request that can be answered.\n")

    def _refuse(self, status: HTTPStatus, words: bytes) -> None:
        log.request(method="other", page="none", status=status.value, ms=0.0)
        if self.transport.is_closing():
            return
        head = [f"HTTP/1.1 {status.value} {status.phrase}"]
        head += [f"{name}: {value}" for name, value in guard_data().items()]
        head += ["Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(words)}"]
        self.transport.write("\r\n".join([*head, "Connection: close", "", ""]).encode() + words)
        self.transport.close()

    def _begin_answer(self) -> bool:
        """Give an answer its end, if there is one to be made; tell whether there is."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        if not self._answering:
            self._answering = True
            self._limit(timeouts.get().web_send_seconds)
        return True

    def _limit(self, seconds: float | None) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = None if seconds is None else self.loop.call_later(seconds, self._end)

    def _holds_octets(self) -> bool:
        return self.transport.get_write_buffer_size() > 0

    def _end(self) -> None:
        self._due = None
        waits = self.cycle is None or not self.cycle.response_complete or self.conn.trailing_data[0]
        if waits or self._holds_octets():
            self.transport.abort()


class WebServer(uvicorn.Server):
    """A server that is told to end by us; the signals are ours."""

    def install_signal_handlers(self) -> None:
        """Take none (uvicorn before 0.29)."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none (uvicorn since 0.29)."""
        yield

    def abort(self) -> None:
        """Cut all connections, and wait for none."""
        self.force_exit = True
        for connection in list(self.server_state.connections):
            if isinstance(connection, Protocol):
                connection.transport.abort()


def make_server(application: Any) -> WebServer:
    """Return a server for an application, which speaks HTTP/1.1 and nothing else."""
    return WebServer(
        uvicorn.Config(
            application, http=Protocol, ws="none", lifespan="off", interface="asgi3",
            log_config=None, access_log=False, proxy_headers=False, server_header=False,
            timeout_keep_alive=timeouts.get().web_idle_seconds, backlog=BACKLOG,
        )
    )  # fmt: skip
