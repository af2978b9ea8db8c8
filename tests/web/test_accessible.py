"""Each page in light and dark, wide and on a phone: axe finds nothing, and all of it fits.

Pictures of each stay behind, for people to look at.
"""

from pathlib import Path

import pytest

from conversation_tracker.pages.links import Links

from .axe import find_faults
from .browser import LOOKS, Browser, Visit, unfold
from .conftest import SIGNED_IN
from .orders import Shop

FEW = ("all", "found", "nothing-found", "older", "missing")
"""These are made of the same pieces as the others."""


def open_page(visit: Visit, links: Links, shop: Shop, name: str) -> int:
    """Open one of the pages there are."""
    addresses = {
        "list": links.orders(shop.name),
        "all": links.orders(),
        "found": links.orders("", "parcel"),
        "nothing-found": links.orders("", "nonesuch"),
        "order": links.order(shop.name, "1001"),
        "older": links.order(shop.name, "asks", before="2000-01-01T00:00:00Z"),
        "missing": links.order(shop.name, "nonesuch"),
    }
    return visit.open(addresses[name])


SEEN = [
    *((name, look) for name in ("list", "order") for look in LOOKS),
    *((name, look) for name in FEW for look in ("light", "phone-dark")),
]


@pytest.mark.parametrize(("name", "look"), SEEN)
def test_axe_finds_nothing_and_all_of_it_fits(
    browser: Browser, shop: Shop, links: Links, screenshots: Path, name: str, look: str
) -> None:
    with browser.visit(extra_http_headers=SIGNED_IN, **LOOKS[look]) as visit:
        assert open_page(visit, links, shop, name) == (404 if name == "missing" else 200)
        visit.page.screenshot(path=screenshots / f"{name}-{look}.png", full_page=True)
        assert visit.spills() == []
        # With all that was folded as well.
        unfold(visit.page)
        assert find_faults(visit.page) == []
        assert visit.spills() == []
        assert visit.alarms == []
