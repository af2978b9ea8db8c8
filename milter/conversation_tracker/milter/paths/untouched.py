"""The paths of mail that belongs to no order: it goes on as it came. No database."""

from conversation_tracker.core.rules import planning, postmaster
from conversation_tracker.core.rules.classification import ForeignMail, PostmasterMail
from conversation_tracker.milter.paths.context import Context
from conversation_tracker.milter.paths.outcome import Outcome


def pass_foreign_mail(mail: ForeignMail, context: Context) -> Outcome:
    """Pass mail that belongs to no order, without what only we or a store may write."""
    return Outcome(planning.pass_through(mail.message, context.directory.senders))


def pass_to_postmaster(mail: PostmasterMail, context: Context) -> Outcome:
    """Pass mail on to whoever reads a postmaster's."""
    return Outcome(postmaster.plan(mail.message, context.reader))
