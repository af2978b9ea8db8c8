"""A text as it reads once something in it is decoded or left out, and where each place was.

Readings are made from readings: character references behind percent escapes, blanks behind
both. What is found in the last one is then replaced in the source. Nothing here raises.
"""

from bisect import bisect_right
from collections.abc import Iterable

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.base.lower_case import lower_case

Piece = tuple[int, int, str]
"""Start and end of a span of a text, and what it means; "" where it is left out."""


class Reading:
    """A text made of another by replacing pieces of it.

    Attributes:
        source: the text that was read first.
        text: how it reads.

    Args:
        source: the text that is read, or a reading of it.
        pieces: what is replaced in it, in order; a piece that begins inside one before it is
            passed over.
    """

    def __init__(self, source: "str | Reading", pieces: Iterable[Piece] = ()) -> None:
        self._below = source if isinstance(source, Reading) else None
        self.text: str
        old = source.text if isinstance(source, Reading) else source
        self.source: str = source.source if isinstance(source, Reading) else source
        self._begins: list[int] = []  # of each piece, in this text
        self._ends: list[int] = []
        self._pieces: list[tuple[int, int]] = []  # in the text below
        parts: list[str] = []
        done = length = 0
        for start, end, meant in pieces:
            if start < done:
                continue
            parts += old[done:start], meant
            length += start - done
            self._begins.append(length)
            length += len(meant)
            self._ends.append(length)
            self._pieces.append((start, end))
            done = end
        self.text = "".join(parts) + old[done:] if self._pieces else old

    def __bool__(self) -> bool:
        """Return whether it reads otherwise than what it is made of."""
        return bool(self._pieces)

    @cached_property
    def low(self) -> str:
        """The text in lower case, of the same length."""
        return lower_case(self.text)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the source that a span of this text stands for; it is not empty."""
        reading: Reading | None = self
        while reading is not None:
            start, end = reading._first(start), reading._last(end - 1)
            reading = reading._below
        return start, end

    def _first(self, place: int) -> int:
        number = bisect_right(self._begins, place) - 1
        if number < 0:
            return place
        begin, end = self._pieces[number]
        return begin if place < self._ends[number] else end + place - self._ends[number]

    def _last(self, place: int) -> int:
        """Return where the source of the character in a place ends."""
        number = bisect_right(self._begins, place) - 1
        if number < 0:
            return place + 1
        _, end = self._pieces[number]
        return end if place < self._ends[number] else end + place + 1 - self._ends[number]


def apply_edits(text: str, edits: list[tuple[int, int, str]]) -> str:
    """Apply edits, which are in order and do not overlap; the same object if there are none."""
    if not edits:
        return text
    pieces: list[str] = []
    done = 0
    for start, end, new in edits:
        pieces += text[done:start], new
        done = end
    return "".join(pieces) + text[done:]
