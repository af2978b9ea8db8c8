"""What became of one message, once it was decided on and recorded: for the session and its log."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.model.replies import Reply


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one message: its plan, already recorded, and what the log says of it."""

    plan: Plan
    return_path: str | None = None  # "" for the null sender, None where it stays
    orders: tuple[str, ...] = ()
    direction: str = ""
    what: Literal["untouched", "forwarded", "split", "returned"] = "untouched"


def refuse(reply: Reply) -> Outcome:
    """Return the outcome of a message that is refused."""
    return Outcome(Plan(reply=reply))


def make_outcome(
    plan: Plan, bounces: Mapping[str, str], conversations: Mapping[int, Conversation]
) -> Outcome:
    """Return the outcome of a message that was recorded.

    Args:
        plan: its plan.
        bounces: the bounce token of each recipient's token.
        conversations: those it belongs to, by the order's id.
    """
    first = plan.records[0]
    return_path = None
    if plan.bounces_to is not None:
        return_path = conversations[first.order].bounce(bounces[plan.bounces_to])
    orders = tuple(conversations[record.order].order.number for record in plan.records)
    what: Literal["forwarded", "split", "returned"] = "split" if plan.split else "forwarded"
    if plan.discard:
        what = "returned"
    return Outcome(replace(plan, records=()), return_path, orders, first.direction, what)
