"""Events: each is queued with what happened, once, and a store's are read by position."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from publisher import publish
from records import make_record

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Participant
from conversation_tracker.core.model.plan import Refusal
from conversation_tracker.core.reports.bounce import Mark
from conversation_tracker.database.repository import Database
from conversation_tracker.maintenance import expire

if TYPE_CHECKING:
    from tests.database.conftest import Shop

REPLY = "550 5.7.1 Sender refused"


@dataclass
class Order:
    """An order of a shop with John, its buyer, and Ann, a partner; what follows is new."""

    shop: "Shop"
    database: Database
    number: str = "1"

    def __post_init__(self) -> None:
        """Open it."""
        self.john = self.shop.mask("john@doe.example", self.number)
        self.ann = self.shop.mask("ann@parts.example", self.number, "partner")
        self.id = self.shop.order(self.number)["id"]
        self.after = 0
        self.events()

    def events(self) -> list[tuple[str, str | None, dict[str, Any]]]:
        """Publish all, and return what is new of the order: event, alias, detail."""
        publish(self.shop.uri)
        rows = self.shop.rows(
            "SELECT position, event, order_number, alias, detail FROM tracker.events(%s, %s, 1000)",
            self.shop.name, self.after,
        )  # fmt: skip
        self.after = rows[-1][0] if rows else self.after
        return [tuple(row[i] for i in (1, 3, 4)) for row in rows if row[2] == self.number]  # type: ignore[misc]

    def record(self, digest: bytes = b"1", **changes: Any) -> dict[str, str]:
        """Record a message from Ann to John; return the bounce tokens."""
        record = make_record(
            self.id, token(self.ann), (token(self.john),),
            **{"digest": digest.ljust(32), "verdict": "verified", **changes},
        )  # fmt: skip
        outcome, bounces = self.database.record([record])
        assert outcome == "done"
        return bounces

    def refuse(self, digest: bytes, author: str | None = None) -> None:
        """Have a message to John refused."""
        self.database.refuse(
            Refusal(self.id, digest.ljust(32), author, token(self.john), "Hello", REPLY)
        )

    def last_message(self) -> int:
        """Return the id of the newest message."""
        return int(
            self.shop.one("SELECT max(id) FROM tracker.messages WHERE order_id = %s", self.id)
        )


def token(alias: str) -> str:
    """Return the token of a hard alias."""
    return alias.partition("@")[0]


def guest(address: str, role: Any = "partner", **more: Any) -> Participant:
    """Return somebody who joins."""
    return Participant(
        uuid.uuid4().hex, role, Address.parse(address), False, False, handed_out=False, **more
    )


@pytest.fixture
def order(shop: "Shop", opened: Database) -> Order:
    return Order(shop, opened)


def test_an_order_that_opens_and_people_who_are_masked_into_it(
    shop: "Shop", opened: Database
) -> None:
    publish(shop.uri)
    john, ann = shop.mask("john@doe.example"), shop.mask("ann@parts.example", role="partner")
    again = shop.mask("JOHN@doe.example")
    assert again == john
    publish(shop.uri)
    rows = shop.rows(
        "SELECT event, order_number, alias, detail, at <= now() FROM tracker.events(%s, 0, 9)",
        shop.name,
    )
    assert rows == [
        ("opened", "1", None, {}, True),
        ("joined", "1", john, {"role": "buyer", "introduced": True}, True),
        ("joined", "1", ann, {"role": "partner", "introduced": True}, True),
    ]


def test_a_message_is_told_once_however_often_it_comes(order: Order) -> None:
    order.record(direction="outbound", automatic=True)
    told = {
        "message_id": order.last_message(),
        "direction": "outbound",
        "automatic": True,
        "verdict": "verified",
        "to": [order.john],
    }
    assert order.events() == [("recorded", order.ann, told)]
    order.record()
    order.record(first_pass=False)
    assert order.events() == []


def test_who_joins_with_a_message_is_told_before_it_and_who_is_left_out_after_it(
    order: Order,
) -> None:
    eve, back = guest("eve@x.example"), guest("back@x.example", "return")
    order.record(joined=(eve, back), sender=eve.token, notes=("1 a/b picture", "left out: 3"))
    message = order.last_message()
    alias = f"{eve.token}@{order.shop.alias_domain}"
    events = order.events()
    assert [(event, alias) for event, alias, _ in events] == [
        ("joined", alias),
        ("recorded", alias),
        ("left out", alias),
    ]
    assert events[0][2] == {"role": "partner", "introduced": False}
    assert events[2][2] == {"message_id": message, "people": 3}
    # Introduced by mask: she took part before. Whose return path it was joins only now.
    order.shop.mask("eve@x.example", role="partner")
    assert order.events() == []
    masked = order.shop.mask("back@x.example", role="partner")
    assert order.events() == [("joined", masked, {"role": "partner", "introduced": True})]


def test_whose_return_path_it_was_joins_by_writing(order: Order) -> None:
    back = guest("back@x.example", "return")
    order.record(joined=(back,))
    assert [event for event, _, _ in order.events()] == ["recorded"]
    order.record(b"2", joined=(Participant(back.token, "partner", back.address, False, False),))
    assert [event for event, _, _ in order.events()] == ["joined", "recorded"]


def test_what_became_of_a_delivery(order: Order) -> None:
    [bounce] = order.record().values()
    message = order.last_message()
    order.events()
    delayed, sent, bounced = ("delayed", "4.4.1"), ("sent", "2.0.0"), ("bounced", "5.1.1")
    for state, status in (delayed, delayed, sent, delayed, bounced, sent):
        order.database.mark(bounce, Mark(state, status, "words of others"))  # type: ignore[arg-type]
    assert order.events() == [
        (state, order.john, {"message_id": message, "status": status})
        for state, status in (delayed, sent, bounced)
    ]


def test_refusals_are_told_up_to_nineteen_an_hour_and_that_there_are_more(order: Order) -> None:
    for number in range(30):
        order.refuse(b"%d" % number, token(order.ann))
        order.refuse(b"%d" % number)
    events = order.events()
    told = ("refused", order.ann, {"reply": REPLY, "to": order.john})
    assert events == [told] * 19 + [("refused", None, {"reply": REPLY, "more": True})]
    order.shop.rows(
        "UPDATE tracker.refusals SET since = since - interval '1 hour' WHERE order_id = %s"
        " RETURNING 1", order.id,
    )  # fmt: skip
    order.refuse(b"next hour")
    assert order.events() == [("refused", None, {"reply": REPLY, "to": order.john})]


def test_closing_is_told_once_and_expiry_and_waking(
    shop: "Shop", opened: Database, tmp_path: Path
) -> None:
    order = Order(shop, opened)
    shop.rows("SELECT tracker.close_order(%s, '1')", shop.name)
    shop.rows("SELECT tracker.close_order(%s, '1')", shop.name)
    [(event, alias, detail)] = order.events()
    assert (event, alias) == ("closed", None)
    assert datetime.fromisoformat(detail["expires_at"]) == shop.order()["expires_at"]
    # Within its lifetime a closed order is only kept open for longer.
    shop.rows("UPDATE tracker.orders SET expires_at = now() + interval '1 minute' WHERE id = %s"
              " RETURNING 1", order.id)  # fmt: skip
    opened.open_order(shop.name, "1")
    assert order.events() == []
    shop.expire()
    run_expiry(shop.uri, tmp_path)
    run_expiry(shop.uri, tmp_path)
    assert order.events() == [("expired", None, {})]
    for _ in range(2):
        opened.open_order(shop.name, "1")
    assert order.events() == [("opened", None, {"again": True})]


def test_unmasking_is_told_with_its_number_in_the_trace(order: Order) -> None:
    assert order.shop.unmask(order.john) == "john@doe.example"
    number = order.shop.one("SELECT max(id) FROM tracker.unmaskings")
    assert order.events() == [("unmasked", order.john, {"unmasking": number})]
    with pytest.raises(psycopg.errors.NoDataFound):
        order.shop.unmask(order.john.replace("0", "1").replace("a", "b"))
    assert order.events() == []


def test_an_unmasking_has_its_place_where_its_transaction_ends(order: Order) -> None:
    with psycopg.connect(order.shop.uri) as other:
        other.execute("SELECT tracker.unmask(%s, 'asked to')", (order.john,))
        order.record()
        other.commit()
    assert [event for event, _, _ in order.events()] == ["recorded", "unmasked"]


def test_of_one_order_events_are_in_the_order_of_their_commits(order: Order) -> None:
    """Who calls mask holds the order until the end of their transaction; mail waits for it."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads, psycopg.connect(order.shop.uri) as other:
        other.execute("SELECT tracker.mask(%s, '1', 'late@x.example')", (order.shop.name,))
        waiting = threads.submit(order.record)
        with psycopg.connect(order.shop.uri, autocommit=True) as third:
            third.execute("SELECT tracker.close_order(%s, '2')", (other_order(order),))
        publish(order.shop.uri)
        other.commit()
        waiting.result()
    assert [event for event, _, _ in order.events()] == ["joined", "recorded"]


