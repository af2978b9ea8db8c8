"""An SMTP server that keeps what it gets: the other end of everything a private Postfix sends.

It listens on a loopback port, runs in threads of this process, accepts every message unless told
otherwise, and never prints. Only CR LF . CR LF ends a message, and dots are unstuffed as RFC 5321
section 4.5.2 says, so `data` is byte for byte what the client meant.
"""

import re
import socketserver
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self, cast

from private.ports import free_port

EXTENSIONS = ("PIPELINING", "SIZE 0", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True, slots=True)
class Path:
    """An address as MAIL or RCPT gave it, without angle brackets, and its ESMTP parameters.

    `parameters` has upper-case names; a parameter without a value has the value "".
    """

    address: str
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Mail:
    """One message as it arrived: envelope, bytes, the client's HELO name, seconds since 1970."""

    sender: Path
    recipients: tuple[Path, ...]
    data: bytes
    helo: str
    at: float

    @property
    def addresses(self) -> tuple[str, ...]:
        """The recipients' addresses alone."""
        return tuple(recipient.address for recipient in self.recipients)

    @property
    def body(self) -> bytes:
        """What follows the first empty line."""
        return self.data.partition(b"\r\n\r\n")[2]

    def header(self, name: str) -> list[bytes]:
        """Return the raw values, folding and all, of every header of this name, top to bottom."""
        head = self.data.partition(b"\r\n\r\n")[0]
        fields = (field.partition(b":") for field in re.split(rb"\r\n(?![ \t])", head))
        wanted = name.lower().encode()
        return [value.removeprefix(b" ") for field, _, value in fields if field.lower() == wanted]


class Sink:
    """The server, from `with` (or `start`) to the end of the block (or `close`).

    `port` is where it listens; `extensions` is what EHLO offers, one word or line each.
    """

    def __init__(self, extensions: tuple[str, ...] = EXTENSIONS) -> None:
        self.port = free_port()
        self.extensions = extensions
        self._mails: list[Mail] = []
        self._scripts: dict[str, list[str]] = {}
        self._changed = threading.Condition()
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Listen; OSError when the port has been taken meanwhile."""
        if self._server is None:
            self._server = _Server(self)
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Listen no longer; what arrived stays readable."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def messages(self) -> list[Mail]:
        """All mail so far, in the order it arrived."""
        with self._changed:
            return list(self._mails)

    def to(self, address: str) -> list[Mail]:
        """Return the mail that had this recipient, in any letter case."""
        return [mail for mail in self.messages if _has(mail, address)]

    def wait_for(self, count: int, timeout: float = 20.0, *, to: str | None = None) -> list[Mail]:
        """Wait for at least `count` messages, only those to one address if `to` is given.

        Returns all of them; TimeoutError, with the number that came, after `timeout` seconds.
        """

        def arrived() -> list[Mail]:
            return [mail for mail in self._mails if to is None or _has(mail, to)]

        with self._changed:
            if not self._changed.wait_for(lambda: len(arrived()) >= count, timeout):
                raise TimeoutError(f"{len(arrived())} of {count} messages after {timeout} s")
            return arrived()

    def clear(self) -> None:
        """Forget all mail; scripted replies stay."""
        with self._changed:
            self._mails.clear()

    def reply(self, address: str, *replies: str) -> None:
        """Answer RCPT of this address with these replies, the last one for ever after.

        Each is a whole line such as "550 5.1.1 no such user" or "250 2.1.5 ok"; none at all makes
        the address ordinary again. The name "." stands for the reply to every message's end.
        """
        with self._changed:
            self._scripts[address.lower()] = list(replies)

    def _next_reply(self, address: str, otherwise: str) -> str:
        with self._changed:
            script = self._scripts.get(address.lower())
            if not script:
                return otherwise
            return script.pop(0) if len(script) > 1 else script[0]

    def _keep(self, mail: Mail) -> None:
        with self._changed:
            self._mails.append(mail)
            self._changed.notify_all()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        super().__init__(("127.0.0.1", sink.port), _Session)

    def handle_error(self, request: object, client_address: object) -> None:
        """Pass over clients that went away; the sink never prints."""


class _Session(socketserver.StreamRequestHandler):
    """One connection."""

    timeout = 300

    def setup(self) -> None:
        super().setup()
        self.sink = cast(_Server, self.server).sink
        self.helo = ""
        self._reset()

    def _reset(self) -> None:
        self.sender: Path | None = None
        self.recipients: list[Path] = []

    def handle(self) -> None:
        self._say("220 sink.example.net ESMTP")
        while line := self.rfile.readline(65536):
            verb, _, rest = line.decode("utf-8", "surrogateescape").rstrip("\r\n").partition(" ")
            if verb.upper() == "QUIT":
                self._say("221 2.0.0 bye")
                return
            command = getattr(self, f"do_{verb.lower()}", None)
            if command is None:
                self._say("502 5.5.1 not implemented")
            else:
                command(rest)

    def do_ehlo(self, rest: str) -> None:
        self.helo = rest
        self._reset()
        lines = ["sink.example.net", *self.sink.extensions]
        for line in lines[:-1]:
            self._say(f"250-{line}")
        self._say(f"250 {lines[-1]}")

    def do_helo(self, rest: str) -> None:
        self.helo = rest
        self._reset()
        self._say("250 sink.example.net")

    def do_mail(self, rest: str) -> None:
        self._reset()
        self.sender = _path(rest)
        self._say("250 2.1.0 ok")

    def do_rcpt(self, rest: str) -> None:
        recipient = _path(rest)
        reply = self.sink._next_reply(recipient.address, "250 2.1.5 ok")
        if reply.startswith("2"):
            self.recipients.append(recipient)
        self._say(reply)

    def do_data(self, _: str) -> None:
        if self.sender is None or not self.recipients:
            self._say("503 5.5.1 no recipients")
            return
        self._say("354 go on")
        data = b"".join(self._unstuffed())
        reply = self.sink._next_reply(".", "250 2.0.0 kept")
        if reply.startswith("2"):
            mail = Mail(self.sender, tuple(self.recipients), data, self.helo, time.time())
            self.sink._keep(mail)
        self._reset()
        self._say(reply)

    def do_rset(self, _: str) -> None:
        self._reset()
        self._say("250 2.0.0 ok")

    def do_noop(self, _: str) -> None:
        self._say("250 2.0.0 ok")

    def _unstuffed(self) -> Iterator[bytes]:
        """Yield the lines up to the final dot; a line ends with CR LF, a bare LF is content."""
        fresh = True
        while True:
            line = self.rfile.readline()
            if not line:
                raise ConnectionResetError("the client went away within a message")
            if fresh and line == b".\r\n":
                return
            yield line[1:] if fresh and line.startswith(b".") else line
            fresh = line.endswith(b"\r\n")

    def _say(self, reply: str) -> None:
        self.wfile.write(f"{reply}\r\n".encode("utf-8", "surrogateescape"))


def _path(text: str) -> Path:
    """Read `FROM:<address> PARAMETERS` or `TO:<address> PARAMETERS`; quotes may hold a `>`."""
    text = text.partition(":")[2].strip()
    quoted, end = False, len(text)
    for position, letter in enumerate(text):
        if letter == '"' and text[position - 1] != "\\":
            quoted = not quoted
        if letter == ">" and not quoted:
            end = position
            break
    words = (word.partition("=") for word in text[end + 1 :].split())
    return Path(text[:end].removeprefix("<"), {name.upper(): value for name, _, value in words})


def _has(mail: Mail, address: str) -> bool:
    return address.lower() in (recipient.lower() for recipient in mail.addresses)
