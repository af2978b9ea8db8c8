"""The page of an order: its facts, and its messages as a timeline."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from conversation_tracker.pages.links import Links
from conversation_tracker.pages.static import read_static
from conversation_tracker.pages.templates import stream


def render_order(
    conversation: Mapping[str, Any],
    links: Links,
    *,
    alone: bool = False,
    html: Callable[[int], str | None] | None = None,
    before: str = "",
    after: str = "",
    now: datetime | None = None,
) -> Iterator[str]:
    """Write the page of an order.

    Args:
        conversation: what `tracker.conversation` gave; its messages may be any iterable.
        links: makes addresses.
        alone: whether the page stands by itself, in a file: without script and without links.
        html: gives the sanitised HTML of a message by its number; asked only for a page alone.
        before: the time before which these are the last messages, "" if none was asked.
        after: the time after which these are the first messages, "" if none was asked.
        now: the time; None asks the clock.

    Returns:
        The pieces of the page, in their order.
    """
    return stream(
        "order.html",
        links=links,
        order=conversation,
        alone=alone,
        html=html,
        before=before,
        after=after,
        now=now or datetime.now(UTC),
        style=read_static("page.css") if alone else "",
    )