def other_order(order: Order) -> str:
    """Return the store's name, with a second order in it."""
    order.shop.mask("x@x.example", "2")
    return order.shop.name


def run_expiry(uri: str, home: Path, now: datetime | None = None, *, dry_run: bool = False) -> str:
    """Run expiry; return what it prints."""
    import io

    from conversation_tracker.config.config import load

    path = home / "expire.conf"
    path.write_text(f"[tracker]\ndatabase = {uri}\nsocket = unix:{home}/x.sock\n")
    out, err = io.StringIO(), io.StringIO()
    assert expire.run(load(path, {}), dry_run=dry_run, out=out, err=err, now=now) == 0
    return out.getvalue()


# Reading ---------------------------------------------------------------------------------------


def read(shop: "Shop", after: int | None, most: int | None, store: str | None = None) -> list[int]:
    """Return the positions of a page."""
    query = "SELECT position FROM tracker.events(%s, %s, %s)"
    return [row[0] for row in shop.rows(query, store or shop.name, after, most)]


def test_pages_follow_each_other(order: Order) -> None:
    for number in range(25):
        order.record(b"%d" % number)
    publish(order.shop.uri)
    after, found = 0, list[int]()
    while page := read(order.shop, after, 10):
        assert len(page) <= 10
        found += page
        after = page[-1]
    assert found == sorted(set(found))
    assert len(found) == 25 + 3
    assert read(order.shop, found[-1], 10) == []


