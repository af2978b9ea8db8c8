"""What `check` finds out about the metrics: whether somebody answers, and who may ask.

It connects to where the configuration says, and sends nothing. What keeps it from that is a
finding.
"""

import socket
from collections.abc import Iterator
from ipaddress import ip_address

from conversation_tracker.base import timeouts
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong


def check(where: tuple[str, int] | None) -> Iterator[CheckLine]:
    """Look at the metrics.

    Args:
        where: host and port they are served at; None where there are none, which is no finding.
    """
    if where is None:
        return
    host, port = where
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        with socket.create_connection(
            where, timeout=timeouts.get().check_metrics_seconds
        ) as connection:
            peer = connection.getpeername()[0]
    except OSError as error:
        yield wrong(
            f"nobody serves the metrics at {shown} ({error.strerror or error})",
            "start the service; if it runs, its log says why: metrics-unavailable",
        )
        return
    yield ok(f"the metrics are served at http://{shown}/metrics")
    if not ip_address(peer).is_loopback:
        yield note(f"whoever reaches {shown} can read the metrics: keep it behind a firewall")
