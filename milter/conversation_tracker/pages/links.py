"""The addresses of pages, each made in one place, and how their parts are read back.

A store's name and an order's number may hold any character. Each is one segment of a path,
percent-encoded (RFC 3986); a segment of dots alone would be taken for a directory, even encoded, so
it is written with a tilde before it, and so is one that begins with a tilde.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes, urlencode

_ESCAPE = "~"
_NEEDS_ESCAPE = re.compile(r"~|\.{1,2}\Z")


def write_segment(text: str) -> str:
    """Write any text as one segment of a path; what is no character (a surrogate) becomes "?"."""
    escape = _ESCAPE if _NEEDS_ESCAPE.match(text) else ""
    return escape + quote(text, safe="", errors="replace")


def read_segment(raw: str) -> str:
    """Read what `write_segment` wrote, as it stands in the path that was asked for, still encoded.

    Raises:
        ValueError: it is not UTF-8.
    """
    return unquote_to_bytes(raw).decode().removeprefix(_ESCAPE)


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of all pages.

    Attributes:
        root: the path below which they lie, "" or one that begins with a slash and ends without.
    """

    root: str = ""

    def orders(self, store: str = "", words: str = "") -> str:
        """Return the address of the list of orders, of one store, or with what is searched for."""
        asked = {name: each for name, each in (("store", store), ("q", words)) if each}
        return self._join("", asked)

    def order(
        self, store: str, number: str, *, before: str = "", after: str = "", at: str = ""
    ) -> str:
        """Return the address of an order, or of messages before, after or of a time (RFC 3339)."""
        times = (("before", before), ("after", after), ("at", at))
        asked = {name: each for name, each in times if each}
        return self._join(self._order_path(store, number), asked)

    def order_json(self, store: str, number: str) -> str:
        """Return the address of an order as JSON."""
        return self._join(self._order_path(store, number), {"format": "json"})

    def attachment(self, store: str, number: str, message: int, file: int) -> str:
        """Return the address of one file of a message, counted from 1."""
        return self._join(f"{self._order_path(store, number)}/attachments/{message}/{file}")

    def html(self, store: str, number: str, message: int) -> str:
        """Return the address of a message's sanitised HTML."""
        return self._join(f"{self._order_path(store, number)}/messages/{message}")

    def static(self, name: str) -> str:
        """Return the address of one of `static.FILES`."""
        return self._join(f"static/{write_segment(name)}")

    def _order_path(self, store: str, number: str) -> str:
        return f"orders/{write_segment(store)}/{write_segment(number)}"

    def _join(self, path: str, asked: dict[str, str] | None = None) -> str:
        query = f"?{urlencode(asked, errors='replace')}" if asked else ""
        return f"{self.root}/{path}{query}"
