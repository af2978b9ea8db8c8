"""Orders as the database gives them, for pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

BUYER, STORE, PARTNER, OTHER = (f"{each * 32}@ct.example.com" for each in "abcd")
PLACED = datetime(2026, 11, 23, 17, 23, 59, 123456, UTC)
NOW = PLACED + timedelta(days=3)


def make_delivery(alias: str = STORE, role: str = "store", **changes: Any) -> dict[str, Any]:
    """Make what became of a copy."""
    made = {"alias": alias, "role": role, "state": "sent", "status": "2.0.0", "reason": ""}
    return made | changes


def make_message(number: int | None = 1, **changes: Any) -> dict[str, Any]:
    """Make a message of the buyer's for the store; `from_` is the author."""
    deliveries = changes.get("deliveries", [make_delivery()])
    made = {
        "id": number,
        "date": (PLACED + timedelta(hours=number or 0)).isoformat(),
        "direction": "inbound",
        "from": changes.pop("from_", BUYER),
        "fromName": "John Doe",
        "fromRole": "buyer",
        "to": [each["alias"] for each in deliveries],
        "recipients": deliveries,
        "deliveries": deliveries,
        "subject": "Where is my parcel?",
        "firstWords": "It has",
        "body": "It has not come.",
        "hasHtml": False,
        "hasAttachment": False,
        "attachmentNames": [],
        "attachments": [],
        "state": "sent",
        "size": 100,
        "automatic": False,
        "verdict": "verified",
        "notes": [],
        "marks": [],
    }
    assert changes.keys() <= made.keys()
    return made | changes


def make_order(*messages: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Make an order with some messages."""
    roles = {BUYER: "buyer", STORE: "store", PARTNER: "partner", OTHER: "partner"}
    made = {
        "number": "1001",
        "store": "mystore",
        "placed": PLACED.isoformat(),
        "closed": None,
        "expires": (PLACED + timedelta(days=60)).isoformat(),
        "people": [
            {"role": role, "alias": alias, "introduced": alias != OTHER}
            for alias, role in roles.items()
        ],
        "messages": list(messages),
        "more": False,
    }
    assert changes.keys() <= made.keys()
    return made | changes
