"""The first page: what waits, what went wrong, and how an order is found."""

import re

import pytest
from playwright.sync_api import expect

from conversation_tracker.pages.links import Links
from private.web import Web

from .browser import Visit
from .conftest import ROLE
from .orders import Shop
from .stories import play_everyday

WORDS = "Order number, subject, words or alias"
ADDRESS = "A customer's address"


@pytest.fixture
def home(visit: Visit, links: Links, shop: Shop) -> Visit:
    """A tab in which the first page is open."""
    assert visit.open(links.orders()) == 200
    return visit


def look_for(home: Visit, label: str, typed: str) -> list[str]:
    """Search as a person does, and return the numbers of the orders that are found."""
    home.page.get_by_label(label, exact=True).fill(typed)
    home.page.keyboard.press("Enter")
    expect(home.page.get_by_role("heading", name=re.compile("^Found"))).to_be_visible()
    found = home.page.locator(".row.found .number")
    return found.all_inner_texts()


def test_what_waits_and_what_went_wrong_is_seen_at_once(home: Visit) -> None:
    for kind in ("waiting", "bounced", "refused", "flagged"):
        row = home.page.locator(f".row.{kind}", has=home.page.get_by_text("1001", exact=True))
        assert row.count() >= 1, kind
    assert home.alarms == []


@pytest.mark.parametrize("typed", ["1001", "parcel on its way", "left our depot", "label.pdf"])
def test_an_order_is_found_by_number_subject_and_words(home: Visit, typed: str) -> None:
    assert "1001" in look_for(home, WORDS, typed)


def test_an_order_is_found_by_alias_and_leads_there(home: Visit, shop: Shop) -> None:
    [alias] = shop.row("SELECT tracker.mask(%s, '1001', %s)", shop.name, shop.carrier)
    assert look_for(home, WORDS, f"Ann Carrier <{alias}>") == ["1001"]
    assert look_for(home, WORDS, alias) == ["1001"]
    home.page.locator(".row.found a").click()
    expect(home.page.get_by_role("heading", level=1)).to_have_text("Order 1001")


@pytest.mark.parametrize("label", [WORDS, ADDRESS])
def test_a_customers_address_is_found_and_never_shown(
    home: Visit, shop: Shop, web: Web, label: str
) -> None:
    """Neither in the page, nor in an address that the browser keeps, nor in the log."""
    assert "1001" in look_for(home, label, shop.buyer)
    kept = [home.page.url, *home.requests, home.page.content(), web.log_text()]
    assert not any("john" in each for each in kept)
    [user, actor] = shop.row("SELECT db_user, actor FROM tracker.lookups ORDER BY at DESC LIMIT 1")
    assert (user, actor) == (ROLE, "anna")


def test_nothing_found_says_so(home: Visit) -> None:
    assert look_for(home, WORDS, "nonesuch") == []
    assert home.alarms == []


def test_an_order_that_comes_to_wait_is_listed_without_a_reload(home: Visit, shop: Shop) -> None:
    play_everyday(shop, "2002")
    shop.publish()
    home.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    row = home.page.locator(".row.waiting", has=home.page.get_by_text("2002", exact=True))
    expect(row).to_be_visible()
