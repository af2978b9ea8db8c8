"""The fields of a header block, and where they stand in it.

A block is raw bytes with the line ends it came with, folded or not, with or without its empty
line. Nothing is changed here. Nothing here raises.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from conversation_tracker.core.base.limits import check_each, no_limit

FIELD = re.compile(
    # To try at each octet whether the line ends costs many times as much.
    rb"([!-9;-~]+)([ \t]*:[ \t]?)((?>(?:[^\r\n]++|\r(?!\n\Z)|\n(?!\Z))*))(\r?\n)?"
)
"""A whole field: its name, colon, raw value and line end."""

_HEAD = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]?")
_END = re.compile(rb"\n(?![ \t])")  # of a line that no other continues


class Field(NamedTuple):
    """One field: start and end in the block with its line end, lower-case name, raw value."""

    start: int
    end: int
    name: bytes
    value: bytes


def iter_fields(block: bytes, check: Callable[[], None] = no_limit) -> Iterator[Field]:
    """Yield the header fields of a block, passing over lines that are none."""
    for start, end in iter_field_spans(block, check):
        last = end
        if block.endswith(b"\n", start, last):
            last -= 1
            last -= block.endswith(b"\r", start, last)
        match = _HEAD.match(block, start, last)
        if match is not None:
            yield Field(start, end, match[1].lower(), block[match.end() : last])


def iter_field_spans(
    block: bytes, check: Callable[[], None] = no_limit
) -> Iterator[tuple[int, int]]:
    """Yield the span of each field, or line that is none, with its continuation lines."""
    start = 0
    for match in check_each(_END.finditer(block), check):
        yield start, match.end()
        start = match.end()
    if start < len(block):
        yield start, len(block)
