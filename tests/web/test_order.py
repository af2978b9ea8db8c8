"""An order's page, as somebody in support uses it."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from conversation_tracker.pages.links import Links

from .browser import LOOKS, Browser, Visit
from .conftest import SIGNED_IN
from .orders import Order, Shop
from .stories import PDF, PICTURE, UMLAUTS

QUOTED = "What would you like to know?"


@pytest.fixture
def order(visit: Visit, shop: Shop, links: Links) -> Visit:
    """A tab in which the everyday order is open."""
    assert visit.open(links.order(shop.name, "1001")) == 200
    return visit


def article(visit: Visit, subject: str):
    """Return the article of the message with a subject."""
    return visit.page.locator("article", has=visit.page.get_by_text(subject, exact=True))


def test_it_shows_every_message_and_nobodys_address(order: Visit, shop: Shop) -> None:
    shown = order.page.inner_text("main")
    for subject in ("Your order 1001", "Your parcel is on its way", "We missed you", "Urgent"):
        assert subject in shown
    for words in ("Where is it?", "It leaves us tomorrow.", "Mailbox full", "Cheap watches"):
        assert words in shown
    for address in (shop.buyer, shop.desk, shop.carrier):
        assert address not in order.page.content()
    assert order.alarms == []


def test_nothing_comes_from_elsewhere_and_no_page_may_change_that(
    order: Visit, links: Links
) -> None:
    assert order.strangers(links.root) == []
    with order.page.expect_request(links.root + "/static/page.css") as asked:
        answer = order.page.reload()
    assert asked.value is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert not re.search(r"script-src[^;]*unsafe", policy)


def test_history_is_folded_and_opens_by_keyboard(order: Visit) -> None:
    answer = article(order, "Re: Your order 1001")
    expect(answer.get_by_text("Where is it?")).to_be_visible()
    quoted = answer.get_by_text(QUOTED)
    expect(quoted).to_be_hidden()
    answer.locator("summary").first.focus()
    order.page.keyboard.press("Enter")
    expect(quoted).to_be_visible()


def test_history_is_printed(order: Visit) -> None:
    """What is folded is seen on paper, and folded again afterwards; what is for a mouse is not."""
    quoted = article(order, "Re: Your order 1001").get_by_text(QUOTED)
    quoted.evaluate(
        "one => addEventListener('beforeprint', () => window.printed = one.checkVisibility())"
    )
    assert order.page.pdf().startswith(b"%PDF")
    assert order.page.evaluate("window.printed")
    expect(quoted).to_be_hidden()
    order.page.emulate_media(media="print")
    expect(order.page.get_by_role("search")).to_be_hidden()
    expect(order.page.get_by_role("link", name="Answer").first).to_be_hidden()


def test_html_is_shown_on_a_click_in_a_frame_that_runs_nothing(order: Visit) -> None:
    letter = article(order, "Your order 1001")
    order.page.wait_for_load_state("networkidle")
    known = len(order.requests)
    assert not any("/messages/" in each for each in order.requests)
    letter.get_by_text("As it was laid out").click()
    frame = letter.locator("iframe")
    expect(frame).to_be_visible()
    expect(frame.content_frame.get_by_text("Thank you!")).to_be_visible()
    assert "allow-scripts" not in (frame.get_attribute("sandbox") or "")
    assert "allow-same-origin" not in (frame.get_attribute("sandbox") or "")
    assert frame.get_attribute("sandbox") is not None
    assert len(order.requests) == known + 1
    assert order.alarms == []


@pytest.mark.parametrize("file", [PDF, PICTURE, UMLAUTS], ids=lambda file: file.name.decode())
def test_a_file_is_downloaded_as_it_was_sent(order: Visit, file, tmp_path: Path) -> None:
    with order.page.expect_download() as found:
        order.page.get_by_role("link", name=file.name.decode()).click()
    assert found.value.suggested_filename == file.name.decode()
    found.value.save_as(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == file.content


def test_answer_opens_the_mail_program_with_alias_and_subject(order: Visit, shop: Shop) -> None:
    links = article(order, "Re: Your order 1001").locator("a[href^='mailto:']")
    [alias] = shop.row("SELECT tracker.mask(%s, '1001', %s)", shop.name, shop.buyer)
    wanted = [each for each in links.all() if alias in (each.get_attribute("href") or "")]
    assert wanted
    assert "subject=Re%3A%20Your%20order%201001" in wanted[0].get_attribute("href")


def test_times_are_those_of_whoever_looks(browser: Browser, shop: Shop, links: Links) -> None:
    seen = {}
    for zone in ("UTC", "Asia/Kathmandu"):
        with browser.visit(extra_http_headers=SIGNED_IN, timezone_id=zone) as visit:
            visit.open(links.order(shop.name, "1001"))
            first = visit.page.locator("article time").first
            seen[zone] = first.inner_text()
            at = first.get_attribute("datetime")
            minutes = visit.page.evaluate("at => new Date(at).getMinutes()", at)
            assert f":{minutes:02}" in seen[zone], (zone, seen)
    assert seen["UTC"] != seen["Asia/Kathmandu"]


def test_new_messages_come_without_a_reload(visit: Visit, shop: Shop, links: Links) -> None:
    order = Order(shop, "growing")
    order.write(shop.desk, shop.buyer, "The first.", subject=b"One", trusted=True)
    shop.publish()
    visit.open(links.order(shop.name, "growing"))
    expect(visit.page.locator("article")).to_have_count(1)
    visit.page.evaluate("window.stayed = true")
    order.write(shop.buyer, shop.desk, "The second.", subject=b"<b class=intruder>Two")
    shop.publish()
    # It asks now and then, and at once when the tab is looked at again.
    visit.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(visit.page.locator("article")).to_have_count(2)
    assert "The second." in visit.page.inner_text("main")
    assert visit.page.evaluate("window.stayed")
    assert visit.intruders() == visit.alarms == []


def test_everything_is_reached_and_seen_by_keyboard(order: Visit) -> None:
    """Each link, button, field and fold gets the focus, and shows that it has it."""
    page = order.page
    count = page.evaluate(
        """() => {
            const all = 'a[href], button, input:not([type=hidden]), select, summary, iframe';
            const seen = [...document.querySelectorAll(all)].filter(one => one.checkVisibility());
            seen.forEach((one, number) => one.dataset.number = number);
            return seen.length;
        }"""
    )
    reached, unseen = set(), []
    for _ in range(count + 5):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            """() => {
                const one = document.activeElement, style = getComputedStyle(one);
                const seen = style.outlineStyle !== 'none' || style.boxShadow !== 'none';
                return [one.dataset.number ?? '', seen, one.outerHTML.slice(0, 120)];
            }"""
        )
        if focus[0]:
            reached.add(int(focus[0]))
            if not focus[1]:
                unseen.append(focus[2])
    assert reached == set(range(count))
    assert unseen == []


def test_a_phone_is_told_of_no_keys(browser: Browser, shop: Shop, links: Links) -> None:
    for look, seen in (("light", True), ("phone", False)):
        with browser.visit(extra_http_headers=SIGNED_IN, **LOOKS[look]) as visit:
            visit.open(links.order(shop.name, "1001"))
            told = visit.page.get_by_text("next message")
            expect(told).to_be_visible(visible=seen)
            expect(visit.page.get_by_role("link", name="As JSON")).to_be_visible()


def test_the_order_is_its_own_json(order: Visit, shop: Shop, links: Links) -> None:
    found = order.page.request.get(
        links.order(shop.name, "1001"), headers={"Accept": "application/json"}
    )
    assert found.json()["number"] == "1001"
