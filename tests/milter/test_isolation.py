"""What trusts no code in front: what ends a worker is tried alone, and only then refused.

The messages here do what a fault of ours would have them do: what Python runs at its start makes
`Filter.decide` loop, hold the interpreter, grow or crash, as their bodies say.
"""

import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest

from conversation_tracker.core.model import replies
from private import processes
from private.postgres import Postgres
from private.tracker import Tracker
from world import BUYER, CARRIER, LOCAL, SHOP, World, helpers, mail, seeded, workers

HOOK = """
import ctypes, os.path, re, time
from dataclasses import replace
from conversation_tracker.base import timeouts
from conversation_tracker.milter import clock; from conversation_tracker.serve import memory
from conversation_tracker.milter.filter import Filter
timeouts.use(replace(timeouts.get(), processor_seconds=2.0, silent_seconds=1.5))
clock.MOST = 200 << 20
decide, accept, look_ahead = Filter.decide, Filter.accept_recipient, Filter.look_ahead
held = []
def message(self, transaction, message):
    body = message.body[:]
    if b"loops" in body:
        while True: pass
    if b"backtracks" in body:
        re.match("(?:a|a)*b", "a" * 60)
    while b"grows" in body:
        held.append(bytearray(b"x") * (5 << 20))
        time.sleep(0.2)
    if b"hoards" in body:
        bytearray(b"x") * (20 << 30)
    if b"crashes" in body:
        open(__file__ + ".culprit", "w").close()
        patient = time.monotonic() + 5
        while b"beside" in body and time.monotonic() < patient:
            time.sleep(0.1)
        ctypes.string_at(0)
    if b"lingers" in body or b"sleeps" in body:
        with open(__file__ + ".begun", "a") as begun:
            begun.write("x")
    while b"sleeps" in body:
        time.sleep(0.1)
    while b"lingers" in body and not os.path.exists(GO):
        time.sleep(0.1)
    return decide(self, transaction, message)
def recipient(self, transaction, raw, **more):
    while b"loops" in raw: pass
    return accept(self, transaction, raw, **more)
def headers(self, transaction, message):
    while any(b"loops" in each.value for each in message.headers): pass
    return look_ahead(self, transaction, message)
Filter.accept_recipient, Filter.look_ahead = recipient, headers
GO = __file__ + ".go"
Filter.decide = message
"""
PATIENCE = 60.0


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what runs from now on do as messages say."""
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")


@pytest.fixture
def uri(postgres: Postgres, migrated: str) -> Iterator[str]:
    """Return a database of one's own, with stores in it."""
    yield seeded(postgres, migrated, "isolated")
    postgres.drop_database("isolated")


@contextmanager
def served(uri: str, count: int = 2) -> Iterator[World]:
    """Return a tracker of one's own."""
    with Tracker(uri, options={"workers": str(count)}) as tracker:
        world = World(tracker, uri)
        world.sql("UPDATE tracker.stores SET hourly_limit = 100000 WHERE name = 'shop'")
        yield world


def begun(home: Path) -> int:
    """Count the messages that linger or sleep."""
    file = home / "sitecustomize.py.begun"
    return len(file.read_text()) if file.exists() else 0


def tried(world: World, alias: str, data: bytes) -> str:
    """Send a message as a client does that tries again; give the reply, "" where it broke off."""
    try:
        with world.wire() as wire:
            wire._packets._socket.settimeout(PATIENCE)
            return wire.send(CARRIER, alias, data).reply.text or "accepted"
    except (OSError, EOFError):
        return ""


def until_final(world: World, alias: str, data: bytes, most: int = 8) -> list[str]:
    """Try until the answer is no temporary one; give all answers."""
    answers: list[str] = []
    while len(answers) < most:
        answers.append(tried(world, alias, data))
        if answers[-1] and not answers[-1].startswith("4"):
            break
        time.sleep(0.5)
    return answers


@pytest.mark.parametrize("deed", ["loops", "backtracks", "grows", "hoards", "crashes"])
def test_what_ends_a_worker_is_refused_once_it_ended_a_process_alone(
    uri: str, hook: None, deed: str
) -> None:
    """And what was in flight beside it passes at its next try; other mail goes on meanwhile."""
    with served(uri) as world, ThreadPoolExecutor(8) as threads:
        order, other = world.order(), world.order()
        alias, elsewhere = world.alias(SHOP, order), world.alias(SHOP, other)
        culprit = mail(CARRIER, "Message-ID: <1@x.example>", body=f"This {deed}\r\n")
        answers = threads.submit(until_final, world, alias, culprit)
        beside = 0
        while not answers.done():
            data = mail(CARRIER, f"Message-ID: <b{beside}@x.example>", body="Hello\r\n")
            assert until_final(world, elsewhere, data)[-1] == "accepted"
            beside += 1
            time.sleep(0.1)
        assert answers.result()[-1] == str(replies.CONDEMNED)
        assert len(answers.result()) <= 3
        assert world.messages(other) == beside
        assert world.messages(order) == 0
        refused = "SELECT reply FROM tracker.refusals AS r JOIN tracker.orders AS o"
        refused += " ON o.id = r.order_id WHERE o.number = %s"
        assert world.sql(refused, order) == str(replies.CONDEMNED)
        assert len(world.tracker.events("condemned")) == 1
        assert world.tracker.events("suspected")
        ended = {each["reason"] for each in world.tracker.events("worker-overdue")}
        wanted = {"loops": "overdue", "backtracks": "overdue", "grows": "outgrown"}
        assert ended == ({wanted[deed]} if deed in wanted else ended - {"overdue"})
        # Without another process: it is known.
        assert tried(world, alias, culprit) == str(replies.CONDEMNED)
        assert len(world.tracker.events("condemned")) == 1