@pytest.mark.parametrize(
    ("after", "most", "said"),
    [
        (None, 10, "after must be 0 or the position of an event"),
        (-1, 10, "after must be 0 or the position of an event"),
        (10**18, 10, "there is no position 1000000000000000000 yet"),
        (0, None, "most must be 1 to 1000"),
        (0, 0, "most must be 1 to 1000"),
        (0, -5, "most must be 1 to 1000"),
        (0, 1001, "most must be 1 to 1000"),
        (0, 2**31 - 1, "most must be 1 to 1000"),
    ],
)
def test_a_wrong_cursor_or_page_is_refused(
    order: Order, after: int | None, most: int | None, said: str
) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match=said):
        read(order.shop, after, most)


def test_an_unknown_store_is_refused(shop: "Shop") -> None:
    for name in ("nobody", ""):
        with pytest.raises(psycopg.errors.NoDataFound, match="no such store"):
            shop.rows("SELECT * FROM tracker.events(%s, 0, 1)", name)
    with pytest.raises(psycopg.errors.NoDataFound, match="no such store: NULL"):
        shop.rows("SELECT * FROM tracker.events(NULL, 0, 1)")


def test_a_store_that_is_renamed_keeps_its_events(order: Order) -> None:
    order.record()
    publish(order.shop.uri)
    before = read(order.shop, 0, 100)
    order.shop.rows("UPDATE tracker.stores SET name = %s WHERE name = %s RETURNING 1",
                    f"{order.shop.name} new", order.shop.name)  # fmt: skip
    order.shop.name += " new"
    order.record(b"2")
    publish(order.shop.uri)
    assert read(order.shop, 0, 100)[:-1] == before


