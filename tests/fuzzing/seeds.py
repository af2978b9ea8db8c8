"""Real messages as a beginning: their structure, with the people of an order written into it.

They are outside data, named by the environment (CONVERSATION_TRACKER_CORPUS); without it there are
none, and builders make all of a message.
"""

import os
import re
from functools import cache
from pathlib import Path

from choices import Choices
from spelling import address, spelled

VARIABLE = "CONVERSATION_TRACKER_CORPUS"
"""Names the folder of messages."""
MOST = 60_000
"""Octets of a message that is taken."""

_ADDRESS = re.compile(rb"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_FROM = re.compile(rb"^From:[^\n]*(?:\n[ \t][^\n]*)*\n", re.MULTILINE | re.IGNORECASE)
_PLACE = re.compile(rb"[ >:;,=](?=[\w<\"' ])")
_PLACES = 400


def available() -> bool:
    """Return whether there are any."""
    return bool(_files())


def message(choices: Choices, author: str) -> bytes:
    """Write a message of somebody that is built as a real one is."""
    raw = _read(choices.of(_files()))
    raw = _FROM.sub(b"", raw)
    raw = _renamed(choices, raw)
    for place in sorted((choices.number(_PLACES) for _ in range(choices.number(4))), reverse=True):
        found = [
            match.end() for match, _ in zip(_PLACE.finditer(raw), range(place + 1), strict=False)
        ]
        if found:
            text = spelled(choices, markup=choices.chance(2)).encode("utf-8", "surrogateescape")
            raw = raw[: found[-1]] + text + raw[found[-1] :]
    return f"From: {author}\n".encode() + raw


def _renamed(choices: Choices, raw: bytes) -> bytes:
    """Replace some of the addresses in a message, each by the same one everywhere."""
    known: dict[bytes, bytes] = {}

    def named(match: re.Match[bytes]) -> bytes:
        old = match[0].lower()
        if old not in known:
            new = address(choices).encode() if choices.chance(2) else match[0]
            known[old] = match[0] if choices.strangers_only else new
        return known[old]

    return _ADDRESS.sub(named, raw)


@cache
def _files() -> tuple[Path, ...]:
    folder = os.environ.get(VARIABLE)
    found = Path(folder).rglob("*") if folder else ()
    return tuple(
        sorted(
            each
            for each in found
            if each.suffix not in (".tsv", ".md") and each.is_file() and each.stat().st_size <= MOST
        )
    )


@cache
def _read(path: Path) -> bytes:
    data = path.read_bytes().replace(b"\r\n", b"\n")
    return data.partition(b"\n")[2] if data.startswith(b"From ") else data
