"""One browser and one site for all tests of this folder, which run in one process.

The site is the real `conversation-tracker web`, on a private PostgreSQL with orders in it.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from playwright.sync_api import Playwright, expect, sync_playwright

from conversation_tracker.pages.links import Links
from private.web import Web

from . import stories
from .browser import PATIENCE, Browser, Visit
from .orders import Shop
from .trap import Trap, find_ways

if TYPE_CHECKING:
    from private.postgres import Postgres

ROOT = Path(__file__).parents[2]
SCREENSHOTS = "CONVERSATION_TRACKER_SCREENSHOTS"
"""The environment may name the folder for pictures of pages here."""
ROLE = "web_support"
USER_HEADER = "X-Remote-User"
SIGNED_IN = {USER_HEADER: "anna"}
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The driver, once for the process: it cannot run twice."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def trap() -> Iterator[Trap]:
    """The listener that every name leads to in the browser."""
    with Trap() as trap:
        yield trap


@pytest.fixture(scope="session")
def browser(
    playwright: Playwright, trap: Trap, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """The browser."""
    home = tmp_path_factory.mktemp("browser")
    browser = Browser(playwright, home, names_lead_to=trap.port)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Return the folder for pictures of pages, which stay."""
    folder = Path(os.environ.get(SCREENSHOTS) or ROOT / ".tox" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="package")
def filled(postgres: "Postgres", migrated: str) -> Iterator[str]:
    """Return the URI of a database with our schema, the same for the whole folder."""
    name = f"web_{next(_numbers)}"
    yield postgres.create_database(name, template=migrated)
    postgres.drop_database(name)


@pytest.fixture(scope="package")
def shop(filled: str) -> Iterator[Shop]:
    """A store with orders of every kind: `1001`, `asks`, `broken`, `large`."""
    shop = Shop(filled, "shop", "ct.example.com")
    stories.play_everyday(shop)
    stories.play_asking(shop)
    stories.play_broken(shop)
    stories.play_large(shop)
    shop.publish()
    yield shop
    shop.close()


@pytest.fixture(scope="package")
def hostile(filled: str) -> Iterator[Shop]:
    """A store with an order in which all means harm, from the store's name on."""
    shop = Shop(filled, stories.HOSTILE_STORE, "hostile.example.com")
    stories.play_hostile(shop)
    shop.publish()
    yield shop
    shop.close()


@pytest.fixture(scope="package")
def web(postgres: "Postgres", filled: str, shop: Shop, hostile: Shop) -> Iterator[Web]:
    """The web page, for a role that may read both stores, signed in as anna.

    The role goes with the folder: all databases of the server know it.
    """
    with psycopg.connect(filled, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {ROLE} LOGIN IN ROLE tracker_reader".encode())
        for each in (shop, hostile):
            owner.execute("SELECT tracker.grant_store(%s, %s)", (ROLE, each.name))
        database = postgres.uri(owner.info.dbname, ROLE)
    with Web(database, options={"user_header": USER_HEADER}) as web:
        yield web
    # Other tests may have ended all connections meanwhile.
    with psycopg.connect(filled, autocommit=True) as owner:
        owner.execute(f"DROP OWNED BY {ROLE}".encode())
        owner.execute(f"DROP ROLE {ROLE}".encode())


@pytest.fixture(scope="package")
def links(web: Web) -> Links:
    """Return what makes the addresses of its pages."""
    return Links(web.address.rstrip("/"))


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """One tab of somebody who is signed in, in a wide window."""
    with browser.visit(extra_http_headers=SIGNED_IN) as visit:
        yield visit


@pytest.fixture(autouse=True)
def nobody_came(trap: Trap) -> Iterator[None]:
    """See that no address of a message was asked for while a test ran."""
    known = len(trap.seen)
    yield
    # The browser itself looks for its maker now and then.
    assert find_ways(b"\n".join(trap.seen[known:])) == set()
