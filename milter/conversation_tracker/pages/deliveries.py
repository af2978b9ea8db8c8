"""What became of a message, for each recipient and as a whole, in plain words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conversation_tracker.pages.reasons import explain_refusal, explain_status
from conversation_tracker.pages.roles import ShownPerson, name_role
from conversation_tracker.pages.units import write_count

_STATES = {
    "accepted": "Passed on",
    "delayed": "Delayed, still being tried",
    "sent": "Delivered",
    "bounced": "Not delivered",
    "refused": "Refused",
}
_TROUBLED = ("bounced", "refused", "delayed")
_WORST_FIRST = (*_TROUBLED, "accepted", "sent")
_NAMED = 3  # recipients that are named one by one; of more there are numbers
MAX_TROUBLED = 10
"""Recipients who did not get it that are shown at once; the rest is folded with the others."""


@dataclass(frozen=True, slots=True)
class ShownDelivery:
    """What became of one recipient's copy.

    Attributes:
        title: the recipient's role in words.
        alias: the recipient's, "" if they take no part.
        state: accepted, delayed, sent, bounced or refused.
        words: the state in words.
        why: a sentence without its full stop, "" if there is nothing to explain.
        said: what the other server said, or we did, as it stands.
    """

    title: str
    alias: str
    state: str
    words: str
    why: str
    said: str


def show_deliveries(
    deliveries: Sequence[Mapping[str, Any]], people: Mapping[str, ShownPerson]
) -> list[ShownDelivery]:
    """Return what became of each copy, in the order of the recipients."""
    return [_show(each, people) for each in deliveries]


def _show(each: Mapping[str, Any], people: Mapping[str, ShownPerson]) -> ShownDelivery:
    state, said = each["state"], f"{each['reason']}".strip()
    why = ""
    if state == "refused":
        why = explain_refusal(said)
    elif state in _TROUBLED:
        why = explain_status(each["status"])
        if each["status"] not in said:
            said = f"{each['status']} {said}".strip()
    return ShownDelivery(
        name_recipient(each, people),
        each["alias"],
        state,
        _STATES.get(state, state),
        why,
        said if state in _TROUBLED else "",
    )


def name_recipient(each: Mapping[str, Any], people: Mapping[str, ShownPerson]) -> str:
    """Return a recipient's role in words, "" of whoever takes no part."""
    known = people.get(each["alias"])
    if known is not None:
        return known.title
    return name_role(each["role"]) if each["role"] else ""


def name_recipients(
    deliveries: Sequence[Mapping[str, Any]], people: Mapping[str, ShownPerson]
) -> str:
    """Say to whom a message went, in a few words: "Customer, Partner 2", "Store, 12 partners"."""
    titles = list(dict.fromkeys(name for d in deliveries if (name := name_recipient(d, people))))
    if len(titles) <= _NAMED:
        return ", ".join(titles)
    roles = Counter(name_role(each["role"]) for each in deliveries if each["role"])
    return ", ".join(
        role if count == 1 else write_count(count, role.lower()) for role, count in roles.items()
    )


def sum_up(deliveries: Sequence[ShownDelivery]) -> str:
    """Say what became of all copies, the worst first: "Not delivered to 1, delivered to 11"."""
    counts = Counter(each.state for each in deliveries)
    known = [each for each in _WORST_FIRST if counts[each]]
    if len(known) == 1:
        return _STATES[known[0]] if len(deliveries) == 1 else f"{_STATES[known[0]]} to all"
    said = ", ".join(f"{_STATES[each]}: {counts[each]:,}" for each in known)
    return said[:1] + said[1:].lower()
