"""What the other tests of this folder rely on: whatever a page makes the browser do is seen."""

from pathlib import Path

from playwright.sync_api import Playwright

from .browser import PHONE, Browser, log_network, wait_for
from .hostile import ACTING, AHEAD, OTHERS, UNSEEN, WAYS, WORD, ask
from .trap import Trap, find_ways


def test_a_page_that_nobody_cleaned_asks_in_each_way(
    browser: Browser, trap: Trap, tmp_path: Path
) -> None:
    file = tmp_path / "page.html"
    file.write_text(ask(WAYS))
    known = len(trap.seen)
    with browser.visit() as visit:
        visit.open(file.as_uri())
    came = b"\n".join(trap.seen[known:])
    del trap.seen[known:]
    assert WAYS.keys() - find_ways(came) == UNSEEN | AHEAD
    assert len(visit.strangers(file.as_uri())) >= len(find_ways(came))


def test_what_acts_by_itself_is_seen(browser: Browser, trap: Trap, tmp_path: Path) -> None:
    """And scripts that run say so."""
    for way in ACTING:
        file = tmp_path / f"{way}.html"
        file.write_text(ask({way: OTHERS[way]}))
        known = len(trap.seen)
        came = lambda: find_ways(b"\n".join(trap.seen[known:]))  # noqa: B023, E731
        with browser.visit() as visit:
            visit.page.goto(file.as_uri(), wait_until="commit")
            assert wait_for(visit.page, lambda: way in came()), way  # noqa: B023
        del trap.seen[known:]
        assert bool(visit.alarms) == (way in {"form", "onload"}), visit.alarms


def test_what_is_asked_for_ahead_is_in_the_log(playwright: Playwright, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(ask({way: WAYS[way] for way in AHEAD}))

    def look(page):
        page.goto(file.as_uri())
        page.wait_for_timeout(500)

    assert find_ways(log_network(playwright, tmp_path, look)) == AHEAD


def test_what_is_too_wide_is_seen(browser: Browser) -> None:
    with browser.visit(width=PHONE) as visit:
        visit.page.set_content(f"<p>{WORD}</p>")
        assert any(each.startswith("<p>") for each in visit.spills())
        visit.page.set_content(f"<p style='overflow-wrap: anywhere'>{WORD}</p>")
        assert visit.spills() == []
