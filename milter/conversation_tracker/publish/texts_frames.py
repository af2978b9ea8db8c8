"""What goes to and fro between the publisher and the process that reads messages for it.

Each frame is its length and its octets. What the publisher gets is JSON and octets only: whoever
takes over the process that reads gets no further by what it answers.
"""

import socket
import struct
import time

_SIZE = struct.Struct("!Q")
_MOST = 256 * 1024 * 1024  # octets of a frame
_AT_ONCE = 1024 * 1024
_LEAST = 0.001  # seconds: none at all would mean not to wait


def send_frame(connection: socket.socket, data: bytes) -> None:
    """Send a frame.

    Raises:
        OSError: the other side is gone, or takes nothing for too long.
    """
    connection.sendall(_SIZE.pack(len(data)))
    connection.sendall(data)


def receive_frame(connection: socket.socket, ends: float | None = None) -> bytes:
    """Receive a frame.

    Args:
        connection: to the other side.
        ends: until when to wait for all of it, by the clock that never goes back; None for ever.

    Raises:
        EOFError: the other side is gone.
        OSError: nothing came for too long, or more than a frame may hold.
    """
    (size,) = _SIZE.unpack(_receive(connection, _SIZE.size, ends))
    if size > _MOST:
        raise OSError("a frame that is too long")
    return _receive(connection, size, ends)


def _receive(connection: socket.socket, size: int, ends: float | None) -> bytes:
    pieces = []
    while size:
        if ends is not None:
            connection.settimeout(max(_LEAST, ends - time.monotonic()))
        piece = connection.recv(min(size, _AT_ONCE))
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
