"""`timeline --html`: one file that needs nobody, opened as people open it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import warm

from .browser import Browser, Visit, log_network
from .hostile import MARKUP
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
    assert visit.alarms == []
    assert set(visit.requests) == {file.as_uri()}
    assert visit.intruders() == []


def test_mail_that_means_harm_is_text(browser: Browser, hostile: Shop, write: Write) -> None:
    with browser.visit() as visit:
        look_at(visit, write(hostile, HOSTILE_NUMBER))
        shown = visit.page.inner_text("body")
        assert [each for each in MARKUP if each not in shown] == []


@pytest.mark.parametrize("number", ["asks", "broken", "large", "1001"])
def test_a_file_asks_nobody_for_anything(
    browser: Browser, shop: Shop, write: Write, number: str
) -> None:
    with browser.visit() as visit:
        look_at(visit, write(shop, number))


def test_not_even_ahead(playwright, shop: Shop, write: Write, tmp_path: Path) -> None:
    """Neither a name nor a connection, in a browser that guesses where one will go."""
    file = write(shop, "asks")

    def look(page):
        page.goto(file.as_uri())
        page.wait_for_timeout(500)

    assert find_ways(log_network(playwright, tmp_path, look)) == set()
