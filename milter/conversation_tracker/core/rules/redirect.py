"""Mail of ours that its reader sends on to somebody in the order (RFC 5322 section 3.6.6).

It comes back with an alias in From, as a loop or a forgery does. Unlike these, its first
Resent-From is an introduced participant of the alias's order. This participant is then the author,
as of any mail they write. Pure; what takes too long raises Overdue.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

from conversation_tracker.core.model.address import Address, find_mailboxes
from conversation_tracker.core.model.alias import Hard, NotAnAlias, Soft, decode, find_domain
from conversation_tracker.core.model.conversation import Conversation, Participant
from conversation_tracker.core.model.message import Header, Message, Recipient
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.rules import claims
from conversation_tracker.core.rules.authentication import find_verdict, is_plain_author
from conversation_tracker.core.rules.own_mail import drop_false_trust

RESENT_FROM = b"resent-from"
"""The header field that names who sends a message on, in lower case."""


def find_alias(
    message: Message, alias_domains: Collection[str], stores: Mapping[str, Store]
) -> Hard | Soft | None:
    """Return whose alias is in From of mail that may have been sent on, None if it is no such mail.

    Args:
        message: the message.
        alias_domains: all alias domains.
        stores: the stores by each of their sender domains.
    """
    if _resender(message, alias_domains) is None or not all(
        each.token is not None
        or (each.is_outsider and each.address is not None and each.address.domain in stores)
        for each in message.recipients
    ):
        return None
    authors = [
        mailbox.address
        for value in message.values(b"from")
        for mailbox in find_mailboxes(value, message.limits.check)
    ]
    if len(authors) != 1 or authors[0] is None:
        return None
    try:
        alias = decode(authors[0], alias_domains)
    except NotAnAlias:
        return None
    return alias if isinstance(alias, Hard | Soft) else None


def adopt(
    message: Message,
    conversation: Conversation,
    alias_domains: Collection[str],
    stores: Mapping[str, Store],
    authserv_id: str = "",
) -> Message | None:
    """Return mail that was sent on as its sender's own, None if it is a loop or forged.

    Args:
        message: mail in which `find_alias` found an alias.
        conversation: the order that the alias is of.
        alias_domains: all alias domains.
        stores: the stores by each of their sender domains.
        authserv_id: whose Authentication-Results to believe, "" for nobody's.

    Returns:
        The message with the participant who sends it on in From, trusted no more than that one may
        be. Nobody may send mail on to themselves: that would loop.
    """
    sender = _resender(message, alias_domains)
    participant = conversation.find_owner(sender) if sender is not None else None
    if participant is None or not participant.introduced or participant.role == "return":
        return None
    if any(_is_misplaced(each, participant, conversation) for each in message.recipients):
        return None
    # Verifiers repeat the From that came, and it is replaced below.
    if not all(is_plain_author(value, message.limits.check) for value in message.values(b"from")):
        return None
    resent_from = message.first(RESENT_FROM) or b""
    headers = tuple(
        Header(each.name, resent_from) if each.key == b"from" else each for each in message.headers
    )
    own = drop_false_trust(replace(message, headers=headers), stores)
    verdict = find_verdict(own, authserv_id)
    # Whoever got the copy has our signature, and the alias domain may lie below theirs.
    if verdict != find_verdict(own, authserv_id, alias_domains):
        return None
    return None if claims.find_false_store_authors(own, conversation, verdict) else own


def _is_misplaced(recipient: Recipient, sender: Participant, conversation: Conversation) -> bool:
    """Whether a recipient is the one who sends the mail on, or neither an alias nor the store."""
    if recipient.token is not None:
        return recipient.token == sender.token
    to = recipient.address
    if to is None or to.domain not in conversation.store.sender_domains:
        return True
    owner = conversation.find_owner(to)
    return owner is not None and owner.token == sender.token


def _resender(message: Message, alias_domains: Collection[str]) -> Address | None:
    """Return whom the first Resent-From names, None if it names nobody, several, or an alias."""
    found = find_mailboxes(message.first(RESENT_FROM) or b"", message.limits.check)
    if len(found) != 1 or found[0].address is None:
        return None
    address = found[0].address
    return address if find_domain(address.domain, alias_domains) is None else None
