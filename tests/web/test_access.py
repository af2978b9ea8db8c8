"""Who may see what, and what is said where nothing can be shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from conversation_tracker.database.migrate import migrate
from conversation_tracker.pages.links import Links
from private.postgres import Postgres
from private.web import Web

from .axe import find_faults
from .browser import PHONE, Browser, wait_for
from .orders import Shop
from .stories import play_everyday


@pytest.fixture(scope="module")
def own() -> Iterator[Postgres]:
    """A PostgreSQL of one's own, to be stopped."""
    with Postgres(fsync=False) as server:
        yield server


@pytest.fixture(scope="module")
def stranger(own: Postgres) -> Iterator[Web]:
    """A page of a role that may read another store than the one with the order."""
    uri = own.create_database("away")
    migrate(uri)
    shops = [Shop(uri, name, f"{name}.example.com") for name in ("ours", "theirs")]
    for shop in shops:
        play_everyday(shop)
        shop.publish()
    shops[0].run("CREATE ROLE reader LOGIN IN ROLE tracker_reader")
    shops[0].run("SELECT tracker.grant_store('reader', 'ours')")
    for shop in shops:
        shop.close()
    with Web(own.uri("away", "reader")) as web:
        yield web


def test_without_a_grant_it_is_as_if_there_were_no_such_order(
    browser: Browser, stranger: Web
) -> None:
    links = Links(stranger.address.rstrip("/"))
    with browser.visit() as visit:
        assert visit.open(links.order("ours", "1001")) == 200
        pages = []
        for address in (
            links.order("theirs", "1001"),
            links.order("ours", "1002"),
            links.order("nonesuch", "1001"),
            links.attachment("theirs", "1001", 10, 1),
            links.html("theirs", "1001", 9),
        ):
            assert visit.open(address) == 404
            pages.append(visit.page.content())
        assert set(pages) == {pages[0]}
        visit.open(links.orders())
        assert "theirs" not in visit.page.content()
        assert visit.alarms == []


def test_no_other_page_may_hold_one(browser: Browser, stranger: Web, tmp_path: Path) -> None:
    """Unless the configuration names where that page comes from."""
    page = f'<iframe src="{Links(stranger.address.rstrip("/")).order("ours", "1001")}"></iframe>'
    (tmp_path / "page.html").write_text(page)
    with browser.visit() as visit:
        visit.page.goto((tmp_path / "page.html").as_uri())
        assert "frame-ancestors 'none'" in visit.alarms[0]
        assert visit.page.frames[1].locator("article").count() == 0


def test_a_database_that_is_away_is_said_so_and_comes_back(
    browser: Browser, stranger: Web, own: Postgres
) -> None:
    links = Links(stranger.address.rstrip("/"))
    pages = (links.orders(), links.order("ours", "1001"))
    with browser.visit(width=PHONE, color_scheme="dark") as visit:
        visit.open(pages[0])
        own.stop()
        for address in pages:
            assert visit.open(address) == 503
            expect(visit.page.get_by_role("main")).to_contain_text("database does not answer")
            assert visit.spills() == find_faults(visit.page) == visit.alarms == []
        own.start()
        for address in pages:
            assert wait_for(visit.page, lambda: visit.open(address) == 200)  # noqa: B023
