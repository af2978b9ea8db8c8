"""Mail that means harm, on every page: it is text, it fits, and it makes the browser do nothing."""

from pathlib import Path

import pytest
from playwright.sync_api import Playwright

from conversation_tracker.pages.links import Links

from .browser import PHONE, Browser, Visit, log_network, unfold
from .conftest import SIGNED_IN
from .hostile import MARKUP, find_missing
from .orders import Shop
from .stories import HOSTILE_NUMBER
from .trap import find_ways

ASKING = "asks"


def message_ids(shop: Shop, number: str) -> list[int]:
    """Return the messages of an order that have HTML, oldest first."""
    [found] = shop.row(
        "SELECT array_agg(t.message_id ORDER BY t.message_id) FROM tracker.texts AS t"
        " WHERE t.order_id = %s AND t.html IS NOT NULL",
        shop.order_id(number),
    )
    return list(found)


@pytest.fixture
def phone(browser: Browser):
    """A tab in the window of a small telephone."""
    with browser.visit(width=PHONE, extra_http_headers=SIGNED_IN) as visit:
        yield visit


def test_every_field_of_an_order_is_text_and_fits(
    phone: Visit, hostile: Shop, links: Links
) -> None:
    assert phone.open(links.order(hostile.name, HOSTILE_NUMBER)) == 200
    unfold(phone.page)
    assert find_missing(phone.page.inner_text("main")) == []
    assert phone.alarms == phone.intruders() == phone.spills() == []
    assert phone.strangers(links.root) == []


def test_every_field_of_a_list_is_text_and_fits(phone: Visit, hostile: Shop, links: Links) -> None:
    for words in ("", "sign in again", *MARKUP):
        assert phone.open(links.orders("", words)) == 200
        assert phone.alarms == phone.intruders() == phone.spills() == []
    assert phone.strangers(links.root) == []


def test_a_file_of_a_strangers_is_a_download_that_cannot_run(
    visit: Visit, hostile: Shop, links: Links
) -> None:
    visit.open(links.order(hostile.name, HOSTILE_NUMBER))
    for link in visit.page.locator("a[href*='/attachments/']").all():
        answer = visit.page.request.get(links.root + link.get_attribute("href"))
        assert answer.status == 200
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "html" not in answer.headers["content-type"]
        assert "svg" not in answer.headers["content-type"]


@pytest.mark.parametrize("number", [ASKING, "broken"])
def test_html_asks_nobody_for_anything(visit: Visit, shop: Shop, links: Links, number: str) -> None:
    messages = message_ids(shop, number)
    assert visit.open(links.html(shop.name, number, messages[-1])) == 200
    assert visit.page.evaluate("origin") == "null"
    visit.open(links.order(shop.name, number))
    assert unfold(visit.page) == len(messages)
    assert visit.intruders() == []
    assert visit.strangers(links.root) == []
    assert visit.alarms == []


def test_not_even_ahead(playwright: Playwright, shop: Shop, links: Links, tmp_path: Path) -> None:
    """Neither a name nor a connection, in a browser that guesses where one will go.

    Nor does HTML that is opened by its own address, which somebody may be sent.
    """
    messages = message_ids(shop, ASKING)

    def look(page):
        page.goto(links.order(shop.name, ASKING))
        assert unfold(page) == len(messages) > 40
        for message in messages:
            page.goto(links.html(shop.name, ASKING, message))

    log = log_network(playwright, tmp_path, look, extra_http_headers=SIGNED_IN)
    assert find_ways(log) == set()


def test_two_megabytes_are_shown(phone: Visit, shop: Shop, links: Links) -> None:
    assert phone.open(links.order(shop.name, "large")) == 200
    assert phone.page.locator("article").count() == 2
    assert phone.spills() == phone.alarms == []
