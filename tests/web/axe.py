"""What axe-core has to say against a page: rules for people who cannot see it, or use no mouse."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# Nothing is asked of a server for it, and nothing of the frames, in which no script may answer.
_OPTIONS: dict[str, Any] = {"preload": False, "iframes": False, "resultTypes": ["violations"]}
_axe = Axe()


def find_faults(page: Page) -> list[str]:
    """Return each fault that axe finds: its rule, the element, and what would mend it."""
    found = _axe.run(page, options=_OPTIONS).response
    return [
        f"{fault['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]
