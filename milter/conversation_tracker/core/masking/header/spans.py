"""What a mask changes in readable text, brought back to the raw bytes it was read from.

A mask sees the text of a whole stretch, so an address that is spread over several encoded words is
one address to it. The difference is narrowed as far as it goes and then widened again to what can
be written: a span of ASCII may be cut anywhere, an encoded word or quoted string only as a whole.
Every result is read again; where the text is not what the mask wanted, because new and old text
do not fit together, the whole stretch is written anew. Nothing here raises on any bytes.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from conversation_tracker.core.base.limits import check_each, no_limit
from conversation_tracker.core.syntax.encoded_words import (
    ENCODED,
    GAP,
    PLAIN,
    QUOTED,
    WORD,
    Unit,
    clean,
    cut_units,
    encode_words,
)
from conversation_tracker.core.syntax.splicing import splice
from conversation_tracker.core.syntax.tokens import BLANKS, PAIR, STRING, split_tokens

Check = Callable[[], None]
Edit = tuple[int, int, bytes]
Place = Literal["text", "comment", "phrase", "phrase without quotes"]
"""Where a stretch stands; the last is a phrase in a value that has an unclosed quotation mark."""

_CLUMP = re.compile(r"\S+")
_PRINTABLE = re.compile(r"[ -~]*")
_ATOMS = re.compile(r"[-A-Za-z0-9!#$%&'*+/=?^_`{|}~ ]*")
_DOT_ATOM = re.compile(r"[-A-Za-z0-9!#$%&'*+/=?^_`{|}~]+(?:\.[-A-Za-z0-9!#$%&'*+/=?^_`{|}~]+)*")
_IN_COMMENT = re.compile(r"[()\\]")
_IN_STRING = re.compile(r'["\\]')
_PAIR_OR_REST = re.compile(rb"\\(.)|[^\\]+|\\", re.DOTALL)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")


@dataclass(slots=True)
class _Region:
    """A span to write anew: its units, its place in the text, and what changes in it."""

    first: int
    last: int
    start: int
    end: int
    changes: list[tuple[int, int, str]]


Change = Callable[[str], str]


def find_edits(
    value: bytes, start: int, end: int, mask: Change, place: Place, check: Check = no_limit
) -> list[Edit]:
    """Change value[start:end].

    Args:
        value: a raw header value.
        start: where the stretch begins; of a comment, behind its parenthesis.
        end: where it ends.
        mask: gives the text back as it was where there is nothing to hide.
        place: what may stand there.
        check: raises `Overdue` when the time is over.

    Returns:
        The spans to replace, ascending; their text is then what the mask made of the old one.
    """
    pieces = _cut_units(value, start, end, place, check)
    text = "".join([unit.text for unit in pieces])
    wanted = clean(mask(text))
    if wanted == text or not text:
        return []
    layout = _Layout(pieces, text)
    found = [
        (*layout.span(region), _write(layout, region, place))
        for region in layout.find_regions(_find_changes(text, wanted, mask), place)
    ]
    result = splice(value[start:end], [(s - start, e - start, new) for s, e, new in found])
    again = "".join([unit.text for unit in _cut_units(result, 0, len(result), place, check)])
    if again != wanted:
        found = [(start, end, encode_words(wanted))]
    return _separate_words(value, start, end, found) if place.startswith("phrase") else found


def _separate_words(value: bytes, start: int, end: int, found: list[Edit]) -> list[Edit]:
    """Separate encoded words from the special characters around a phrase (RFC 2047 section 5)."""
    first, last, new = found[0]
    if first == start > 0 and new.startswith(b"=?") and value[start - 1] not in BLANKS:
        found[0] = (first, last, b" " + new)
    first, last, new = found[-1]
    if last == end < len(value) and new.endswith(b"?=") and value[end] not in BLANKS:
        found[-1] = (first, last, new + b" ")
    return found


def _cut_units(value: bytes, start: int, end: int, place: Place, check: Check) -> list[Unit]:
    if place == "text":
        return cut_units(value, start, end, check)
    if place == "comment":
        return _cut_comment(value, start, end, check)
    return _cut_phrase(value, start, end, check)


def _cut_comment(value: bytes, start: int, end: int, check: Check) -> list[Unit]:
    """Cut the inside of a comment; parentheses of inner comments are text."""
    found: list[Unit] = []
    for match in check_each(_PAIR_OR_REST.finditer(value, start, end), check):
        if match[1] is None:
            found += cut_units(value, match.start(), match.end(), check)
        else:
            text = clean(match[1].decode("latin-1"))
            found.append(Unit(match.start(), match.end(), text, QUOTED))
    return found


def _cut_phrase(value: bytes, start: int, end: int, check: Check) -> list[Unit]:
    """Cut a phrase; a quoted string is one unit, read without its quotes but for a local part."""
    part = value[start:end]
    words = [match.span() for match in ENCODED.finditer(part)][::-1] if b"=?" in part else []
    found: list[Unit] = []
    position = start
    for kind, first, last in split_tokens(part, check):
        while words and words[-1][1] <= first:
            words.pop()
        if kind not in (STRING, PAIR) or (words and words[-1][0] <= first):
            continue
        found += cut_units(value, position, start + first, check)
        inner = part[first + 1 : last - (kind == STRING)]
        text = "".join([unit.text for unit in _cut_comment(inner, 0, len(inner), check)])
        if kind == STRING and part[last : last + 1] == b"@" and not _DOT_ATOM.fullmatch(text):
            text = clean(part[first:last].decode("utf-8", "replace"))
        position = start + last
        found.append(Unit(start + first, position, text if kind == STRING else text[:1], QUOTED))
    return found + cut_units(value, position, end, check)


def _find_changes(text: str, wanted: str, mask: Change) -> list[tuple[int, int, str]]:
    """Find which words of a text the mask changes: start, end and new text of each."""
    found = [(m.start(), m.end(), clean(mask(m[0]))) for m in _CLUMP.finditer(text)]
    found = [(start, end, new) for start, end, new in found if new != text[start:end]]
    if _apply(text, 0, len(text), found) != wanted:
        found = [(0, len(text), wanted)]  # something that has blanks in it
    return [_narrow(text, *change) for change in found]


def _narrow(text: str, start: int, end: int, new: str) -> tuple[int, int, str]:
    """Leave out what is the same at both ends, but never all of the old text."""
    head = 0
    limit = min(end - start - 1, len(new))
    while head < limit and text[start + head] == new[head]:
        head += 1
    tail = 0
    limit -= head
    while tail < limit and text[end - tail - 1] == new[len(new) - tail - 1]:
        tail += 1
    return start + head, end - tail, new[head : len(new) - tail]


def _apply(text: str, start: int, end: int, changes: Sequence[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    for first, last, new in changes:
        pieces += (text[start:first], new)
        start = last
    return "".join([*pieces, text[start:end]])


class _Layout:
    """Knows which unit stands where in the text."""

    def __init__(self, pieces: list[Unit], text: str) -> None:
        self.pieces = pieces
        self.text = text
        self.ends = list(accumulate(len(unit.text) for unit in pieces))
        self.starts = [0, *self.ends[:-1]]

    def find_regions(self, changes: list[tuple[int, int, str]], place: Place) -> list[_Region]:
        """Find the spans to write anew, those that share a unit as one."""
        found: list[_Region] = []
        for change in changes:
            region = self._region(change)
            if found and region.end <= found[-1].end:
                found[-1].changes.append(change)
                continue
            cut = place in ("text", "comment") and _is_plain(self.new_text(region))
            if not cut and WORD not in self.kinds(region):
                self._widen_left(region)
                self._widen_right(region)
            if found and region.start < found[-1].end:
                last = found[-1]
                last.last, last.end = max(last.last, region.last), max(last.end, region.end)
                last.changes.append(change)
            else:
                found.append(region)
        return found

    def new_text(self, region: _Region) -> str:
        """Return the text a region is to have."""
        return _apply(self.text, region.start, region.end, region.changes)

    def kinds(self, region: _Region) -> set[int]:
        """Return the kinds of units in a region."""
        return {unit.kind for unit in self.pieces[region.first : region.last + 1]}

    def span(self, region: _Region) -> tuple[int, int]:
        """Return the place of a region in the bytes."""
        first, last = self.pieces[region.first], self.pieces[region.last]
        start = first.start + (region.start - self.starts[region.first])
        end = last.end - (self.ends[region.last] - region.end)
        return (
            start if first.kind == PLAIN else first.start,
            end if last.kind == PLAIN else last.end,
        )

    def _region(self, change: tuple[int, int, str]) -> _Region:
        start, end, _ = change
        first = bisect_right(self.starts, start) - 1
        last = bisect_left(self.starts, end) - 1
        if self.pieces[first].kind != PLAIN:
            start = self.starts[first]
        if self.pieces[last].kind != PLAIN:
            end = self.ends[last]
        return _Region(first, last, start, end, [change])

    def _widen_left(self, region: _Region) -> None:
        """Take in what stands before without a blank between, but no encoded word."""
        while True:
            unit, base = self.pieces[region.first], self.starts[region.first]
            if unit.kind == PLAIN and region.start > base:
                blank = unit.text.rfind(" ", 0, region.start - base)
                region.start = base + blank + 1
                if blank >= 0:
                    return
            if region.first == 0 or not _touches(self.pieces[region.first - 1], -1):
                return
            region.first -= 1
            if self.pieces[region.first].kind != PLAIN:
                region.start = self.starts[region.first]

    def _widen_right(self, region: _Region) -> None:
        while True:
            unit, base = self.pieces[region.last], self.starts[region.last]
            if unit.kind == PLAIN and region.end < self.ends[region.last]:
                blank = unit.text.find(" ", region.end - base)
                region.end = self.ends[region.last] if blank < 0 else base + blank
                if blank >= 0:
                    return
            more = region.last + 1 < len(self.pieces)
            if not more or not _touches(self.pieces[region.last + 1], 0):
                return
            region.last += 1
            if self.pieces[region.last].kind != PLAIN:
                region.end = self.ends[region.last]


def _touches(unit: Unit, index: int) -> bool:
    """Return whether a neighbour belongs to the same word; `index` is its nearest character."""
    if unit.kind in (WORD, GAP):
        return False
    return unit.kind == QUOTED or not unit.text[index].isspace()


def _is_plain(text: str) -> bool:
    return _PRINTABLE.fullmatch(text) is not None and "=?" not in text


def _write(layout: _Layout, region: _Region, place: Place) -> bytes:
    """Write the new text of a region as its place allows."""
    text, kinds = layout.new_text(region), layout.kinds(region)
    if WORD in kinds:
        return encode_words(text)
    if place == "text" and _is_plain(text):
        return text.encode("ascii")
    if place == "comment" and _is_plain(text):
        return _IN_COMMENT.sub(r"\\\g<0>", text).encode("ascii")
    if place.startswith("phrase") and _is_plain(text):
        if QUOTED not in kinds and _ATOMS.fullmatch(text):
            return text.encode("ascii")
        if place == "phrase":
            return b'"' + _IN_STRING.sub(r"\\\g<0>", text).encode("ascii") + b'"'
    return encode_words(text)
