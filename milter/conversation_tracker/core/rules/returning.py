"""Mail that we masked and that comes back for somebody who is no alias of ours.

Its reader redirects it, or has it fetched, to a mailbox of this host. The hop header proves
nothing; our signature does, of what it covers. A copy that another reader sends on to a store is
mail of the order, and does not pass. Pure; what takes too long raises Overdue.
"""

from collections.abc import Collection, Mapping

from conversation_tracker.core.model.address import find_mailboxes
from conversation_tracker.core.model.alias import find_domain
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.rules.authentication import bears_our_signature
from conversation_tracker.core.rules.loop import HOP_LIMIT
from conversation_tracker.core.syntax.signature import find_tags

_SIGNED = frozenset(
    b"from sender reply-to to cc subject content-type content-transfer-encoding".split()
)
"""What people and their mail programs rely on. Postfix may have added Date and Message-ID since."""


def is_returned(
    message: Message,
    alias_domains: Collection[str],
    stores: Mapping[str, Store],
    authserv_id: str,
) -> bool:
    """Whether a message is one of ours, as we sent it, and may pass untouched.

    Args:
        message: the message.
        alias_domains: all alias domains.
        stores: the stores by each of their sender domains.
        authserv_id: whose Authentication-Results to believe, "" for nobody's.
    """
    return (
        0 < message.hops < HOP_LIMIT
        and all(each.is_outsider for each in message.recipients)
        and bears_our_signature(message, authserv_id, alias_domains)
        and _is_covered(message, alias_domains)
        and _may_reach_stores(message, alias_domains, stores)
    )


def _is_covered(message: Message, alias_domains: Collection[str]) -> bool:
    """Whether each field that matters is there once, and in each signature in our name."""
    keys = [header.key for header in message.headers if header.key in _SIGNED]
    if b"from" not in keys or len(keys) != len(set(keys)):
        return False
    ours = []
    for value in message.values(b"dkim-signature"):
        message.limits.check()
        tags = find_tags(value)
        if any(_is_ours(name, tag, alias_domains) for name, tag in tags):
            ours.append(tags)
    return bool(ours) and all(_covers(tags, keys) for tags in ours)


def _is_ours(name: bytes, value: bytes, alias_domains: Collection[str]) -> bool:
    if name != b"d" or len(value) > 255:  # RFC 1035 section 2.3.4
        return False
    domain = value.decode("ascii", "replace").lower().rstrip(".")
    return find_domain(domain, alias_domains) is not None


def _covers(tags: Collection[tuple[bytes, bytes]], keys: Collection[bytes]) -> bool:
    """Whether a signature is of the whole body (RFC 6376 section 3.5, l=) and of these fields."""
    lists = [value.lower().split(b":") for name, value in tags if name == b"h"]
    return (
        len(lists) == 1 and set(keys) <= {*lists[0]} and all(name != b"l" for name, _value in tags)
    )


def _may_reach_stores(
    message: Message, alias_domains: Collection[str], stores: Mapping[str, Store]
) -> bool:
    """Whether a copy that goes to a store was the store's: it shows its reader's address alone."""
    to = {each.address.domain for each in message.recipients if each.address is not None}
    reached = [stores[domain] for domain in to if domain in stores]
    if not reached:
        return True
    if message.first(b"resent-from") is not None:
        return False
    shown = [
        mailbox.address.domain
        for name in (b"to", b"cc")
        for mailbox in find_mailboxes(message.first(name) or b"", message.limits.check)
        if mailbox.address is not None
    ]
    plain = {domain for domain in shown if find_domain(domain, alias_domains) is None}
    return bool(plain) and all(plain <= store.sender_domains for store in reached)
