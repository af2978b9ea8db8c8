"""Shares of an order's hour: who may use how much of it, and which two must stop."""

import json
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aging
import psycopg
import pytest
from records import make_record

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Participant
from conversation_tracker.core.model.plan import Record, Refusal
from conversation_tracker.database.repository import Database
from conversation_tracker.support import timeline

if TYPE_CHECKING:
    from tests.database.conftest import Shop

STRANGE = "UPDATE tracker.participants SET introduced = false WHERE token = %s RETURNING 1"


class Order:
    """An order with its buyer John, the store, and partners Ann and Bob."""

    def __init__(self, shop: "Shop", database: Database) -> None:
        self.shop = shop
        self.database = database
        self.number = 0
        shop.set(issuer_mask="hard")
        self.john, self.store, self.ann, self.bob = (
            shop.mask(f"{name}@doe.example", "1", role).partition("@")[0]
            for name, role in (
                ("john", "buyer"), ("store", "store"), ("ann", "partner"), ("bob", "partner"),
            )
        )  # fmt: skip
        self.id = shop.order("1")["id"]

    def message(self, sender: str, *to: str, **changes: Any) -> Record:
        """Return what a message leaves behind that is like no other."""
        self.number += 1
        own = {"digest": b"%032d" % self.number, "queue_id": f"Q{self.number}"}
        return make_record(self.id, sender, to or (self.john,), **own | changes)

    def send(self, sender: str, *to: str, times: int = 1, **changes: Any) -> list[str]:
        """Record several messages, and give each one's outcome."""
        return [self.again(self.message(sender, *to, **changes)) for _ in range(times)]

    def again(self, record: Record) -> str:
        return self.database.record([record])[0]

    def stranger(self) -> str:
        """Let somebody join whom nobody has named but themselves."""
        token = self.shop.mask(f"{uuid.uuid4().hex}@doe.example").partition("@")[0]
        assert self.shop.rows(STRANGE, token) == [(1,)]
        return token

    def later(self, interval: str) -> None:
        """Let time pass since everything that was recorded."""
        where = "order_id = %(order)s"
        aging.move(self.shop.uri, f"at - interval '{interval}'", where, {"order": self.id})
        for table in ("repeats SET at = at", "refusals SET since = since"):
            query = f"UPDATE tracker.{table} - %s::interval WHERE order_id = %s RETURNING 1"
            self.shop.rows(query, interval, self.id)


@pytest.fixture
def order(shop: "Shop", opened: Database) -> Order:
    return Order(shop, opened)


def taken(outcomes: Sequence[str]) -> int:
    """Count what was taken before the first that was limited; all later ones are as well."""
    count = outcomes.index("limited") if "limited" in outcomes else len(outcomes)
    assert list(outcomes) == ["done"] * count + ["limited"] * (len(outcomes) - count)
    return count


@pytest.mark.parametrize(("limit", "half"), [(1, 1), (2, 1), (5, 3), (10, 5)])
def test_no_sender_uses_more_than_half_rounded_up(order: Order, limit: int, half: int) -> None:
    order.shop.set(hourly_limit=limit)
    assert taken(order.send(order.ann, times=half + 2)) == half
    assert taken(order.send(order.bob, times=half + 2)) == limit - half


def test_strangers_together_use_no_more_than_half(order: Order) -> None:
    order.shop.set(hourly_limit=7)
    strangers = [order.stranger() for _ in range(6)]
    outcomes = [order.send(each)[0] for each in strangers]
    assert taken(outcomes) == 4
    assert taken(order.send(order.ann, times=5)) == 3


def test_known_people_leave_strangers_nothing_that_is_not_there(order: Order) -> None:
    order.shop.set(hourly_limit=4)
    assert order.send(order.ann, times=2) == order.send(order.bob, times=2) == ["done"] * 2
    assert order.send(order.stranger()) == ["limited"]


