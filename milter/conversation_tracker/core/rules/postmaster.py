"""Mail to the postmaster of an alias domain, which every domain with mail must have.

RFC 5321 section 4.5.1, RFC 2142. It belongs to no order: it goes to whoever reads such mail, as it
came, and nothing of it is recorded.
"""

from collections.abc import Collection

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import find_domain
from conversation_tracker.core.model.message import INTERNAL, Message, Recipient
from conversation_tracker.core.model.plan import AddRecipient, DeleteRecipient, Plan
from conversation_tracker.core.views import copies

HERE = "postmaster"
"""The postmaster of the mail host: Postfix completes the name with the host's own domain."""

_NAMES = frozenset({"postmaster", "abuse"})


def is_postmaster(address: Address, alias_domains: Collection[str]) -> bool:
    """Return whether an address is the postmaster's of an alias domain, in any letter case.

    Only the domain itself has one: below it are soft aliases.

    Args:
        address: an envelope recipient.
        alias_domains: all alias domains.
    """
    return address.domain in alias_domains and address.local.lower() in _NAMES


def is_unreachable(postmaster: str, alias_domains: Collection[str]) -> bool:
    """Return whether mail to who is to read it would come back to the tracker.

    Args:
        postmaster: their address, or HERE.
        alias_domains: all alias domains.
    """
    return find_domain(postmaster.rpartition("@")[2], alias_domains) is not None


def goes_to_postmasters(recipients: Collection[Recipient]) -> bool:
    """Return whether a message goes to nobody but postmasters."""
    return bool(recipients) and all(each.postmaster for each in recipients)


def plan(message: Message, postmaster: str) -> Plan:
    """Plan for a message to nobody but postmasters: it goes on as it came.

    For several, the splitter makes a copy for each, whose headers are in ASCII.

    Args:
        message: the message.
        postmaster: the address of who is to read it, or HERE.

    Returns:
        The plan. The envelope sender stays, even the null sender; only fields that only we write
        are removed. If it comes back again and again, Postfix's own hop limit ends it.
    """
    if len(message.recipients) == 1:
        values = [None if h.key in INTERNAL else h.value for h in message.headers]
        gone = copies.edit_headers(message, values)
        [recipient] = message.recipients
        return Plan(edits=(*gone, DeleteRecipient(recipient.raw), AddRecipient(postmaster)))
    if message.arrival.split:
        # The splitter's transport does not split; passing this on would go round for ever.
        return Plan(reply=replies.TRY_LATER)
    return Plan(edits=tuple(copies.edit_for_splitter(message)))
