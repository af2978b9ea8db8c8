"""Who a message claims to be from, and whether a store takes such mail.

A From in the store's own domains is the store's word only if the client is trusted or a verifier
vouches for it; else it is a false claim, whatever the verifier says, for a store knows its own
systems. Pure; nothing here raises.
"""

from collections.abc import Iterator

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.first_pass import Verdict
from conversation_tracker.core.model.message import Message

_BELIEVED = ("trusted", "verified")


def find_false_store_authors(
    message: Message, conversation: Conversation, found: Verdict
) -> list[Address]:
    """Return the authors who claim to be the store and are not.

    Args:
        message: the message.
        conversation: the order it is for.
        found: what is known of its author.
    """
    if found in _BELIEVED:
        return []
    domains = conversation.store.sender_domains
    return [author for author in message.authors if author.domain in domains]


def has_false_claim(message: Message, conversation: Conversation, found: Verdict) -> bool:
    """Return whether a message falsely claims to be from the store or from a participant.

    Args:
        message: the message.
        conversation: the order it is for, as it was before.
        found: what is known of its author.
    """
    if find_false_store_authors(message, conversation, found):
        return True
    return found == "failed" and any(_taking_part(message, conversation))


def is_unwelcome(message: Message, conversation: Conversation, found: Verdict) -> bool:
    """Return whether the store's settings refuse a message because of its sender.

    Arguments as for `has_false_claim`. Guests are unknown, and every author must be known.
    """
    store = conversation.store
    if store.spoofed_senders == "reject" and has_false_claim(message, conversation, found):
        return True
    return store.unknown_senders == "reject" and not all(
        _judge_authors(message, conversation, found)
    )


def _taking_part(message: Message, conversation: Conversation) -> Iterator[bool]:
    for author in message.authors:
        participant = conversation.find_owner(author)
        known = participant is not None and participant.recorded and participant.role != "return"
        yield known or author.domain in conversation.store.sender_domains


def _judge_authors(message: Message, conversation: Conversation, found: Verdict) -> Iterator[bool]:
    for author in message.authors:
        if author.domain in conversation.store.sender_domains:
            yield found in _BELIEVED
            continue
        participant = conversation.find_owner(author)
        yield bool(participant and participant.introduced and participant.role != "return")
