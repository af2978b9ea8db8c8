"""Messages of one order at once: which share it, which do not, and what comes beside them."""

import json
import random
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from busy_order import Order, newcomer

from conversation_tracker.core.model.conversation import MappedId
from conversation_tracker.core.model.plan import Record
from conversation_tracker.database.expiry_steps import EMPTY
from conversation_tracker.database.repository import Database, Rehearsal
from private import processes

if TYPE_CHECKING:
    from tests.database.conftest import Shop

WAITING = "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
WAITING += " WHERE NOT l.granted AND a.datname = current_database()"


@pytest.fixture
def order(shop: "Shop", opened: Database) -> Order:
    return Order(shop, opened)


def until_waiting(shop: "Shop") -> None:
    assert processes.until(lambda: shop.one(WAITING) == 1, 30.0), "nobody waits"


def until_waiting_for_a_row(shop: "Shop") -> None:
    query = f"{WAITING} AND l.locktype IN ('transactionid', 'tuple')"
    assert processes.until(lambda: shop.one(query) == 1, 30.0), "nobody waits"


def integrate(order: Order, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a query of somebody who waits for the order, in a session of their own."""
    with psycopg.connect(order.shop.uri, autocommit=True) as integrator:
        return integrator.execute(query.encode(), values).fetchall()


# What shares the order ----------------------------------------------------------------------------


def test_messages_of_one_order_do_not_wait_for_each_other(order: Order) -> None:
    with order.under_way(), order.under_way():
        assert order.beside() == "done"
        assert order.database.record([order.message()])[0] == "done"
        assert order.count() == 2
    assert order.count() == 4


def test_of_messages_with_the_same_identifiers_the_later_waits_in_their_sequence(
    order: Order,
) -> None:
    """Whatever sequence a message has them in: else two would wait for each other."""
    one, two = (MappedId(f"<{n}@ct>", f"<{n}@doe.example>", order.ann) for n in "12")
    with ThreadPoolExecutor(1) as threads:
        with order.under_way(identifiers=(one,)):
            job = threads.submit(order.beside, identifiers=(two, one))
            until_waiting(order.shop)
            assert order.beside(identifiers=(two,)) == "done"
        assert job.result() == "done"
    query = "SELECT count(*) FROM tracker.message_ids WHERE order_id = %s"
    assert order.shop.one(query, order.id) == 2


ALONE: dict[str, Callable[[Order], dict[str, Any]]] = {
    "who joins": lambda _order: {"joined": (newcomer(),)},
    "what a program wrote": lambda _order: {"automatic": True},
    "what a machine answers": lambda _order: {"automatic": True, "auto_reply": True},
    "what shows a soft alias first": lambda order: {"shown": (order.ann,)},
    "what the buyer asks": lambda order: {"sender": order.john, "direction": "inbound"},
}


@pytest.mark.parametrize("what", ALONE)
def test_some_have_the_order_for_themselves(order: Order, what: str) -> None:
    changes = ALONE[what](order)
    with order.under_way():
        assert order.beside(**changes) == "locked"
    with order.under_way(**changes):
        assert order.beside() == order.beside(**changes) == "locked"
    assert order.database.record([order.message(**changes)])[0] == "done"
    assert order.count() == 3


def test_who_asks_or_answers_once_more_changes_nothing_and_shares_it(order: Order) -> None:
    asks = {"sender": order.john, "direction": "inbound"}
    assert order.beside(**asks) == "done"
    with order.under_way(**asks):
        assert order.beside(**asks) == "done"
        assert order.beside(direction="outbound") == "locked"
    assert order.beside(direction="outbound") == "done"
    with order.under_way(direction="outbound"):
        assert order.beside(direction="outbound") == "done"
    order.shop.one("SELECT tracker.close_order(%s, '1')", order.shop.name)
    with order.under_way(direction="outbound"):
        assert order.beside(**asks) == "locked"
    assert order.beside(**asks) == "done"
    query = "SELECT count(*) FROM tracker.waiting WHERE store = %s"
    assert order.shop.one(query, order.shop.name) == 1


def test_what_turns_out_to_be_near_a_limit_begins_again(order: Order) -> None:
    """What is in flight is in no count; near the end of a share nothing may be."""
    order.shop.set(hourly_limit=60)  # a share is 30, the last 10 of which are near
    for _ in range(20):
        assert order.beside() == "done"
    with order.under_way(sender=order.bob, recipients=((order.ann, uuid.uuid4().hex),)):
        assert order.beside() == "alone"
    outcomes = [order.database.record([order.message()])[0] for _ in range(11)]
    assert outcomes == ["done"] * 10 + ["limited"]


def test_a_limit_is_passed_by_what_is_in_flight_at_most(order: Order) -> None:
    order.shop.set(hourly_limit=60)
    with ThreadPoolExecutor(8) as threads:
        records = [order.message() for _ in range(60)]
        outcomes = [each[0] for each in threads.map(lambda r: order.database.record([r]), records)]
    assert set(outcomes) == {"done", "limited"}
    assert outcomes.count("done") == order.count() == 30  # the last ten were counted one by one


# The same message twice ---------------------------------------------------------------------------


def test_of_the_same_message_at_once_the_second_has_the_order_for_itself(order: Order) -> None:
    same = {"digest": b"1" * 32}
    with order.under_way(**same):
        assert order.beside(**same) == "alone"
        assert order.beside() == "done"
    assert order.beside(**same) == "done"
    assert order.count() == 2


def test_whatever_comes_at_once_and_again_is_one_message(order: Order, shared: str) -> None:
    order.shop.set(hourly_limit=1_000_000)
    other = Database(shared, size=4)  # another worker
    other.open()
    try:
        with ThreadPoolExecutor(8) as threads:
            for number in range(100):
                record = order.message()
                tries = [replace(record, recipients=((order.bob, uuid.uuid4().hex),))] * 2
                databases = (order.database, other) * 2
                jobs = [
                    threads.submit(database.record, [each])
                    for database, each in zip(databases, tries * 2, strict=True)
                ]
                answers = {(o, b[order.bob]) for o, b in (each.result() for each in jobs)}
                assert len(answers) == 1
                assert answers.pop()[0] == "done"
                assert order.count() == number + 1
    finally:
        other.close()
    query = "SELECT passes, count(*) FROM tracker.messages WHERE order_id = %s GROUP BY passes"
    assert order.shop.rows(query, order.id) == [(4, 100)]


# What comes beside them ---------------------------------------------------------------------------


MANY = [{"order_number": number, "address": "new@doe.example"} for number in "012"]
INTEGRATING = {
    "close": "close_order(%s, '1')::text",
    "mask": "mask(%s, '1', 'new@doe.example', 'partner')",
    "mask many": f"mask(%s, '{json.dumps(MANY)}')",
    "wake": "open_order(%s, '1', true)",
}


@pytest.mark.parametrize("call", INTEGRATING)
def test_closing_masking_and_waking_wait_for_those_under_way_and_for_no_later_ones(
    order: Order, call: str
) -> None:
    """Else they would wait for as long as mail comes without a pause."""
    query = f"SELECT tracker.{INTEGRATING[call]}"
    if call == "wake":  # closed, and not yet over
        order.shop.set(close_grace=timedelta(hours=1))
        order.shop.one("SELECT tracker.close_order(%s, '1')", order.shop.name)
    with ThreadPoolExecutor(1) as threads:
        with order.under_way():
            job = threads.submit(integrate, order, query, order.shop.name)
            until_waiting(order.shop)
            assert order.beside() == "locked"
            assert not job.done()
        job.result()
    assert order.beside() == "done"


def test_a_message_that_waits_does_not_pass_who_waits_for_the_order_itself(order: Order) -> None:
    """Else those of several workers that wait to share the order would take turns for ever."""
    query = "SELECT tracker.mask(%s, '1', 'new@doe.example')"
    with ThreadPoolExecutor(2) as threads:
        with order.under_way():
            masking = threads.submit(integrate, order, query, order.shop.name)
            until_waiting(order.shop)
            later = threads.submit(order.database.record, [order.message()])
            # It lets the other one pass, and in the end stands behind it.
            assert processes.until(lambda: order.shop.one(WAITING) == 2, 30.0), "it passed"
            assert not masking.done()
            assert not later.done()
        masking.result()
        assert later.result()[0] == "done"
    with order.under_way():
        assert order.beside() == "done"


def test_who_waits_for_an_order_says_so_although_messages_ask_for_the_same_lock(
    order: Order,
) -> None:
    """Each has it for an instant; who comes just then must try again, or all others pass it."""
    asking = threading.Event()
    asks = f"""DO $$
        BEGIN
            FOR n IN 1..2000 LOOP
                PERFORM pg_advisory_lock(hashtextextended('tracker.orders', {order.id}));
                FOR m IN 1..200 LOOP END LOOP;
                PERFORM pg_advisory_unlock(hashtextextended('tracker.orders', {order.id}));
            END LOOP;
        END $$""".encode()
    said = """SELECT count(*) FROM pg_locks
        WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""

    def ask() -> None:
        with psycopg.connect(order.shop.uri, autocommit=True) as many:
            while not asking.is_set():
                many.execute(asks)

    hold = "SELECT tracker.hold_order(%s)"
    with ThreadPoolExecutor(2) as threads:
        messages = threads.submit(ask)
        try:
            for _ in range(10):
                with order.under_way():
                    held = threads.submit(integrate, order, hold, order.id)
                    until_waiting_for_a_row(order.shop)
                    assert order.shop.one(said) == 1
                held.result()
        finally:
            asking.set()
        messages.result()


def test_whoever_takes_the_lock_of_turns_makes_messages_take_turns_and_stops_none(
    order: Order,
) -> None:
    """Any role that connects may take such a lock, and keep it."""
    with psycopg.connect(order.shop.uri, autocommit=True) as anybody:
        for shared in ("", "_shared"):
            anybody.execute(
                f"SELECT pg_advisory_lock{shared}(hashtextextended('tracker.orders', %s))".encode(),
                (order.id,),
            )
            with order.under_way():
                assert order.beside() == "locked"
            assert order.database.record([order.message()])[0] == "done"
            assert order.shop.mask("new@doe.example")
            anybody.execute("SELECT pg_advisory_unlock_all()")


def test_expiry_passes_over_an_order_with_mail_under_way_and_mail_does_not_pass_expiry(
    order: Order,
) -> None:
    values = {"ids": [order.id], "now": "2100-01-01"}
    shown = MappedId("<1@ct>", "<1@doe.example>", order.ann)
    with psycopg.connect(order.shop.uri) as expiry:
        with order.under_way(identifiers=(shown,)):
            assert expiry.execute(EMPTY.lock, values).fetchall() == []
        expiry.commit()
        assert expiry.execute(EMPTY.lock, values).fetchall() == [(order.id,)]
        assert order.beside(identifiers=(shown,)) == "locked"
        expiry.execute(EMPTY.act, values)
    assert order.beside(identifiers=(shown,)) == "expired"
    assert {address for _role, address in order.shop.people()} == {None}
    query = "SELECT count(*) FROM tracker.message_ids WHERE order_id = %s"
    assert order.shop.one(query, order.id) == 0


def test_who_is_erased_beside_a_message_gets_no_later_one(order: Order) -> None:
    erase = "SELECT tracker.erase('bob@doe.example')"
    with ThreadPoolExecutor(1) as threads:
        with order.under_way():
            erasing = threads.submit(integrate, order, erase)
            until_waiting(order.shop)
            assert order.beside() == "locked"
        [(erased,)] = erasing.result()
        assert erased >= 1
    assert order.beside() == "stale"
    assert order.beside(recipients=((order.john, uuid.uuid4().hex),)) == "done"


def test_a_rehearsal_holds_what_it_may_want_more_strongly(order: Order) -> None:
    rehearsal = Rehearsal(order.shop.uri)
    rehearsal.open()
    try:
        assert rehearsal.record([order.message()])[0] == "done"
        assert order.beside() == "locked"
        assert rehearsal.record([order.message(joined=(newcomer(),))])[0] == "done"
    finally:
        rehearsal.close()
    # The server undoes it when it sees that the session is gone.
    assert processes.until(lambda: order.beside() == "done", 30.0)
    assert order.count() == 1


# No deadlock --------------------------------------------------------------------------------------


def test_messages_of_several_orders_in_any_sequence_never_wait_in_a_circle(
    shop: "Shop", shared: str
) -> None:
    """Beside messages of one order, and whoever masks, closes, asks and answers."""
    shop.set(hourly_limit=1_000_000, participant_limit=1_000_000)
    databases = [Database(shared, size=4) for _ in range(2)]
    for database in databases:
        database.open()
    orders = [Order(shop, databases[0], str(number)) for number in range(4)]
    identifiers = [
        [MappedId(f"<{n}@ct>", f"<{n}@doe.example>", each.ann) for n in range(6)] for each in orders
    ]

    def message(chance: random.Random, which: int) -> Record:
        order = orders[which]
        changes: dict[str, Any] = {
            "identifiers": tuple(chance.sample(identifiers[which], chance.randrange(4)))
        }
        what = chance.randrange(8)
        if what == 0:
            changes["joined"] = (newcomer(),)
        elif what == 1:
            changes |= {"sender": order.john, "direction": "inbound"}
        elif what == 2:
            changes["direction"] = "outbound"
        return order.message(**changes)

    def send(seed: int) -> list[str]:
        chance = random.Random(seed)
        outcomes = []
        for _ in range(60):
            which = chance.sample(range(4), chance.choice((1, 1, 2, 3, 4)))
            records = [message(chance, each) for each in which]
            outcomes.append(chance.choice(databases).record(records)[0])
        return outcomes

    def mask_and_close(seed: int) -> None:
        chance = random.Random(seed)
        with psycopg.connect(shop.uri, autocommit=True) as integrator:
            for number in range(60):
                which = (shop.name, str(chance.randrange(4)))
                address = f"{seed}.{number}@doe.example"
                integrator.execute("SELECT tracker.mask(%s, %s, %s)", (*which, address))
                integrator.execute("SELECT tracker.close_order(%s, %s)", which)

    try:
        with ThreadPoolExecutor(8) as threads:
            jobs = [threads.submit(send, seed) for seed in range(6)]
            others = [threads.submit(mask_and_close, seed) for seed in range(6, 8)]
            assert {each for job in jobs for each in job.result()} == {"done"}
            for job in others:
                job.result()
    finally:
        for database in databases:
            database.close()
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    shop.connection.execute("SELECT pg_stat_clear_snapshot()")
    assert shop.one(query) == 0
