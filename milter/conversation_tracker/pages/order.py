"""The page of an order: its facts, and its messages as a timeline."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from conversation_tracker.pages.answers import write_answer
from conversation_tracker.pages.beside import Beside, find_pages
from conversation_tracker.pages.links import Links
from conversation_tracker.pages.messages import ShownMessage, Surroundings, show_message
from conversation_tracker.pages.roles import ShownPerson, show_people
from conversation_tracker.pages.static import read_static
from conversation_tracker.pages.templates import stream
from conversation_tracker.pages.times import read_time, show_time
from conversation_tracker.pages.units import write_span


def render_order(
    conversation: Mapping[str, Any],
    links: Links,
    *,
    alone: bool = False,
    html: Callable[[int], str | None] | None = None,
    beside: Beside | None = None,
    before: str = "",
    after: str = "",
    at: str = "",
    now: datetime | None = None,
) -> Iterator[str]:
    """Write the page of an order.

    Args:
        conversation: what `tracker.conversation` gave; its messages may be any iterable.
        links: makes addresses.
        alone: whether the page is a file: without script, and without links but to files beside it.
        html: gives the sanitised HTML of a message by its number; asked only for a page alone.
        beside: what a page alone leads to; None if it stands by itself.
        before: the time before which these are the last messages, "" if none was asked.
        after: the time after which these are the first messages, "" if none was asked.
        at: the time of which these are the messages, "" if none was asked.
        now: the time; None asks the clock.

    Returns:
        The pieces of the page, in their order.
    """
    store, number = conversation["store"], conversation["number"]
    now = now or datetime.now(UTC)
    expires = read_time(conversation["expires"])
    expired = expires is not None and expires <= now
    people = show_people(conversation["people"])
    around = Surroundings(
        store, number, people, None if alone else links, html, expired,
        file=beside.file if beside else None, whole=bool(at),
    )  # fmt: skip
    # A page in a file may be long: its messages are written as they come.
    each = _show_each(conversation["messages"], around)
    messages: Iterable[ShownMessage] = each if alone else list(each)
    known = messages if isinstance(messages, list) else []
    found = find_pages(conversation, known, links, before=before, after=after, at=at)
    return stream(
        "order.html",
        links=links,
        alone=alone,
        style=read_static("page.css") if alone else "",
        store=store,
        number=number,
        contacts=[_find_contact(person, known, expired=expired) for person in people.values()],
        placed=show_time(conversation["placed"], local=alone),
        closed=show_time(conversation["closed"], local=alone) if conversation["closed"] else None,
        expires=show_time(conversation["expires"], local=alone),
        expired=expired,
        messages=messages,
        waited="" if expired or before or after or at else _find_waited(conversation, known, now),
        pages=beside.pages if beside else found,
        written=show_time(now, local=alone),
    )


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who takes part, and how to write to them.

    Attributes:
        person: who.
        name: the name by which they wrote last, "" if they did not on this page.
        write: the link that writes to them, "" if it would not arrive or they are the store.
    """

    person: ShownPerson
    name: str
    write: str


def _show_each(
    messages: Iterable[Mapping[str, Any]], around: Surroundings
) -> Iterator[ShownMessage]:
    last, place = "", 0
    for each in messages:
        place = place + 1 if each["date"] == last else 0
        last = each["date"]
        yield show_message(each, place, around)


def _find_contact(
    person: ShownPerson, messages: Sequence[ShownMessage], *, expired: bool
) -> Contact:
    written = [each for each in messages if each.alias == person.alias and not each.alarm]
    name = next((each.name for each in reversed(written) if each.name), "")
    if expired or person.role == "store":
        return Contact(person, name, "")
    subject = next((each.subject for each in reversed(written or messages)), "")
    return Contact(person, name, write_answer(person.alias, subject))


def _find_waited(
    conversation: Mapping[str, Any], messages: Sequence[ShownMessage], now: datetime
) -> str:
    """Say how long the customer has waited for an answer, "" if they do not; see tracker.waiting.

    Of a long order it is as long as the last messages tell.
    """
    since = None
    for each in messages:
        if each.refused or each.automatic or each.alarm:
            continue
        if each.direction == "outbound":
            since = None
        elif each.role == "buyer":
            since = since or read_time(each.date)
    closed = read_time(conversation["closed"])
    if since is None or (closed is not None and closed >= since):
        return ""
    return write_span(now - since)
