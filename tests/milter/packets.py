"""Packets of the milter protocol, version 6, on a socket: negotiation, macros, events, answers.

It knows how Postfix sends each, not in what order; that is wire.py's. EOFError when the milter
hangs up, TimeoutError when it is silent, ProtocolError when it answers what no milter may.
"""

import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

VERSION = 6
ALL_ACTIONS = 0x1FF
ALL_STEPS = 0x1FFFFF
CHUNK = 65535
SKIP, HDR_LEADSPC = 0x400, 0x100000

# Command letter, "do not send me this", "I do not answer this", its number among the macro lists.
EVENTS: dict[str, tuple[bytes, int, int, int | None]] = {
    "connect": (b"C", 0x1, 0x1000, 0),
    "helo": (b"H", 0x2, 0x2000, 1),
    "mail": (b"M", 0x4, 0x4000, 2),
    "rcpt": (b"R", 0x8, 0x8000, 3),
    "data": (b"T", 0x200, 0x10000, 4),
    "header": (b"L", 0x20, 0x80, 6),
    "eoh": (b"N", 0x40, 0x40000, 6),
    "body": (b"B", 0x10, 0x80000, 5),
    "eom": (b"E", 0, 0, 5),
    "unknown": (b"U", 0x100, 0x20000, None),
}
# Postfix's default macros by number of the list, see milter_connect_macros and so on.
_MACROS = {
    0: "j {daemon_name} {daemon_addr} v _",
    1: "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
    2: "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
    3: "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
    4: "i",
    5: "i",
    6: "i",
}
_REPLIES = {
    b"c": "continue",
    b"a": "accept",
    b"d": "discard",
    b"s": "skip",
    b"r": "reject",
    b"t": "tempfail",
    b"4": "shutdown",
    b"f": "connection failed",
    b"y": "reply",
}
_TEXTS = {"reject": "550 5.7.1 Command rejected", "tempfail": "451 4.7.1 Service unavailable"}


class ProtocolError(Exception):
    """The milter sent what it may not send."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A milter's answer: `kind` as in the names above, `text` what the SMTP client would read.

    `kind` is "reject" or "tempfail" for a reply with a text of its own too, and "unasked" for an
    event the milter did not want or does not answer. `text` is "" where nothing is said.
    """

    kind: str
    text: str = ""

    @property
    def ok(self) -> bool:
        """Whether the SMTP client would get 250."""
        return self.kind not in ("reject", "tempfail", "shutdown", "connection failed")

    @property
    def code(self) -> str:
        """Code and enhanced code, such as "550 5.1.1"; "" where nothing is said."""
        return " ".join(self.text.split(" ", 2)[:2])


class Packets:
    """The connection: negotiated when created; `address` as in Postfix's smtpd_milters."""

    def __init__(self, address: str, timeout: float) -> None:
        self._lists = dict(_MACROS)
        self._socket = _connected(address, timeout)
        self._file = self._socket.makefile("rb")
        try:
            self.steps = self._negotiate()
        except BaseException:
            self.close()
            raise

    def event(self, name: str, data: bytes, macros: Mapping[str, str]) -> Reply:
        """Send macros and one event and return the answer, if one is due."""
        letter, unwanted, unanswered, _ = EVENTS[name]
        # Postfix sends an event's macros even when it does not send the event.
        self.send_macros(name, macros)
        if self.steps & unwanted:
            return Reply("unasked")
        self.write(letter, data)
        return Reply("unasked") if self.steps & unanswered else reply_of(*self.read())

    def send_macros(self, name: str, macros: Mapping[str, str]) -> None:
        """Send those of the macros that belong to an event, by the milter's list if it gave one."""
        letter, _, _, number = EVENTS[name]
        wanted = self._lists.get(-1 if number is None else number, "").replace(",", " ").split()
        known = {macro: macros[macro] for macro in wanted if macros.get(macro)}
        if known:
            words = [word for pair in known.items() for word in pair]
            self.write(b"D", letter + strings(words))

    def write(self, letter: bytes, data: bytes = b"") -> None:
        """Send one packet."""
        self._socket.sendall(struct.pack("!I", len(data) + 1) + letter + data)

    def read(self) -> tuple[bytes, bytes]:
        """Read one packet: its letter and its data."""
        (length,) = struct.unpack("!I", self._exactly(4))
        packet = self._exactly(length)
        return packet[:1], packet[1:]

    def _exactly(self, length: int) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise EOFError("the milter hung up")
        return data

    def close(self) -> None:
        """Hang up."""
        self._file.close()
        self._socket.close()

    def _negotiate(self) -> int:
        self.write(b"O", struct.pack("!III", VERSION, ALL_ACTIONS, ALL_STEPS))
        kind, data = self.read()
        if kind != b"O" or len(data) < 12:
            raise ProtocolError("no answer to the negotiation")
        version, actions, steps = struct.unpack("!III", data[:12])
        if version > VERSION or actions & ~ALL_ACTIONS or steps & ~ALL_STEPS:
            raise ProtocolError("the milter asks for more than it was offered")
        rest = data[12:]
        while rest:
            (number,) = struct.unpack("!I", rest[:4])
            names, _, rest = rest[4:].partition(b"\0")
            self._lists[number] = names.decode()
        return steps  # type: ignore[no-any-return]


def reply_of(kind: bytes, data: bytes) -> Reply:
    """Read a packet that ends an event; ProtocolError when it is another."""
    name = _REPLIES.get(kind)
    if name is None:
        raise ProtocolError(f"unexpected answer {kind!r}")
    if name == "reply":
        text = data.rstrip(b"\0").decode("utf-8", "surrogateescape").replace("%%", "%")
        name = "tempfail" if text.startswith("4") else "reject"
        return Reply(name, text)
    return Reply(name, _TEXTS.get(name, ""))


def _connected(address: str, timeout: float) -> socket.socket:
    kind, _, place = address.partition(":")
    if kind == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect(place)
        except OSError:
            connection.close()
            raise
        return connection
    port, _, host = place.partition("@")
    return socket.create_connection((host or "127.0.0.1", int(port)), timeout)


def raw(text: str | bytes) -> bytes:
    """Return text as it goes over the wire."""
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def string(text: str | bytes) -> bytes:
    """Return a text with the NUL that ends it."""
    return raw(text) + b"\0"


def strings(texts: Sequence[str]) -> bytes:
    """Return texts, each with the NUL that ends it."""
    return b"".join(string(text) for text in texts)
