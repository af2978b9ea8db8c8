"""What the web page costs: by what a reader's own stores have, and a page at a time."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from web_client import Web
from web_orders import CUSTOMER, Orders

from private.postgres import Postgres

OTHERS = 20_000
QUESTIONS = [
    "SELECT * FROM tracker.list_waiting(NULL, 50)",
    "SELECT * FROM tracker.list_lately('bounced', NULL, 50)",
    "SELECT * FROM tracker.list_lately('refused', NULL, 50)",
    "SELECT * FROM tracker.list_lately('flagged', NULL, 50)",
    "SELECT * FROM tracker.list_lately('flagged', 'others', 50)",
    "SELECT * FROM tracker.find_numbers('1', NULL, 50)",
    f"SELECT * FROM tracker.find_alias('{7:032x}')",
]


@pytest.fixture(scope="module")
def orders(postgres: Postgres, shared: str) -> Iterator[Orders]:
    """Return a database with a small store, and another for many orders."""
    found = Orders(postgres, shared)
    found.add_store("shop")
    found.add_store("others", "ct.example.org")
    for number in ("1", "2", "3"):
        found.open("shop", number)
    found.write("shop", "1")
    found.bounce(found.write("shop", "2", who="store"))
    found.refuse("shop", "3")
    found.write("shop", "3", verdict="flagged")
    found.publish()
    yield found
    found.close()


def fill(orders: Orders) -> None:
    """Have many orders of the other store wait, and much go wrong there."""
    orders.sql("SET statement_timeout = 0")
    orders.sql(
        "INSERT INTO tracker.orders (store, number, ref, alias_domain, expires_at, waiting_since)"
        " SELECT 'others', n::text, lpad(n::text, 12, '0'), 'ct.example.org',"
        " now() + interval '2 months', now() - n * interval '1 minute'"
        " FROM generate_series(1, %s) AS n",
        OTHERS,
    )
    orders.sql(
        "INSERT INTO tracker.feed (position, at, published_at, store, order_id, order_number,"
        " event, detail)"
        " SELECT 1000 + row_number() OVER (), now(), now(), store, id, number,"
        " (ARRAY['bounced', 'refused', 'recorded'])[mod(id, 3) + 1]::tracker.event,"
        " CASE mod(id, 3) WHEN 2 THEN '{\"verdict\": \"flagged\"}' ELSE '{}' END::jsonb"
        " FROM tracker.orders WHERE store = 'others'"
    )
    orders.sql("ANALYZE")


def count_pages(uri: str, *settings: str) -> list[int]:
    """Return how many pages of the database each question looks at, as a reader."""
    found = []
    with psycopg.connect(uri, autocommit=True) as connection:
        for each in settings:
            connection.execute(f"SET {each}".encode())
        for question in QUESTIONS:
            connection.execute(question.encode())
            explain = f"EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off, SUMMARY off) {question}"
            plan = "\n".join(line for (line,) in connection.execute(explain.encode()))
            hit = re.search(r"Buffers: shared (?:hit=(\d+))?(?: ?read=(\d+))?", plan)
            assert hit is not None
            found.append(sum(int(each or 0) for each in hit.groups()))
    return found


def test_what_others_have_costs_nothing_and_shows_nowhere(orders: Orders) -> None:
    uri = orders.add_reader("shop")
    few = count_pages(uri)
    fill(orders)
    many = count_pages(uri)
    # An index may have become a level higher, for each of the months.
    for question, before, after in zip(QUESTIONS, few, many, strict=True):
        assert after <= before + 40, question
    # Nor does it tell more where the session wants another plan.
    hostile = [f"enable_{way} = off" for way in ("indexscan", "nestloop", "indexonlyscan")]
    hostile += ["random_page_cost = 1e6", "cpu_index_tuple_cost = 1e6", "enable_seqscan = on"]
    for question, before, after in zip(QUESTIONS, few, count_pages(uri, *hostile), strict=True):
        assert after <= before + 40, question
    with psycopg.connect(uri, autocommit=True) as connection:
        for question in QUESTIONS:
            rows = connection.execute(question.encode()).fetchall()
            assert {row[0] for row in rows} <= {"shop"}


def test_the_stores_own_are_read_as_far_as_they_are_shown(orders: Orders) -> None:
    uri = orders.add_reader("others")
    assert all(pages < 3000 for pages in count_pages(uri))


def test_a_page_of_a_long_order_takes_no_longer_than_of_a_short_one(
    orders: Orders, tmp_path: Path
) -> None:
    """10,000 messages: of each page 50 are read."""
    for number in ("short", "long"):
        orders.open("shop", number)
    for number, count in (("short", 60), ("long", 10_000)):
        order, _tokens = orders.find("shop", number)
        orders.sql(
            "INSERT INTO tracker.messages (order_id, digest, at, queue_id, direction, sender_id,"
            " sender_name, message_id, subject, first_words, size, attachment_names, automatic,"
            " auto_reply, verdict, notes, raw)"
            " SELECT %s, sha256(n::text::bytea), now() - n * interval '1 minute', 'Q', 'inbound',"
            " p.id, '', '', 'Message ' || n, 'words', 1, '{}', false, false, 'verified', '{}', ''"
            " FROM generate_series(1, %s) AS n, tracker.participants AS p"
            " WHERE p.order_id = %s AND p.role = 'buyer'",
            order,
            count,
            order,
        )
    orders.sql("ANALYZE")
    with Web(tmp_path, orders.add_reader("shop")) as web:
        took = {number: [] for number in ("short", "long")}
        for _ in range(7):
            for number, times in took.items():
                began = time.perf_counter()
                answer = web.get(f"/orders/shop/{number}")
                times.append(time.perf_counter() - began)
                assert answer.status == 200
        assert sorted(took["long"])[2] < 2 * sorted(took["short"])[2] + 0.05


def test_from_a_text_that_is_cut_a_link_leads_to_the_whole(orders: Orders, tmp_path: Path) -> None:
    orders.open("shop", "texts")
    for number in range(50):
        orders.write("shop", "texts", f"Text {number}")
    orders.publish()
    orders.sql(
        "UPDATE tracker.texts SET body = repeat('These are ten words, which somebody wrote."
        " ', 10000) || 'the end' WHERE order_id = %s",
        orders.find("shop", "texts")[0],
    )
    dates = orders.sql(
        "SELECT replace(at::text, ' ', 'T'), subject FROM tracker.messages WHERE order_id = %s"
        " ORDER BY at",
        orders.find("shop", "texts")[0],
    )
    with Web(tmp_path, orders.add_reader("shop")) as web:
        page = web.get("/orders/shop/texts")
        assert (page.status, "the end" in page.text) == (200, False)
        links = re.findall(r'href="([^"]*)">The whole text', page.text)
        assert len(links) == 50
        for place in (7, 49):
            alone = web.get(links[place])
            assert (alone.status, "the end" in alone.text) == (200, True)
            assert "The whole text" not in alone.text
            assert re.findall(r"Text \d+", alone.text) == [dates[place][1]]
            at = quote(dates[place][0])
            found = json.loads(web.get(f"/orders/shop/texts?format=json&at={at}").text)["messages"]
            assert [each["subject"] for each in found] == [dates[place][1]]
        nothing = web.get("/orders/shop/texts?at=2020-01-01T00:00:00Z")
        assert (nothing.status, "No messages." in nothing.text) == (200, True)


def test_an_address_is_noted_for_each_store_however_many_there_are(
    orders: Orders, tmp_path: Path
) -> None:
    orders.sql("DELETE FROM tracker.lookups")
    names = [f"many{number}" for number in range(60)]
    for name in names:
        orders.add_store(name)
        orders.open(name, "1")
    with Web(tmp_path, orders.add_reader(*names)) as web:
        answer = web.search(CUSTOMER)
        assert answer.status == 200
        # The newest of them are shown.
        assert answer.text.count('href="/orders/') == 50
    noted = orders.sql("SELECT store, found FROM tracker.lookups")
    assert sorted(noted) == sorted((name, 1) for name in names)
