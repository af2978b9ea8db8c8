"""The picture of the web page in README.md: an order of the demonstration, in a real browser.

A picture of the same page is never the same twice, since tokens and times differ: it is taken anew
when the page has another look, by `tests/docs --picture`.
"""

import base64
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from private import processes

from .blocks import ROOT

FILE = ROOT / "docs" / "order.webp"
BROWSER = Path("/usr/bin/chromium")
ADDRESS = re.compile(r"^    (http://127\.0\.0\.1:\d+/orders/hardshop/\S+)$", re.MULTILINE)
"""What `postfix/demo --keep` prints."""
WIDTH, HEIGHT = 1100, 1000  # pixels
_PATIENCE = 120_000  # milliseconds


def take(address: str) -> bytes:
    """Return the upper part of a page as WebP, once the publisher has read all its messages."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=BROWSER, chromium_sandbox=os.geteuid() != 0, timeout=_PATIENCE
        )
        page = browser.new_page(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", timezone_id="UTC"
        )
        page.goto(address)
        expect(page.locator("article").first).to_be_visible(timeout=_PATIENCE)
        # The page looks for what is read meanwhile by itself.
        expect(page.locator("article[data-waiting]")).to_have_count(0, timeout=_PATIENCE)
        taken = _capture(page)
        browser.close()
    return taken


def _capture(page: Page) -> bytes:
    session = page.context.new_cdp_session(page)
    found = session.send("Page.captureScreenshot", {"format": "webp", "quality": 80})
    return base64.b64decode(found["data"])


@contextmanager
def demonstrate() -> Iterator[str]:
    """Run the demonstration during the block, and give the address of an order in it.

    Raises:
        RuntimeError: it did not come so far.
    """
    with tempfile.TemporaryFile("w+") as said:
        demo = subprocess.Popen([ROOT / "postfix" / "demo", "--keep"], stdout=said)

        def find() -> re.Match[str] | None:
            said.seek(0)
            return ADDRESS.search(said.read())

        try:
            processes.until(lambda: find() or demo.poll() is not None, 300.0, 0.5)
            if (found := find()) is None:
                raise RuntimeError("the demonstration did not print where its orders are")
            yield found[1]
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
