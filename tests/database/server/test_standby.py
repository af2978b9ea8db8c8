"""What is read, as timelines are, may be read on a standby; what would write says it cannot."""

from contextlib import closing

import psycopg

from conversation_tracker.database.migrate import migrate
from private import processes
from private.postgres import Postgres
from private.replica import Replica
from private.tracker import Tracker
from world import BUYER, CARRIER, World, mail

STORE = "INSERT INTO tracker.stores (name, alias_domain) VALUES ('shop', 'ct.example.com')"


def test_a_timeline_is_read_on_a_standby() -> None:
    with Postgres(fsync=False) as primary:
        uri = primary.create_database("mail")
        migrate(uri)
        with psycopg.connect(uri) as connection:
            connection.execute(STORE)
        with (
            Replica(primary) as standby,
            Tracker(uri, options={"workers": "1"}) as tracker,
            closing(Tracker(standby.uri("mail"))) as reader,
        ):
            world = World(tracker, uri)
            order = world.order()
            assert world.send(CARRIER, world.alias(BUYER, order, "buyer"), mail()).reply.ok
            expected = tracker.run("timeline", "shop", order).stdout
            assert "partner" in expected
            assert processes.until(
                lambda: reader.run("timeline", "shop", order).stdout == expected, 20.0
            )
            done = reader.run("mask", "shop", order, "x@y.example")
            assert (done.returncode, done.stdout) == (75, "")
            assert "read-only" in done.stderr
