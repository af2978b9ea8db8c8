"""The paths of mail that is refused whoever it is for."""

from conversation_tracker.core.rules import probe
from conversation_tracker.core.rules.classification import Probe, Unacceptable
from conversation_tracker.milter.paths.context import Context
from conversation_tracker.milter.paths.outcome import Outcome, refuse
from conversation_tracker.milter.paths.record import refuse_and_note


def answer_probe(asked: Probe, context: Context) -> Outcome:
    """Reply what would be believed of a message's author, had it come from outside."""
    return refuse(probe.answer(asked.message, context.authserv_id))


def refuse_unacceptable(mail: Unacceptable, context: Context) -> Outcome:
    """Refuse a message, and tell the timelines of its orders."""
    return refuse_and_note(context, mail.message, mail.conversations, mail.reply)
