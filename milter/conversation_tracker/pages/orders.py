"""The list of orders: what was searched for and found, who waits, and what went wrong lately."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from conversation_tracker.pages.links import Links
from conversation_tracker.pages.templates import stream

# An alias in hard form. A soft one holds an address.
_ALIAS = re.compile(r"[<(]?[0-9a-f]{32}@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """One row of a list.

    Attributes:
        store: the store's name.
        number: the order's number.
        at: when its message came, or when the order was placed, where there is no message.
        subject: of the message, "" if it has none or there is none.
        role: of somebody in the order: who was looked up, or whom a message was for.
        status: enhanced status code (RFC 3463) of a message that did not arrive.
        reason: the remote's words, or our reply.
    """

    store: str
    number: str
    at: datetime
    subject: str = ""
    role: str = ""
    status: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Lists:
    """What the page of orders shows.

    Attributes:
        stores: the stores that may be read, by name.
        store: the one that is shown, "" for all.
        words: what was searched for, "" if nothing was, or an address.
        by_address: an address was searched for; it is never shown again.
        found: what was found, None if nothing was searched for; with it none of the lists below is
            shown.
        waiting: who waits for an answer; `at` is since when, the longest first.
        bounced: what could not be delivered lately, the newest first.
        refused: what was refused lately, the newest first.
        flagged: what came with a false claim lately, the newest first.
        limit: a list of so many has been cut; 0 if none is.
        fault: what is wrong with what was asked, in a sentence, "" if nothing.
        now: the time.
    """

    stores: Sequence[str] = ()
    store: str = ""
    words: str = ""
    by_address: bool = False
    found: Sequence[ListedOrder] | None = None
    waiting: Sequence[ListedOrder] = ()
    bounced: Sequence[ListedOrder] = ()
    refused: Sequence[ListedOrder] = ()
    flagged: Sequence[ListedOrder] = ()
    limit: int = 0
    fault: str = ""
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def render_orders(lists: Lists, links: Links) -> Iterator[str]:
    """Write the page of orders.

    Args:
        lists: what it shows.
        links: makes addresses.

    Returns:
        The pieces of the page, in their order.
    """
    words = "" if _holds_address(lists.words) else lists.words
    return stream("orders.html", links=links, lists=lists, words=words)


def _holds_address(words: str) -> bool:
    """Whether what was typed has an address in it that is no alias, so that it is not shown."""
    return any("@" in each and not _ALIAS.match(each) for each in words.split())
