"""The people of an invitation: organiser and attendees of calendars in a message (RFC 6047).

They are addressed as those in Cc are: an answer to an invitation goes to its organiser, past all
header fields. What a calendar says elsewhere is text. Calendars inside a message that is attached
are not this message's. Nothing here raises, but what the time for a message raises.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from conversation_tracker.core.base.means import Means, Octets
from conversation_tracker.core.masking.part import calendar, large, leaf
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.syntax import charset
from conversation_tracker.core.syntax.mime import Part

_LINE = re.compile(r"^(ORGANIZER|ATTENDEE)(?=[;:])([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_NAMES = (".ics", ".vcs")
_COMPONENT = re.compile(rb"BEGIN:VCALENDAR", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody an invitation names; who sends it for another counts as what the line is about."""

    address: Address
    organizer: bool


def people(part: Part, body: Octets, means: Means) -> Iterator[Person]:
    """Go through the people that a message's own invitations name.

    Args:
        part: the message's structure.
        body: its body.
        means: the time there is for it.
    """
    if part.is_message or part.embedded is not None:
        return
    for child in part.children:
        yield from people(child, body, means)
    named = part.name.lower().endswith(_NAMES)
    if part.children or not (named or part.type in calendar.TYPES):
        return
    # Of a large one, the beginning: no invitation of people is that long.
    data = large.beginning(part, body) if large.is_large(part) else leaf.content(part, body)
    yield from _people(data, part.charset, means)


def _people(data: bytes, label: str, means: Means) -> Iterator[Person]:
    if _COMPONENT.search(data) is None:
        return
    text = calendar.unfolded(charset.decoded(data, label))
    for line in _LINE.finditer(text):
        means.check()
        for address in calendar.named(line[0]):
            yield Person(address, line[1].upper() == "ORGANIZER")
