"""tracker.waiting: whose buyer wrote last, and since when."""

import hashlib
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from records import make_record

from conversation_tracker.database.repository import Database
from conversation_tracker.database.schema.files import read_files

if TYPE_CHECKING:
    from tests.database.conftest import Shop

    from private.postgres import Postgres

WAITING = "SELECT order_number, since, subject FROM tracker.waiting WHERE store = %s ORDER BY since"
_numbers = itertools.count()
Say = Callable[..., Any]


@pytest.fixture
def say(shop: "Shop", opened: Database) -> Say:
    """Return a function that records a message from one role to another, and gives its time."""
    shop.mask("info@shop.example", role="store")
    shop.mask("desk@carrier.example", role="partner")
    shop.mask("john@doe.example")

    def say(who: str, to: str, subject: str = "", *, number: str = "1", **changes: Any) -> Any:
        order = shop.order(number)["id"]
        tokens = dict(
            shop.rows(
                "SELECT role, replace(token::text, '-', '') FROM tracker.participants"
                " WHERE order_id = %s",
                order,
            )
        )
        direction = "inbound" if who == "buyer" else "outbound" if to == "buyer" else "internal"
        digest = hashlib.sha256(str(next(_numbers)).encode()).digest()
        values = {"direction": direction, "subject": subject, "own": who == "store"}
        values |= {"digest": digest} | changes
        outcome, _ = opened.record([make_record(order, tokens[who], [tokens[to]], **values)])
        assert outcome == "done"
        return shop.one("SELECT max(at) FROM tracker.messages WHERE order_id = %s", order)

    return say


def waiting(shop: "Shop") -> list[tuple[Any, ...]]:
    """Return the store's rows."""
    return shop.rows(WAITING, shop.name)


def test_an_order_waits_from_the_first_unanswered_message_on(shop: "Shop", say: Say) -> None:
    say("store", "buyer", "Your order")
    assert waiting(shop) == []
    since = say("buyer", "store", "Where is it?")
    say("buyer", "partner", "Hello?")
    assert waiting(shop) == [("1", since, "Where is it?")]
    say("store", "partner", "Where is it?")
    say("partner", "store", "On its way")
    assert waiting(shop) == [("1", since, "Where is it?")]
    say("store", "buyer", "On its way")
    assert waiting(shop) == []
    since = say("buyer", "store", "Thanks")
    assert waiting(shop) == [("1", since, "Thanks")]
    say("partner", "buyer", "Delivered")
    assert waiting(shop) == []


@pytest.mark.parametrize(
    "changes",
    [{"automatic": True, "auto_reply": True}, {"automatic": True}, {"verdict": "flagged"}],
)
def test_what_no_person_wrote_neither_asks_nor_answers(
    shop: "Shop", say: Say, changes: dict[str, Any]
) -> None:
    """Nor what somebody wrote who only claims to be one of them."""
    say("buyer", "store", "I am away", **changes)
    assert waiting(shop) == []
    since = say("buyer", "store", "Where is it?")
    say("store", "buyer", "We got your mail", **changes, own=False)
    assert waiting(shop) == [("1", since, "Where is it?")]


def test_a_stranger_does_not_answer(shop: "Shop", say: Say) -> None:
    since = say("buyer", "store", "Where is it?")
    shop.connection.execute(
        "UPDATE tracker.participants SET introduced = false WHERE order_id = %s"
        " AND role = 'partner'",
        (shop.order()["id"],),
    )
    say("partner", "buyer", "Buy this")
    assert waiting(shop) == [("1", since, "Where is it?")]


def test_a_message_that_comes_again_changes_nothing(shop: "Shop", say: Say) -> None:
    """A client that never got our answer hands in the question once more, and it was answered."""
    say("buyer", "store", "Where is it?", digest=b"\2" * 32)
    say("store", "buyer", "Here")
    say("buyer", "store", "Where is it?", digest=b"\2" * 32)
    assert (
        shop.one(
            "SELECT sum(passes) FROM tracker.messages AS m WHERE order_id = %s", shop.order()["id"]
        )
        == 3
    )
    assert waiting(shop) == []


