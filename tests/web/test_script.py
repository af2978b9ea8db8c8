"""What the script adds to a page: keys, and what becomes of mail while the page is open."""

import re

import pytest
from playwright.sync_api import expect

from conversation_tracker.pages.links import Links

from .browser import Browser, Visit
from .conftest import SIGNED_IN
from .orders import Order, Shop

LOOK = "document.dispatchEvent(new Event('visibilitychange'))"


@pytest.fixture
def order(visit: Visit, shop: Shop, links: Links) -> Visit:
    """A tab in which the everyday order is open."""
    visit.open(links.order(shop.name, "1001"))
    return visit


def focus(visit: Visit) -> str:
    """Return what the focus is on: a subject, or the name of a field."""
    return str(
        visit.page.evaluate(
            """() => {
                const one = document.activeElement;
                const said = one === document.body ? null : one.querySelector('h3, .number');
                return said?.innerText ?? one.name ?? one.localName;
            }"""
        )
    )


def test_keys_go_from_message_to_message(order: Visit) -> None:
    subjects = order.page.locator("article h3").all_inner_texts()
    seen = []
    for key in "jjkjj":
        order.page.keyboard.press(key)
        seen.append(focus(order))
    assert seen == [subjects[at] for at in (0, 1, 0, 1, 2)]
    for _ in subjects:
        order.page.keyboard.press("j")
    assert focus(order) == subjects[-1]
    expect(order.page.locator("article").last).to_be_in_viewport()


def test_keys_go_from_order_to_order(visit: Visit, shop: Shop, links: Links) -> None:
    visit.open(links.orders(shop.name))
    numbers = visit.page.locator(".rows .number").all_inner_texts()
    visit.page.keyboard.press("j")
    assert focus(visit) == numbers[0]


def test_a_key_that_is_typed_into_a_field_stays_there(order: Visit) -> None:
    order.page.keyboard.press("/")
    assert focus(order) == "q"
    order.page.keyboard.type("jk/")
    assert focus(order) == "q"
    assert order.page.locator("[data-search]").input_value() == "jk/"


def test_keys_with_others_are_the_browsers(order: Visit) -> None:
    for key in ("Control+j", "Alt+k", "Meta+/"):
        order.page.keyboard.press(key)
        assert focus(order) == "body"


def test_keys_can_be_turned_off_and_stay_so(order: Visit) -> None:
    order.page.get_by_role("button", name="Turn keys off").click()
    order.page.reload()
    order.page.keyboard.press("j")
    assert focus(order) == "body"
    order.page.get_by_role("button", name="Turn keys on").click()
    order.page.keyboard.press("k")
    assert focus(order) != "body"


@pytest.mark.parametrize(
    "typed",
    [
        "john@doe.example",
        "order of <john@doe.example>",
        "john\N{FULLWIDTH COMMERCIAL AT}doe.example",
        "john (at) doe.example",
        "john%40doe.example",
    ],
)
def test_an_address_typed_above_an_order_stands_in_no_url(order: Visit, typed: str) -> None:
    order.page.locator("[data-search]").fill(typed)
    with order.page.expect_navigation():
        order.page.keyboard.press("Enter")
    assert not [each for each in [order.page.url, *order.requests] if "john" in each]
    assert "john" not in order.page.content()
    # Back again, words are looked for as ever.
    order.page.go_back()
    order.page.locator("[data-search]").fill("parcel")
    with order.page.expect_navigation():
        order.page.keyboard.press("Enter")
    assert order.page.url.endswith("?q=parcel")


@pytest.mark.parametrize(
    ("number", "field"), [("", "[data-search]"), ("", "#address"), ("1001", "[data-search]")]
)
def test_without_a_script_no_address_stands_in_a_url_either(
    browser: Browser, shop: Shop, links: Links, number: str, field: str
) -> None:
    with browser.visit(extra_http_headers=SIGNED_IN, java_script_enabled=False) as visit:
        visit.open(links.order(shop.name, number) if number else links.orders())
        visit.page.locator(field).fill("John Doe <john@doe.example>")
        with visit.page.expect_navigation():
            visit.page.keyboard.press("Enter")
        expect(visit.page.get_by_role("heading", name=re.compile("^Found"))).to_be_visible()
        assert not [each for each in [visit.page.url, *visit.requests] if "john" in each]
        assert "john" not in visit.page.content()


