"""The metrics: what is counted, that nothing is lost, and that no text becomes a label."""

import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from conversation_tracker import __version__
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.telemetry.counters import DIRECTIONS, OUTCOMES, REPLIES, Metrics
from conversation_tracker.telemetry.exporter import listen
from private.ports import free_port

Samples = dict[tuple[str, ...], float]


def shared() -> Metrics:
    metrics = Metrics()
    metrics.share()
    return metrics


def child(work: "object") -> None:
    """Run a function in a process forked from here, which then dies at once."""
    pid = os.fork()
    if pid == 0:
        try:
            work()  # type: ignore[operator]
        finally:
            os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)


def samples(text: str) -> Samples:
    """Return each sample of an exposition by its name and its labels' values, sorted by label."""
    return {
        (sample.name, *(each for _, each in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def served() -> Iterator[tuple[Metrics, str]]:
    """Metrics that are served, and where."""
    metrics, port = shared(), free_port()
    made = listen(metrics, ("127.0.0.1", port))
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield metrics, f"http://127.0.0.1:{port}/metrics"
    made.shutdown()
    thread.join()
    made.server_close()


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def test_nothing_is_counted_while_they_are_off() -> None:
    metrics = Metrics()
    metrics.count_message("forwarded", "inbound", 0.01, None)
    metrics.count_refused_recipient(replies.UNKNOWN_ALIAS)
    metrics.count_database_failure()
    metrics.note_load(in_flight=1, waiting=1)
    metrics.note_database(away=True)
    assert metrics.count_messages_so_far() == metrics.count_workers_without_database() == 0
    assert sum(metrics.add_up().messages.values()) == 0


def test_a_program_without_metrics_does_not_load_the_library() -> None:
    code = (
        "import sys, conversation_tracker.serve.supervisor, conversation_tracker.serve.worker;"
        "print('prometheus_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_how_far_the_feed_is_behind_is_what_the_worst_says_not_a_sum() -> None:
    metrics = shared()
    for seconds in (70.0, 65.5, 0.0):
        row = metrics.take()

        def work(row: int = row, seconds: float = seconds) -> None:
            metrics.use(row)
            metrics.note_publisher(seconds, seconds + 2)
            metrics.note_webhooks(seconds + 1, int(seconds))

        child(work)
    assert (metrics.add_up().behind, metrics.add_up().texts_behind) == (70.0, 72.0)
    assert (metrics.add_up().webhooks_behind, metrics.add_up().webhooks_dead) == (71.0, 70)
    metrics.give_back(1)
    assert (metrics.add_up().behind, metrics.add_up().texts_behind) == (65.5, 67.5)


def test_what_a_killed_worker_counted_stays_and_its_gauges_go() -> None:
    metrics = shared()
    row = metrics.take()

    def work() -> None:
        metrics.use(row)
        metrics.count_message("forwarded", "inbound", 0.004, None)
        metrics.count_message("refused", "", 3.0, replies.CANNOT_MASK)
        metrics.note_load(in_flight=2, waiting=3)
        metrics.note_database(away=True)

    child(work)
    assert (metrics.add_up().in_flight, metrics.add_up().waiting) == (2, 3)
    assert metrics.count_workers_without_database() == metrics.add_up().away == 1
    metrics.give_back(row)
    totals = metrics.add_up()
    assert (totals.in_flight, totals.waiting, totals.away) == (0, 0, 0)
    assert metrics.count_messages_so_far() == 2
    assert totals.messages["forwarded", "inbound"] == totals.messages["refused", "none"] == 1
    assert totals.refused["554 5.6.0"] == 1
    assert sum(totals.seconds) == 2
    assert totals.seconds_sum == pytest.approx(3.004)
    assert metrics.take() == row
    child(work)
    assert metrics.add_up().messages["forwarded", "inbound"] == 2


def test_workers_have_rows_of_their_own_as_long_as_there_are_enough() -> None:
    metrics = shared()
    rows = [metrics.take() for _ in range(1000)]
    assert len(set(rows)) == 599
    assert 0 not in rows
    for row in rows:
        metrics.use(row)
        metrics.count_database_failure()
    assert metrics.add_up().unavailable == 1000


def test_threads_lose_no_count() -> None:
    metrics = shared()

    def work() -> None:
        for _ in range(5000):
            metrics.count_message("untouched", "", 0.0, None)
            metrics.count_refused_recipient(replies.UNKNOWN_ALIAS)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    totals = metrics.add_up()
    assert totals.messages["untouched", "none"] == sum(totals.seconds) == 20_000
    assert totals.recipients["550 5.1.1"] == 20_000


def test_every_reply_there_is_has_a_place() -> None:
    known = [each for each in vars(replies).values() if isinstance(each, Reply)]
    assert known
    assert {f"{each.code} {each.status}" for each in known} | {"other"} == set(REPLIES)


def test_what_is_in_no_list_is_no_label(served: tuple[Metrics, str]) -> None:
    metrics, url = served
    before = samples(fetched(url)).keys()
    metrics.count_message(
        "john@doe.example", "john@doe.example", 0.1, Reply("550", "5.9.9", "John")
    )
    metrics.count_refused_recipient(Reply("550", "5.9.9", "john@doe.example"))
    text = fetched(url)
    assert samples(text).keys() == before
    assert "john" not in text.lower()
    assert samples(text)["conversation_tracker_refused_recipients_total", "other"] == 1
    assert samples(text)["conversation_tracker_message_seconds_count",] == 1


def test_prometheus_reads_all_of_it(served: tuple[Metrics, str]) -> None:
    metrics, url = served
    metrics.count_message("forwarded", "outbound", 0.02, None)
    metrics.count_message("forwarded", "outbound", 60.0, None)
    metrics.count_restart()
    metrics.note_workers(2)
    found = samples(fetched(url))
    name = "conversation_tracker_"
    assert found[f"{name}messages_total", "outbound", "forwarded"] == 2
    assert found[f"{name}message_seconds_bucket", "0.01"] == 0
    assert found[f"{name}message_seconds_bucket", "0.025"] == 1
    assert found[f"{name}message_seconds_bucket", "+Inf"] == 2
    assert found[f"{name}message_seconds_sum",] == pytest.approx(60.02)
    assert found[f"{name}worker_restarts_total",] == 1
    assert found[f"{name}workers",] == 2
    assert found[f"{name}build_info", __version__] == 1
    labels = [key for key in found if key[0] == f"{name}messages_total"]
    assert len(labels) == len(OUTCOMES) * len(DIRECTIONS)


def test_clients_that_speak_no_http_leave_it_as_it_was(
    served: tuple[Metrics, str], capfd: pytest.CaptureFixture[str]
) -> None:
    import socket

    port = int(served[1].split(":")[2].partition("/")[0])
    for said in (b"", b"\x16\x03\x01\xff\r\n\r\n", b"GET / HTTP/1.0\r\nHost: john@doe.example\r\n"):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(said)
    assert "workers" in fetched(served[1])
    assert capfd.readouterr() == ("", "")


def test_an_address_that_is_taken_is_an_error(served: tuple[Metrics, str]) -> None:
    port = int(served[1].split(":")[2].partition("/")[0])
    with pytest.raises(OSError, match="in use"):
        listen(Metrics(), ("127.0.0.1", port))


def test_ipv6_is_served_too() -> None:
    made = listen(shared(), ("::1", free_port()))
    made.server_close()
