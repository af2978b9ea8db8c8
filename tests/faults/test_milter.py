"""The tracker killed at each point of a message, stopped and reloaded, while mail comes in."""

import os
import random
import signal
import time

import pytest

from private import processes

from .fault_injection import POINTS
from .site import Site


@pytest.mark.parametrize(("letter", "outward"), POINTS.values(), ids=POINTS)
def test_workers_killed_at_a_point(site: Site, letter: bytes, outward: bool) -> None:
    with site.load():
        for _ in range(2):
            trap = site.wire.set(letter, outward, site.kill_workers)
            assert trap.sprung.wait(20)
            site.flows(6)


def test_workers_killed_while_they_record(site: Site) -> None:
    """What they had sent to the database is recorded, and no mail leaves for it: it comes again."""
    with site.load():
        with site.locked():
            assert processes.until(lambda: site.waiting() >= 2, 10)
            site.kill_workers()
        site.flows(6)


def test_one_worker_killed_again_and_again(site: Site) -> None:
    chance = random.Random(5)
    died = len(site.host.tracker.events("worker-died"))
    with site.load():
        for _ in range(4):
            os.kill(chance.choice(site.workers()), signal.SIGKILL)
            site.flows(4)
    lines = site.host.tracker.events("worker-died")[died:]
    assert len(lines) == 4
    restarts = [line["restarts"] for line in lines]
    assert restarts == list(range(restarts[0], restarts[0] + 4))


def test_the_whole_tracker_killed(site: Site) -> None:
    with site.load():
        site.flows(4)
        site.host.tracker.kill()
        time.sleep(0.5)
        site.host.tracker.start()
        site.flows(6)


def test_the_tracker_stopped(site: Site) -> None:
    """It finishes what is in flight, and is gone within seconds."""
    with site.load():
        site.flows(4)
        started = time.monotonic()
        assert site.host.tracker.stop() == 0
        assert time.monotonic() - started < 12  # a worker has 15 for what is in flight
        site.host.tracker.start()
        site.flows(6)


def test_a_reload_refuses_nothing(site: Site) -> None:
    with site.load(rude=0.0):
        for number in range(3):
            before = len(site.host.tracker.events("config-reloaded"))
            site.host.tracker.reload()
            assert processes.until(
                lambda before=before: len(site.host.tracker.events("config-reloaded")) > before, 10
            ), number
            site.flows(10)
    assert processes.until(lambda: len(site.workers()) == 2, 10)
    assert site.ledger.outcomes().keys() == {"taken"}
