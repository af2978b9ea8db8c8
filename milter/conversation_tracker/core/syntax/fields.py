"""The fields of a header block, and where they stand in it.

A block is raw bytes with the line ends it came with, folded or not, with or without its empty
line. Nothing is changed here. Nothing here raises.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from conversation_tracker.core.base.limits import check_each, no_limit

FIELD = re.compile(rb"([!-9;-~]+)([ \t]*:[ \t]?)(.*?)(\r?\n)?", re.DOTALL)
"""A whole field: its name, colon, raw value and line end."""

_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


class Field(NamedTuple):
    """One field: start and end in the block with its line end, lower-case name, raw value."""

    start: int
    end: int
    name: bytes
    value: bytes


def iter_fields(block: bytes, check: Callable[[], None] = no_limit) -> Iterator[Field]:
    """Yield the header fields of a block, passing over lines that are none."""
    for start, end in iter_field_spans(block, check):
        match = FIELD.fullmatch(block, start, end)
        if match is not None:
            yield Field(start, end, match[1].lower(), match[3])


def iter_field_spans(
    block: bytes, check: Callable[[], None] = no_limit
) -> Iterator[tuple[int, int]]:
    """Yield the span of each field, or line that is none, with its continuation lines."""
    start = end = 0
    for match in check_each(_LINE.finditer(block), check):
        if match[0][:1] not in (b" ", b"\t") and end:
            yield start, end
            start = end
        end = match.end()
    if end:
        yield start, end
