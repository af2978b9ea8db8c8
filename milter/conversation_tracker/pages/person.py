"""The page that leads through what was written out for one person; it stands by itself."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from markupsafe import Markup

from conversation_tracker.pages.templates import stream


def render_person(
    address: str,
    orders: Iterable[str],
    traces: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    counts: Mapping[str, int],
    made: datetime,
) -> Iterator[str]:
    """Write the page.

    Args:
        address: the person's.
        orders: what `render_person_order` wrote, piece by piece.
        traces: when the person was looked up, unmasked and erased.
        counts: `orders`, `messages` and `tagged`.
        made: when.

    Returns:
        The pieces of the page, in their order.
    """
    return stream(
        "person.html",
        address=address,
        orders=map(Markup, orders),
        traces=traces,
        counts=counts,
        made=made,
    )


def render_person_order(
    order: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Write the part about one order.

    Args:
        order: what is known of it, with the addresses of its files.
        messages: a line for each.

    Returns:
        The pieces, in their order.
    """
    return stream("person_order.html", order=order, messages=messages)
