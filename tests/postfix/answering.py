"""Something that listens on a socket and answers Postfix's greeting, as a milter or otherwise."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# What a milter says to Postfix's greeting: it wants to do nothing.
GREETING = struct.pack("!IcIII", 13, b"O", 6, 0, 0)


@contextmanager
def answering(
    server: socket.socket, answer: bytes = GREETING, *, unasked: bool = False
) -> Iterator[None]:
    """Answer whoever connects to a listening socket, which is closed at the end.

    With `unasked` speak first.
    """

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, suppress(ConnectionError):
                    if not unasked:
                        connection.recv(100)
                    connection.sendall(answer)
                    connection.recv(100)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        server.close()
