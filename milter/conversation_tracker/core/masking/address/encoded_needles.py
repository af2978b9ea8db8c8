"""What words look like inside base64 and hexadecimal digits, and where they stand in a text.

A word's bytes come out in one of three ways in base64, by where in a group of three they begin;
what is searched for is the part that no neighbour decides. Which words are long enough to be told
from chance is told in `short_addresses`; of those of one octet no such part is left. Nothing here
raises.
"""

import binascii
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache

_URL_SAFE = str.maketrans("+/", "-_")


class Needles:
    """What words look like inside base64 and hexadecimal digits.

    Args:
        words: the words, in lower case.
        notice: called whenever one is found.
    """

    def __init__(self, words: Collection[str], notice: Callable[[], None] = lambda: None) -> None:
        self._notice = notice
        self._based = {needle for word in words for needle in _encode_base64(word) if needle}
        self._digits = {digits for word in words for digits in _encode_digits(word) if digits}
        self._all = [*self._based, *self._digits]

    def stand_in(self, text: str) -> bool:
        """Return, cheaply, whether one of the words stands in a text, encoded so."""
        for needle in self._all:
            if needle in text:
                self._notice()
                return True
        return False

    def find_base64(self, text: str) -> list[int]:
        """Return the places of the words in base64, in order."""
        return self._find(text, self._based)

    def find_digits(self, text: str) -> list[int]:
        """Return the places of the words in hexadecimal digits, in order."""
        return self._find(text, self._digits)

    def _find(self, text: str, needles: Collection[str]) -> list[int]:
        for needle in needles:
            if needle in text:  # mostly none is
                break
        else:
            return []
        self._notice()
        return sorted(_find_places(text, needles))


@lru_cache(maxsize=1024)
def _encode_base64(word: str) -> frozenset[str]:
    raw = word.encode("utf-8")
    found: set[str] = set()
    for before in range(3):
        code = binascii.b2a_base64(bytes(before) + raw, newline=False).decode("ascii")
        # Characters that bits of the word alone decide.
        needle = code[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        found |= {needle, needle.translate(_URL_SAFE)}
    return frozenset(found)


@lru_cache(maxsize=1024)
def _encode_digits(word: str) -> tuple[str, str]:
    digits = word.encode("utf-8").hex()
    return digits, digits.upper()


def _find_places(text: str, needles: Collection[str]) -> Iterator[int]:
    """Yield the places of each; none is empty."""
    for needle in needles:
        at = text.find(needle)
        while at >= 0:
            yield at
            at = text.find(needle, at + len(needle))
