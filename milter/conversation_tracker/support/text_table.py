"""A table for a terminal: rows of text in columns that fit its width, whatever the text holds.

What a stranger wrote reaches the terminal only through `clean`: no control character, escape or
direction mark is left, so nothing moves the cursor or the order of the columns. Widths are counted
in cells (Unicode UAX 11), not characters. Nothing here raises on any text.
"""

import unicodedata
from collections.abc import Collection, Iterator, Sequence

from wcwidth import wcwidth

_GAP = "  "
_ELLIPSIS = "…"
_LEAST = 3  # cells of a column that had to shrink
_MARKS = 4  # combining marks on one character; more are drawn over other lines
_LEFT_TO_RIGHT = "\u200e"
_UNKNOWN = "\ufffd"
_NON_JOINER = "\u200c"  # spelling needs it, and it takes no place

# These change the width of what stands before them, and terminals do not agree on how.
_SELECTORS = range(0xFE00, 0xFE10)
_MORE_SELECTORS = range(0xE0100, 0xE01F0)
_SKIN_TONES = range(0x1F3FB, 0x1F400)


def clean(text: str) -> str:
    """Return a text as one line of characters whose width is known.

    White space and line ends become single spaces; control and format characters, direction marks
    and piles of combining marks are left out; what is no assigned character is shown as U+FFFD.
    """
    shown: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", " ".join(text.split())):
        if visible := _make_visible(character):
            marks = marks + 1 if unicodedata.category(visible) in ("Mn", "Me") else 0
            if marks <= _MARKS:
                shown.append(visible)
    return "".join(shown)


def _make_visible(character: str) -> str:
    code = ord(character)
    if code in _SELECTORS or code in _MORE_SELECTORS or code in _SKIN_TONES:
        return ""
    category = unicodedata.category(character)
    if category in ("Cn", "Co"):
        return _UNKNOWN
    return "" if category in ("Cc", "Cf", "Cs") and character != _NON_JOINER else character


def width(text: str) -> int:
    """Count the cells that a clean text takes."""
    return sum(max(0, wcwidth(character)) for character in text)


def cut(text: str, cells: int) -> str:
    """Return a clean text that takes at most so many cells, with an ellipsis where it was cut."""
    if width(text) <= cells:
        return text
    kept: list[str] = []
    free = cells - width(_ELLIPSIS)
    for character in text:
        free -= max(0, wcwidth(character))
        if free < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + _ELLIPSIS if cells > 0 else ""


def lay_out(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    cells: int,
    fixed: Collection[int] = (),
) -> Iterator[str]:
    """Lay a table out.

    Args:
        titles: one for each column.
        rows: any text, as many in each row as there are titles.
        cells: how many cells a line has at most.
        fixed: places of columns that are not narrowed, from 0.

    Returns:
        The lines, titles first, without line ends.
    """
    table = [[clean(text) for text in row] for row in (titles, *rows)]
    natural = [max(map(width, column)) for column in zip(*table, strict=True)]
    widths = _narrow(natural, cells - len(_GAP) * (len(titles) - 1), fixed)
    for row in table:
        yield _write_line(row, widths, cells)


def _narrow(natural: Sequence[int], room: int, fixed: Collection[int]) -> list[int]:
    """Narrow the widest columns, by turns, until all of them fit or none can give more."""
    widths = [min(wanted, max(room, 1)) for wanted in natural]
    giving = [place for place in range(len(widths)) if place not in fixed]
    while giving and sum(widths) > room:
        widest = max(giving, key=lambda place: widths[place])
        if widths[widest] <= _LEAST:
            break
        widths[widest] -= 1
    return widths


def _write_line(row: Sequence[str], widths: Sequence[int], cells: int) -> str:
    shown = []
    for text, wanted in zip(row, widths, strict=True):
        kept = cut(text, wanted)
        shown.append(_isolate_direction(kept) + " " * (wanted - width(kept)))
    return cut(_GAP.join(shown).rstrip(), cells)


def _isolate_direction(text: str) -> str:
    """Keep right-to-left text in its column: a terminal that turns it around stops at the marks."""
    turned = any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text)
    return f"{_LEFT_TO_RIGHT}{text}{_LEFT_TO_RIGHT}" if turned else text