def test_innocents_beside_it_are_suspected_and_pass(uri: str, hook: None, tmp_path: Path) -> None:
    with served(uri, 1) as world, ThreadPoolExecutor(8) as threads:
        order = world.order()
        alias = world.alias(SHOP, order)
        slow = [
            mail(CARRIER, f"Message-ID: <{n}@x.example>", body="This lingers\r\n") for n in range(4)
        ]
        # It ends the worker a while after it began. libmilter may give fewer threads than messages.
        crash = mail(CARRIER, "Message-ID: <9@x.example>", body="This crashes beside them\r\n")
        culprit = threads.submit(tried, world, alias, crash)
        assert processes.until((tmp_path / "sitecustomize.py.culprit").exists, PATIENCE)
        running = [threads.submit(tried, world, alias, each) for each in slow]
        assert culprit.result() == ""
        assert [each.result() for each in running] == [""] * 4
        beside = begun(tmp_path)
        assert beside > 0
        suspected = partial(world.tracker.events, "suspected")
        assert processes.until(lambda: len(suspected()) == beside + 1, PATIENCE)
        (tmp_path / "sitecustomize.py.go").touch()
        again = [threads.submit(until_final, world, alias, each) for each in slow]
        assert [each.result()[-1] for each in again] == ["accepted"] * 4
        assert world.messages(order) == 4
        assert world.tracker.events("condemned") == []
        count = "SELECT count(*) FROM tracker.suspects"
        assert processes.until(lambda: world.sql(count) == 1, PATIENCE)
        assert until_final(world, alias, crash)[-1] == str(replies.CONDEMNED)


def test_a_large_innocent_passes_whole(uri: str, hook: None, tmp_path: Path) -> None:
    """What is handed over and back is what a worker would have made of it."""
    with served(uri, 1) as world, ThreadPoolExecutor(1) as threads:
        alias = world.alias(SHOP, order := world.order())
        lines = f"{CARRIER} was told\r\n" * 100_000
        data = mail(CARRIER, "Message-ID: <1@x.example>", body=f"This lingers\r\n{lines}")
        running = threads.submit(tried, world, alias, data)
        assert processes.until(lambda: begun(tmp_path), PATIENCE)
        os.kill(workers(world.tracker)[0], 9)
        assert running.result() == ""
        assert processes.until(lambda: world.tracker.events("suspected"), PATIENCE)
        (tmp_path / "sitecustomize.py.go").touch()
        with world.wire() as wire:
            wire._packets._socket.settimeout(PATIENCE)
            result = wire.send(CARRIER, alias, data)
        assert result.reply.kind == "continue", result.reply
        masked = data.replace(CARRIER.encode(), world.alias(CARRIER, order).encode())
        assert result.leaves.data.endswith(masked.partition(b"\r\n\r\n")[2])
        assert world.messages(order) == 1


def test_what_hangs_at_a_recipient_ends_the_worker_too(uri: str, hook: None) -> None:
    """There is no message yet to suspect."""
    with served(uri, 1) as world:
        assert tried(world, "loops@ct.example.com", mail(CARRIER)) == ""
        assert tried(world, world.alias(SHOP, world.order()), mail(CARRIER)) == "accepted"
        assert len(world.tracker.events("worker-overdue")) == 1
        assert world.tracker.events("suspected") == []


def test_what_hangs_in_looking_ahead_is_not_looked_into_again(uri: str, hook: None) -> None:
    """The store's own mail is, while its body comes; its end is another look."""
    data = mail(SHOP, "Subject: This loops", f"X-Order-Id: {'A1'}")

    def sent(world: World) -> str:
        try:
            return world.send(SHOP, BUYER, data, LOCAL).reply.text or "accepted"
        except (OSError, EOFError):
            return ""

    with served(uri, 1) as world:
        assert sent(world) == ""
        assert processes.until(lambda: world.tracker.events("suspected"), PATIENCE)
        assert sent(world) == "accepted"
        assert len(world.tracker.events("worker-died")) == 1


