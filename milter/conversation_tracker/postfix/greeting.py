"""Greets a milter as Postfix does, to see whether one answers there; and says who has a port.

The greeting is the milter protocol's option negotiation, version 6, and a farewell: the listener
sees a connection without mail. Only the standard library is imported: the installer asks before
anything is installed.
"""

import socket as sockets
import struct
import time
from contextlib import suppress

from conversation_tracker.base import timeouts
from conversation_tracker.config.socket import Socket

_REPLY_LIMIT = 65_536  # octets
_LINE_LIMIT = 1000  # octets
_VERSION = 6
_ALL_ACTIONS = 0x1FF
_ALL_STEPS = 0x1FFFFF

NEGOTIATION = struct.pack("!IcIII", 13, b"O", _VERSION, _ALL_ACTIONS, _ALL_STEPS)
FAREWELL = struct.pack("!Ic", 1, b"Q")


def greet(socket: Socket) -> str | PermissionError | None:
    """Negotiate as Postfix would, and take leave; return what went wrong, or None."""
    try:
        with _connect(socket) as connection:
            connection.sendall(NEGOTIATION)
            reply = _packet(connection)
            with suppress(OSError):  # it has answered: who hangs up first is no matter
                connection.sendall(FAREWELL)
    except PermissionError as error:
        return error
    except TimeoutError:
        return f"silence for {timeouts.get().check_socket_seconds:.0f} s"
    except OSError as error:
        return error.strerror or type(error).__name__
    return judge_reply(reply)


def listen_at(address: str) -> str | None:
    """Return the first words of a server at HOST:PORT, None if nobody listens there."""
    host, _, port = address.rpartition(":")
    try:
        wait = timeouts.get().check_socket_seconds
        with sockets.create_connection((host, int(port)), timeout=wait) as connection:
            return connection.recv(_LINE_LIMIT).decode("utf-8", "replace")
    except ConnectionRefusedError:
        return None
    except (OSError, ValueError):
        return ""


def judge_reply(reply: bytes) -> str | None:
    """Judge the answer to our negotiation, without its length."""
    if len(reply) < 13 or reply[:1] != b"O":
        return "what answers is no milter"
    [version] = struct.unpack("!I", reply[1:5])
    return None if 2 <= version <= _VERSION else f"it speaks version {version} of the protocol"


def _connect(socket: Socket) -> sockets.socket:
    wait = timeouts.get().check_socket_seconds
    if socket.kind == "inet":
        return sockets.create_connection((socket.host, socket.port), timeout=wait)
    connection = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        connection.settimeout(wait)
        connection.connect(socket.path)
    except BaseException:
        connection.close()
        raise
    return connection


def _packet(connection: sockets.socket) -> bytes:
    """Read one packet of the milter protocol; b"" if there is none."""
    [length] = struct.unpack("!I", _exactly(connection, 4) or b"\0\0\0\0")
    return _exactly(connection, length) if length <= _REPLY_LIMIT else b""


def _exactly(connection: sockets.socket, length: int) -> bytes:
    """Read so many octets; b"" if they end before. However they come, they come in time."""
    end = time.monotonic() + timeouts.get().check_socket_seconds
    read = b""
    while len(read) < length:
        connection.settimeout(max(0.001, end - time.monotonic()))
        piece = connection.recv(length - len(read))
        if not piece:
            return b""
        read += piece
    return read