def test_an_unknown_author_is_a_stranger(order: Order) -> None:
    """Whoever joins by this very message and is named by nobody known."""
    order.shop.set(hourly_limit=4)

    def write(*, introduced: bool) -> str:
        address = Address.parse(f"{uuid.uuid4().hex}@doe.example")
        who = Participant(
            uuid.uuid4().hex, "partner", address, recorded=False, introduced=introduced
        )
        return order.send(who.token, joined=(who,))[0]

    assert [write(introduced=False) for _ in range(3)] == ["done", "done", "limited"]
    assert write(introduced=True) == "done"


def test_the_stores_own_mail_has_the_whole_number_for_itself(order: Order) -> None:
    order.shop.set(hourly_limit=4)
    order.send(order.ann, times=3)
    order.send(order.bob, times=3)
    order.send(order.stranger(), times=3)
    assert taken(order.send(order.store, own=True, times=6)) == 4


def test_the_stores_own_mail_counts_against_nobody(order: Order) -> None:
    order.shop.set(hourly_limit=4)
    assert taken(order.send(order.store, own=True, times=6)) == 4
    assert order.send(order.ann, times=2) == order.send(order.bob, times=2) == ["done"] * 2


def test_who_only_claims_to_be_the_store_has_a_strangers_share(order: Order) -> None:
    order.shop.set(hourly_limit=4)
    claims = order.send(order.store, verdict="flagged", times=3)
    assert taken(claims) == 2
    assert order.send(order.stranger()) == ["limited"]
    assert order.send(order.store, times=2) == ["done"] * 2
    assert taken(order.send(order.store, own=True, times=6)) == 4


def test_what_was_refused_is_not_counted(order: Order) -> None:
    order.shop.set(hourly_limit=2)
    assert order.send(order.ann, times=50) == ["done"] + ["limited"] * 49
    assert order.send(order.bob) == ["done"]
    order.later("61 minutes")
    assert order.send(order.ann) == ["done"]


def test_repeats_are_counted_and_have_an_end(order: Order) -> None:
    order.shop.set(hourly_limit=10)
    first = order.message(order.ann)
    assert taken([order.again(first) for _ in range(7)]) == 5
    assert order.send(order.ann) == ["limited"]
    assert order.again(replace(first, first_pass=False)) == "done"
    assert taken(order.send(order.bob, times=7)) == 5


def test_repeats_of_old_messages_are_counted_when_they_come(order: Order) -> None:
    order.shop.set(hourly_limit=6)
    old = [order.message(order.ann) for _ in range(3)]
    assert taken([order.again(each) for each in old]) == 3
    order.later("3 hours")
    assert taken([order.again(each) for each in old + old]) == 3
    order.later("61 minutes")
    assert taken([order.again(each) for each in old + old]) == 3


def test_repeats_leave_nothing_behind_that_no_later_repeat_takes_away(order: Order) -> None:
    """Of whatever order: an order's own last repeats would else stay as long as it does."""
    message = order.message(order.ann)
    assert taken([order.again(message) for _ in range(12)]) == 12
    order.later("61 minutes")
    other = order.shop.mask("ann@doe.example", "2", "partner").partition("@")[0]
    number = order.shop.order("2")["id"]
    repeated = replace(order.message(other, other), order=number)
    old = "SELECT count(*) FROM tracker.repeats WHERE at < now() - interval '1 hour'"
    for _ in range(20):
        assert order.again(repeated) == "done"
    assert order.shop.one(old) == 0


def test_repeats_of_the_stores_own_mail_are_its_own(order: Order) -> None:
    order.shop.set(hourly_limit=4)
    own = order.message(order.store, own=True)
    assert taken([order.again(own) for _ in range(6)]) == 4
    assert order.send(order.ann, times=2) == ["done"] * 2


def test_another_order_has_an_hour_of_its_own(order: Order) -> None:
    order.shop.set(hourly_limit=2)
    other = order.shop.mask("ann@doe.example", "2", "partner").partition("@")[0]
    assert order.send(order.ann, times=2) == ["done", "limited"]
    number = order.shop.order("2")["id"]
    message = replace(order.message(other, other), order=number)
    assert order.again(message) == "done"