def test_what_becomes_of_an_answer_is_seen_without_a_reload(
    visit: Visit, shop: Shop, links: Links
) -> None:
    order = Order(shop, "answered")
    order.write(shop.buyer, shop.desk, "Where is it?", subject=b"Where?")
    order.write(
        shop.desk, shop.buyer, "Here.\n\n> Where is it?\n", subject=b"Re: Where?", trusted=True
    )
    shop.publish()
    visit.open(links.order(shop.name, "answered"))
    answer = visit.page.locator("article", has_text="Here.")
    expect(answer.locator(".copies summary")).to_have_text("Passed on")
    answer.locator(".fold summary").click()
    order.mark("bounced", "5.2.2", "552 5.2.2 Mailbox full")
    visit.page.evaluate(LOOK)
    expect(answer.locator(".trouble")).to_contain_text("The mailbox is full.", timeout=90_000)
    expect(answer.get_by_text("> Where is it?")).to_be_visible()
    assert visit.page.evaluate("document.activeElement.id") == answer.get_attribute("id")
    expect(visit.page.locator("article")).to_have_count(2)


def test_who_waited_waits_no_more_once_there_is_an_answer(
    visit: Visit, shop: Shop, links: Links
) -> None:
    order = Order(shop, "patience")
    order.write(shop.buyer, shop.desk, "Where is it?", subject=b"Where?")
    visit.open(links.order(shop.name, "patience"))
    waits = visit.page.get_by_text(re.compile("The customer has waited for an answer for"))
    expect(waits).to_be_visible()
    order.write(shop.desk, shop.buyer, "Here.", subject=b"Re: Where?", trusted=True)
    visit.page.evaluate(LOOK)
    expect(visit.page.locator("article")).to_have_count(2, timeout=90_000)
    expect(waits).to_have_count(0)
    news = visit.page.get_by_role("status").get_by_role("link")
    news.click()
    assert focus(visit) == "Re: Where?"


def test_a_server_that_does_not_answer_is_asked_less_and_less(
    visit: Visit, shop: Shop, links: Links
) -> None:
    visit.page.clock.install()
    visit.open(links.order(shop.name, "1001"))
    visit.page.route("**/orders/**", lambda route: route.abort())
    known = len(visit.requests)
    for _ in range(30):
        visit.page.clock.run_for(10_000)
        visit.page.wait_for_timeout(20)
    asked = len(visit.requests) - known
    assert 3 <= asked <= 6
    expect(visit.page.get_by_role("status")).to_have_text(
        "New messages cannot be looked for at the moment."
    )
    visit.page.unroute("**/orders/**")
    visit.page.clock.run_for(600_000)
    expect(visit.page.get_by_role("status")).to_have_text("")


def test_an_order_that_is_gone_is_not_asked_for_again(
    visit: Visit, shop: Shop, links: Links
) -> None:
    visit.page.clock.install()
    visit.open(links.order(shop.name, "1001"))
    visit.page.route("**/orders/**", lambda route: route.fulfill(status=404))
    visit.page.clock.run_for(15_000)
    expect(visit.page.get_by_role("status")).to_contain_text("no longer kept up to date")
    known = len(visit.requests)
    visit.page.clock.run_for(3_600_000)
    visit.page.wait_for_timeout(100)
    assert len(visit.requests) == known


def test_without_a_script_all_is_there(browser: Browser, shop: Shop, links: Links) -> None:
    with browser.visit(extra_http_headers=SIGNED_IN, java_script_enabled=False) as visit:
        visit.open(links.order(shop.name, "1001"))
        first = visit.page.locator("article").first
        expect(first.locator("time")).to_contain_text("UTC")
        expect(visit.page.get_by_text("Where is it? I am at home")).to_be_visible()
        first.get_by_text("As it was laid out").click()
        expect(first.locator("iframe").content_frame.get_by_text("Thank you!")).to_be_visible()
        visit.page.locator("[data-search]").fill("parcel")
        visit.page.keyboard.press("Enter")
        expect(visit.page.get_by_role("heading", name=re.compile("^Found"))).to_be_visible()
        expect(visit.page.get_by_role("button", name="Turn keys off")).to_have_count(0)
