"""What a message leaves behind, as a test needs it: nothing but what the test says."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from conversation_tracker.core.model.plan import Record

if TYPE_CHECKING:
    from tests.database.conftest import Shop

_PLAIN = Record(
    order=0,
    joined=(),
    digest=bytes(32),
    queue_id="Q",
    direction="outbound",
    sender="",
    return_path=None,
    recipients=(),
    sender_name="",
    message_id="",
    subject="",
    first_words="",
    size=1,
    attachment_names=(),
    automatic=False,
    auto_reply=False,
    raw=b"",
)


def make_record(order: int, sender: str, to: Iterable[str], /, **changes: Any) -> Record:
    """Return the record of a message, with a fresh bounce token for each recipient.

    Args:
        order: the order's id.
        sender: the sender's token.
        to: the recipients' tokens.
        changes: other values of the record.
    """
    recipients = tuple((token, uuid4().hex) for token in to)
    return replace(_PLAIN, **{"order": order, "sender": sender, "recipients": recipients} | changes)


def map_identifier(shop: "Shop", original: str, address: str) -> None:
    """Let a participant's identifier be mapped."""
    shop.connection.execute(
        "INSERT INTO tracker.message_ids (order_id, ours, original, participant_id)"
        " SELECT order_id, gen_random_uuid()::text, %s, id FROM tracker.participants"
        "  WHERE address = %s AND order_id IN (SELECT id FROM tracker.orders WHERE store = %s)",
        (original, address, shop.name),
    )