def test_closing_ends_it_and_what_comes_afterwards_begins_it_anew(shop: "Shop", say: Say) -> None:
    say("buyer", "store", "Where is it?")
    shop.one("SELECT tracker.close_order(%s, '1')", shop.name)
    assert waiting(shop) == []
    since = say("buyer", "store", "It never came")
    assert waiting(shop) == [("1", since, "It never came")]
    say("store", "buyer", "Sorry")
    assert waiting(shop) == []


def test_an_expired_order_does_not_wait_until_it_is_woken(shop: "Shop", say: Say) -> None:
    since = say("buyer", "store", "Where is it?")
    shop.expire()
    assert waiting(shop) == []
    shop.one("SELECT tracker.open_order(%s, '1', true)", shop.name)
    assert waiting(shop) == [("1", since, "Where is it?")]


def test_a_message_that_is_gone_leaves_the_order_waiting(shop: "Shop", say: Say) -> None:
    since = say("buyer", "store", "Where is it?")
    shop.connection.execute("DELETE FROM tracker.messages WHERE at = %s", (since,))
    assert waiting(shop) == [("1", since, None)]


def test_it_is_read_by_who_was_granted_the_store(
    shop: "Shop", say: Say, postgres: "Postgres"
) -> None:
    say("buyer", "store", "Where is it?")
    name = f"{shop.name}_reader"
    shop.connection.execute(f"CREATE ROLE {name} LOGIN IN ROLE tracker_reader".encode())
    uri = postgres.uri(shop.connection.info.dbname, name)
    with psycopg.connect(uri, autocommit=True) as reader:
        assert reader.execute("SELECT count(*) FROM tracker.waiting").fetchone() == (0,)
        shop.one("SELECT tracker.grant_store(%s, %s)", name, shop.name)
        assert reader.execute("SELECT store FROM tracker.waiting").fetchall() == [(shop.name,)]
    shop.connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}".encode())


def test_it_looks_at_those_that_wait_and_at_one_message_of_each(shop: "Shop", say: Say) -> None:
    """However many orders there are, and however many messages they have."""
    shop.rows(
        "SELECT count(*) FROM tracker.mask(%s, (SELECT jsonb_agg(jsonb_build_object("
        "'order_number', 'n' || n, 'address', n || '@doe.example'))"
        " FROM generate_series(1, 2000) AS n))",
        shop.name,
    )
    say("buyer", "store", "Where is it?")
    shop.connection.execute("ANALYZE tracker.orders")
    plan = "\n".join(
        line
        for (line,) in shop.rows(
            "EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off)"
            " SELECT * FROM tracker.waiting WHERE store = %s ORDER BY since LIMIT 50",
            shop.name,
        )
    )
    assert "orders_waiting" in plan
    assert "Seq Scan on orders" not in plan
    assert "never executed" in plan  # the other months


def test_an_upgrade_finds_out_who_waits(shop: "Shop", say: Say) -> None:
    """What record would have noted: of orders that are answered, closed or expired, nothing."""
    for number in ("answered", "waits", "closed", "again", "expired"):
        shop.mask("info@shop.example", number, "store")
        shop.mask("john@doe.example", number)
    expected = {}
    for number in ("answered", "waits", "closed", "again", "expired"):
        say("buyer", "store", "First", number=number)
        say("store", "buyer", "Answer", number=number)
        say("store", "buyer", "Automatic", number=number, automatic=True)
        if number != "answered":
            expected[number] = say("buyer", "store", "Second", number=number)
            say("buyer", "store", "Away", number=number, automatic=True)
            say("buyer", "store", "Third", number=number)
        if number in ("closed", "again"):
            shop.one("SELECT tracker.close_order(%s, %s)", shop.name, number)
        if number == "again":
            expected[number] = say("buyer", "store", "Fourth", number=number)
    shop.expire("expired")
    before = waiting(shop)
    assert {number: since for number, since, _ in before} == {
        number: since for number, since in expected.items() if number in ("waits", "again")
    }
    shop.connection.execute("UPDATE tracker.orders SET waiting_since = NULL")
    [text] = [file.text for file in read_files().migrations if file.name == "0022-waiting"]
    at = text.index("UPDATE tracker.orders")
    shop.connection.execute(text[at : text.index(";", at)].encode())
    assert waiting(shop) == before
