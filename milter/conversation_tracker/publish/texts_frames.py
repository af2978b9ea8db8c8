"""What goes to and fro between the publisher and the process that reads messages for it.

Each frame is its length and its octets. What the publisher gets is JSON and octets only: whoever
takes over the process that reads gets no further by what it answers.
"""

import socket
import struct

_SIZE = struct.Struct("!Q")
_MOST = 256 * 1024 * 1024  # octets of a frame
_AT_ONCE = 1024 * 1024


def send_frame(connection: socket.socket, data: bytes) -> None:
    """Send a frame.

    Raises:
        OSError: the other side is gone, or takes nothing for too long.
    """
    connection.sendall(_SIZE.pack(len(data)))
    connection.sendall(data)


def receive_frame(connection: socket.socket) -> bytes:
    """Receive a frame.

    Raises:
        EOFError: the other side is gone.
        OSError: nothing came for too long, or more than a frame may hold.
    """
    (size,) = _SIZE.unpack(_receive(connection, _SIZE.size))
    if size > _MOST:
        raise OSError("a frame that is too long")
    return _receive(connection, size)


def _receive(connection: socket.socket, size: int) -> bytes:
    pieces = []
    while size:
        piece = connection.recv(min(size, _AT_ONCE))
        if not piece:
            raise EOFError
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