def talk(order: Order, one: str, other: str, times: int, gap: str = "5 seconds") -> list[str]:
    """Let two answer each other, the first one first."""
    outcomes = []
    for number in range(times):
        order.later(gap)
        sender, to = (one, other) if number % 2 == 0 else (other, one)
        outcomes += order.send(sender, to)
    return outcomes


def test_of_two_that_answer_each_other_the_twentieth_is_a_loop_for_an_hour(order: Order) -> None:
    assert talk(order, order.ann, order.bob, 20) == ["done"] * 19 + ["looping"]
    assert order.send(order.ann, order.bob) == order.send(order.bob, order.ann) == ["looping"]
    # A message for others too would be answered as well.
    assert order.send(order.ann, order.john, order.bob) == ["looping"]
    order.later("59 minutes")
    assert order.send(order.ann, order.bob) == ["looping"]
    order.later("1 minute")
    assert order.send(order.ann, order.bob) == ["done"]


def test_a_loop_stops_nobody_else(order: Order) -> None:
    talk(order, order.ann, order.bob, 19)
    assert order.send(order.ann, order.john) == order.send(order.bob, order.john) == ["done"]
    assert order.send(order.john, order.ann) == order.send(order.john, order.bob) == ["done"]
    assert order.send(order.store, order.ann, own=True) == ["done"]
    assert order.send(order.ann, order.bob) == ["looping"]


def test_the_stores_own_robot_may_be_one_of_the_two(order: Order) -> None:
    for number in range(19):
        order.later("3 seconds")
        if number % 2:
            assert order.send(order.store, order.ann, own=True) == ["done"]
        else:
            assert order.send(order.ann, order.store) == ["done"]
    assert order.send(order.store, order.ann, own=True) == ["looping"]


def test_one_pause_of_more_than_a_minute_is_no_loop(order: Order) -> None:
    assert talk(order, order.ann, order.bob, 10) == ["done"] * 10
    order.later("56 seconds")  # and 5 before the next one
    assert talk(order, order.ann, order.bob, 18) == ["done"] * 18
    assert talk(order, order.ann, order.bob, 2) == ["done", "looping"]


def test_most_of_a_minute_between_them_is_a_loop(order: Order) -> None:
    assert talk(order, order.ann, order.bob, 20, "50 seconds") == ["done"] * 19 + ["looping"]


def test_one_who_writes_twice_is_no_loop(order: Order) -> None:
    talk(order, order.ann, order.bob, 10)
    assert talk(order, order.bob, order.ann, 18)[-1] == "done"
    assert order.send(order.bob, order.ann) == ["done"]
    assert order.send(order.bob, order.ann) == ["looping"]


def test_who_writes_the_same_again_does_not_answer(order: Order) -> None:
    """A client that did not get our answer is no robot, and its retry is not refused for good."""
    last = order.message(order.ann, order.bob)
    assert talk(order, order.ann, order.bob, 18) == ["done"] * 18
    assert order.again(last) == order.again(last) == "done"
    assert order.send(order.bob, order.ann) == ["looping"]


def test_nobody_stops_two_others_by_writing_as_they(order: Order) -> None:
    for number in range(30):
        sender, to = (order.ann, order.bob) if number % 2 else (order.bob, order.ann)
        order.send(sender, to, verdict="flagged")
    assert order.send(order.ann, order.bob) == ["done"]


def refuse(order: Order, number: int, reply: str = "554 5.6.0 No") -> None:
    digest = b"%032d" % number
    order.database.refuse(Refusal(order.id, digest, order.ann, order.john, f"{number}", reply))


def refusals(order: Order) -> list[tuple[str, str, int]]:
    query = "SELECT subject, reply, times FROM tracker.refusals WHERE order_id = %s ORDER BY since"
    return order.shop.rows(query, order.id)


