"""The style sheet, the script and the sign of the pages, as they lie in the package."""

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "static"

FILES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "page.svg": "image/svg+xml",
}
"""Their names, and the type that each is served with."""


@cache
def read_static(name: str) -> str:
    """Return one of `FILES`.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in FILES:
        raise KeyError(name)
    return (_FOLDER / name).read_text(encoding="utf-8")
