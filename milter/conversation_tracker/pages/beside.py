"""What a page of an order leads to: its other pages, and in a folder of files the messages."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conversation_tracker.pages.links import Links
from conversation_tracker.pages.messages import ShownMessage


@dataclass(frozen=True, slots=True)
class OrderPages:
    """The pages beside one of an order.

    Attributes:
        older: the address of the messages before these, "" if there are none.
        newer: that of those after these, "" if there are none.
        newest: that of the last messages, "" if these are.
        orders: that of the list that leads to the order, "" if the head of the page has it.
    """

    older: str = ""
    newer: str = ""
    newest: str = ""
    orders: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """What lies beside a page in a file.

    Attributes:
        pages: the other pages, by relative addresses.
        file: gives the relative address of a message as a file, by its number.
    """

    pages: OrderPages
    file: Callable[[int], str]


def find_pages(
    conversation: Mapping[str, Any],
    messages: Sequence[ShownMessage],
    links: Links,
    *,
    before: str,
    after: str,
    at: str,
) -> OrderPages:
    """Find what is beside a page; `more` says whether there is anything in the way it was asked.

    Args:
        conversation: what `tracker.conversation` gave.
        messages: those of the page.
        links: makes addresses.
        before: the time before which these are the last messages, "" if none was asked.
        after: the time after which these are the first messages, "" if none was asked.
        at: the time of which these are the messages, "" if none was asked.
    """
    store, number, more = conversation["store"], conversation["number"], conversation["more"]
    newest = links.order(store, number)
    if not messages:
        return OrderPages(newest=newest if before or after or at else "")
    older = links.order(store, number, before=messages[0].date)
    newer = links.order(store, number, after=messages[-1].date)
    if at:
        return OrderPages(older, newer, newest)
    if after:
        return OrderPages(older, newer if more else "", newest if more else "")
    return OrderPages(older if more else "", newer if before else "", newest if before else "")
