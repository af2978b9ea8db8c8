"""Hands a milter a message as Postfix would, and tells what it adds: by the milter protocol alone.

The message is made up: an alias in From, and envelope addresses of nobody. Nothing is sent on.
"""

import socket as sockets
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from conversation_tracker.base import timeouts
from conversation_tracker.config.socket import Socket

SENDER = "somebody@signer-probe.invalid"  # RFC 2606: nobody's
RECIPIENT = "reader@signer-probe.invalid"
_CLIENT = b"192.0.2.1\0"  # RFC 5737: what came from outside must be signed as well
BODY = b"Is this copy signed? A test by conversation-tracker check; it goes nowhere.\r\n"
_ACTIONS, _STEPS, _LEADING_SPACE = 0x1FF, 0x1FFBFF, 0x100000
_LONGEST = 1 << 20  # octets of all answers
# Of each event: its letter, "do not send me this", and "I do not answer this".
_EVENTS = {
    "connect": (b"C", 0x1, 0x1000),
    "helo": (b"H", 0x2, 0x2000),
    "mail": (b"M", 0x4, 0x4000),
    "rcpt": (b"R", 0x8, 0x8000),
    "data": (b"T", 0x200, 0x10000),
    "header": (b"L", 0x20, 0x80),
    "eoh": (b"N", 0x40, 0x40000),
    "body": (b"B", 0x10, 0x80000),
    "eom": (b"E", 0, 0),
}
_ADDING = {b"h": 0, b"i": 4, b"m": 4}  # actions with a field, and where its name begins


class NoMilterError(Exception):
    """What answers there does not speak the protocol."""


class _AcceptedError(Exception):
    """It wants to see no more of the message, and adds nothing."""


def ask(place: Socket, author: str, more: Sequence[tuple[str, str]] = ()) -> dict[str, str]:
    """Hand a message to a milter, and return the fields it adds or changes.

    Args:
        place: where it listens.
        author: who stands in From.
        more: header fields that stand above the others.

    Raises:
        OSError: it does not answer, or comes to no end.
        NoMilterError: what it answers is not the protocol.
    """
    family = sockets.AF_UNIX if place.kind == "unix" else sockets.AF_INET
    with sockets.socket(family, sockets.SOCK_STREAM) as connection:
        connection.settimeout(timeouts.get().check_smtp_seconds)
        host = place.host.replace("localhost", "127.0.0.1") or "127.0.0.1"
        connection.connect(place.path if place.kind == "unix" else (host, place.port))
        milter = _Milter(connection)
        found: dict[str, str] = {}
        with suppress(_AcceptedError):
            found = milter.play([*more, *list_fields(author)])
        with suppress(OSError):
            milter.send(b"Q")
        return found


class _Milter:
    """One connection to a milter."""

    def __init__(self, connection: sockets.socket) -> None:
        """Agree on what is sent and answered."""
        self._connection = connection
        self._left = _LONGEST
        self._end_at = time.monotonic() + timeouts.get().check_milter_seconds
        self.send(b"O" + struct.pack("!III", 6, _ACTIONS, _STEPS))
        letter, data = self._receive()
        if letter != b"O" or len(data) < 12:
            raise NoMilterError("no negotiation")
        self._steps = struct.unpack("!III", data[:12])[2]

    def send(self, data: bytes) -> None:
        """Send one packet."""
        self._limit()
        self._connection.sendall(struct.pack("!I", len(data)) + data)

    def play(self, fields: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Send a message, and return the fields that are added or changed."""
        self._macro(b"C", "j", "mail.invalid", "{daemon_name}", "tracker-split")
        self._tell("connect", b"client.invalid\0" + b"4" + struct.pack("!H", 25) + _CLIENT)
        self._tell("helo", b"client.invalid\0")
        self._macro(b"M", "i", "0123456789A")
        self._tell("mail", f"<{SENDER}>\0".encode())
        self._tell("rcpt", f"<{RECIPIENT}>\0".encode())
        self._tell("data", b"")
        for name, value in fields:
            space = " " if self._steps & _LEADING_SPACE else ""
            self._tell("header", f"{name}\0{space}{value}\0".encode())
        self._tell("eoh", b"")
        self._tell("body", BODY)
        self._macro(b"E", "i", "0123456789A")
        return self._end()

    def _macro(self, letter: bytes, *words: str) -> None:
        self.send(b"D" + letter + b"".join(f"{word}\0".encode() for word in words))

    def _tell(self, event: str, data: bytes) -> None:
        letter, unwanted, unanswered = _EVENTS[event]
        if self._steps & unwanted:
            return
        self.send(letter + data)
        if not self._steps & unanswered:
            answer, _ = self._receive()
            if answer == b"a":
                raise _AcceptedError
            if answer not in (b"c", b"s"):
                raise NoMilterError(f"it takes no such mail at {event}")

    def _end(self) -> dict[str, str]:
        self.send(b"E")
        found: dict[str, str] = {}
        while True:
            letter, data = self._receive()
            if letter in (b"c", b"a"):
                return found
            if letter in _ADDING:
                name, _, value = data[_ADDING[letter] :].partition(b"\0")
                text = value.rstrip(b"\0").decode("utf-8", "replace")
                found[name.decode("ascii", "replace")] = text
            elif letter in (b"r", b"t", b"d", b"y", b"4", b"f"):
                raise NoMilterError("it refuses such mail")

    def _receive(self) -> tuple[bytes, bytes]:
        """Receive one packet; what only keeps the connection alive is passed over."""
        while True:
            (length,) = struct.unpack("!I", self._read(4))
            if not 0 < length <= self._left:
                raise NoMilterError("no packet, or too many")
            self._left -= length
            packet = self._read(length)
            if packet[:1] != b"p":
                return packet[:1], packet[1:]

    def _read(self, length: int) -> bytes:
        read = bytearray()
        while len(read) < length:
            self._limit()
            piece = self._connection.recv(length - len(read))
            if not piece:
                raise NoMilterError("it hung up")
            read += piece
        return bytes(read)

    def _limit(self) -> None:
        """Let the next word take as long as one may, and no longer than is left for all."""
        left = self._end_at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(min(left, timeouts.get().check_smtp_seconds))


def list_fields(author: str) -> Iterator[tuple[str, str]]:
    """Yield the header fields of the message, names and values.

    Args:
        author: who stands in From.
    """
    yield "From", f"<{author}>"
    yield "To", "undisclosed-recipients:;"
    yield "Subject", "Is this copy signed?"
    yield "Date", "Thu, 1 Jan 2026 00:00:00 +0000"
    yield "Message-ID", f"<probe@{author.rpartition('@')[2]}>"
