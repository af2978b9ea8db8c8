"""HTML as a person reads it: the reader's own alias becomes their address in text nodes only.

Not in tags and their attributes, comments, scripts, styles, form fields, or what any element holds
that is no markup to some programs: `html_nodes` tells what is surely text. A run without blanks
goes on over tags that end no line. Nothing here raises, and time is linear.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, chain
from operator import add, sub

from conversation_tracker.core.base.limits import check_each
from conversation_tracker.core.masking.address.reading import apply_edits
from conversation_tracker.core.masking.address.unmask import Span, Unmasker
from conversation_tracker.core.masking.text.html import REFERENCE
from conversation_tracker.core.masking.text.html_nodes import Markup, Node
from conversation_tracker.core.syntax.references import escape, unescape

_SEVEN = re.compile(
    r"charset\s*+=\s*+[\"']?(?:x-unicode-2-0-|unicode-1-1-|x-)?utf-?7", re.IGNORECASE
)
# Those that may belong to an alias.
_REFERENCES = re.compile("&(?:#|commat|period|dash|plus|lowbar)", re.IGNORECASE)

_Edit = tuple[int, int, str]


class Page:
    """HTML source that is read piece by piece, in order."""

    def __init__(self) -> None:
        self._markup = Markup()
        self._unread = ""  # the piece before, where not all of it was read
        self._begun = False  # the piece before ended in a run without blanks
        self._broken = False

    def show(self, source: str, unmasker: Unmasker) -> str:
        """Return the next piece of the source as the reader sees it.

        Args:
            source: decoded source; what is not written yet may end inside a tag.
            unmasker: the reader's.

        Returns:
            The source; the same object where nothing changes.
        """
        unmasker.check()
        self._read_on(unmasker.check)
        # Some programs, and hosts on the way, leave NUL out, and so find other tags; and some
        # believe the page, not its header, that it is in UTF-7, where tags look like text.
        self._broken = self._broken or "\0" in source or _SEVEN.search(source) is not None
        referred = _REFERENCES.search(source) is not None
        marks = unmasker.find_marks(source)
        if self._broken or not (referred or marks):
            self._unread = source
            return source
        edits = None if referred else self._find_near(source, marks, unmasker)
        if edits is None:
            edits = self._find_all(source, unmasker)
        else:
            self._unread = source
        return apply_edits(source, edits)

    def _read_on(self, check: Callable[[], None]) -> None:
        """Read what was left of the piece before."""
        text = self._markup.read(self._unread)[0] if self._unread else []
        if text:
            last = TextLayout(self._unread, text[-1:], check).text
            self._begun = not last[-1:].isspace()
        self._unread = ""

    def _find_all(self, source: str, unmasker: Unmasker) -> list[_Edit]:
        text, sure = self._markup.read(source)
        layout = TextLayout(source, text, unmasker.check)
        spans = unmasker.find(layout.text, layout.edges, begun=self._begun)
        if layout.text:
            self._begun = not layout.text[-1].isspace()
        return list(_iter_edits(layout, sure, spans, unmasker.own))

    def _find_near(
        self, source: str, marks: Sequence[int], unmasker: Unmasker
    ) -> list[_Edit] | None:
        """Read only what is near an alias; None where that does not tell enough.

        An alias whose mark tags part, far from any that stands whole, is not found so.
        """
        windows = self._markup.read_near(source, marks)
        if windows is None:
            return None
        edits: list[_Edit] = []
        for start, end, text, sure in windows:
            layout = TextLayout(source, text, unmasker.check)
            part = bool(start), end < len(source)
            spans = unmasker.find_in_part(layout.text, part, layout.edges, begun=self._begun)
            if spans is None:
                return None
            edits += _iter_edits(layout, sure, spans, unmasker.own)
        return edits


def _iter_edits(
    layout: "TextLayout", sure: list[Node], spans: Iterable[Span], own: str
) -> Iterator[_Edit]:
    """Yield what writes the reader's address where an alias is surely text."""
    starts = [start for start, _, _ in sure]
    new = escape(own, quote=False)
    for span in spans:
        places = layout.places(*span)
        if all(_within(sure, starts, place) for place in places):
            yield from ((*place, "" if n else new) for n, place in enumerate(places))


def _within(nodes: list[Node], starts: list[int], place: Span) -> bool:
    number = bisect_right(starts, place[0]) - 1
    return number >= 0 and place[1] <= nodes[number][1]


_meant = lru_cache(maxsize=1024)(unescape)


class TextLayout:
    """The text of nodes, one after the other, and where in the source each character is.

    Nearly all of it holds no alias: so where a reference stands in a node is found out when it is
    asked for, and no step in Python is made for each of them.

    Attributes:
        text: what is read, references decoded.
        edges: where in it a node begins or ends.
    """

    def __init__(self, source: str, nodes: list[Node], check: Callable[[], None]) -> None:
        self._source = source
        self._nodes = nodes
        pieces = [source[start:end] for start, end, _ in check_each(nodes, check)]
        if "&" in source:
            pieces = [_decode(each) if "&" in each else each for each in pieces]
        breaks = [node[2] for node in nodes]
        line_ends = ["\n" if each else "" for each in breaks]
        sizes = list(map(len, pieces))
        ends = list(accumulate(map(add, sizes, breaks)))
        self._starts = list(map(sub, ends, sizes))
        self.text = "".join(chain.from_iterable(zip(line_ends, pieces, strict=True)))
        self.edges = frozenset(chain(self._starts, ends))
        self._read = (-1, 0, 0)  # of which node, to where in the source, and where that is in it

    def places(self, start: int, end: int) -> list[Span]:
        """Find the spans of the source that a span of the text stands for, in order."""
        number = max(0, bisect_right(self._starts, start) - 1)
        found: list[Span] = []
        while number < len(self._starts) and self._starts[number] < end:
            for first, last in self._iter_pieces(number, start, end):
                if found and found[-1][1] == first:
                    found[-1] = (found[-1][0], last)
                else:
                    found.append((first, last))
            number += 1
        return found

    def _iter_pieces(self, number: int, start: int, end: int) -> Iterator[Span]:
        """Yield the pieces of a node's source, or its references, that a span of the text is.

        What is asked for in order is read once: it goes on where it ended the last time.
        """
        (at, last, _), place = self._nodes[number], self._starts[number]
        if self._read[0] == number and self._read[2] <= start:
            _, at, place = self._read
        while at < last and place < end:
            self._read = number, at, place
            stop = min(last, at + end - place)
            sign = self._source.find("&", at, stop)
            if sign != at:
                stop = sign if sign >= 0 else stop
                size = stop - at
                first = at + max(0, start - place)
            else:
                size, stop = self._read_reference(at, last)
                first = at if place + size > start else stop
            if first < stop and size:
                yield first, stop
            at, place = stop, place + size

    def _read_reference(self, at: int, last: int) -> tuple[int, int]:
        """Return how long the text is that a reference stands for, and its end in the source."""
        match = REFERENCE.match(self._source, at, last)
        if match is None or (meant := _meant(match[0])) == match[0]:
            return 1, at + 1
        return len(meant), match.end()


def _decode(text: str) -> str:
    return REFERENCE.sub(_decode_reference, text)


def _decode_reference(match: re.Match[str]) -> str:
    return _meant(match[0])
