"""PostgreSQL stopped, killed, slow, full, read-only, out of connections, or cut off, under load."""

import random
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from private import processes

from .site import Site


def test_stopped_and_started(site: Site) -> None:
    """Connections are ended, then refused; mail waits, and flows again without a restart."""
    with site.load():
        site.flows(4)
        site.postgres.stop()
        time.sleep(1)
        site.postgres.start()
        site.flows(6)


def test_killed(site: Site) -> None:
    with site.load():
        site.flows(4)
        site.postgres.kill()
        time.sleep(0.3)
        site.postgres.start()
        site.flows(6)


def test_what_was_answered_outlives_a_crash_in_the_same_moment(site: Site) -> None:
    """The reverse of a power cut's order: no mail is taken whose record is not yet safe."""
    with site.load(clients=6):
        for _ in range(3):
            before = site.ledger.outcomes()["taken"]
            assert processes.until(
                lambda before=before: site.ledger.outcomes()["taken"] > before, 20, 0.001
            )
            site.postgres.kill()
            site.postgres.start()
        site.flows(4)


def test_its_sessions_are_killed_again_and_again(site: Site) -> None:
    with site.load():
        for _ in range(8):
            site.end_sessions()
            time.sleep(0.1)
        site.flows(6)


def test_standing_still(site: Site) -> None:
    """Its own timeouts do not run then: the tracker's do, long before Postfix's."""
    with site.load():
        site.flows(4)
        with site.postgres.frozen():
            started = time.monotonic()
            before = site.ledger.outcomes()["refused"]
            assert processes.until(lambda: site.ledger.outcomes()["refused"] > before, 40)
            assert time.monotonic() - started < 25  # Postfix waits for 30
        site.flows(6)


def test_some_of_its_processes_standing_still(site: Site) -> None:
    """What those were asked is answered by 451, or late; the others go on."""
    chance = random.Random(3)
    with site.load():
        site.flows(4)
        backends = processes.family(site.postgres.pid)
        stopped = chance.sample([pid for pid in backends if pid != site.postgres.pid], 4)
        for pid in stopped:
            site.signal(pid, signal.SIGSTOP)
        try:
            time.sleep(1.5)
        finally:
            for pid in stopped:
                site.signal(pid, signal.SIGCONT)
        site.flows(6)


@pytest.mark.parametrize("name", ["full", "read_only", "crowded"])
def test_refusing_to_write_or_to_be_connected_to(site: Site, name: str) -> None:
    """A full disk, a standby's or an administrator's read-only, no connection left: 451."""
    fault: Callable[[], AbstractContextManager[None]] = getattr(site, name)
    with site.load():
        site.flows(4)
        with fault():
            before = site.ledger.outcomes()["refused"]
            assert processes.until(lambda: site.ledger.outcomes()["refused"] > before, 40)
        site.flows(6)


def test_locked_for_longer_than_a_statement_may_wait(site: Site) -> None:
    with site.load():
        site.flows(4)
        with site.locked():
            before = site.ledger.outcomes()["refused"]
            assert processes.until(lambda: site.ledger.outcomes()["refused"] > before, 40)
        site.flows(6)


def test_the_network_swallows_everything(site: Site) -> None:
    """No reset, no answer. What was swallowed arrives later, as by TCP: a record without mail."""
    with site.load():
        site.flows(4)
        site.cable.hold()
        try:
            before = site.ledger.outcomes()["refused"]
            started = time.monotonic()
            assert processes.until(lambda: site.ledger.outcomes()["refused"] > before, 40)
            assert time.monotonic() - started < 25  # Postfix waits for 30
        finally:
            site.cable.flow()
        site.flows(6)


def test_the_network_swallows_answers_only(site: Site) -> None:
    """What was recorded is not known to be: 451, and recorded no second time."""
    with site.load():
        site.flows(4)
        site.cable.hold(outward=False)
        try:
            time.sleep(1)
        finally:
            site.cable.cut()
            site.cable.flow()
        site.flows(6)


def test_the_network_is_cut_again_and_again(site: Site) -> None:
    with site.load():
        for _ in range(8):
            site.cable.cut()
            time.sleep(0.1)
        site.flows(6)
