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
# What base64 and digits are made of, in either alphabet, is one letter here, all else a blank.
_IN_RUNS = bytes(0x61 if chr(n).isalnum() or chr(n) in "+/-_" else 0x20 for n in range(0x80)).ljust(
    256
)
_EMPTY = frozenset({""})
_LONG = 10  # characters of a run that few texts have
_LARGE = 4096  # characters of a text that is worth it
_SELDOM = 256  # characters to each run that is taken out


class Needles:
    """What words look like inside base64 and hexadecimal digits.

    Args:
        words: the words, in lower case, each once.
        notice: called whenever one is found.
    """

    def __init__(self, words: Collection[str], notice: Callable[[], None] = lambda: None) -> None:
        self._notice = notice
        self._based = [each for word in words for each in _encode_base64(word)]
        self._digits = [each for word in words for each in _encode_digits(word)]
        self._all = (*self._based, *self._digits)
        self._least = min(map(len, self._all), default=0)

    def stand_in(self, text: str) -> bool:
        """Return, cheaply, whether one of the words stands in a text, encoded so."""
        runs = keep_runs(text, self._least)
        for needle in self._all:
            if needle in runs:
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


def keep_runs(text: str, least: int) -> str:
    """Return of a text what base64 and digits may stand in.

    To look for each needle in all of a large text takes many times as long.

    Args:
        text: the text.
        least: characters of the shortest needle.

    Returns:
        The runs of what these are made of that are as long, one in each line; or the text, where
        that is not worth it.
    """
    if least < _LONG or len(text) < _LARGE:
        return text
    octets = text.encode("utf-8", "surrogatepass")
    marks, run = octets.translate(_IN_RUNS) + b" ", b"a" * least
    found: list[bytes] = []
    at = marks.find(run)
    while at >= 0:
        if len(found) * _SELDOM > len(text):
            return text
        end = marks.find(b" ", at)
        found.append(octets[at:end])
        at = marks.find(run, end)
    return b"\n".join(found).decode("ascii")


@lru_cache(maxsize=1024)
def _encode_base64(word: str) -> frozenset[str]:
    raw = word.encode("utf-8")
    found: set[str] = set()
    for before in range(3):
        code = binascii.b2a_base64(bytes(before) + raw, newline=False).decode("ascii")
        # Characters that bits of the word alone decide.
        needle = code[(before * 8 + 5) // 6 : (before + len(raw)) * 8 // 6]
        found |= {needle, needle.translate(_URL_SAFE)}
    return frozenset(found) - _EMPTY


@lru_cache(maxsize=1024)
def _encode_digits(word: str) -> frozenset[str]:
    digits = word.encode("utf-8").hex()
    return frozenset((digits, digits.upper())) - _EMPTY


def _find_places(text: str, needles: Collection[str]) -> Iterator[int]:
    """Yield the places of each; none is empty."""
    for needle in needles:
        at = text.find(needle)
        while at >= 0:
            yield at
            at = text.find(needle, at + len(needle))
