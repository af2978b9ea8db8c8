"""The list of orders, and the page of an error."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_orders import NOW
from page_reader import Element, list_faults, read_page

from conversation_tracker.pages.error import render_error
from conversation_tracker.pages.links import Links
from conversation_tracker.pages.orders import ListedOrder, Lists, render_orders

ALIAS = f"{'a' * 32}@ct.example.com"
EMPTY = Lists(stores=("mystore", "other/store"), now=NOW)


def row(number: str = "1001", hours: float = 1, **changes: str) -> ListedOrder:
    values = {"store": "mystore", "subject": "Where is it?"} | changes
    return ListedOrder(number=number, at=NOW - timedelta(hours=hours), **values)


def read(lists: Lists) -> Element:
    page = read_page("".join(render_orders(lists, Links("/t"))))
    assert list_faults(page) == []
    return page


def sections(page: Element) -> dict[str, Element]:
    return {each.find("h2")[0].words: each for each in page.find("section", class_="list")}


def test_lists_that_are_empty_say_so_in_plain_words() -> None:
    said = {name: each.find("p")[-1].words for name, each in sections(read(EMPTY)).items()}
    assert said == {
        "Waiting for an answer": "Nobody waits for an answer.",
        "Lately not delivered": "Everything was delivered.",
        "Lately refused": "Nothing was refused.",
        "Lately with a false sender": "Nobody claimed to be somebody else.",
    }


def test_each_list_says_what_happened_and_leads_to_the_order() -> None:
    page = read(
        replace(
            EMPTY,
            waiting=[row(hours=77), row("A/1", 0.5, store="other/store", subject="")],
            bounced=[row(status="5.2.2", reason="552 over quota", role="buyer")],
            refused=[row(reason="550 5.2.1 This alias has expired")],
            flagged=[row()],
        )
    )
    found = {
        name: [each.words for each in section.find("li")]
        for name, section in sections(page).items()
    }
    assert found == {
        "Waiting for an answer 2": [
            "1001 Where is it? mystore 3 days 5 hours since 23 Nov 2026, 12:23 UTC",
            "A/1 (no subject) other/store 30 minutes since 26 Nov 2026, 16:53 UTC",
        ],
        "Lately not delivered 1": [
            "1001 Where is it? mystore Customer 26 Nov 2026, 16:23 UTC The mailbox is full."
            " 552 over quota"
        ],
        "Lately refused 1": [
            "1001 Where is it? mystore 26 Nov 2026, 16:23 UTC The order's aliases have stopped"
            " working. 550 5.2.1 This alias has expired"
        ],
        "Lately with a false sender 1": [
            "1001 Where is it? mystore 26 Nov 2026, 16:23 UTC The sender is not who they claim to"
            " be."
        ],
    }
    links = [each.attributes["href"] for each in page.find("ul")[0].find("a")]
    assert links == ["/t/orders/mystore/1001", "/t/orders/other%2Fstore/A%2F1"]


@pytest.mark.parametrize(
    ("count", "words"), [(49, "Waiting for an answer 49"), (50, "Waiting for an answer 50 or more")]
)
def test_a_list_that_was_cut_says_so(count: int, words: str) -> None:
    assert words in sections(read(replace(EMPTY, waiting=[row()] * count, limit=50)))


@pytest.mark.parametrize("stores", [(), ("mystore",)])
def test_one_store_is_not_chosen(stores: Sequence[str]) -> None:
    page = read(replace(EMPTY, stores=stores, waiting=[row()]))
    assert page.find("select") == []
    assert page.find("span", class_="store") == []


def test_several_stores_can_be_chosen_from() -> None:
    page = read(replace(EMPTY, store="other/store", waiting=[row()]))
    options = page.find("select")[0].find("option")
    assert [each.words for each in options] == ["All stores", "mystore", "other/store"]
    assert [each.words for each in options if "selected" in each.attributes] == ["other/store"]
    assert page.find("h1")[0].words == "Orders of other/store"
    assert page.find("input", type="hidden")[0].attributes["value"] == "other/store"


# The search


def test_whatever_is_typed_is_sent_by_post() -> None:
    """Which of it may stand in a link, the server tells."""
    forms = read(EMPTY).find("form")
    fields = [
        (
            form.attributes["method"],
            form.attributes["action"],
            [field.attributes["name"] for tag in ("input", "select") for field in form.find(tag)],
        )
        for form in forms
    ]
    assert fields == [("post", "/t/", ["q", "store"]), ("post", "/t/", ["address"])]
    assert all(form.find("input")[0].attributes["autocomplete"] == "off" for form in forms)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("parcel <b>", "parcel <b>"),
        (ALIAS, ALIAS),
        (f"<{ALIAS}>", f"<{ALIAS}>"),
        ("john@customer.example", ""),
        (f"{ALIAS} john@customer.example", ""),
        ("order of <john@customer.example>", ""),
        ("john@customer.example-369890300504b.ct.example.com", ""),
    ],
)
def test_what_was_typed_is_shown_again_unless_it_is_an_address(words: str, shown: str) -> None:
    page = "".join(render_orders(replace(EMPTY, words=words, found=()), Links()))
    assert read_page(page).find("input")[0].attributes["value"] == shown
    assert "customer.example" not in page


def test_what_was_found_stands_alone() -> None:
    """The other lists were not read: that they are empty would be untrue."""
    page = read(replace(EMPTY, words="parcel", found=[row(), row("2", subject="")]))
    assert list(sections(page)) == ["Found 2"]
    assert [each.words for each in page.find("li")] == [
        "1001 Where is it? mystore 26 Nov 2026, 16:23 UTC",
        "2 mystore 26 Nov 2026, 16:23 UTC",
    ]
    assert not [each for each in page.walk() if "data-lists" in each.attributes]


@pytest.mark.parametrize(
    ("by_address", "said"), [(False, "Nothing was found."), (True, "No order has this address")]
)
def test_nothing_found_says_what_was_looked_for(by_address: bool, said: str) -> None:
    page = read(replace(EMPTY, found=(), by_address=by_address))
    assert sections(page)["Found"].words.startswith(f"Found {said}")


def test_a_fault_is_told_in_place_of_a_list() -> None:
    page = read(replace(EMPTY, found=(), fault="This is no mail address."))
    [fault] = page.find("p", role="alert")
    assert fault.words == "This is no mail address."
    assert sections(page) == {}


@given(st.text())
def test_nothing_is_markup_but_our_own(text: str) -> None:
    shapes = []
    for each in (f"x{text}", "x"):
        hostile = ListedOrder(each, each, NOW, each, each, each, each)
        lists = Lists((each, "b"), each, "", False, None, *[[hostile]] * 4, now=NOW)
        page = "".join(render_orders(lists, Links()))
        assert not set(page) & set("\x00\x1b\x9b\u202e\u2066\u200f\ufffe")
        page.encode()
        shapes.append([(e.tag, list(e.attributes)) for e in read_page(page).walk()])
    assert shapes[0] == shapes[1]


# Errors


@pytest.mark.parametrize(
    ("status", "title"),
    [
        (404, "Not found"),
        (503, "Not available at the moment"),
        (418, "I'm a Teapot"),
        (599, "Error"),
    ],
)
def test_an_error_is_told_in_words(status: int, title: str) -> None:
    page = read_page(render_error(status, "The <database> does not answer. Try again in a minute."))
    assert list_faults(page) == []
    assert page.find("h1")[0].words == page.find("title")[0].words == title
    assert page.find("p", class_="lead")[0].words == (
        "The <database> does not answer. Try again in a minute."
    )
