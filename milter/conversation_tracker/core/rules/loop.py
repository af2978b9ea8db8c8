"""Loops, and senders forged in an alias domain: what must not pass, whoever it is for."""

from collections.abc import Collection

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import find_mailboxes
from conversation_tracker.core.model.alias import find_domain
from conversation_tracker.core.model.message import Message

HOP_LIMIT = 5
"""How often a message may go through a tracker."""


def find_refusal(message: Message, alias_domains: Collection[str]) -> replies.Reply | None:
    """Return why a message must not pass, whoever it is for.

    A From in an alias domain is never a participant: the signer behind us signs what carries it,
    so it is only ever ours. With our hop header it came back, without it is forged.

    Args:
        message: the message.
        alias_domains: all alias domains.

    Returns:
        The reply to refuse it with, or None.
    """
    if message.hops >= HOP_LIMIT:
        return replies.LOOP
    authors = [
        m.address
        for value in message.values(b"from")
        for m in find_mailboxes(value, message.limits.check)
    ]
    ours = any(
        address is not None and find_domain(address.domain, alias_domains)
        for address in (*authors, message.author)
    )
    # What we cannot read, a signer might.
    if None in authors:
        raw = b" ".join(message.values(b"from")).lower()
        ours = ours or any(domain.encode("ascii") in raw for domain in alias_domains)
    if not ours:
        return None
    return replies.LOOP if message.hops else replies.FORGED_SENDER
