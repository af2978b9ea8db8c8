"""The process that shows Prometheus what was counted, over HTTP.

It is a child of `serve`'s parent, so that no thread lives where workers are forked and no scraper
can hold up the watchdog. It reads the numbers of `counters` and nothing else. What it cannot start
with, such as a port that is taken, is raised; while it serves, what a client does wrong ends that
client's connection only.
"""

import socket
from collections.abc import Iterator
from itertools import accumulate
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector

from conversation_tracker import __version__
from conversation_tracker.base import timeouts
from conversation_tracker.telemetry.counters import ISOLATION, SECONDS, Metrics

_WAITING = 16  # connections

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily | InfoMetricFamily


class Tracked(Collector):
    """Turns the numbers into Prometheus's families, each time it is asked."""

    def __init__(self, metrics: Metrics) -> None:
        """Read these numbers."""
        self._metrics = metrics

    def collect(self) -> Iterator[Family]:
        """Yield every family, with all of its labels, also those nothing was counted for."""
        totals = self._metrics.add_up()
        messages = CounterMetricFamily(
            "conversation_tracker_messages",
            "Messages at their end, by what became of them and by their direction",
            labels=("outcome", "direction"),
        )
        for labels, count in totals.messages.items():
            messages.add_metric(labels, count)
        yield messages
        for name, about, counts in (
            ("refused_messages", "Messages refused at their end, by reply", totals.refused),
            ("refused_recipients", "Recipients refused at RCPT, by reply", totals.recipients),
        ):
            family = CounterMetricFamily(f"conversation_tracker_{name}", about, labels=("reply",))
            for reply, count in counts.items():
                family.add_metric((reply,), count)
            yield family
        bounds = [*map(str, SECONDS), "+Inf"]
        yield HistogramMetricFamily(
            "conversation_tracker_message_seconds",
            "Time to decide on a message and to record it",
            buckets=list(zip(bounds, accumulate(totals.seconds), strict=True)),
            sum_value=totals.seconds_sum,
        )
        for name, about, value in (
            ("database_unavailable", "Questions the database did not answer", totals.unavailable),
            ("worker_restarts", "Workers that died and were replaced", totals.restarts),
            *((*named, totals.isolation[what]) for what, named in ISOLATION.items()),
        ):
            yield CounterMetricFamily(f"conversation_tracker_{name}", about, value=value)
        for name, about, value in (
            ("workers", "Workers that take mail", totals.workers),
            ("messages_in_flight", "Messages being decided on", totals.in_flight),
            ("pool_waiting", "Requests that wait for a database connection", totals.waiting),
            ("workers_without_database", "Workers the database did not answer last", totals.away),
            ("feed_behind_seconds", "Age of the oldest event not published", totals.behind),
            ("texts_behind_seconds", "Age of the oldest message not read", totals.texts_behind),
            (
                "webhooks_behind_seconds",
                "Age of the oldest event that a webhook's receiver has not got",
                totals.webhooks_behind,
            ),
            ("webhook_events_dead", "Events that a receiver did not take", totals.webhooks_dead),
        ):
            yield GaugeMetricFamily(f"conversation_tracker_{name}", about, value=value)
        yield InfoMetricFamily(
            "conversation_tracker_build", "The program", value={"version": __version__}
        )


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = _WAITING

    def server_bind(self) -> None:
        # Not the base class's: it asks the DNS for the name of its own address.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing of a client that went away or spoke no HTTP."""


class _Handler(WSGIRequestHandler):
    def setup(self) -> None:
        """Limit the time that a client has for its request."""
        super().setup()
        self.connection.settimeout(timeouts.get().metrics_request_seconds)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing of each request."""


def listen(metrics: Metrics, where: tuple[str, int]) -> WSGIServer:
    """Listen at an address, without serving yet.

    Args:
        metrics: what to show.
        where: host, as name or IP address, and port.

    Returns:
        The server; `serve_forever` answers.

    Raises:
        OSError: the address cannot be had.
    """
    [(family, _, _, _, address), *_] = socket.getaddrinfo(*where, type=socket.SOCK_STREAM)
    registry = CollectorRegistry()
    registry.register(Tracked(metrics))
    kind = type("_Server", (_Server,), {"address_family": family})
    made: WSGIServer = kind(address, _Handler)
    made.set_app(make_wsgi_app(registry))
    return made
