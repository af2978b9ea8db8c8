"""`check` on the metrics: served or not, and to whom."""

import socket
from typing import Any

import pytest

from conversation_tracker.checks import metrics as check_metrics
from private.ports import free_port


def test_no_metrics_are_no_finding() -> None:
    assert list(check_metrics.check(None)) == []


def test_metrics_that_are_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        [fact] = check_metrics.check(("127.0.0.1", port))
    assert (fact.verdict, fact.text) == (
        "ok",
        f"the metrics are served at http://127.0.0.1:{port}/metrics",
    )


def test_metrics_that_nobody_serves() -> None:
    port = free_port()
    [fact] = check_metrics.check(("::1", port))
    assert fact.verdict == "WRONG"
    assert fact.text.startswith(f"nobody serves the metrics at [::1]:{port} (")


def test_metrics_that_others_can_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Connection:
        def __enter__(self) -> "Connection":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def getpeername(self) -> tuple[str, int]:
            return "192.0.2.1", 9000

    def connect(*_: Any, **__: Any) -> Connection:
        return Connection()

    monkeypatch.setattr(socket, "create_connection", connect)
    served, reachable = check_metrics.check(("192.0.2.1", 9000))
    assert (served.verdict, reachable.verdict) == ("ok", "note")
    assert "192.0.2.1:9000" in reachable.text
