"""`serve` with metrics: what Prometheus reads is what happened, whatever happens to workers."""

import os
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from private import processes
from private.ports import free_port
from private.postgres import Postgres
from private.tracker import Tracker
from world import BUYER, CARRIER, World, mail, seeded

NAME = "conversation_tracker_"


@pytest.fixture
def uri(postgres: Postgres, migrated: str) -> Iterator[str]:
    """Return a database of one's own, with stores in it."""
    yield seeded(postgres, migrated, "metrics")
    postgres.drop_database("metrics")


def page(port: int) -> str:
    """Fetch the metrics; "" where nothing is served."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return ""


def value(port: int, name: str, *labels: str) -> float:
    """Return one number; -1 where nothing is served."""
    for family in text_string_to_metric_families(page(port)):
        for sample in family.samples:
            if (sample.name, *(each for _, each in sorted(sample.labels.items()))) == (
                NAME + name,
                *labels,
            ):
                return float(sample.value)
    return -1


def started(tracker: Tracker) -> list[int]:
    """Return the ids of all workers that were ever started."""
    return [event["pid"] for event in tracker.events("worker-started")]


def test_counts_outlive_workers_and_name_nobody(uri: str) -> None:
    port = free_port()
    with Tracker(uri, options={"workers": "1", "metrics": f"127.0.0.1:{port}"}) as tracker:
        world = World(tracker, uri)
        assert processes.until(lambda: page(port), 20)
        [worker] = started(tracker)
        order = world.order()
        alias = world.alias(BUYER, order, "buyer")
        assert world.send(CARRIER, alias, mail()).reply.ok
        assert not world.send(CARRIER, f"{'0' * 32}@ct.example.com", mail()).reply.ok
        assert value(port, "messages_total", "outbound", "forwarded") == 1
        assert value(port, "refused_recipients_total", "550 5.1.1") == 1
        assert value(port, "message_seconds_count") == 1
        os.kill(worker, signal.SIGKILL)
        assert processes.until(lambda: len(started(tracker)) == 2, 20)
        assert processes.until(lambda: value(port, "workers") == 1, 20)
        assert value(port, "worker_restarts_total") == 1
        assert value(port, "messages_total", "outbound", "forwarded") == 1
        assert processes.until(lambda: world.send(CARRIER, alias, mail("c@d.example")).reply.ok, 20)
        assert value(port, "messages_total", "outbound", "forwarded") == 2
        [shower] = {*processes.family(tracker.pid)} - {tracker.pid, *started(tracker)}
        os.kill(shower, signal.SIGKILL)
        assert processes.until(
            lambda: value(port, "messages_total", "outbound", "forwarded") == 2, 20
        )
        assert len(tracker.events("metrics")) == 2
        text = page(port)
        assert [each for each in (*world.used, order, "shop") if each in text] == []
        assert "@" not in text


def test_a_database_that_is_gone_is_counted(postgres: Postgres, migrated: str) -> None:
    port = free_port()
    with Postgres(fsync=False) as own:
        from conversation_tracker.database.migrate import migrate

        migrate(own.create_database("template"))
        uri = seeded(own, "template", "gone")
        with Tracker(uri, options={"workers": "1", "metrics": f"127.0.0.1:{port}"}):
            assert processes.until(lambda: value(port, "database_unavailable_total") == 0, 20)
            own.stop("immediate")
            assert processes.until(lambda: value(port, "database_unavailable_total") > 0, 20)


def test_a_reload_moves_them_and_a_taken_port_stops_no_mail(uri: str) -> None:
    first, second = free_port(), free_port()
    with (
        socket.create_server(("127.0.0.1", second)) as taken,
        Tracker(uri, options={"workers": "1", "metrics": f"127.0.0.1:{first}"}) as tracker,
    ):
        world = World(tracker, uri)
        alias = world.alias(BUYER, world.order(), "buyer")
        assert processes.until(lambda: page(first), 20)
        assert world.send(CARRIER, alias, mail()).reply.ok
        text = tracker.config.read_text()
        tracker.config.write_text(text.replace(f":{first}", f":{second}"))
        tracker.reload()
        assert processes.until(lambda: tracker.events("metrics-unavailable"), 20)
        assert page(first) == ""
        assert world.send(CARRIER, alias, mail("c@d.example")).reply.ok
        taken.close()
        assert processes.until(
            lambda: value(second, "messages_total", "outbound", "forwarded") == 2, 20
        )
        assert len(tracker.events("metrics-unavailable")) == 1


def test_none_are_served_unless_told(uri: str) -> None:
    with Tracker(uri, options={"workers": "1"}) as tracker:
        assert tracker.events("metrics") == []
        assert len(processes.family(tracker.pid)) == 2


def test_a_feed_that_nobody_publishes_falls_behind(uri: str) -> None:
    """The milter says so, whether or not a publisher was ever started."""
    port = free_port()
    with Tracker(uri, options={"workers": "2", "metrics": f"127.0.0.1:{port}"}) as tracker:
        world = World(tracker, uri)
        world.alias(BUYER, world.order(), "buyer")
        assert processes.until(lambda: value(port, "feed_behind_seconds") > 0, 60)


def test_mail_that_nobody_reads_is_told(uri: str) -> None:
    port = free_port()
    with Tracker(uri, options={"workers": "2", "metrics": f"127.0.0.1:{port}"}) as tracker:
        world = World(tracker, uri)
        alias = world.alias(BUYER, world.order(), "buyer")
        assert processes.until(lambda: value(port, "texts_behind_seconds") == 0, 20)
        assert world.send(CARRIER, alias, mail()).reply.ok
        assert processes.until(lambda: value(port, "texts_behind_seconds") > 0, 60)
