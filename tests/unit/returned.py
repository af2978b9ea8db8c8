"""Mail that comes back to us, from few words."""

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import Message, parse

DAEMON = "From: Mail Delivery System <MAILER-DAEMON@example.net>"
RETURNED = (
    "Return-Path: <shop@example.com>\nSubject: Your order\n\n550 5.9.9 not said by a server\n"
)


def mail(head: str, body: str | bytes, *, null: bool = True, sender: str = "") -> Message:
    """Make a message from header lines and a body, both with LF."""
    raw = body if isinstance(body, bytes) else body.encode()
    envelope = Address.parse(sender) if sender else None
    return Message(envelope, (), parse(head.encode())[0], raw, null=null)