def test_the_condemned_is_refused_on_every_host_and_after_a_restart(uri: str, hook: None) -> None:
    with served(uri, 1) as here, served(uri, 1) as there:
        order = here.order()
        alias = here.alias(SHOP, order)
        crash = mail(CARRIER, "Message-ID: <9@x.example>", body="This crashes\r\n")
        assert until_final(here, alias, crash)[-1] == str(replies.CONDEMNED)
        known = "SELECT count(*) FROM tracker.suspects WHERE condemned"
        assert processes.until(lambda: here.sql(known) == 1, PATIENCE)
        time.sleep(3)  # the other host looks at the directory every 0.3 s
        assert tried(there, alias, crash) == str(replies.CONDEMNED)
        assert there.tracker.events("worker-died") == []
        here.tracker.stop()
        here.tracker.start()
        assert tried(here, alias, crash) == str(replies.CONDEMNED)
        assert len(here.tracker.events("worker-died")) == 1


def test_a_suspect_of_one_host_is_tried_alone_on_another(uri: str, hook: None) -> None:
    with served(uri, 1) as here, served(uri, 1) as there:
        order = here.order()
        alias = here.alias(SHOP, order)
        crash = mail(CARRIER, "Message-ID: <9@x.example>", body="This crashes\r\n")
        assert tried(here, alias, crash) == ""
        known = "SELECT count(*) FROM tracker.suspects"
        assert processes.until(lambda: here.sql(known) == 1, PATIENCE)
        time.sleep(3)  # the other host looks at the directory every 0.3 s
        assert tried(there, alias, crash) == str(replies.CONDEMNED)
        assert there.tracker.events("worker-died") == []


def test_the_database_may_be_down_meanwhile(postgres: Postgres, uri: str, hook: None) -> None:
    """What was found out is known on this host at once, and written down later."""
    with served(uri, 1) as world:
        order = world.order()
        alias = world.alias(SHOP, order)
        crash = mail(CARRIER, "Message-ID: <9@x.example>", body="This crashes\r\n")
        with world.wire() as wire:
            wire.mail(CARRIER)
            assert wire.rcpt(alias).ok
            postgres.stop()
            try:
                wire.header(b"From", CARRIER.encode())
                wire.header(b"Message-ID", b"<9@x.example>")
                wire.body(b"This crashes\r\n")
                with pytest.raises((OSError, EOFError)):
                    wire.eom()
                assert processes.until(lambda: world.tracker.events("suspected"), PATIENCE)
                time.sleep(3)
            finally:
                postgres.start()
        known = "SELECT count(*) FROM tracker.suspects"
        assert processes.until(lambda: world.sql(known) == 1, PATIENCE)
        assert until_final(world, alias, crash)[-1] == str(replies.CONDEMNED)
        assert len(world.tracker.events("worker-died")) == 1


def test_a_process_that_somebody_kills_is_no_verdict(uri: str, hook: None, tmp_path: Path) -> None:
    with served(uri, 1) as world, ThreadPoolExecutor(2) as threads:
        [worker] = workers(world.tracker)
        alias = world.alias(SHOP, world.order())
        slow = mail(CARRIER, "Message-ID: <1@x.example>", body="This sleeps\r\n")
        first = threads.submit(tried, world, alias, slow)
        assert processes.until(lambda: begun(tmp_path) == 1, PATIENCE)
        os.kill(worker, 9)
        assert first.result() == ""
        count = "SELECT count(*) FROM tracker.suspects"
        assert processes.until(lambda: world.sql(count) == 1, PATIENCE)
        assert processes.until(lambda: helpers(world.tracker) == [], PATIENCE)
        second = threads.submit(tried, world, alias, slow)
        assert processes.until(lambda: begun(tmp_path) == 2, PATIENCE)
        os.kill(helpers(world.tracker)[0], 9)
        assert second.result() == str(replies.TRY_LATER)
        assert world.tracker.events("condemned") == []
        assert len(world.tracker.events("worker-died")) == 1


def test_locked_orders_do_not_stop_the_mail_of_others(uri: str) -> None:
    """An integrator is idle in a transaction after `mask`; forty messages wait for its orders."""
    with served(uri, 1) as world, ThreadPoolExecutor(40) as threads:
        numbers = [world.order() for _ in range(11)]
        aliases = [world.alias(SHOP, number) for number in numbers]
        free = world.alias(SHOP, world.order())
        with psycopg.connect(uri) as integrator:
            for number in numbers:
                query = "SELECT tracker.mask('shop', %s, 'erp@partner.example', 'partner')"
                integrator.execute(query, (number,))
            to = [aliases[0]] * 20 + aliases[1:] * 2
            waiting = [
                threads.submit(
                    tried, world, each, mail(CARRIER, f"Message-ID: <{number}@x.example>")
                )
                for number, each in enumerate(to)
            ]
            took: list[float] = []
            while not all(each.done() for each in waiting):
                started = time.monotonic()
                data = mail(CARRIER, f"Message-ID: <b{len(took)}@x.example>")
                assert tried(world, free, data) == "accepted"
                took.append(time.monotonic() - started)
            assert len(took) > 5
            assert statistics.median(took) < 1
            assert {each.result() for each in waiting} == {str(replies.TRY_LATER)}
            assert len(world.tracker.events("order-locked")) == len(waiting)
        assert tried(world, aliases[0], mail(CARRIER)) == "accepted"
