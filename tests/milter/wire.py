"""The milter protocol, version 6, spoken to a milter as Postfix speaks it.

It offers what Postfix offers, honours what the milter asks for (callbacks it does not want or does
not answer, its lists of macros), sends macros before every event and ABORT after every message,
and reads the actions. `applied` in actions.py makes of them the message that leaves. Nothing here
knows what the milter is for. EOFError when the milter hangs up, TimeoutError when it is silent,
ProtocolError when it answers what no milter may.
"""

import contextlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from actions import Action, Message, applied, parted, read, split
from packets import CHUNK, HDR_LEADSPC, Packets, Reply, raw, reply_of, string, strings


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one message.

    `reply` is the one that decided, given at `stage`; `refused` has the recipients refused at RCPT;
    `actions` were asked for at end of message; `message` is what the milter was given, with the
    accepted recipients.
    """

    reply: Reply
    stage: str
    actions: tuple[Action, ...]
    refused: Mapping[str, Reply]
    message: Message

    @property
    def leaves(self) -> Message:
        """The message as it would leave, all actions done; AssertionError when it would not."""
        assert self.reply.kind in ("continue", "accept"), self.reply
        return applied(self.message, self.actions)


class Wire:
    """One connection to a milter, from `with` to its end; negotiated when created.

    `address` is as in Postfix: `unix:/path` or `inet:port@host`. `macros` may be changed at any
    time; each is sent where Postfix, or the milter's own list, has it.
    """

    def __init__(
        self, address: str, *, macros: Mapping[str, str] | None = None, timeout: float = 30.0
    ) -> None:
        self.macros = {
            "j": "mail.example.com",
            "v": "Postfix 3.7.11",
            "{daemon_name}": "mail.example.com",
            "{daemon_addr}": "127.0.0.1",
            "{mail_mailer}": "smtp",
            "{rcpt_mailer}": "smtp",
        } | dict(macros or {})
        self.queue_id = "4ZJXYz0abcz1"
        self._packets = Packets(address, timeout)
        self._clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(
        self, name: str = "client.example.org", address: str = "192.0.2.1", port: int = 40000
    ) -> Reply:
        """Announce an SMTP client by IP address; "" stands for one whose address is unknown."""
        self.macros["_"] = f"{name} [{address}]"
        family = b"U" if not address else b"6" if ":" in address else b"4"
        data = string(name) + family
        if address:
            shown = f"IPv6:{address}" if family == b"6" else address
            data += struct.pack("!H", port) + string(shown)
        return self._packets.event("connect", data, self.macros)

    def helo(self, name: str | bytes = "client.example.org") -> Reply:
        """Say HELO."""
        return self._packets.event("helo", string(name), self.macros)

    def mail(self, sender: str | bytes, *parameters: str) -> Reply:
        """Say MAIL FROM; angle brackets are added when there are none."""
        self._clear()
        self._sender = _bracketed(sender)
        self.macros["{mail_addr}"] = self._sender[1:-1].decode("utf-8", "surrogateescape")
        return self._packets.event("mail", self._sender + b"\0" + strings(parameters), self.macros)

    def rcpt(self, recipient: str | bytes, *parameters: str) -> Reply:
        """Say RCPT TO; a recipient refused is no part of the message."""
        address = _bracketed(recipient)
        self.macros["{rcpt_addr}"] = address[1:-1].decode("utf-8", "surrogateescape")
        self.macros["{rcpt_host}"] = self.macros["{rcpt_addr}"].rpartition("@")[2]
        reply = self._packets.event("rcpt", address + b"\0" + strings(parameters), self.macros)
        if reply.ok:
            self._recipients.append(address[1:-1])
            # Postfix has a queue file, so a queue id, once a recipient was accepted.
            self.macros["i"] = self.queue_id
        return reply

    def data(self) -> Reply:
        """Say DATA."""
        return self._packets.event("data", b"", self.macros)

    def header(self, name: bytes, value: bytes) -> Reply:
        """Send one header: the value without its first blank, folded with LF."""
        blank = b" " if self._packets.steps & HDR_LEADSPC else b""
        return self._packets.event("header", name + b"\0" + blank + value + b"\0", self.macros)

    def eoh(self) -> Reply:
        """Say that the headers are over."""
        return self._packets.event("eoh", b"", self.macros)

    def body(self, chunk: bytes) -> Reply:
        """Send one piece of the body, at most 65,535 bytes."""
        return self._packets.event("body", chunk, self.macros)

    def eom(self) -> tuple[Reply, tuple[Action, ...]]:
        """Say that the message is over; return the decision and the actions before it."""
        self._packets.send_macros("eom", self.macros)
        self._packets.write(b"E")
        actions: list[Action] = []
        while True:
            kind, data = self._packets.read()
            action = read(kind, data)
            if action is not None:
                actions.append(action)
            elif kind != b"p":
                return reply_of(kind, data), tuple(actions)

    def unknown(self, command: str) -> Reply:
        """Report an SMTP command that is none."""
        return self._packets.event("unknown", string(command), self.macros)

    def abort(self) -> None:
        """End the message, finished or not, as Postfix does after every one."""
        self._packets.write(b"A")
        self._clear()

    def send(
        self,
        sender: str | bytes,
        recipients: str | Sequence[str | bytes],
        data: bytes,
        *,
        sender_parameters: Sequence[str] = (),
        recipient_parameters: Sequence[str] = (),
    ) -> Result:
        """Send a whole message on this connection, ABORT included, and return what became of it.

        `data` has CR LF line ends. May be called again and again; say `connect` and `helo` before.
        """
        wanted = [recipients] if isinstance(recipients, str) else recipients
        refused: dict[str, Reply] = {}
        reply, stage = self.mail(sender, *sender_parameters), "mail"
        for recipient in wanted if _goes_on(reply) else []:
            stage, reply = "rcpt", self.rcpt(recipient, *recipient_parameters)
            if not reply.ok:
                refused[_text(recipient)] = reply
            elif not _goes_on(reply):
                break
        actions: tuple[Action, ...] = ()
        if self._recipients and (reply.kind in ("continue", "unasked") or not reply.ok):
            reply, stage, actions = self._content(data)
        message = Message(self._sender[1:-1], tuple(self._recipients), data)
        self.abort()
        return Result(reply, stage, actions, refused, message)

    def close(self) -> None:
        """Say QUIT and hang up."""
        with contextlib.suppress(OSError):
            self._packets.write(b"Q")
        self.abandon()

    def abandon(self) -> None:
        """Hang up without a word, as a Postfix that was killed."""
        self._packets.close()

    def _content(self, data: bytes) -> tuple[Reply, str, tuple[Action, ...]]:
        """Send DATA, headers, body and end, as far as the milter lets us."""
        fields, body = split(data)
        if not _goes_on(reply := self.data()):
            return reply, "data", ()
        for field in fields:
            if not _goes_on(reply := self.header(*parted(field))):
                return reply, "header", ()
        if not _goes_on(reply := self.eoh()):
            return reply, "eoh", ()
        for start in range(0, len(body), CHUNK):
            reply = self.body(body[start : start + CHUNK])
            if reply.kind == "skip":
                break
            if not _goes_on(reply):
                return reply, "body", ()
        reply, actions = self.eom()
        return reply, "eom", actions

    def _clear(self) -> None:
        self._sender = b"<>"
        self._recipients: list[bytes] = []
        self.macros.pop("i", None)


def _goes_on(reply: Reply) -> bool:
    return reply.kind in ("continue", "unasked")


def _text(data: str | bytes) -> str:
    return data.decode("utf-8", "surrogateescape") if isinstance(data, bytes) else data


def _bracketed(address: str | bytes) -> bytes:
    address = raw(address)
    return address if address.startswith(b"<") else b"<" + address + b">"