def test_a_page_is_read_without_the_events_of_others(shop: "Shop", opened: Database) -> None:
    order = Order(shop, opened)
    order.events()
    with shop.connection.transaction():
        shop.connection.execute(
            "INSERT INTO tracker.stores (name, alias_domain) VALUES ('many', 'many.example.com')"
        )
        shop.connection.execute(
            "INSERT INTO tracker.feed (position, at, published_at, store, order_id, order_number,"
            " event) SELECT 1000000 + n, now(), now(), 'many', 1, '1', 'closed'"
            " FROM generate_series(1, 20000) AS n"
        )
        shop.connection.execute("UPDATE tracker.feed_head SET position = 2000000")
    order.after = 2_000_000
    order.record()
    assert [event for event, _, _ in order.events()] == ["recorded"]
    looked = (
        "SELECT sum(pg_stat_get_xact_tuples_returned(c.oid)"
        " + pg_stat_get_xact_tuples_fetched(c.oid))"
        " FROM pg_class AS c WHERE c.relnamespace = 'tracker'::regnamespace"
        " AND c.relname LIKE 'feed_2%%'"
    )
    with shop.connection.transaction():
        assert len(read(shop, 0, 1000)) == 4
        assert shop.one(looked) <= 200
    with shop.connection.transaction():
        assert len(read(shop, 1_000_500, 10)) == 1
        assert shop.one(looked) <= 200


# What is kept ----------------------------------------------------------------------------------


@pytest.fixture
def kept(database: str, tmp_path: Path) -> Iterator["Kept"]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield Kept(database, connection, tmp_path)