def test_four_hundred_refusals_are_twenty_rows_and_the_last_says_how_many(order: Order) -> None:
    for number in range(400):
        refuse(order, number, f"554 5.6.0 No {number}")
    rows = refusals(order)
    assert rows[:19] == [(f"{n}", f"554 5.6.0 No {n}", 1) for n in range(19)]
    assert rows[19:] == [("", "554 5.6.0 No 399 (one of 381 more refused)", 381)]
    query = "SELECT state, status, reason, sender_role FROM tracker.timeline"
    query += " WHERE store = %s ORDER BY at"
    shown = order.shop.rows(query, order.shop.name)
    assert len(shown) == 20
    said = "554 5.6.0 No 399 (one of 381 more refused)"
    assert shown[-1] == ("refused", "5.6.0", said, None)
    last = timeline.read_timeline(order.shop.connection, order.shop.name, "1")[-1]
    assert (last.state, last.role, last.recipients) == ("refused", "unknown", "")
    assert last.worst is not None
    assert last.worst.reason == said
    page = "".join(timeline.as_page(order.shop.connection, order.shop.name, "1"))
    assert page.count("Refused.") == 20
    assert f'<q class="said" dir="auto">{said}</q>' in page
    [row] = list(timeline.as_table([last], 200))[1:]
    assert "refused 5.6.0" in row
    printed = "".join(timeline.as_json(order.shop.connection, order.shop.name, "1"))
    *_others, written = json.loads(printed)
    assert (written["to"], written["state"]) == ([], "refused")
    assert written["recipients"][0]["reason"] == said


def test_a_refused_client_that_tries_again_takes_no_room(order: Order) -> None:
    for _ in range(30):
        refuse(order, 1, "451 4.7.1 Later")
    for number in range(2, 20):
        refuse(order, number)
    assert len(refusals(order)) == 19
    assert refusals(order)[0] == ("1", "451 4.7.1 Later", 30)


def test_an_hour_later_there_is_room_again(order: Order) -> None:
    for number in range(30):
        refuse(order, number)
    order.later("61 minutes")
    for number in range(30, 60):
        refuse(order, number)
    rows = refusals(order)
    assert len(rows) == 40
    assert [times for _, _, times in rows if times > 1] == [11, 11]


ENTRIES = """
    SELECT coalesce(sum(s.idx_tup_read), 0) FROM pg_stat_user_indexes AS s
      JOIN pg_inherits AS i ON i.inhrelid = s.indexrelid
     WHERE i.inhparent = %s::regclass
"""


def test_an_hour_is_counted_by_its_order_whatever_the_planner_knows(order: Order) -> None:
    """Where one order has all there is, the index of times looks as good, until others come."""
    order.send(order.ann, times=20)
    order.shop.connection.execute("VACUUM ANALYZE tracker.messages")
    indexes = ("tracker.messages_order", "tracker.messages_at")
    before = [order.shop.one(ENTRIES, name) for name in indexes]
    with psycopg.connect(order.shop.uri, autocommit=True) as fresh:
        used = fresh.execute("SELECT (u).others FROM tracker.used(%s, NULL, 1) AS u", (order.id,))
        assert used.fetchall() == [(20,)]
        times = fresh.execute("SELECT cardinality(tracker.times_of(%s))", (order.id,))
        assert times.fetchall() == [(20,)]
        fresh.execute("SELECT pg_stat_force_next_flush()")
    after = [order.shop.one(ENTRIES, name) for name in indexes]
    assert after[0] >= before[0] + 40
    assert after[1] < before[1] + 10  # the planner looks at its end


def test_refusals_at_once_are_no_more(order: Order) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: refuse(order, number), range(60)))
    assert sorted(times for _, _, times in refusals(order)) == [1] * 19 + [41]


def test_who_holds_the_order_delays_no_refusal(order: Order) -> None:
    """An integrator may call mask and stay in its transaction: the reply must not be another."""
    with psycopg.connect(order.shop.uri) as other:
        other.execute("SELECT FROM tracker.orders WHERE id = %s FOR NO KEY UPDATE", (order.id,))
        refuse(order, 1)
    assert len(refusals(order)) == 1
