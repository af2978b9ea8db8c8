"""What a recipient leads to: the conversation of an alias, the delivery of a bounce address.

Raises DatabaseUnavailable.
"""

from dataclasses import replace

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.message import Recipient
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.rules.recipient import (
    AliasAddress,
    BounceAddress,
    ProbeAddress,
    RecipientKind,
    refuse_status,
)
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.transaction import Transaction


def look_up_recipient(
    found: RecipientKind, transaction: Transaction, database: Database
) -> Reply | None:
    """Look one recipient up, and note it.

    Args:
        found: what it is by its text.
        transaction: the transaction it belongs to; an accepted recipient is noted there.
        database: asked once, if it has the form of an alias or a bounce address.

    Returns:
        The reply to refuse it with, or None.
    """
    match found:
        case Reply():
            return found
        case Recipient():
            transaction.recipients.append(found)
            return None
        case ProbeAddress():
            transaction.probe = True
            return None
        case AliasAddress():
            return _look_up_alias(found, transaction, database)
        case BounceAddress():
            return _look_up_bounce(found, transaction, database)


def _look_up_alias(
    asked: AliasAddress, transaction: Transaction, database: Database
) -> Reply | None:
    found = database.find(asked.alias)
    if found is None:
        return replies.UNKNOWN_ALIAS
    if (reply := refuse_status(found.status)) is not None:
        return reply
    conversation = found.conversation
    order = conversation.order.id
    before = transaction.conversations.get(order)
    if before is not None:
        # Not everybody is read with an order: each look-up adds those it asked for.
        conversation = conversation.add_people((*before.participants, *before.apart))
    transaction.conversations[order] = conversation
    transaction.recipients.append(replace(asked.recipient, order=order, token=found.token))
    return None


def _look_up_bounce(
    asked: BounceAddress, transaction: Transaction, database: Database
) -> Reply | None:
    found = database.delivery(asked.bounce)
    if found is None:
        return replies.UNKNOWN_ALIAS
    status, delivery = found
    if (reply := refuse_status(status)) is not None:
        return reply
    token = asked.bounce.token
    transaction.deliveries[token] = delivery
    transaction.recipients.append(replace(asked.recipient, bounce=token))
    return None
