"""A raw SMTP client: it sends exactly what it is given and hands back every reply.

Unlike smtplib it forms no opinion: refused commands raise nothing, bytes may be 8-bit, a message
may be broken off in the middle. OSError when the connection fails, EOFError when the server hangs
up.
"""

import base64
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Reply:
    """The server's answer to one command: its code and its lines' texts joined with line feeds."""

    command: str
    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"

    @property
    def ok(self) -> bool:
        """Whether the server agreed, be it with 2xx or 3xx."""
        return 200 <= self.code < 400


@dataclass(frozen=True, slots=True)
class Transaction:
    """All replies to one message, in the order of its commands, without that to a closing RSET."""

    replies: tuple[Reply, ...]

    @property
    def final(self) -> Reply:
        """The reply that decided: the one to the last command that was sent."""
        return self.replies[-1]

    @property
    def ok(self) -> bool:
        """Whether the message was taken."""
        return self.final.command == "." and self.final.ok

    def to(self, address: str) -> Reply:
        """Return the reply to RCPT of an address; KeyError when there was none."""
        for reply in self.replies:
            if reply.command.startswith(f"RCPT TO:<{address}>"):
                return reply
        raise KeyError("no RCPT of that address")


class Client:
    """One SMTP connection, from creation to `close` or the end of its `with` block.

    `greeting` is the server's first reply, `hello` the one to EHLO.
    """

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        helo: str = "client.example.org",
        timeout: float = 120.0,
    ) -> None:
        self._socket = socket.create_connection((host, port), timeout)
        self._file = self._socket.makefile("rb")
        self._helo = helo
        try:
            self.greeting = self._read("")
            self.hello = self.command(f"EHLO {helo}")
        except BaseException:
            self._hang_up()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def command(self, line: str | bytes) -> Reply:
        """Send one line (CR LF is added) and return its reply."""
        if isinstance(line, str):
            line = line.encode("utf-8", "surrogateescape")
        self._socket.sendall(line + b"\r\n")
        return self._read(line.decode("utf-8", "surrogateescape"))

    def xclient(self, **attributes: str) -> Reply:
        """Make a private Postfix take us for another client.

        `attributes` are those of XCLIENT, such as `addr` and `name`. EHLO is said again after it.
        Returns the reply to XCLIENT.
        """
        words = " ".join(f"{name.upper()}={value}" for name, value in attributes.items())
        reply = self.command(f"XCLIENT {words}")
        self.hello = self.command(f"EHLO {attributes.get('helo', self._helo)}")
        return reply

    def authenticate(self, user: str, password: str) -> Reply:
        """Say AUTH PLAIN."""
        response = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.command(f"AUTH PLAIN {response}")

    def mail(self, sender: str, parameters: str = "") -> Reply:
        """Say MAIL FROM; `parameters` such as "BODY=8BITMIME" go as they are."""
        return self.command(f"MAIL FROM:<{sender}> {parameters}".rstrip())

    def rcpt(self, recipient: str, parameters: str = "") -> Reply:
        """Say RCPT TO."""
        return self.command(f"RCPT TO:<{recipient}> {parameters}".rstrip())

    def data(self, data: bytes) -> Reply:
        """Send a message's bytes after 354, dots stuffed, CR LF added at the end if missing."""
        stuffed = data.replace(b"\r\n.", b"\r\n..")
        if stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        self.raw(stuffed if stuffed.endswith(b"\r\n") or not stuffed else stuffed + b"\r\n")
        self.raw(b".\r\n")
        return self._read(".")

    def chunk(self, data: bytes, *, last: bool = False) -> Reply:
        """Send one piece of a message by BDAT (RFC 3030); `last` ends it."""
        line = f"BDAT {len(data)}{' LAST' * last}"
        self.raw(line.encode() + b"\r\n" + data)
        return self._read(line)

    def raw(self, data: bytes) -> None:
        """Send bytes exactly as they are and read nothing."""
        self._socket.sendall(data)

    def send(
        self,
        sender: str,
        recipients: str | Sequence[str],
        data: bytes,
        *,
        mail_parameters: str = "",
        rcpt_parameters: str | Mapping[str, str] = "",
    ) -> Transaction:
        """Send one message; may be called again on the same connection.

        `rcpt_parameters` go to every recipient, or to each its own by address. DATA is only said
        when a recipient was taken, else RSET.
        """
        wanted = [recipients] if isinstance(recipients, str) else list(recipients)
        replies = [self.mail(sender, mail_parameters)]
        taken = []
        for recipient in wanted if replies[0].ok else []:
            own = rcpt_parameters
            own = own if isinstance(own, str) else own.get(recipient, "")
            replies.append(self.rcpt(recipient, own))
            taken.append(replies[-1].ok)
        if any(taken):
            replies.append(self.command("DATA"))
            if replies[-1].code == 354:
                replies.append(self.data(data))
        else:
            self.command("RSET")
        return Transaction(tuple(replies))

    def abort(self) -> None:
        """Cut the connection with a reset, as a crashing client does."""
        linger = struct.pack("ii", 1, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._hang_up()

    def close(self) -> None:
        """Say QUIT if the server still listens and close."""
        if self._socket.fileno() != -1:
            try:
                self.command("QUIT")
            except (OSError, EOFError):
                pass
            finally:
                self._hang_up()

    def _hang_up(self) -> None:
        self._file.close()
        self._socket.close()

    def _read(self, command: str) -> Reply:
        texts = []
        while True:
            line = self._file.readline().decode("utf-8", "surrogateescape")
            if not line:
                raise EOFError("the server hung up")
            texts.append(line[4:].rstrip("\r\n"))
            if line[3:4] != "-":
                return Reply(command, int(line[:3]), "\n".join(texts))


def send(
    port: int,
    sender: str,
    recipients: str | Sequence[str],
    data: bytes,
    *,
    helo: str = "client.example.org",
    mail_parameters: str = "",
    rcpt_parameters: str | Mapping[str, str] = "",
) -> Transaction:
    """Send one message over a connection of its own and return all replies to it."""
    with Client(port, helo=helo) as client:
        return client.send(
            sender,
            recipients,
            data,
            mail_parameters=mail_parameters,
            rcpt_parameters=rcpt_parameters,
        )
