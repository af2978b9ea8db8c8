"""What `export` does: look the person up, which is noted, and write all there is into an archive.

Messages are as they were recorded: everybody under an alias, the person too. Their own address
stands where the archive speaks of them, and nobody else's stands anywhere. Memory is bounded by the
largest message and the longest list of messages, not by what they hold together.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import IO, Any

from conversation_tracker.base import timeouts
from conversation_tracker.base.failure import NO, Failure
from conversation_tracker.database.connection import Connection
from conversation_tracker.database.orders import connect
from conversation_tracker.database.person import exporting
from conversation_tracker.database.person.exporting import KnownAs
from conversation_tracker.pages.person import render_person
from conversation_tracker.support.export.archive import ExportArchive, open_archive
from conversation_tracker.support.export.folder import OrderFolder
from conversation_tracker.support.export.names import write_name
from conversation_tracker.support.export.readme import write_readme

_BLANKS = re.compile(r"(\s+)")
_MARKS = "<>()[]{}\"',;:."
_ALIAS = re.compile(r"(?<![^\W_])[0-9a-f]{32}@[0-9a-z](?:[0-9a-z.-]*[0-9a-z])?")
_AT = re.compile("@|\N{FULLWIDTH COMMERCIAL AT}|\N{SMALL COMMERCIAL AT}|%40")
_PIECE = 65_536  # characters


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What was written.

    Attributes:
        orders: how many orders the person takes part in.
        messages: how many messages of these are in the archive.
        tagged: how many other addresses are this one with a +tag.
    """

    orders: int
    messages: int
    tagged: int


def export(conninfo: str, address: str, path: Path, actor: str) -> ExportSummary:
    """Write all of one person's conversations into an archive.

    Args:
        conninfo: a libpq URI or connection string; the role must be able to read addresses.
        address: the real address, in any spelling that `mask` takes for the same.
        path: the archive; a former one is replaced.
        actor: who asks.

    Returns:
        What was written.

    Raises:
        Failure: nothing is known of the address, the file cannot be written, or what the database
            says.
    """
    # As for `erase`, every address there is may be looked at: mail's limits are too short for that.
    limits = timeouts.get().erase
    with open_archive(path) as archive, connect(conninfo, limits) as connection:
        made = datetime.now(UTC)
        known, exports = exporting.find_person(connection, address, actor)
        traces = exporting.fetch_traces(connection, address, known) | {"exports": exports}
        if not known and not any(traces.values()):
            raise Failure(
                NO, "nothing is known of this address; an order that has expired holds it no more"
            )
        tagged = exporting.count_tagged(connection, address)
        return _write_archive(connection, archive, address, known, traces, tagged, made)


def _write_archive(
    connection: Connection,
    archive: ExportArchive,
    address: str,
    known: Sequence[KnownAs],
    traces: Mapping[str, Sequence[dict[str, Any]]],
    tagged: int,
    made: datetime,
) -> ExportSummary:
    _hide_addresses(traces["unmaskings"], {each.alias for each in known})
    folders = []
    messages = 0
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as listed:
        for number, (_order, group) in enumerate(groupby(known, lambda each: each.order_id), 1):
            same = list(group)
            name = write_name(number, same[0].store, same[0].order_number)
            folder = OrderFolder(f"orders/{name}", same)
            folder.write(connection, archive, made)
            listed.writelines(folder.render())
            folders.append(folder.describe())
            messages += folder.count
        done = ExportSummary(len(folders), messages, tagged)
        counts = {"orders": done.orders, "messages": done.messages, "tagged": done.tagged}
        listed.seek(0)
        page = render_person(address, _read_pieces(listed), traces, counts=counts, made=made)
        archive.add_text("index.html", page, made)
    archive.add_text("about-you.json", _write_facts(address, made, folders, traces), made)
    readme = write_readme(address, made, [each.retention for each in known])
    archive.add_text("README.txt", [readme], made)
    return done


def _hide_addresses(unmaskings: Sequence[dict[str, Any]], mine: set[str]) -> None:
    """Leave nobody's address in what somebody gave as a reason: no word with an at sign.

    Nor one that an at sign stands beside, between blanks: `al @ far.example`.
    """
    for each in unmaskings:
        pieces = _BLANKS.split(each["reason"])  # words, and the blanks behind each
        hidden = set[int]()
        for place in range(0, len(pieces), 2):
            others = _ALIAS.sub(
                lambda found: "" if found[0] in mine else found[0], pieces[place]
            ).strip(_MARKS)
            found = [(at.start(), at.end()) for at in _AT.finditer(others)]
            if found:
                hidden.add(place)
                if found[0][0] == 0:
                    hidden.add(place - 2)
                if found[-1][1] == len(others):
                    hidden.add(place + 2)
        each["reason"] = "".join(
            "(an address)" if place in hidden and piece else piece
            for place, piece in enumerate(pieces)
        )


def _read_pieces(file: IO[str]) -> Iterator[str]:
    while piece := file.read(_PIECE):
        yield piece


def _write_facts(
    address: str,
    made: datetime,
    orders: Sequence[dict[str, Any]],
    traces: Mapping[str, Sequence[dict[str, Any]]],
) -> Iterator[str]:
    facts = {"address": address, "made": made, "orders": orders, **traces}
    yield json.dumps(facts, indent=1, default=datetime.isoformat) + "\n"
