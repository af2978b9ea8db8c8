"""What the pages of a PDF file show in fonts of numbered letters, for the final scan.

Written apart from the masking code. A table beside each font says which letter each number is; all
pages are read by all tables that know an at sign. Nothing here raises.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.scanning.pdf import pages

_TABLE = b"begincmap"
_SECTION = re.compile(rb"beginbf(char|range)\b")
_WORD = re.compile(rb"<([0-9a-fA-F\s]*)>|\[([^\[\]]*)\]")
_DIGITS = re.compile(rb"<([0-9a-fA-F\s]*)>")
_MOST, _MOST_LETTERS = 64, 100_000
_MOST_READ = 8 * 1024 * 1024  # octets of pages that are read by a table
_BEFORE, _BEHIND = 100, 300  # characters of an address, with what tells whether it goes on
_BORDER = "\U0010fffe"  # where the position changes


class PageFonts:
    """The tables and pages that were met in a file.

    Args:
        check: asks for the time.
    """

    def __init__(self, check: Callable[[], None] = lambda: None) -> None:
        self._check = check
        self._tables: list[tuple[bool, dict[int, str]]] = []
        self._pages: list[Octets] = []
        self._letters = _MOST_LETTERS
        self._kept = 0

    def note(self, stream: Octets, *, is_page: bool) -> None:
        """Keep a stream that is a table of letters, or a page."""
        if stream.find(_TABLE) >= 0:
            if len(self._tables) < _MOST and self._letters > 0:
                self._read(stream[: pages.MOST])
        elif is_page and self._kept < _MOST_READ:
            self._kept += len(stream)
            self._pages.append(stream)

    def iter_texts(self) -> Iterator[bytes]:
        """Yield what the pages show, by each table: joined, and where it stands apart."""
        left = _MOST_READ
        for page in self._pages if self._tables else ():
            left -= len(page) * len(self._tables)
            if left <= 0:
                return
            strings = pages.find_strings(page[: pages.MOST])
            numbers = {double: _join(strings, double=double) for double, _ in self._tables}
            for double, letters in self._tables:
                self._check()
                text = numbers[double].translate(letters)
                if "@" in text:
                    yield from (_take(text.replace(_BORDER, each)) for each in ("\n", ""))

    def _read(self, stream: bytes) -> None:
        letters: dict[int, str] = {}
        double = False
        stop = 0
        while stop >= 0 and self._letters > 0 and (section := _SECTION.search(stream, stop)):
            stop = stream.find(b"endbf", section.end())
            words = _WORD.findall(stream, section.end(), stop if stop >= 0 else len(stream))
            size = 3 if section[1] == b"range" else 2
            for at in range(0, len(words) - size + 1, size):
                low, last = (_number(words[at + n][0]) for n in (0, size - 2))
                double = double or len(words[at][0].strip()) > 2
                target, several = words[at + size - 1]
                many = [_text(each) for each in _DIGITS.findall(several)] or [_text(target)]
                for step in range(min(max(last - low, 0) + 1, 0x10000)):
                    if self._letters <= 0:
                        break
                    self._letters -= 1
                    one = many[min(step, len(many) - 1)]
                    more = max(0, step - len(many) + 1) if not several else 0
                    letters[low + step] = one[:-1] + chr(min(ord(one[-1:] or " ") + more, 0x10FFFF))
        if any("@" in each for each in letters.values()):
            self._tables.append((double, letters))


def _take(text: str) -> bytes:
    """Take what stands near at signs: of what another font shows, all else is no text anyway."""
    near = (f"{one[-_BEFORE:]}@{two[:_BEHIND]}" for one, two in pairwise(text.split("@")))
    return "\n".join(near).encode("utf-8", "replace")


def _number(digits: bytes) -> int:
    return int(b"".join(digits.split())[:8] or b"0", 16)


def _text(digits: bytes) -> str:
    return pages.from_digits(digits[:64]).decode("utf-16-be", "replace")


def _join(strings: list[bytes | None], *, double: bool) -> str:
    """Join strings, each number in them a character."""
    if not double:
        return "".join([_BORDER if each is None else each.decode("latin-1") for each in strings])
    whole = (each and each[: len(each) - len(each) % 2] for each in strings)
    return "".join(
        [_BORDER if each is None else each.decode("utf-16-be", "surrogatepass") for each in whole]
    )
