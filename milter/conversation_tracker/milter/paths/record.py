"""Plan a message and record it, or refuse it and tell the timeline: for the paths that need it.

Nothing may be answered 250 before `plan_and_record` has returned. Raises DatabaseUnavailable.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from conversation_tracker.base.random_token import make_token
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.conversation import Conversation, MappedId
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.plan import Plan, Record
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.rules import planning
from conversation_tracker.core.rules.recording import invited, make_refusal
from conversation_tracker.core.views import message_ids
from conversation_tracker.database.repository import Database
from conversation_tracker.milter.paths.context import Context
from conversation_tracker.milter.paths.outcome import Outcome, make_outcome, refuse

_ATTEMPTS = 3

_OUTCOMES = {
    "expired": replies.EXPIRED_ALIAS,
    "limited": replies.HOURLY_LIMIT,
    "looping": replies.LOOP,
}


def plan_and_record(
    context: Context,
    message: Message,
    conversations: Mapping[int, Conversation],
    own: Store | None = None,
    adapt: Callable[[Plan], Plan] = lambda plan: plan,
) -> Outcome:
    """Plan a message and record it.

    Once more if somebody joined meanwhile, or if the order knows somebody who is mentioned; and a
    copy of the splitter's if the message is not there that its first pass has recorded.

    Args:
        context: what to use.
        message: the message; its recipients name the orders.
        conversations: those it belongs to, by the order's id.
        own: the store whose own mail it is.
        adapt: changes a plan before it is recorded.
    """
    known = _look_up_identifiers(context.database, message, conversations)
    again = message.arrival.first_pass is not None
    for _attempt in range(_ATTEMPTS):
        plan = _plan(context, message, conversations, own, known, again=again)
        if plan.reply is not None:
            return refuse_and_note(context, message, conversations, plan.reply)
        if not plan.records:
            return Outcome(plan)
        plan = adapt(plan)
        outcome, bounces = context.database.record(plan.records)
        if outcome == "done":
            return make_outcome(plan, bounces, conversations)
        if outcome == "unknown":
            again = False
            continue
        if outcome != "stale":
            return refuse_and_note(context, message, conversations, _OUTCOMES[outcome])
        fresh = _read_again(context.database, plan.records, conversations)
        if len(fresh) < len(conversations):
            # An order is gone: what belonged to it must not leave as if it were nobody's.
            break
        conversations = fresh
    return refuse(replies.TRY_LATER)


def refuse_and_note(
    context: Context,
    message: Message,
    conversations: Mapping[int, Conversation],
    reply: Reply,
) -> Outcome:
    """Refuse a message, and tell the timeline of each order it was for.

    Args:
        context: what to use.
        message: the message.
        conversations: those it was for, by the order's id.
        reply: what it is refused with.
    """
    for order, conversation in conversations.items():
        to = next((r.token for r in message.recipients if r.order == order), None)
        found = make_refusal(message, conversation, to, reply, context.authserv_id)
        context.database.refuse(found)
    return refuse(reply)


def _plan(
    context: Context,
    message: Message,
    conversations: Mapping[int, Conversation],
    own: Store | None,
    known: Mapping[str, MappedId],
    *,
    again: bool,
) -> Plan:
    return planning.plan(
        message,
        list(conversations.values()),
        make_token,
        own,
        known,
        context.authserv_id,
        context.directory.alias_domains,
        context.directory.secret,
        again=again,
    )


def _look_up_identifiers(
    database: Database, message: Message, conversations: Mapping[int, Conversation]
) -> dict[str, MappedId]:
    """Return what the identifiers of ours in a message stand for.

    An order brings its own, unless it has many.
    """
    known: dict[str, MappedId] = {}
    for order, conversation in conversations.items():
        if conversation.identifiers is not None:
            known |= {each.ours: each for each in conversation.identifiers}
            continue
        end = f"@{conversation.order.alias_domain}>"
        ours = message_ids.to_look_up(message, conversation.order)
        ours += [each for each in invited(message) if each.endswith(end)]
        if ours:
            known |= database.identifiers(order, ours)
    return known


def _read_again(
    database: Database, records: Sequence[Record], before: Mapping[int, Conversation]
) -> dict[int, Conversation]:
    """Read the conversations of a plan once more, with everybody known whom it mentions.

    Whoever was known stays so: recipients, and strangers of long ago, are not read with an order.
    A recipient who is gone meanwhile keeps the message from being recorded.
    """
    fresh: dict[int, Conversation] = {}
    for record in records:
        found = database.again(record.order, record.mentioned)
        if found is not None:
            old = before[record.order]
            known = found.conversation.add_people((*old.participants, *old.apart))
            fresh[record.order] = replace(known, came_back=old.came_back)
    return fresh
