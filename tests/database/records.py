"""What a message leaves behind, as a test needs it: nothing but what the test says."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from conversation_tracker.core.model.plan import Record

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
