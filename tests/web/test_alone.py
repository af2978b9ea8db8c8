"""`timeline --html`: one file that needs nobody, opened as people open it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import warm
from playwright.sync_api import expect

from .axe import find_faults
from .browser import LOOKS, PHONE, Browser, Visit, log_network, unfold
from .hostile import find_missing
from .orders import Shop
from .stories import HOSTILE_NUMBER
from .trap import find_ways

Write = Callable[[Shop, str], Path]


@pytest.fixture(scope="module")
def write(filled: str, tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Return a function that writes an order's page to a file."""
    home = tmp_path_factory.mktemp("alone")
    config = home / "tracker.conf"
    config.write_text(f"[tracker]\ndatabase = {filled}\nsocket = unix:{home}/milter.sock\n")

    def write(shop: Shop, number: str) -> Path:
        file = home / f"{shop.order_id(number)}.html"
        command = [sys.executable, "-m", "conversation_tracker", "-c", config, "timeline"]
        done = warm.run([*command, "--html", file, "--", shop.name, number])
        assert done.returncode == 0, done.stderr
        return file

    return write


def look_at(visit: Visit, file: Path) -> None:
    """Open a page, which must ask nobody, run nothing, and hold no element of a message's."""
    visit.page.goto(file.as_uri())
    unfold(visit.page)
    assert visit.alarms == []
    assert set(visit.requests) <= {file.as_uri(), "about:srcdoc"}
    assert visit.intruders() == []


def test_mail_that_means_harm_is_text_and_fits(
    browser: Browser, hostile: Shop, write: Write
) -> None:
    with browser.visit(width=PHONE) as visit:
        look_at(visit, write(hostile, HOSTILE_NUMBER))
        assert find_missing(visit.page.inner_text("main")) == []
        assert visit.spills() == []


@pytest.mark.parametrize("number", ["asks", "broken", "large", "1001"])
def test_a_file_asks_nobody_for_anything(
    browser: Browser, shop: Shop, write: Write, number: str
) -> None:
    with browser.visit() as visit:
        look_at(visit, write(shop, number))


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_in_a_file(
    browser: Browser, shop: Shop, write: Write, screenshots: Path, look: str
) -> None:
    with browser.visit(**LOOKS[look]) as visit:
        visit.page.goto(write(shop, "1001").as_uri())
        visit.page.screenshot(path=screenshots / f"file-{look}.png", full_page=True)
        unfold(visit.page)
        assert find_faults(visit.page) == visit.spills() == []


def test_html_is_in_a_frame_that_runs_nothing(browser: Browser, shop: Shop, write: Write) -> None:
    with browser.visit() as visit:
        visit.page.goto(write(shop, "1001").as_uri())
        visit.page.get_by_text("As it was laid out").first.click()
        frame = visit.page.locator("iframe").first
        expect(frame.content_frame.get_by_text("Thank you!")).to_be_visible()
        assert frame.get_attribute("sandbox") == ""


def test_not_even_ahead(playwright, shop: Shop, write: Write, tmp_path: Path) -> None:
    """Neither a name nor a connection, in a browser that guesses where one will go."""
    file = write(shop, "asks")

    def look(page):
        page.goto(file.as_uri())
        assert unfold(page) > 40

    assert find_ways(log_network(playwright, tmp_path, look)) == set()
