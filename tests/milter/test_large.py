"""Large messages: what a running tracker needs of memory for them, and that they arrive whole."""

import base64
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from private.postgres import Postgres
from private.tracker import Tracker
from world import CARRIER, SHOP, World, seeded, workers

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def world(postgres: Postgres, migrated: str) -> Iterator[World]:
    """Run a tracker with two workers of its own: what they need at most is measured."""
    uri = seeded(postgres, migrated, "large")
    with Tracker(uri, options={"workers": "2"}) as tracker:
        yield World(tracker, uri)
        assert tracker.events("worker-died") == []
        assert "Traceback" not in tracker.log_text()
    postgres.drop_database("large")


def resident(pids: list[int]) -> float:
    """Return the memory that processes hold now, in megabytes."""
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in pids]
    return sum(int(status.partition("VmRSS:")[2].split()[0]) for status in statuses) / 1024


def taken(pids: list[int]) -> float:
    """Return the memory that processes take together, in megabytes: what they share counts once."""
    told = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(each.partition("\nPss:")[2].split()[0]) for each in told) / 1024


def lines(octets: int, unit: bytes) -> bytes:
    """Repeat a line until it is so long."""
    return unit * (octets // len(unit))


def coded(data: bytes) -> bytes:
    """Write data in base64 as mail programs do."""
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def letter(kind: str, content: bytes, encoding: str = "8bit") -> bytes:
    """Write a mail of the carrier with one large part and one small."""
    head = (
        f"From: {CARRIER}\r\nTo: {SHOP}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
        f"I am {CARRIER}\r\n--b\r\nContent-Type: {kind}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n--b--\r\n"


def test_four_large_messages_at_once_need_bounded_memory(world: World) -> None:
    """25 MB each, an attachment that nothing is in: under 150 MB for all processes together."""
    data = letter("application/octet-stream", coded(os.urandom(18 * MEGABYTE)), "base64")
    aliases = [world.alias(SHOP, world.order()) for _ in range(4)]
    results = {}

    def send(alias: str) -> None:
        with world.wire() as wire:
            wire._packets._socket.settimeout(120)
            results[alias] = wire.send(CARRIER, alias, data)

    threads = [threading.Thread(target=send, args=(alias,)) for alias in aliases]
    for thread in threads:
        thread.start()
    pids, seen, together = [world.tracker.pid, *workers(world.tracker)], [], []
    while any(thread.is_alive() for thread in threads):
        seen.append(resident(pids))
        together.append(taken(pids))
        time.sleep(0.02)
    for result in results.values():
        assert result.reply.kind == "continue", result.reply
        assert data[data.index(b"Content-Type: application") :] in result.leaves.data
        assert f"I am {CARRIER}".encode() not in result.leaves.data
    assert len(seen) > 20
    assert max(seen) < 200, max(seen)
    assert max(together) < 150, max(together)  # some 95 are usual
    assert pids == [world.tracker.pid, *workers(world.tracker)]


@pytest.mark.parametrize(
    ("kind", "encoding"),
    [
        ("text/plain", "8bit"),
        ("text/plain", "base64"),
        ("text/html; charset=utf-8", "quoted-printable"),
        ("application/octet-stream", "base64"),
    ],
)
def test_a_large_text_arrives_masked_and_whole(world: World, kind: str, encoding: str) -> None:
    """Ten megabytes of a log, with addresses in it, however it is sent; the record holds it all."""
    order = world.order()
    text = lines(5 * MEGABYTE, b"2026-11-24 10:00:00 something happened to the order\r\n")
    text += f"{CARRIER} was told\r\n".encode() + text
    content = coded(text) if encoding == "base64" else text
    with world.wire() as wire:
        wire._packets._socket.settimeout(120)
        result = wire.send(CARRIER, world.alias(SHOP, order), letter(kind, content, encoding))
    assert result.reply.kind == "continue"
    part = result.leaves.data.split(b"\r\n--b")[2].partition(b"\r\n\r\n")[2]
    arrived = base64.b64decode(part) if encoding == "base64" else part
    alias = world.alias(CARRIER, order).encode()
    masked = text.replace(CARRIER.encode(), alias)
    assert arrived.rstrip() == masked.rstrip()
    size = "SELECT max(length(raw)) FROM tracker.messages"
    assert world.sql(size) > 10 * MEGABYTE
    assert world.sql("SELECT count(*) FROM tracker.pieces") == 0
