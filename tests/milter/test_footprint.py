"""What a worker takes: memory for many connections at once, and time to start with many stores."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from conversation_tracker.database.repository import Database
from private import processes
from private.postgres import Postgres
from private.tracker import Tracker
from world import World, seeded, workers

sys.path.append(str(Path(__file__).parents[1]))
from bench import mail, usage

CONNECTIONS = 50
STORES = 10_000
_STORES = (
    "INSERT INTO tracker.stores (name, alias_domain, sender_domains)"
    " SELECT 'shop' || n, 'ct.shop' || n || '.example', ARRAY['shop' || n || '.example']"
    " FROM generate_series(1, %s) AS n"
)


@pytest.fixture
def uri(postgres: Postgres, migrated: str) -> Iterator[str]:
    """Return a database of one's own, with stores in it."""
    yield seeded(postgres, migrated, "footprint")
    postgres.drop_database("footprint")


@pytest.fixture
def database(postgres: Postgres, migrated: str) -> Iterator[str]:
    """Return a database of one's own, without stores."""
    yield postgres.create_database("alike", template=migrated)
    postgres.drop_database("alike")


def read_resident(pid: int) -> float:
    """Return the memory that a process holds, what it shares with others too, in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def test_a_worker_with_fifty_connections_takes_45_mb(uri: str) -> None:
    """While all are still there, after 4 kB of text on each; after 40 kB of html not much more."""
    letters = mail.letters()
    with Tracker(uri, options={"workers": "1"}) as tracker, ExitStack() as connected:
        world = World(tracker, uri)
        orders = [world.order() for _ in range(10)]
        aliases = [world.alias("buyer@customers.example", each, "buyer") for each in orders]
        for order in orders:
            world.alias(mail.SENDER, order)
        wires = [connected.enter_context(world.wire()) for _ in range(CONNECTIONS)]

        def send(number: int, kind: str) -> None:
            wire, alias = wires[number], aliases[number % len(aliases)]
            mailbox = alias.partition("@")[0].encode()
            data = letters[kind].replace(mail.MAILBOX.encode(), mailbox)
            data = data.replace(mail.NUMBER.encode(), b"%010d" % number)
            result = wire.send(mail.SENDER, alias, data)
            assert result.reply.kind == "continue", result.reply
            assert mail.SENDER.encode() not in result.leaves.data

        [worker] = workers(tracker)
        for kind, most in (("text", 45), ("html", 48)):
            with ThreadPoolExecutor(CONNECTIONS) as threads:
                list(threads.map(send, range(CONNECTIONS), [kind] * CONNECTIONS))
            # What is free goes back to the system within a second or two.
            processes.until(lambda most=most: read_resident(worker) <= most, 10.0)
            taken = read_resident(worker)
            assert taken <= most, f"{kind}: {taken:.2f} MB"


def test_it_starts_within_two_seconds_with_ten_thousand_stores(uri: str) -> None:
    """Of the processors, all its processes together: on a busy machine it has to wait for them."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(_STORES, (STORES,))
        connection.execute("ANALYZE")
    with Tracker(uri, options={"workers": "2"}) as tracker:
        processes.until(lambda: len(tracker.events("alias-domains")) == 2, 30.0)
        told = tracker.events("alias-domains")
        assert [each["count"] for each in told] == [STORES + 2] * 2
        # Some 0.7 are usual; a third of that is for the stores.
        assert usage.seconds(tracker.pid) < 2.0


def test_what_ten_thousand_stores_have_in_common_is_kept_once(database: str) -> None:
    """Each of two workers has all of them: words that are the same in every row are one object."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(_STORES, (20,))
        connection.execute("UPDATE tracker.stores SET active = false WHERE name = 'shop7'")
    with closing(Database(database, size=1)) as opened:
        opened.open()
        read = opened.directory()
    assert read.inactive == {"shop7"}
    stores = list(read.senders.values())
    assert sorted(read.senders) == sorted(f"shop{n}.example" for n in range(1, 21))
    assert all(read.senders[domain].sender_domains == {domain} for domain in read.senders)
    for name in ("mask", "issuer_mask", "order_header", "unknown_senders", "unnamed_mail"):
        assert len({id(getattr(each, name)) for each in stores}) == 1
