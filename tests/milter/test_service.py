"""`serve` from its start to its end: signals, workers, its socket, and a database that fails."""

import os
import signal
import socket
import stat
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from conversation_tracker.core.model import replies
from packets import ALL_ACTIONS, ALL_STEPS, VERSION
from private import processes
from private.postgres import Postgres
from private.tracker import Tracker
from wire import Result, Wire
from world import BUYER, CARRIER, LOCAL, QUEUE_ID, SHOP, STRANGER, World, mail, seeded, workers

PATIENCE = 20.0


@pytest.fixture
def uri(postgres: Postgres, migrated: str) -> Iterator[str]:
    """Return a database of one's own, with stores in it."""
    yield seeded(postgres, migrated, "service")
    postgres.drop_database("service")


@pytest.fixture
def world(uri: str) -> Iterator[World]:
    """Return a tracker of one's own, with one worker."""
    with Tracker(uri, options={"workers": "1"}) as tracker:
        world = World(tracker, uri)
        yield world
        tracker.kill()
        log = tracker.log_text().lower()
        assert [each for each in world.used if "@" in each and each.lower() in log] == []


def works(world: World) -> bool:
    """Return whether a message gets through."""
    try:
        alias = world.alias(BUYER, world.order(), "buyer")
        return world.send(CARRIER, alias, mail()).reply.kind == "continue"
    except (OSError, EOFError, psycopg.Error):
        return False


def waits(condition: Callable[[], object], seconds: float = PATIENCE) -> float:
    """Wait for a condition to come true; give the seconds it took."""
    started = time.monotonic()
    assert processes.until(condition, seconds)
    return time.monotonic() - started


def path(tracker: Tracker) -> Path:
    """Return the socket's path."""
    return Path(tracker.socket.removeprefix("unix:"))


@contextmanager
def later(send: Callable[[], Result]) -> Iterator[list[Result]]:
    """Send a message beside; its result is in the list at the end, if the milter gave one."""
    results: list[Result] = []

    def run() -> None:
        with suppress(OSError, EOFError):
            results.append(send())

    thread = threading.Thread(target=run)
    thread.start()
    yield results
    thread.join()


@contextmanager
def locked(uri: str, number: str) -> Iterator[psycopg.Connection]:
    """Hold the lock of an order's row."""
    with psycopg.connect(uri) as connection:
        connection.execute("SELECT FROM tracker.orders WHERE number = %s FOR UPDATE", (number,))
        yield connection


# The socket


def test_the_socket_is_for_the_group_of_its_directory(world: World) -> None:
    """0660, the group from the set-gid directory."""
    status = path(world.tracker).stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert status.st_gid == path(world.tracker).parent.stat().st_gid
    assert list(path(world.tracker).parent.iterdir()) == [path(world.tracker)]


def test_a_stale_socket_is_replaced(uri: str) -> None:
    with Tracker(uri, options={"workers": "1"}) as tracker:
        tracker.kill()
        assert path(tracker).exists()
        tracker.start()
        assert works(World(tracker, uri))
        tracker.kill()


# Signals


def test_sigterm_lets_the_message_in_flight_finish(world: World, uri: str) -> None:
    order = world.order()
    alias = world.alias(BUYER, order, "buyer")
    with locked(uri, order) as lock, later(lambda: world.send(CARRIER, alias, mail())) as results:
        waits(lambda: waiting_for_locks(uri))
        os.kill(world.tracker.pid, signal.SIGTERM)
        time.sleep(0.5)
        assert workers(world.tracker), "the worker went without an answer"
        lock.rollback()
        started = time.monotonic()
        assert world.tracker.wait() == 0
        assert time.monotonic() - started < 12  # a worker has 15 for what is in flight
    assert [each.reply.kind for each in results] == ["continue"]
    assert world.messages(order) == 1
    assert not path(world.tracker).exists()


def waiting_for_locks(uri: str) -> bool:
    with psycopg.connect(uri) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        ).fetchone()
    return row is not None and row[0] > 0


def test_a_connection_taken_just_before_a_stop_is_answered(world: World) -> None:
    """And the message in flight beside it is not broken off by its first words."""
    alias = world.alias(BUYER, world.order(), "buyer")
    with world.wire() as begun, socket.socket(socket.AF_UNIX) as late:
        begun.mail(CARRIER)
        late.settimeout(5)
        late.connect(str(path(world.tracker)))
        time.sleep(0.3)
        os.kill(world.tracker.pid, signal.SIGTERM)
        time.sleep(0.5)
        negotiation = struct.pack("!III", VERSION, ALL_ACTIONS, ALL_STEPS)
        late.sendall(struct.pack("!I", len(negotiation) + 1) + b"O" + negotiation)
        assert late.recv(100)[4:5] == b"O"
        assert begun.rcpt(alias).ok
        begun.header(b"From", CARRIER.encode())
        assert begun.eom()[0].kind == "continue"
    assert world.tracker.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_stop_finishes_too(world: World, number: int) -> None:
    """As by systemd, which tells all processes of a service at once."""
    alias = world.alias(BUYER, world.order(), "buyer")
    [old] = workers(world.tracker)
    with world.wire() as wire:
        wire.mail(CARRIER)
        os.kill(old, number)
        time.sleep(0.3)
        assert wire.rcpt(alias).ok
        wire.header(b"From", CARRIER.encode())
        assert wire.eom()[0].kind == "continue"
    waits(lambda: old not in workers(world.tracker))
    waits(lambda: works(world))


