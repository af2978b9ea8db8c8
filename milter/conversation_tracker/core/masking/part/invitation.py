"""The invitations in a message (RFC 6047): calendar objects with a method, and whom these name.

They are addressed as those in Cc are: an answer to an invitation goes to its organiser, past all
header fields. A calendar without a method invites nobody; what one says elsewhere is text.
Calendars inside a message that is attached are not this message's. Nothing here raises, but what
the time for a message raises.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conversation_tracker.core.base.limits import Limits, check_each
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.part import calendar, content_lines, large, leaf
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.syntax import charset, transfer
from conversation_tracker.core.syntax.mime import Part

_NAMES = (".ics", ".vcs")
_BEGINNING = 512  # octets of a part of another type in which a calendar would show


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody an invitation names; who sends it for another counts as what the line is about."""

    address: Address
    organizer: bool


@dataclass(frozen=True, slots=True)
class Invited:
    """What a message's own invitations say.

    Attributes:
        people: whom they name, in order.
        identifiers: the values of UID and RELATED-TO (RFC 5545 sections 3.8.4.5 and 3.8.4.7), as
            they stand.
    """

    people: Sequence[Person]
    identifiers: Sequence[str]


def read_invited(part: Part, body: Octets, limits: Limits) -> Invited:
    """Read a message's own invitations.

    Args:
        part: the message's structure.
        body: its body.
        limits: the time there is for it.
    """
    people, identifiers = list[Person](), list[str]()
    for line in check_each(_lines(part, body, limits), limits.check):
        name = content_lines.read_name(line)
        if name in content_lines.PEOPLE:
            organizes = content_lines.names_organizer(line)
            about = content_lines.find_subject(line)
            if about is not None:
                people.append(Person(about, organizes))
            people += [Person(each, organizes) for each in content_lines.find_others(line)]
        elif name in content_lines.IDENTIFIERS:
            found = content_lines.PROPERTY.fullmatch(line)
            if found is not None:
                identifiers.append(found["value"])
    return Invited(people, identifiers)


def _lines(part: Part, body: Octets, limits: Limits) -> Iterator[str]:
    """Yield the lines of invitations that name people or identify something."""
    if part.is_message or part.embedded is not None:
        return
    for child in part.children:
        yield from _lines(child, body, limits)
    if part.children or part.is_multipart or not _may_be(part, body):
        return
    limits.check()
    # Of a large one, the beginning: no invitation of people is that long.
    data = (
        large.read_beginning(part, body)
        if large.is_large(part)
        else leaf.decode_content(part, body)
    )
    if charset.is_transparent(data, part.charset) and not _may_invite(data):
        return
    text = charset.decode_text(content_lines.mend(data), part.charset)
    method = leaf.declares_method(part)
    for found in content_lines.iter_invitations(text, method=method):
        yield from (line for line, _ in found)


def _may_invite(data: bytes) -> bool:
    """Return, cheaply, whether a calendar object or a method may stand in content lines."""
    whole = data.translate(None, b" \t\r\n").upper()
    return b"BEGIN:VCALENDAR" in whole or b"METHOD" in whole


def _may_be(part: Part, body: Octets) -> bool:
    """Return whether a part may hold a calendar: by its type, its name, or how it begins."""
    if part.type in calendar.TYPES or part.name.lower().endswith(_NAMES):
        return True
    if part.type != "text/plain" and leaf.find_by_type(part) is not None:
        return False
    start, end = part.content
    first = transfer.decode_pieces(body, start, min(end, start + _BEGINNING), part.encoding)
    return calendar.is_calendar(next(first, b""))
