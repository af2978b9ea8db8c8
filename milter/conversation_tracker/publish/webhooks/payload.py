"""What a webhook says: one event of the feed, as JSON, with an identifier of its own."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """An event, as the feed has it; nothing in it names a real address.

    Attributes:
        position: its place in the feed.
        at: when it happened.
        published_at: when it got its place.
        store: the store's name.
        order_number: the order's number.
        event: what happened.
        alias: whose it is, None if nobody's.
        detail: what more is known.
    """

    position: int
    at: datetime
    published_at: datetime
    store: str
    order_number: str
    event: str
    alias: str | None
    detail: Mapping[str, Any] = field(default_factory=dict)


def make_identifier(event: FeedEvent) -> str:
    """Return what tells a repeat from another event: the same for every try and every receiver.

    Positions alone would not do: a database that was restored gives some of them anew.
    """
    known = f"{event.position}\n{_write_time(event.published_at)}\n{event.event}"
    return f"evt_{hashlib.sha256(known.encode()).hexdigest()[:32]}"


def make_body(event: FeedEvent) -> bytes:
    """Return the body: type, timestamp and data, as Standard Webhooks names them."""
    told = {
        "type": event.event.replace(" ", "_"),
        "timestamp": _write_time(event.at),
        "data": {
            "store": event.store,
            "order_number": event.order_number,
            "position": event.position,
            "alias": event.alias,
            "detail": event.detail,
        },
    }
    return json.dumps(told, separators=(",", ":")).encode()


def _write_time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
