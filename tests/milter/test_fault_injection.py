"""What would bring a worker down: a message without end, a full disk, many connections at once."""

import resource
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from private import processes
from private.postgres import Postgres
from private.tracker import Tracker
from world import BUYER, CARRIER, SHOP, World, mail, seeded, workers

KILOBYTE = 1024
NO_LIMIT = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)

# What Python runs at its start: the net has a short time, and one mail never comes back to Python.
STUCK = """
import re
from dataclasses import replace
from conversation_tracker.base import timeouts
from conversation_tracker.milter.filter import Filter
timeouts.use(replace(timeouts.get(), worker_stuck_seconds=2.0, beat_seconds=0.1))
decide = Filter.decide
def message(self, transaction, message):
    if b"never ends" in message.body[:]:
        re.match("(?:a|a)*b", "a" * 60)
    return decide(self, transaction, message)
Filter.decide = message
"""


@pytest.fixture(scope="module")
def uri(postgres: Postgres, migrated: str) -> Iterator[str]:
    yield seeded(postgres, migrated, "trouble")
    postgres.drop_database("trouble")


def test_a_worker_that_never_comes_back_is_replaced(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client is hung up on, which Postfix answers with 451; what it was doing is logged."""
    (tmp_path / "sitecustomize.py").write_text(STUCK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with Tracker(uri, options={"workers": "1"}) as tracker:
        world = World(tracker, uri)
        alias = world.alias(SHOP, world.order())
        [old] = workers(tracker)
        with pytest.raises((EOFError, ConnectionError)):
            world.send(CARRIER, alias, mail(body="This never ends\r\n"))
        assert processes.until(lambda: workers(tracker) not in ([], [old]), 20)
        assert world.send(CARRIER, alias, mail()).reply.kind == "continue"
        assert len(tracker.events("worker-died")) == 1
        said = tracker.log_text()
    assert "Timeout" in said
    assert "in message" in said
    assert CARRIER not in said


def test_work_that_goes_on_is_not_ended(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The net is for what never comes back to Python: all else has its budget."""
    spin = "begun = time.monotonic()\n        while time.monotonic() < begun + 5: pass"
    slow = STUCK.replace('re.match("(?:a|a)*b", "a" * 60)', spin).replace("re\n", "re, time\n", 1)
    (tmp_path / "sitecustomize.py").write_text(slow)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with Tracker(uri, options={"workers": "1"}) as tracker:
        world = World(tracker, uri)
        alias = world.alias(SHOP, world.order())
        result = world.send(CARRIER, alias, mail(body="This never ends\r\n"))
        assert result.reply.kind == "continue"
        assert tracker.events("worker-died") == []


@pytest.mark.parametrize(
    ("room", "place"),
    [
        pytest.param(300, ":body", id="while it is taken in"),
        pytest.param(600, ":make_record", id="while it is recorded"),
    ],
)
def test_a_full_disk_defers_large_mail_and_no_other(uri: str, room: int, place: str) -> None:
    """No file of the workers may grow beyond so many kilobytes; then all is well again."""
    body = "Hello there\r\n" * (600 * KILOBYTE // len("Hello there\r\n"))
    with Tracker(uri, options={"workers": "1"}) as tracker:
        world = World(tracker, uri)
        order = f"disk-{room}"
        alias = world.alias(SHOP, order)
        [worker] = workers(tracker)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (room * KILOBYTE, resource.RLIM_INFINITY))
        result = world.send(CARRIER, alias, mail(body=body))
        assert result.reply.text == "451 4.3.0 Temporary failure, try again later"
        assert result.actions == ()
        assert world.messages(order) == 0
        assert world.send(CARRIER, alias, mail()).reply.kind == "continue"
        resource.prlimit(worker, resource.RLIMIT_FSIZE, NO_LIMIT)
        assert world.send(CARRIER, alias, mail(body=body)).reply.kind == "continue"
        assert world.messages(order) == 2
        assert [worker] == workers(tracker)
        said = tracker.log_text()
    assert "OSError" in said
    assert place in said
    assert CARRIER not in said


def test_what_the_database_tells_beside_its_answers_hurts_no_worker(
    postgres: Postgres, migrated: str
) -> None:
    """A connection is now in one thread, now in another; the C code of the driver must not mind.

    A server tells its last words before it ends a session. This one tells something at every step.
    """
    uri = seeded(postgres, migrated, "notices")
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("ALTER DATABASE notices SET client_min_messages = debug1")
        connection.execute("ALTER DATABASE notices SET debug_print_parse = on")
    with Tracker(uri, options={"workers": "1"}) as tracker:
        world = World(tracker, uri)
        aliases = [world.alias(BUYER, world.order(), "buyer") for _ in range(8)]
        [worker] = workers(tracker)

        def send(alias: str) -> None:
            for _ in range(20):
                assert world.send(CARRIER, alias, mail()).reply.kind == "continue"

        with ThreadPoolExecutor(len(aliases)) as pool:
            list(pool.map(send, aliases))
        assert workers(tracker) == [worker]
        assert tracker.events("worker-died") == []
    postgres.drop_database("notices")


@pytest.mark.parametrize(("size", "each_sends"), [(4, 10), (40, 2)])
def test_workers_stay_small_at_fifty_connections(uri: str, size: int, each_sends: int) -> None:
    """60 MB for each at most, with mail of so many kilobytes that is full of addresses."""
    line = f"I am {CARRIER}, and there is <b>more</b> to say about it &amp; so on\r\n"
    data = mail(
        CARRIER,
        "MIME-Version: 1.0",
        "Content-Type: text/html",
        body=line * (size * KILOBYTE // len(line)),
    )
    with Tracker(uri, options={"workers": "2"}) as tracker:
        world = World(tracker, uri)
        aliases = [world.alias(BUYER, world.order(), "buyer") for _ in range(50)]
        all_connected = threading.Barrier(len(aliases))

        def send(alias: str) -> None:
            with world.wire() as wire:
                wire.connect()
                all_connected.wait(30)
                for number in range(each_sends):
                    wire.queue_id = f"4ZJX{number:04}abcz1"
                    each = data.replace(b"MIME", b"Message-ID: <%d@x.example>\r\nMIME" % number, 1)
                    assert wire.send(CARRIER, alias, each).reply.kind == "continue"

        with ThreadPoolExecutor(len(aliases)) as pool:
            list(pool.map(send, aliases))
        used = [resident(pid) for pid in workers(tracker)]
    assert len(used) == 2
    assert max(used) < 60, used


def resident(pid: int) -> float:
    """Return what a process held of memory at most, in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
