"""One order's folder in an export: its conversation to read and for programs, and each message.

The buyer gets all of an order. Whoever is something else in it, or whose Reply-To address it is,
gets what they wrote and what was sent to them: the rest is what others wrote to each other.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from conversation_tracker.database import timelines
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.person import exporting
from conversation_tracker.database.person.exporting import KnownAs
from conversation_tracker.pages.beside import Beside, OrderPages
from conversation_tracker.pages.links import Links
from conversation_tracker.pages.order import render_order
from conversation_tracker.pages.person import render_person_order
from conversation_tracker.support.export.archive import ExportArchive
from conversation_tracker.support.export.names import write_name
from conversation_tracker.support.timeline import read_waiting

_ROLES = {
    "buyer": "the customer",
    "store": "somebody of the shop",
    "partner": "somebody whom the shop works with, such as a carrier",
}
_AUTHORS = {"buyer": "customer", "store": "shop", "partner": "partner of the shop"}
_PAGE_SIZE = 200  # messages of one page to read
_INDEX = "../../index.html"  # from an order's folder


@dataclass
class OrderFolder:
    """An order as it is written out for one person.

    Attributes:
        path: the folder, within the archive.
        known: what the person is in the order.
        lines: a line for each message, for the list of files.
        people: aliases of whom its messages name.
        pages: the pages to read, within the archive.
    """

    path: str
    known: Sequence[KnownAs]
    lines: list[dict[str, Any]] = field(default_factory=list)
    people: set[str] = field(default_factory=set)
    pages: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether all of the order is the person's to read."""
        return any(each.role == "buyer" and not each.apart for each in self.known)

    @property
    def count(self) -> int:
        """How many messages are in it."""
        return len(self.lines)

    def write(self, connection: Connection, archive: ExportArchive, made: datetime) -> None:
        """Write all files of the folder.

        Args:
            connection: where they come from.
            archive: where they go.
            made: the time of what is made now.
        """
        archive.add_text(f"{self.path}/conversation.json", self._write_json(connection), made)
        self._add_pages(connection, archive, made)
        for line in self.lines:
            if line["file"]:
                raw = timelines.fetch_raw(connection, line["id"], line["at"])
                archive.add_octets(line["file"], raw, line["at"])

    def render(self) -> Iterator[str]:
        """Yield the order's part of the page that leads through everything."""
        first = self.known[0]
        order = {
            "number": first.order_number,
            "store": first.store,
            "roles": " and ".join(dict.fromkeys(_ROLES[each.role] for each in self.known)),
            "whole": self.whole,
            "known": [
                {"address": each.known_as, "alias": each.alias, "apart": each.apart}
                for each in self.known
            ],
            "placed": first.placed_at,
            "expires": first.expires_at,
            "retention": first.retention,
            "pages": self.pages,
            "json": f"{self.path}/conversation.json",
        }
        return render_person_order(order, self.lines)

    def describe(self) -> dict[str, Any]:
        """Return what is known of the person in the order, for programs."""
        first = self.known[0]
        return {
            "folder": self.path,
            "store": first.store,
            "number": first.order_number,
            "placed": _write_time(first.placed_at),
            "closed": _write_time(first.closed_at),
            "addressKeptUntil": _write_time(first.expires_at),
            "messagesKeptFor": first.retention,
            "messages": self.count,
            "complete": self.whole,
            "you": [
                {
                    "address": each.known_as,
                    "alias": each.alias,
                    "role": each.role,
                    "since": _write_time(each.joined_at),
                    "introduced": each.introduced,
                    "answersOnly": each.apart,
                }
                for each in self.known
            ],
        }

    def _write_json(self, connection: Connection) -> Iterator[str]:
        """Write the conversation, and note what is in it."""
        first = self.known[0]
        order = timelines.fetch_order(connection, first.store, first.order_number)
        facts = {name: order[name] for name in ("number", "store", "placed", "closed", "expires")}
        facts["you"] = [each.alias for each in self.known]
        yield json.dumps(facts, indent=1).removesuffix("\n}") + ',\n "messages": ['
        between = "\n"
        for found in self._iter_messages(connection):
            self._note(found)
            yield between + json.dumps(found | {"file": self.lines[-1]["file"]}, indent=1)
            between = ",\n"
        yield '\n ],\n "people": ' + json.dumps(self._find_people(order), indent=1) + "\n}\n"

    def _note(self, found: dict[str, Any]) -> None:
        at = datetime.fromisoformat(found["date"])
        who = found["fromRole"] or "unknown"
        name = None
        if found["id"] is not None:
            number = len(self.lines) + 1
            name = write_name(number, f"{at:%Y-%m-%d}", f"from-{who}", ending=".eml")
            name = f"{self.path}/messages/{name}"
        author = "you" if found["from"] in self._mine else _AUTHORS.get(who, "somebody else")
        line = {"id": found["id"], "at": at, "who": author, "file": name}
        self.lines.append(line | {"subject": found["subject"]})
        self.people.update([found["from"], *found["to"]])

    @property
    def _mine(self) -> set[str]:
        return {each.alias for each in self.known}

    def _iter_messages(self, connection: Connection) -> Iterator[dict[str, Any]]:
        """Read the messages that are the person's to read."""
        first, mine, whole = self.known[0], self._mine, self.whole
        for found in exporting.iter_messages(connection, first.store, first.order_number):
            if whole or found["from"] in mine or not mine.isdisjoint(found["to"]):
                yield read_waiting(connection, found)

    def _find_people(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        """Return of an order's people those that its messages here name, and the person."""
        seen = self.people | self._mine
        return [each for each in order["people"] if self.whole or each["alias"] in seen]

    def _add_pages(self, connection: Connection, archive: ExportArchive, made: datetime) -> None:
        first = self.known[0]
        order = timelines.fetch_order(connection, first.store, first.order_number)
        order |= {"people": self._find_people(order), "more": False}
        messages = self._iter_messages(connection)
        start = f"{self.path}/"
        sources = {
            each["id"]: each["file"].removeprefix(start) for each in self.lines if each["file"]
        }
        names = _name_pages(self.count)
        for older, name, newer in zip(["", *names], names, [*names[1:], ""], strict=False):
            self.pages.append(f"{self.path}/{name}")
            page = render_order(
                order | {"messages": islice(messages, _PAGE_SIZE)},
                Links(),
                alone=True,
                html=lambda found: timelines.fetch_html(connection, found),
                beside=Beside(
                    OrderPages(older, newer, orders=_INDEX), lambda found: sources.get(found, "")
                ),
                now=made,
            )
            archive.add_text(self.pages[-1], page, made)


def _name_pages(messages: int) -> list[str]:
    """Name the pages that so many messages take, as they lie in the order's folder."""
    count = math.ceil(messages / _PAGE_SIZE)
    if count == 1:
        return ["conversation.html"]
    return [f"conversation-{number:02}.html" for number in range(1, count + 1)]


def _write_time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
