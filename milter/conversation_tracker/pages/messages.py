"""A message as a page shows it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conversation_tracker.pages.answers import write_answer
from conversation_tracker.pages.deliveries import (
    MAX_TROUBLED,
    ShownDelivery,
    name_recipients,
    show_deliveries,
    sum_up,
)
from conversation_tracker.pages.files import ShownFile, show_files
from conversation_tracker.pages.history import TextPiece, fold
from conversation_tracker.pages.links import Links
from conversation_tracker.pages.notes import explain_note
from conversation_tracker.pages.roles import ShownPerson, name_role
from conversation_tracker.pages.times import ShownTime, show_time

_LONG_NAME = 200  # characters
_MOST_TEXT = 1_000_000  # characters; no more is ever kept
_VERDICTS = {
    "failed": "This may not be from who it says: the sender's own domain disowns it.",
    "unverified": "We could not verify who sent this.",
}
_MARKS = {
    "waiting": "These are its first words. The whole text appears here in a moment.",
    "unreadable": "This message cannot be read as a whole. These are its first words.",
    "cut": "The text is longer: what is behind this is left out here.",
    "no html": "Its HTML is too large or too complicated to be shown.",
}
_WAYS = {
    "inbound": "from the customer",
    "outbound": "to the customer",
    "internal": "between store and partners",
}


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message of an order.

    Attributes:
        anchor: its name within the page.
        number: the database's number for it; None where it was refused.
        date: its time as the database wrote it.
        at: its time.
        direction: inbound, outbound or internal.
        way: the direction in words.
        role: the author's, None if it is not known.
        title: who wrote it, in words.
        alias: the author's, in hard form, "" if they take no part.
        name: the name that the author goes by, "" if none.
        to: to whom, in words, "" if to nobody who takes part.
        subject: decoded, "" if there is none.
        pieces: its text.
        refused: whether it was refused.
        automatic: whether a program wrote it.
        alarm: why it must not be trusted, "" if it may.
        doubt: what is not known of its author, "" if nothing.
        disowned: whether the sender's own domain says that it is not from there.
        notes: what else there is to know, in sentences.
        whole: the address of the message with more of its text, "" if this is all that there is.
        waiting: whether its text is still to be read.
        files: what can be downloaded.
        others: names of other files that came with it.
        source: the address of the message as a file, with its files in it, "" if there is none.
        html: the address of its HTML, or the HTML itself on a page alone; "" if it has none.
        deliveries: what became of each copy.
        outcome: all of these in a few words, "" if there are none.
        troubled: the first of those who did not get it.
        answer: the link that answers it, "" if it is not to be answered.
        again: whether that link goes to those whom the store itself wrote to.
    """

    anchor: str
    number: int | None
    date: str
    at: ShownTime
    direction: str
    way: str
    role: str | None
    title: str
    alias: str
    name: str
    to: str
    subject: str
    pieces: Sequence[TextPiece]
    refused: bool
    automatic: bool
    alarm: str
    doubt: str
    disowned: bool
    notes: Sequence[str]
    whole: str
    waiting: bool
    files: Sequence[ShownFile]
    others: Sequence[str]
    source: str
    html: str
    deliveries: Sequence[ShownDelivery]
    outcome: str
    troubled: Sequence[ShownDelivery]
    answer: str
    again: bool

    @property
    def has_more_copies(self) -> bool:
        """Whether there are recipients of whom nothing is told yet."""
        return len(self.deliveries) > len(self.troubled)

    @property
    def is_settled(self) -> bool:
        """Whether no more is to come of it: its text is read, and what became of its copies."""
        return not self.waiting and all(
            each.state not in ("accepted", "delayed") for each in self.deliveries
        )

    @property
    def says_nothing(self) -> bool:
        """Whether all of its text repeats others."""
        return all(each.kind != "text" for each in self.pieces)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a message is shown in.

    Attributes:
        store: the store's name.
        number: the order's number.
        people: who takes part, by alias.
        links: makes addresses; None on a page alone.
        html: gives a message's HTML on a page alone; None elsewhere.
        expired: whether the aliases have stopped working.
        file: gives the address of a message as a file; None where there are none.
        whole: whether as much of its text is there as can be.
    """

    store: str
    number: str
    people: Mapping[str, ShownPerson]
    links: Links | None
    html: Callable[[int], str | None] | None
    expired: bool
    file: Callable[[int], str] | None = None
    whole: bool = False


def show_message(found: Mapping[str, Any], place: int, around: Surroundings) -> ShownMessage:
    """Return a message as it is shown.

    Args:
        found: the message, as `tracker.conversation` gives it.
        place: which of the messages of the same moment it is, from 0.
        around: what it is shown in.
    """
    deliveries = show_deliveries(found["deliveries"], around.people)
    files, others = show_files(found, around.store, around.number, around.links)
    refused, flagged = found["state"] == "refused", found["verdict"] == "flagged"
    marks = found["marks"]
    link, again = _answer(found, around)
    return ShownMessage(
        anchor=_name_anchor(found, place),
        number=found["id"],
        date=found["date"],
        at=show_time(found["date"], local=around.links is None),
        direction=found["direction"] if found["direction"] in _WAYS else "internal",
        way=_WAYS.get(found["direction"], ""),
        role=found["fromRole"],
        title=_name_author(found, around.people),
        alias=found["from"],
        name=_shorten(found["fromName"]),
        to=name_recipients(found["deliveries"], around.people),
        subject=found["subject"],
        pieces=fold(found["body"]),
        refused=refused,
        automatic=found["automatic"],
        alarm=f"{_name_author(found, around.people)}, but is not: do not trust." if flagged else "",
        doubt="" if refused else _VERDICTS.get(found["verdict"], ""),
        disowned=found["verdict"] == "failed",
        notes=[*map(explain_note, found["notes"]), *(_MARKS[m] for m in marks if m in _MARKS)],
        whole=_find_whole(found, around),
        waiting="waiting" in marks,
        files=files,
        others=others,
        source=around.file(found["id"]) if files and around.file is not None else "",
        html=_find_html(found, around),
        deliveries=deliveries,
        outcome=sum_up(deliveries) if deliveries else "",
        troubled=[each for each in deliveries if each.why][:MAX_TROUBLED],
        answer=link,
        again=again,
    )


def _shorten(name: str) -> str:
    return name if len(name) <= _LONG_NAME else f"{name[:_LONG_NAME]}…"


def _name_anchor(found: Mapping[str, Any], place: int) -> str:
    if found["id"] is not None:
        return f"m{found['id']}"
    digits = "".join(each for each in found["date"] if each.isalnum())
    return f"r{digits}-{place}"


def _name_author(found: Mapping[str, Any], people: Mapping[str, ShownPerson]) -> str:
    """Return who wrote a message, or who somebody claims to be."""
    known = people.get(found["from"])
    if found["verdict"] == "flagged":
        return f"Claims to be the {known.title.lower() if known else 'sender'}"
    return known.title if known is not None else name_role(found["fromRole"])


def _find_html(found: Mapping[str, Any], around: Surroundings) -> str:
    if not found["hasHtml"] or found["id"] is None:
        return ""
    if around.links is not None:
        return around.links.html(around.store, around.number, found["id"])
    return (around.html(found["id"]) if around.html is not None else None) or ""


def _find_whole(found: Mapping[str, Any], around: Surroundings) -> str:
    shortened = "cut" in found["marks"] and len(found["body"]) < _MOST_TEXT
    if around.links is None or around.whole or not shortened:
        return ""
    return around.links.order(around.store, around.number, at=found["date"])


def _answer(found: Mapping[str, Any], around: Surroundings) -> tuple[str, bool]:
    """Return the link that answers a message, and whether that writes once more to its recipient.

    What a program wrote, and what came with a false claim, is not answered; nor is anything once
    the aliases have stopped working, or from a page in a file.
    """
    if (
        around.links is None
        or around.expired
        or found["automatic"]
        or found["verdict"] == "flagged"
    ):
        return "", False
    if found["fromRole"] != "store":
        alias = found["from"]
        return (write_answer(alias, found["subject"]) if alias else ""), False
    others = (d["alias"] for d in found["deliveries"] if d["role"] != "store" and d["alias"])
    customers = (d["alias"] for d in found["deliveries"] if d["role"] == "buyer" and d["alias"])
    alias = next(customers, None) or next(others, "")
    return (write_answer(alias, found["subject"]) if alias else ""), True