@dataclass
class Kept:
    """A database of one's own, and expiry at any time."""

    uri: str
    connection: psycopg.Connection
    home: Path

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a query."""
        cursor = self.connection.execute(query.encode(), values)
        return cursor.fetchall() if cursor.description else []

    def months(self) -> list[str]:
        """Return the months of the feed."""
        rows = self.sql("SELECT to_char(month, 'YYYY-MM') FROM tracker.feed_months(now())")
        return [row[0] for row in rows]


def month_after(now: datetime, months: int) -> str:
    """Return a month as YYYY-MM."""
    year, month = divmod(now.year * 12 + now.month - 1 + months, 12)
    return f"{year}-{month + 1:02}"


def test_months_of_the_feed_are_made_ahead_and_dropped_a_month_after_their_end(kept: Kept) -> None:
    now = datetime.now(UTC)
    assert kept.months() == [month_after(now, n) for n in range(5)]
    kept.sql("INSERT INTO tracker.stores (name, alias_domain) VALUES ('a', 'a.example.com'),"
             " ('b', 'b.example.com')")  # fmt: skip
    kept.sql("SELECT tracker.mask('a', '1', 'john@doe.example')")
    publish(kept.uri)
    first = datetime(now.year, now.month, 1, tzinfo=UTC)
    second = (first + timedelta(days=32)).replace(day=1)
    third = (second + timedelta(days=32)).replace(day=1)
    run_expiry(kept.uri, kept.home, third - timedelta(seconds=1))
    assert [row[0] for row in kept.sql("SELECT position FROM tracker.events('a', 0, 9)")] == [1, 2]
    said = run_expiry(kept.uri, kept.home, third, dry_run=True)
    assert f"drop the feed's months {month_after(now, 0)}" in said
    said = run_expiry(kept.uri, kept.home, third)
    assert f"dropped the feed's months {month_after(now, 0)}" in said
    assert kept.months() == [month_after(now, n) for n in range(1, 7)]
    # Of a store that had no event in it nothing is missing.
    assert kept.sql("SELECT position FROM tracker.events('b', 1, 9)") == []
    assert kept.sql("SELECT position FROM tracker.events('a', 2, 9)") == []
    assert kept.sql("SELECT position FROM tracker.events('a', 0, 9)") == []
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no longer kept") as raised:
        kept.sql("SELECT position FROM tracker.events('a', 1, 9)")
    assert "begins after 2" in str(raised.value.diag.message_hint)


def test_what_no_month_took_is_kept_for_a_month_too(kept: Kept) -> None:
    now = datetime.now(UTC)
    kept.sql("INSERT INTO tracker.stores (name, alias_domain) VALUES ('a', 'a.example.com')")
    [(table,)] = kept.sql("SELECT 'tracker.feed_' || to_char(now(), 'YYYY_MM')")
    kept.sql(f"DROP TABLE {table}")
    kept.sql("SELECT tracker.mask('a', '1', 'john@doe.example')")
    publish(kept.uri)
    assert kept.sql("SELECT count(*) FROM tracker.feed_default") == [(2,)]
    run_expiry(kept.uri, kept.home, now + timedelta(days=20))
    assert month_after(now, 0) not in kept.months()
    assert len(kept.sql("SELECT position FROM tracker.events('a', 0, 9)")) == 2
    run_expiry(kept.uri, kept.home, now + timedelta(days=40))
    assert kept.sql("SELECT position FROM tracker.events('a', 0, 9)") == []
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="no longer kept"):
        kept.sql("SELECT position FROM tracker.events('a', 1, 9)")


def test_events_that_nobody_published_for_a_month_go_with_a_word(kept: Kept) -> None:
    kept.sql("INSERT INTO tracker.stores (name, alias_domain) VALUES ('a', 'a.example.com')")
    kept.sql("SELECT tracker.mask('a', '1', 'john@doe.example')")
    now = datetime.now(UTC)
    later = now + timedelta(days=32)
    assert "unpublished" not in run_expiry(kept.uri, kept.home, now)
    assert ", delete 2 events that nobody published" in run_expiry(
        kept.uri, kept.home, later, dry_run=True
    )
    assert ", deleted 2 events that nobody published" in run_expiry(kept.uri, kept.home, later)
    assert kept.sql("SELECT id FROM tracker.event_queue") == []


def test_of_an_order_that_is_gone_nothing_more_is_published(kept: Kept) -> None:
    kept.sql("INSERT INTO tracker.stores (name, alias_domain) VALUES ('a', 'a.example.com')")
    kept.sql("SELECT tracker.mask('a', '1', 'john@doe.example')")
    publish(kept.uri)
    kept.sql("SELECT tracker.close_order('a', '1')")
    kept.sql("SELECT tracker.mask('a', '2', 'john@doe.example')")
    kept.sql("SELECT tracker.erase('john@doe.example')")
    kept.sql("DELETE FROM tracker.orders WHERE number = '1'")
    publish(kept.uri)
    rows = kept.sql("SELECT position, event, order_number FROM tracker.events('a', 0, 9)")
    assert rows == [
        (1, "opened", "1"), (2, "joined", "1"), (3, "opened", "2"), (4, "joined", "2")
    ]  # fmt: skip
    assert kept.sql("SELECT id FROM tracker.event_queue") == []
    kept.sql("DELETE FROM tracker.orders")
    kept.sql("DELETE FROM tracker.stores")
    assert kept.sql("SELECT position FROM tracker.feed") == []
