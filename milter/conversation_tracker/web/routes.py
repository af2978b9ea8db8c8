"""Which page an address leads to: the path as it was asked for, still encoded, to a value.

A store's name and an order's number may hold any character, slashes too, so a path is cut into
segments before they are decoded. Whatever leads nowhere is `NOWHERE`; a path that is no text at all
raises ValueError.
"""

import re
from dataclasses import dataclass

from conversation_tracker.pages.links import read_segment
from conversation_tracker.pages.static import FILES

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_NUMBER = re.compile(r"[1-9][0-9]{0,18}")
_MOST_MESSAGE = 2**63 - 1
_MOST_FILE = 2**31 - 1


@dataclass(frozen=True, slots=True)
class NoPage:
    """There is no such page."""

    page = "none"


@dataclass(frozen=True, slots=True)
class HomePage:
    """The search, and the lists of orders."""

    page = "home"


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that pages need."""

    page = "static"
    name: str


@dataclass(frozen=True, slots=True)
class OrderPage:
    """An order, as a page or as JSON."""

    page = "order"
    store: str
    number: str


@dataclass(frozen=True, slots=True)
class AttachmentPage:
    """A file of a message of an order."""

    page = "attachment"
    store: str
    number: str
    message: int
    file: int


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """The sanitised HTML of a message of an order."""

    page = "html"
    store: str
    number: str
    message: int


Route = NoPage | HomePage | StaticFile | OrderPage | AttachmentPage | HtmlPage


def find_route(path: bytes) -> Route:
    """Find where a path leads.

    Args:
        path: as it was asked for, still encoded, without a query.

    Raises:
        ValueError: it is not UTF-8.
    """
    first, *segments = path.decode("ascii").split("/")
    if first:
        return NoPage()
    match [read_segment(each) for each in segments]:
        case [""]:
            return HomePage()
        case ["static", name] if name in FILES:
            return StaticFile(name)
        case ["orders", store, number] if _are_names(store, number):
            return OrderPage(store, number)
        case ["orders", store, number, "messages", message] if _are_names(store, number):
            known = _read_number(message, _MOST_MESSAGE)
            return HtmlPage(store, number, known) if known else NoPage()
        case ["orders", store, number, "attachments", message, file] if _are_names(store, number):
            known, place = _read_number(message, _MOST_MESSAGE), _read_number(file, _MOST_FILE)
            return AttachmentPage(store, number, known, place) if known and place else NoPage()
    return NoPage()


def _are_names(store: str, number: str) -> bool:
    """Whether these can be a store's and an order's: neither holds a control character."""
    return all(0 < len(each) <= 200 and not _CONTROL.search(each) for each in (store, number))


def _read_number(text: str, most: int) -> int:
    """Read a number from 1; 0 if it is none."""
    known = int(text) if _NUMBER.fullmatch(text) else 0
    return known if known <= most else 0
