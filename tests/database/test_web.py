"""`conversation-tracker web`: what is shown to whom, by a real server of a role that reads."""

import json
from collections.abc import Iterator

import pytest
from web_client import Web
from web_orders import Orders

from private.postgres import Postgres

ODD = [
    "1001",
    "a/b",
    "a%2Fb",
    "..",
    ".",
    "~",
    "~~",
    "50% off?",
    "#1",
    "ü 漢",
    "a;b=c",
    "' OR 1=1 --",
    "<b>",
]


@pytest.fixture(scope="module")
def orders(postgres: Postgres, shared: str) -> Iterator[Orders]:
    """Return a database with two stores and what happened in them."""
    found = Orders(postgres, shared)
    found.add_store("shop")
    found.add_store("other", "ct.example.org")
    for store in ("shop", "other"):
        for number in ("1001", "1002", "1003"):
            found.open(store, number)
        found.write(store, "1001", "Where is parcel 17?")
        found.bounce(found.write(store, "1002", "On its way", "store"))
        found.refuse(store, "1003")
        found.write(store, "1003", "Give me money", verdict="flagged")
    for number in ODD:
        found.open("shop", number)
    found.publish()
    yield found
    found.close()


@pytest.fixture(scope="module")
def web(orders: Orders, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """Return the page of a role that was granted `shop`."""
    with Web(tmp_path_factory.mktemp("web"), orders.add_reader("shop")) as found:
        yield found


def message_of(orders: Orders, store: str, number: str) -> int:
    [(found,)] = orders.sql(
        "SELECT max(m.id) FROM tracker.messages AS m JOIN tracker.orders AS o ON o.id = m.order_id"
        " WHERE o.store = %s AND o.number = %s",
        store,
        number,
    )
    return int(found)


def test_an_order_is_shown_as_a_page_and_as_json(web: Web) -> None:
    page = web.get("/orders/shop/1001")
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for answer in (
        web.get("/orders/shop/1001", Accept="application/json"),
        web.get("/orders/shop/1001?format=json"),
    ):
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        found = json.loads(answer.text)
        assert (found["store"], found["number"], found["more"]) == ("shop", "1001", False)
        assert [each["subject"] for each in found["messages"]] == ["Where is parcel 17?"]


@pytest.mark.parametrize("number", ODD)
def test_a_number_may_hold_any_character(web: Web, number: str) -> None:
    from conversation_tracker.pages.links import Links

    answer = web.get(Links().order_json("shop", number))
    assert (answer.status, json.loads(answer.text)["number"]) == (200, number)