def test_sigterm_ends_an_idle_tracker_at_once(world: World) -> None:
    """Postfix keeps idle connections: they are no reason to stay."""
    with Wire(world.tracker.socket) as idle:
        idle.mail(CARRIER)
        started = time.monotonic()
        assert world.tracker.stop() == 0
        assert time.monotonic() - started < 12  # a worker has 15 for what is in flight


def test_sighup_reads_the_configuration_again_and_keeps_the_socket(world: World) -> None:
    tracker, before = world.tracker, path(world.tracker).stat().st_ino
    [old] = workers(tracker)
    assert send_own(world).actions != ()
    tracker.config.write_text(tracker.config.read_text() + "trusted_networks = 198.51.100.0/24\n")
    tracker.reload()
    waits(lambda: tracker.events("config-reloaded") and old not in workers(tracker))
    assert path(tracker).stat().st_ino == before
    assert send_own(world).actions == ()
    assert works(world)
    assert tracker.events("worker-died") == []


def send_own(world: World) -> Result:
    return world.send(SHOP, BUYER, mail(SHOP, f"X-Order-Id: {world.order()}"), LOCAL)


def is_masked(world: World) -> bool:
    """Return whether mail is answered, and masked."""
    try:
        return send_own(world).actions != ()
    except ConnectionError:
        return False


def test_a_bad_configuration_keeps_the_old_one(world: World) -> None:
    tracker = world.tracker
    old, good = workers(tracker), tracker.config.read_text()
    tracker.config.write_text(good + "nonsense = 1\ntrusted_networks = here\n")
    tracker.reload()
    waits(lambda: tracker.events("config-refused"))
    [line] = tracker.events("config-refused")
    assert len(line["faults"]) == 2
    assert workers(tracker) == old
    assert works(world)
    tracker.config.write_text(good)
    tracker.reload()
    waits(lambda: tracker.events("config-reloaded"))
    assert works(world)


def test_an_unsafe_configuration_is_taken_and_complained_of_at_each_start_and_reload(
    world: World,
) -> None:
    tracker = world.tracker
    assert tracker.events("config-unsafe") == []
    tracker.config.write_text(tracker.config.read_text() + "trusted_networks = 0.0.0.0/0\n")
    tracker.reload()
    waits(lambda: tracker.events("config-reloaded"))
    [line] = tracker.events("config-unsafe")
    assert line["level"] == "error"
    assert "trusted_networks has 0.0.0.0/0" in line["faults"][0]
    waits(lambda: is_masked(world))  # a worker that goes may have taken the connection
    assert tracker.stop() == 0
    tracker.start()
    waits(lambda: works(world))
    assert [each["faults"] for each in tracker.events("config-unsafe")] == [line["faults"]] * 2


def test_a_killed_worker_is_replaced(world: World) -> None:
    tracker = world.tracker
    [old] = workers(tracker)
    with Wire(tracker.socket) as wire:
        wire.mail(CARRIER)
        os.kill(old, signal.SIGKILL)
        with pytest.raises((EOFError, OSError)):
            wire.rcpt(STRANGER)
    took = waits(lambda: works(world))
    assert took < 5
    assert old not in workers(tracker)
    [line] = tracker.events("worker-died")
    assert (line["pid"], line["status"]) == (old, -signal.SIGKILL)


def test_workers_that_die_before_they_are_ready_are_given_up(postgres: Postgres, uri: str) -> None:
    """Loudly: systemd then sees the service fail, and starts it anew."""
    with Tracker(uri, options={"workers": "1"}) as tracker:
        postgres.stop()
        try:
            seen: set[int] = set()
            for _ in range(6):
                waits(lambda: set(workers(tracker)) - seen)
                [pid] = workers(tracker)
                seen.add(pid)
                os.kill(pid, signal.SIGKILL)
            assert tracker.wait() == 75
        finally:
            postgres.start()
        assert [line["restarts"] for line in tracker.events("worker-died")] == [1, 2, 3, 4, 5, 6]
        [line] = tracker.events("gave-up")
        assert (line["level"], line["restarts"]) == ("critical", 6)
        assert not path(tracker).exists()


