"""What the service reports to systemd, and what systemd asks of it (sd_notify(3)).

Where there is no systemd nothing happens, and nothing here fails.
"""

import os
import socket
from contextlib import suppress

from conversation_tracker.base import timeouts


def notify(state: str) -> None:
    """Send a state, such as READY=1, to systemd."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as handle:
        # A systemd that does not read must not stop the mail.
        handle.settimeout(timeouts.get().notify_seconds)
        handle.sendto(state.encode("utf-8"), address)


def watchdog() -> float | None:
    """Return the seconds after which a service that tells nothing is killed, None for never."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        seconds = int(os.environ.get("WATCHDOG_USEC", "")) / 1e6
    except ValueError:
        return None
    return seconds if seconds > 0 else None
