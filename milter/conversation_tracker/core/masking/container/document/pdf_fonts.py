"""Pages of PDF in fonts that number their letters by themselves (ISO 32000-1 section 9.10.3).

Most programs put those letters of a font into a file that it shows, and number them as they like. A
table for each font, a CMap, says which letter each number is: so readers copy and search the text.
Here all strings of a page are read by each table. Nothing here raises.
"""

import re
from binascii import unhexlify
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.container.budget import MAX_TEXT, Unpacking
from conversation_tracker.core.masking.container.document import pdf_page

_BEGIN, _END = b"beginbf", b"endbf"
_MOST_TABLES = 64
_MOST_LETTERS = 100_000  # of all tables of a file
_MOST_RANGE = 65_536
_MOST_KEPT = 16 * 1024 * 1024  # octets of pages: more text of a file is not read
_DIGITS = 8  # of a number, which has four octets at most
_ITEM = re.compile(rb"<([0-9A-Fa-f\s]*)>|([\[\]])")
_LONGEST = 16  # digits of a letter that stands for several
_SEPARATOR = "@"
_MOVED, _CHANGED = "\U0010fffe", "\U0010ffff"  # where the position changes, and where the font


@dataclass(slots=True)
class Pages:
    """The pages of a file, and the tables of its fonts that have an at sign.

    Attributes:
        pages: their contents.
        tables: of each how many octets a number has, and what letters the numbers are.
        letters: how many more there may be.
    """

    pages: list[Octets] = field(default_factory=list)
    tables: list[tuple[int, dict[int, str]]] = field(default_factory=list)
    letters: int = _MOST_LETTERS
    _kept: int = 0

    def add(self, content: Octets, *, is_page: bool) -> None:
        """Note a stream: a table, a page, or neither."""
        if content.find(_BEGIN) >= 0:
            if self.letters > 0 and len(self.tables) < _MOST_TABLES:
                self._read_table(content[:MAX_TEXT])
        elif is_page and self._kept < _MOST_KEPT:
            self._kept += len(content)
            self.pages.append(content)

    def iter_texts(self, unpacking: Unpacking) -> Iterator[bytes]:
        """Yield the text of each page by each table: all of it, and parted where it moves."""
        for content in self.pages if self.tables else ():
            if not unpacking.allows_text(len(content) * len(self.tables)):
                return
            unpacking.limits.check()
            strings = list(pdf_page.iter_strings(content[:MAX_TEXT]))
            whole = {width: _decode(strings, width) for width, _ in self.tables}
            for width, letters in self.tables:
                unpacking.limits.check()
                text = whole[width].translate(letters)
                if _SEPARATOR in text:
                    yield _part(text, _MOVED, _CHANGED)
                    yield _part(text, _CHANGED, _MOVED)

    def _read_table(self, content: bytes) -> None:
        letters: dict[int, str] = {}
        width = 1
        at = content.find(_BEGIN)
        while at >= 0 and self.letters > 0:
            end = content.find(_END, at)
            section = content[at + len(_BEGIN) : end if end >= 0 else len(content)]
            ranges = section.startswith(b"range")
            for number, letter, digits in _read_items(section, ranges=ranges):
                letters[number] = letter
                width = 2 if digits > 2 else 1
                self.letters -= 1
                if self.letters <= 0:
                    break
            at = content.find(_BEGIN, end) if end >= 0 else -1
        if any(_SEPARATOR in each for each in letters.values()):
            self.tables.append((width, letters))


def _read_items(section: bytes, *, ranges: bool) -> Iterator[tuple[int, str, int]]:
    """Yield the numbers of a section, what letter each is, and how many digits it has."""
    items = _ITEM.finditer(section)
    for first in items:
        if first[1] is None:
            continue
        digits = b"".join(first[1].split())[:_DIGITS]
        low = int(digits or b"0", 16)
        last = next(items, None) if ranges else first
        letter = next(items, None)
        if last is None or letter is None:
            return
        high = int(b"".join((last[1] or b"").split())[:_DIGITS] or b"0", 16)
        if letter[1] is None:  # a list of letters
            for number, each in enumerate(items, low):
                if each[1] is None:
                    break
                yield number, _read_letter(each[1]), len(digits)
            continue
        begin = _read_letter(letter[1])
        for step in islice(range(high - low + 1), _MOST_RANGE):
            code = min(ord(begin[-1]) + step, 0x10FFFF) if begin else 0xFFFD
            yield low + step, begin[:-1] + chr(code), len(digits)


def _read_letter(digits: bytes) -> str:
    plain = b"".join(digits.split())[:_LONGEST]
    return unhexlify(plain + b"0" * (len(plain) % 2)).decode("utf-16-be", "replace")


def _decode(strings: Iterable[bytes | None], width: int) -> str:
    """Join the numbers of strings, each as a character."""
    codec, errors = ("latin-1", "strict") if width == 1 else ("utf-16-be", "surrogatepass")
    shown = (
        _MOVED
        if each is None
        else each[: len(each) - len(each) % width].decode(codec, errors) or _CHANGED
        for each in strings
    )
    return "".join(shown)


def _part(text: str, border: str, nothing: str) -> bytes:
    """Write a text with line ends at the borders of one kind."""
    return text.replace(border, "\n").replace(nothing, "").encode("utf-8", "replace")