def test_systemd_is_told_what_goes_on(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readiness, reload and stop; and the watchdog well within the time it allows."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "900000")

        def told(state: str) -> list[str]:
            """Read until a state is reported; return what was reported before."""
            before: list[str] = []
            while state not in (lines := systemd.recv(1000).decode().splitlines()):
                before += lines
            return before

        with Tracker(uri, options={"workers": "1"}) as tracker:
            told("READY=1")
            time.sleep(2)
            tracker.reload()
            assert told("RELOADING=1").count("WATCHDOG=1") >= 4
            told("READY=1")
            tracker.stop()
            told("STOPPING=1")


def test_without_a_watchdog_it_is_not_told(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(0.1)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with Tracker(uri, options={"workers": "1"}) as tracker:
            time.sleep(1.2)
            tracker.stop()
        told = []
        with suppress(TimeoutError):
            while True:
                told.append(systemd.recv(1000).decode())
    assert [each for each in told if "WATCHDOG" in each] == []
    assert told[:2] == ["STATUS=waiting for the database", "READY=1"]


def test_workers_do_not_outlive_their_parent(world: World) -> None:
    group, old = world.tracker.pid, workers(world.tracker)
    assert old
    os.kill(group, signal.SIGKILL)
    assert world.tracker.wait() == -signal.SIGKILL
    assert waits(lambda: not processes.group(group)) < 10  # libmilter looks every 5 s


# The database


def test_a_database_that_is_not_migrated_is_told_in_one_line(postgres: Postgres) -> None:
    with closing(Tracker(postgres.create_database("bare"))) as tracker:
        tracker.start(wait=False)
        assert tracker.wait() == 75
        [line] = tracker.log_text().splitlines()
        assert line.startswith("conversation-tracker: ")
        assert "migrate" in line
        assert not path(tracker).exists()
    postgres.drop_database("bare")


def test_no_mail_passes_while_the_database_is_down(postgres: Postgres, world: World) -> None:
    """Aliases and the store's own mail wait; what is none of our business passes."""
    order = world.order()
    alias = world.alias(BUYER, order, "buyer")
    own = mail(SHOP, f"X-Order-Id: {order}")
    with world.wire() as begun, ThreadPoolExecutor() as beside:
        begun.mail(CARRIER)
        assert begun.rcpt(alias).ok
        begun.header(b"From", CARRIER.encode())
        postgres.stop()
        try:
            to_alias = beside.submit(world.send, CARRIER, alias, mail())
            from_store = beside.submit(world.send, SHOP, BUYER, own, LOCAL)
            other = beside.submit(world.send, STRANGER, "x@elsewhere.example", mail(STRANGER))
            reply, actions = begun.eom()
            assert (reply.text, actions) == (str(replies.TRY_LATER), ())
            for result in (to_alias.result(), from_store.result()):
                assert (result.reply.text, result.actions) == (str(replies.TRY_LATER), ())
            assert to_alias.result().stage == "rcpt"
            assert (other.result().reply.kind, other.result().actions) == ("continue", ())
            waits(lambda: world.tracker.events("database-unreachable"))
        finally:
            postgres.start()
    assert waits(lambda: works(world)) < 15
    assert world.messages(order) == 0
    waits(lambda: world.tracker.events("database-back"))
    assert len(world.tracker.events("database-unreachable")) == 1


def test_a_start_without_the_database_waits_for_it(postgres: Postgres, uri: str) -> None:
    postgres.stop()
    try:
        with closing(Tracker(uri, options={"workers": "1"})) as tracker:
            tracker.start(wait=False)
            waits(lambda: tracker.events("database-unreachable"))
            time.sleep(1.2)
            assert tracker.events("ready") == []
            assert len(tracker.events("database-unreachable")) == 1
            postgres.start()
            waits(lambda: tracker.events("ready"))
            assert works(World(tracker, uri))
            tracker.kill()
    finally:
        postgres.start()


def test_a_lock_makes_a_message_wait_and_not_for_long(world: World, uri: str) -> None:
    order = world.order()
    alias = world.alias(BUYER, order, "buyer")
    with locked(uri, order):
        started = time.monotonic()
        result = world.send(CARRIER, alias, mail())
        assert time.monotonic() - started < 20
        [line] = world.tracker.events("order-locked")
        assert line["queue_id"] == QUEUE_ID
    assert (result.reply.text, result.actions) == (str(replies.TRY_LATER), ())
    assert world.messages(order) == 0
    assert works(world)


def test_a_database_that_stands_still_is_given_up(postgres: Postgres, world: World) -> None:
    """Its own timeouts do not run then; Postfix would wait for five minutes."""
    alias = world.alias(BUYER, world.order(), "buyer")
    with world.wire() as wire:
        wire.mail(CARRIER)
        wire.rcpt(alias)
        wire.header(b"From", CARRIER.encode())
        with postgres.frozen():
            started = time.monotonic()
            reply, actions = wire.eom()
            took = time.monotonic() - started
    assert (reply.text, actions) == (str(replies.TRY_LATER), ())
    assert took < 25
    assert waits(lambda: works(world)) < 15
