"""Everything that can happen to a site, each for a short while, each healed at its end.

`KINDS` has it by the part that is hurt: what hurts different parts may happen at the same time.
"""

import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from private import processes

from .site import Site

Fault = Callable[[Site, random.Random], None]

POINTS = {
    "MAIL": (b"M", True),
    "RCPT": (b"R", True),
    "header": (b"L", True),
    "body": (b"B", True),
    "end of message": (b"E", True),
    "before the first edit": (b"Ee", False),
    "between two edits": (b"Em", False),
    "before the reply": (b"Ec", False),
}
"""Points of a message: what Postfix says, and what the tracker answers with its record written."""

_SOON = 3.0  # seconds within which a message comes by


def _while(hold: Callable[[Site], AbstractContextManager[object]], longest: float) -> Fault:
    def trouble(site: Site, chance: random.Random) -> None:
        with hold(site):
            time.sleep(chance.uniform(0.1, longest))

    return trouble


# The tracker


def worker_killed(site: Site, chance: random.Random) -> None:
    """One worker is killed."""
    for pid in site.workers()[:1]:
        site.signal(pid, signal.SIGKILL)


def worker_told_to_stop(site: Site, chance: random.Random) -> None:
    """One worker is told to stop by somebody else than its parent."""
    for pid in site.workers()[:1]:
        site.signal(pid, signal.SIGTERM)


def workers_killed_at_a_point(site: Site, chance: random.Random) -> None:
    """All workers are killed at some point of a message."""
    trap = site.wire.set(*chance.choice(list(POINTS.values())), site.kill_workers)
    if not trap.sprung.wait(_SOON):
        site.wire.withdraw(trap)


def tracker_killed(site: Site, chance: random.Random) -> None:
    """The tracker is killed, its parent process too."""
    site.host.tracker.kill()
    time.sleep(chance.uniform(0, 1))
    site.host.tracker.start()


def tracker_stopped(site: Site, chance: random.Random) -> None:
    """The tracker is stopped."""
    site.host.tracker.stop()
    time.sleep(chance.uniform(0, 1))
    site.host.tracker.start()


def tracker_reloaded(site: Site, chance: random.Random) -> None:
    """The tracker reads its configuration again."""
    site.host.tracker.reload()
    time.sleep(chance.uniform(0, 1))


# The publisher


def publisher_killed(site: Site, chance: random.Random) -> None:
    """The publisher is killed, several times."""
    for _ in range(chance.randint(1, 3)):
        site.publisher.end(signal.SIGKILL)
        site.publisher.start()
        time.sleep(chance.uniform(0, 2))


def publisher_stopped(site: Site, chance: random.Random) -> None:
    """The publisher is stopped."""
    site.publisher.end(signal.SIGTERM)
    time.sleep(chance.uniform(0, 2))
    site.publisher.start()


# The database


def database_stopped(site: Site, chance: random.Random) -> None:
    """The database is stopped, orderly or not."""
    site.postgres.stop(chance.choice(["fast", "immediate"]))
    time.sleep(chance.uniform(0, 3))
    site.postgres.start()


def database_killed(site: Site, chance: random.Random) -> None:
    """All processes of the database are killed."""
    site.postgres.kill()
    time.sleep(chance.uniform(0, 1))
    site.postgres.start()


def sessions_ended(site: Site, chance: random.Random) -> None:
    """The tracker's sessions are ended by an administrator, several times."""
    for _ in range(chance.randint(1, 6)):
        site.end_sessions()
        time.sleep(0.1)


def sessions_standing_still(site: Site, chance: random.Random) -> None:
    """Some of the database's processes do not run for a while."""
    others = [pid for pid in processes.family(site.postgres.pid) if pid != site.postgres.pid]
    stopped = chance.sample(others, min(4, len(others)))
    for pid in stopped:
        site.signal(pid, signal.SIGSTOP)
    time.sleep(chance.uniform(0.1, 2))
    for pid in stopped:
        site.signal(pid, signal.SIGCONT)


def workers_killed_while_they_record(site: Site, chance: random.Random) -> None:
    """The workers are killed while the database holds up what they record."""
    with site.locked():
        processes.until(lambda: site.waiting() >= 2, _SOON)
        site.kill_workers()


# The network to it


def network_cut(site: Site, chance: random.Random) -> None:
    """All connections to the database are reset, several times."""
    for _ in range(chance.randint(1, 6)):
        site.cable.cut()
        time.sleep(0.1)


def network_swallowing(site: Site, chance: random.Random) -> None:
    """What goes to the database or comes from it is held up; then it arrives, or is lost."""
    site.cable.hold(outward=chance.random() < 0.5)
    time.sleep(chance.uniform(0.1, chance.choice([2, 13])))
    if chance.random() < 0.5:
        site.cable.cut()
    site.cable.flow()


# Postfix


def postfix_stopped(site: Site, chance: random.Random) -> None:
    """Postfix is stopped and started again."""
    site.stop_postfix()


def postfix_killed(site: Site, chance: random.Random) -> None:
    """All processes of Postfix are killed."""
    site.cut_postfix()


def postfix_killed_when_recorded(site: Site, chance: random.Random) -> None:
    """Postfix is killed when a message's record is written and the message is not."""
    dead = threading.Event()

    def cut() -> None:
        site.ledger.cuts.append(time.time())
        site.host.postfix.kill()
        dead.set()

    trap = site.wire.set(b"Ec", False, cut)
    if dead.wait(_SOON) or not site.wire.withdraw(trap):
        dead.wait()
        site.host.postfix.start()


def later_milter_refusing(site: Site, chance: random.Random) -> None:
    """The milter behind the tracker defers everything."""
    site.signer.say(answers={"eom": ["451", "4.7.1", "not signed"]})
    time.sleep(chance.uniform(0.1, 1))
    site.signer.say()


KINDS: dict[str, list[tuple[str, Fault]]] = {
    "tracker": [
        ("a worker is killed", worker_killed),
        ("a worker is told to stop", worker_told_to_stop),
        ("the workers are killed at a point of a message", workers_killed_at_a_point),
        ("the tracker is killed", tracker_killed),
        ("the tracker is stopped", tracker_stopped),
        ("the tracker is reloaded", tracker_reloaded),
    ],
    "publisher": [
        ("the publisher is killed", publisher_killed),
        ("the publisher is stopped", publisher_stopped),
        (
            "the publisher stands still",
            _while(lambda site: site.publisher.standing_still(), 3),
        ),
    ],
    "database": [
        ("the database is stopped", database_stopped),
        ("the database is killed", database_killed),
        ("its sessions are ended", sessions_ended),
        ("its sessions stand still", sessions_standing_still),
        ("the database stands still", _while(lambda site: site.postgres.frozen(), 2)),
        ("its disk is full", _while(Site.full, 2)),
        ("it is read-only", _while(Site.read_only, 2)),
        ("it has no connection left", _while(Site.crowded, 2)),
        ("its orders are locked", _while(Site.locked, 6)),
        ("the workers are killed while they record", workers_killed_while_they_record),
    ],
    "network": [
        ("the network to the database is cut", network_cut),
        ("the network to the database swallows", network_swallowing),
    ],
    "postfix": [
        ("Postfix is stopped", postfix_stopped),
        ("Postfix is killed", postfix_killed),
        ("Postfix is killed when a record is written", postfix_killed_when_recorded),
        ("a later milter refuses", later_milter_refusing),
    ],
}
