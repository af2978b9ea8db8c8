#!/usr/bin/python3
"""Asks a milter socket for its options, as Postfix does first: does a milter answer there?

The installer needs to know before it switches Postfix over. Exit code 0: it answers; 1: it does
not, with the reason on standard error; 2: usage.
"""

import socket
import struct
import sys

_PATIENCE = 5.0  # seconds
# SMFIC_OPTNEG, protocol version 6, every action, every protocol step; with its length before it.
_QUESTION = struct.pack("!IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF)


def connected(address: str) -> socket.socket:
    """Connect to a milter.

    Args:
        address: `unix:/path` or `inet:PORT@HOST`.

    Returns:
        The connected socket; it gives up after a few seconds of silence.

    Raises:
        OSError: nobody listens there, or not to us.
        ValueError: the address is in neither form.
    """
    kind, _, place = address.partition(":")
    port, at, host = place.partition("@")
    if kind == "inet" and at and port.isdigit():
        return socket.create_connection((host.strip("[]"), int(port)), _PATIENCE)
    if kind not in ("unix", "local") or not place:
        raise ValueError("a socket is unix:/path or inet:PORT@HOST")
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_PATIENCE)
    connection.connect(place)
    return connection


def answers(address: str) -> bool:
    """Tell whether what listens at an address speaks the milter protocol; errors as `connected`."""
    with connected(address) as connection:
        connection.sendall(_QUESTION)
        answer = b""
        while len(answer) < 5 and (more := connection.recv(5 - len(answer))):
            answer += more
    return answer[4:] == b"O"


def main(arguments: list[str]) -> int:
    """Answer by the exit code."""
    if len(arguments) != 1:
        print("usage: answers.py unix:/path|inet:PORT@HOST", file=sys.stderr)
        return 2
    try:
        if answers(arguments[0]):
            return 0
        print(f"{arguments[0]}: what listens there is no milter", file=sys.stderr)
    except (OSError, ValueError) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)
        return 2 if isinstance(error, ValueError) else 1
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
