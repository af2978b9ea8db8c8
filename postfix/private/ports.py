"""Free loopback ports.

They lie below the range from which the kernel takes ports for outgoing connections, so that none is
taken between our look and the server's bind; and each process has blocks of its own, so that none
is given to another that looks at the same time. OSError when there is none.
"""

import errno
import random
import socket

LOWEST, HIGHEST = 20000, 32000
_BLOCK = 200
_ours: list[int] = []


def free_port() -> int:
    """Return a TCP port nobody listens on at 127.0.0.1, never the same one twice in a process."""
    while True:
        while _ours:
            port = _ours.pop()
            if is_free(port):
                return port
        _claim()


def is_free(port: int) -> bool:
    """Return whether a server could bind the TCP port on 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claim() -> None:
    """Take a block of ports, which stays ours until this process ends."""
    for start in random.sample(range(LOWEST, HIGHEST, _BLOCK), (HIGHEST - LOWEST) // _BLOCK):
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind(f"\0conversation-tracker-ports-{start}")
        except OSError:
            name.close()
        else:
            name.detach()  # nobody closes it: the name goes with the process
            _ours.extend(random.sample(range(start, start + _BLOCK), _BLOCK))
            return
    raise OSError(errno.EADDRINUSE, "no free loopback port")
