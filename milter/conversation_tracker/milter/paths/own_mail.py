"""The path of a store's own mail to no alias: the order that it names is looked up, or made."""

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.rules import planning
from conversation_tracker.core.rules.classification import OwnMail
from conversation_tracker.core.rules.own_mail import UnusableNumber, read_order_number
from conversation_tracker.core.rules.recipient import refuse_status
from conversation_tracker.core.views import message_ids
from conversation_tracker.database.repository import Database
from conversation_tracker.database.rows import Lookup
from conversation_tracker.milter.paths.context import Context
from conversation_tracker.milter.paths.outcome import Outcome, refuse
from conversation_tracker.milter.paths.record import plan_and_record


def take_own_mail(mail: OwnMail, context: Context) -> Outcome:
    """Find its order, plan, record, and return the outcome; without an order it stays as it is."""
    try:
        found = context.named or find_order(context.database, mail.message, mail.store)
    except UnusableNumber:
        return refuse(replies.CANNOT_MASK)
    if found is None:
        return _take_unnamed_mail(mail, context)
    reply = refuse_status(found.status)
    if reply is None and mail.store.name in context.directory.inactive:
        reply = replies.TRY_LATER
    if reply is not None:
        return refuse(reply)
    conversations = {found.conversation.order.id: found.conversation}
    return plan_and_record(context, mail.message, conversations, mail.store)


def _take_unnamed_mail(mail: OwnMail, context: Context) -> Outcome:
    """Pass mail that names no order, or refuse what would get to somebody in an open one."""
    if mail.store.unnamed_mail == "reject":
        to = [each.address for each in mail.message.recipients if each.address is not None]
        if context.database.takes_part(mail.store.name, to):
            return refuse(replies.UNNAMED)
    return Outcome(planning.pass_through(mail.message))


def find_order(database: Database, message: Message, store: Store) -> Lookup | None:
    """Find the order that a store's own mail names, by header or by what it answers.

    Args:
        database: where to look.
        message: the mail; its body is not looked at.
        store: the store.

    Raises:
        UnusableNumber: its order header names none.
        DatabaseUnavailable: no answer came in time.
    """
    number = read_order_number(message, store)
    if number is not None:
        return database.open_order(store.name, number)
    answered = message_ids.find_references(message)
    return database.find_by_reply(store.name, answered) if answered else None
