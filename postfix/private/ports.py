"""Free loopback ports.

They lie below the range from which the kernel takes ports for outgoing connections, so that none is
taken between our look and the server's bind. OSError when there is none.
"""

import errno
import random
import socket

LOWEST, HIGHEST = 20000, 32000
_given: set[int] = set()


def free_port() -> int:
    """Return a TCP port nobody listens on at 127.0.0.1, never the same one twice in a process."""
    candidates = list(range(LOWEST, HIGHEST))
    random.shuffle(candidates)
    for port in candidates:
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    raise OSError(errno.EADDRINUSE, "no free loopback port")


def is_free(port: int) -> bool:
    """Tell whether a server could bind the TCP port on 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
