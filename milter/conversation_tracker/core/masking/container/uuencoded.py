"""Uuencoded files in text that was packed (POSIX.1-2017, uuencode). Nothing here raises."""

from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.container.budget import MAX_TEXT, Unpacking
from conversation_tracker.core.syntax import uuencoding


def holds_file(data: Octets) -> bool:
    """Whether data has lines that begin and end such a file."""
    return data.find(b"begin ") >= 0 <= data.find(b"\nend")


def open_files(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Decode the files in data."""
    if not unpacking.allows_text(len(data)):
        return
    for content in uuencoding.iter_contents(data[:MAX_TEXT]):
        if not unpacking.allows_another():
            return
        yield unpacking.keep(iter([content]))
