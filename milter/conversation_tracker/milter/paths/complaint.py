"""The path of a complaint (RFC 5965): recorded as mail to nobody, and taken."""

from dataclasses import replace

from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.rules.classification import Complaint
from conversation_tracker.milter.paths.context import Context
from conversation_tracker.milter.paths.outcome import Outcome
from conversation_tracker.milter.paths.record import plan_and_record


def take_complaint(complaint: Complaint, context: Context) -> Outcome:
    """Plan, record, and return the outcome."""
    return plan_and_record(
        context, complaint.message, complaint.conversations, adapt=_forward_to_nobody
    )


def _forward_to_nobody(plan: Plan) -> Plan:
    records = tuple(replace(record, recipients=()) for record in plan.records)
    return Plan(discard=True, records=records)
