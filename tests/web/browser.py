"""Debian's own chromium, driven by Playwright, and what a visit of a page did in it.

A `Visit` notes whatever a page makes the browser do: requests, dialogs, windows, and what the
console says, violations of the page's policy among it. `Visit.alarms` is what none of our pages may
cause.

Every name leads the shared browser to a `Trap`. It does no work ahead, as browsers do who guess
where one will go next: `log_network` has one that does.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, Playwright

PROGRAM = Path("/usr/bin/chromium")
PATIENCE = 60_000.0  # milliseconds, generous: the machine may be busy
INTRUDER = "intruder"
"""The class of all elements that hostile mail brings along."""
PHONE, WIDE = 320, 1280  # pixels
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "width": WIDE},
    "dark": {"color_scheme": "dark", "width": WIDE},
    "phone": {"color_scheme": "light", "width": PHONE, "has_touch": True, "is_mobile": True},
    "phone-dark": {"color_scheme": "dark", "width": PHONE, "has_touch": True, "is_mobile": True},
}
"""How a page is looked at, as `Browser.visit` takes it."""

# The page must fit, and so must each element in it, with its text, unless it scrolls by itself.
_SPILL = """() => {
    const room = document.documentElement.clientWidth, found = [];
    const clipped = (one) => {
        for (let up = one.parentElement; up && up !== document.body; up = up.parentElement)
            if (getComputedStyle(up).overflowX !== 'visible') return true;
        return false;
    };
    if (document.documentElement.scrollWidth > room)
        found.push(`the page: ${document.documentElement.scrollWidth} of ${room}`);
    for (const one of document.body.querySelectorAll('*')) {
        if (!one.checkVisibility()) continue;
        const box = one.getBoundingClientRect();
        if (box.width && box.right > room + 1 && !clipped(one))
            found.push(`${one.outerHTML.slice(0, 100)}: ${Math.round(box.right)} of ${room}`);
        else if (one.clientWidth && one.scrollWidth > one.clientWidth + 1
                 && getComputedStyle(one).overflowX === 'visible')
            found.push(`${one.outerHTML.slice(0, 100)}: runs out of its box`);
    }
    return found.slice(0, 10);
}"""


@dataclass
class Visit:
    """One tab, and what happened in it.

    Attributes:
        page: Playwright's page.
        requests: the address of each request, in their order.
        alarms: dialogs, windows that opened, errors of scripts, and complaints on the console.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.alarms.append(f"script: {error}"))
        self.page.on("popup", lambda window: self.alarms.append(f"window: {window.url}"))
        self.page.on("dialog", self._note_dialog)
        self.page.on("console", self._note_console)

    def open(self, address: str) -> int:
        """Open a page, wait until what it asks for is there, and return the answer's status."""
        answer = self.page.goto(address)
        assert answer is not None
        return answer.status

    def strangers(self, own: str) -> list[str]:
        """Return the requests that went elsewhere than to the server of an address."""
        # What has no host (data:, about:, blob:) asks nobody.
        return [
            each
            for each in self.requests
            if urlsplit(each).netloc not in ("", urlsplit(own).netloc)
        ]

    def intruders(self) -> list[str]:
        """Return the elements that are a message's own, in the page and in all its frames."""
        return [
            str(each)
            for frame in self.page.frames
            for each in frame.eval_on_selector_all(
                f".{INTRUDER}", "found => found.map(each => each.outerHTML)"
            )
        ]

    def spills(self) -> list[str]:
        """Return what is wider than the window, as far as a few examples tell."""
        return list(self.page.evaluate(_SPILL))

    def _note_dialog(self, dialog: Any) -> None:
        self.alarms.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _note_console(self, message: Any) -> None:
        # An answer that is no 200 is told as an error as well; tests look at the status.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.alarms.append(f"console: {message.text}")


class Browser:
    """One browser, with nothing of anybody's in it."""

    def __init__(self, playwright: Playwright, home: Path, *, names_lead_to: int) -> None:
        """Start it.

        Args:
            playwright: the running driver.
            home: a folder for its files.
            names_lead_to: the port on loopback where each host but 127.0.0.1 is looked for.
        """
        self._browser = playwright.chromium.launch(
            executable_path=PROGRAM,
            chromium_sandbox=os.geteuid() != 0,  # it refuses root
            downloads_path=home / "downloads",
            timeout=PATIENCE,
            args=[f"--host-resolver-rules=MAP * 127.0.0.1:{names_lead_to}, EXCLUDE 127.0.0.1"],
        )
        self.version = self._browser.version

    @contextmanager
    def visit(self, *, width: int = WIDE, height: int = 800, **how: Any) -> Iterator[Visit]:
        """Open a tab, alone in a profile of its own.

        Args:
            width: of the window, in pixels.
            height: of the window, in pixels.
            how: what else Playwright's `new_context` takes, such as `color_scheme`.
        """
        context: BrowserContext = self._browser.new_context(
            viewport={"width": width, "height": height}, **how
        )
        context.set_default_timeout(PATIENCE)
        try:
            yield Visit(context.new_page())
        finally:
            context.close()

    def close(self) -> None:
        """End it."""
        self._browser.close()


def wait_for(page: Page, done: Callable[[], object], seconds: float = 60.0) -> bool:
    """Wait until something is so, while the browser goes on; tell whether it came to be."""
    ends = time.monotonic() + seconds
    while not done():
        if time.monotonic() > ends:
            return False
        page.wait_for_timeout(20)
    return True


def unfold(page: Page) -> int:
    """Open all that is folded, wait until all frames are there, and return how many they are."""
    page.eval_on_selector_all("details", "found => found.forEach(each => each.open = true)")
    for each in page.locator("iframe").all():
        each.scroll_into_view_if_needed()  # they are loaded when they are looked at
    frames = page.frames[1:]
    assert wait_for(page, lambda: all(each.url for each in frames))
    for each in frames:
        each.wait_for_load_state()
    return len(frames)


def log_network(
    playwright: Playwright, home: Path, look: Callable[[Page], object], **how: Any
) -> bytes:
    """Look at pages with a browser of one's own, as people have it, and return what it asked for.

    Args:
        playwright: the running driver.
        home: a folder for its files.
        look: called with a tab.
        how: what else Playwright's `launch_persistent_context` takes.

    Returns:
        Its log of the network: each name that was looked up, each connection and request.
    """
    log = home / "network.json"
    context = playwright.chromium.launch_persistent_context(
        home / "profile",
        executable_path=PROGRAM,
        chromium_sandbox=os.geteuid() != 0,
        timeout=PATIENCE,
        args=[f"--log-net-log={log}"],
        **how,
    )
    try:
        look(context.new_page())
    finally:
        context.close()
    return log.read_bytes()
