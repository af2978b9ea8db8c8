"""The path of mail that belongs to orders: recorded, and forwarded as each reader may see it."""

from conversation_tracker.core.rules.classification import OrderMail
from conversation_tracker.milter.paths.context import Context
from conversation_tracker.milter.paths.outcome import Outcome
from conversation_tracker.milter.paths.record import plan_and_record


def take_order_mail(mail: OrderMail, context: Context) -> Outcome:
    """Plan, record, and return the outcome."""
    return plan_and_record(context, mail.message, mail.conversations, mail.own)
