"""The paths of delivery reports: the delivery is marked, and its author notified in our own words.

The report itself goes no further: it holds a real address. Raises DatabaseUnavailable.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from conversation_tracker.base.random_token import make_token
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.reports import bounce
from conversation_tracker.core.reports.bounce import Delivery
from conversation_tracker.core.rules import planning
from conversation_tracker.core.rules.classification import (
    BounceReport,
    MisdirectedReport,
    RedirectReport,
    SharedReport,
)
from conversation_tracker.core.views import copies
from conversation_tracker.milter.paths.context import Context
from conversation_tracker.milter.paths.outcome import Outcome

if TYPE_CHECKING:
    from conversation_tracker.core.reports.report import Report


def take_bounce_report(returned: BounceReport, context: Context) -> Outcome:
    """Mark the delivery that the bounce address was made for."""
    plan = _mark(context, returned.message, returned.delivery, returned.report)
    return Outcome(plan, what="returned")


def drop_redirect_report(_report: RedirectReport, _context: Context) -> Outcome:
    """Take it, and tell nobody: what it is about has arrived before."""
    return Outcome(Plan(discard=True), what="returned")


def take_misdirected_report(misdirected: MisdirectedReport, context: Context) -> Outcome:
    """Mark the last delivery to the first whom the report names and its reader wrote to.

    One that names nobody of these ends here: whatever it tells, it may hold an address.
    """
    message, report = misdirected.message, misdirected.report
    [to] = message.recipients
    whose = map(misdirected.conversation.find_owner, report.recipients)
    failed = [participant.token for participant in whose if participant is not None]
    delivery = None
    if failed and to.token is not None:
        delivery = context.database.last_delivery(to.token, failed)
    plan = Plan(discard=True)
    if delivery is not None:
        plan = _mark(context, message, delivery, report)
    # What becomes of it must not be answered (RFC 3461 section 6.1).
    return_path = None if message.null else ""
    return Outcome(plan, return_path, what="returned")


def split_report(shared: SharedReport, _context: Context) -> Outcome:
    """Route it to the splitter, which makes one for each recipient; the second pass takes these."""
    if shared.message.arrival.split:
        return Outcome(planning.pass_through(shared.message), what="split")
    return Outcome(Plan(edits=tuple(copies.edit_for_splitter(shared.message))), what="split")


def _mark(context: Context, message: Message, delivery: Delivery, report: "Report") -> Plan:
    """Mark a delivery, and return the plan; only a new failure notifies anybody."""
    mark = bounce.mark(delivery, report)
    if mark is None or not context.database.mark(delivery.bounce, mark, message.digest):
        return Plan(discard=True)
    if mark.state != "bounced":
        return Plan(discard=True)
    return bounce.notify_sender(message, delivery, report, datetime.now(UTC), make_token())
