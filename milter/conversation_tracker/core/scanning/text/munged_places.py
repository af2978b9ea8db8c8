r"""Where an address in words may stand in a text, told at small cost, for the final scan.

What is passed over here is never read, so each test lets pass whatever `munged` may read: it names
what surely parts an address from all else, and whatever it does not name is read. Written apart
from the masking code. Time is linear. Nothing here raises.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Protocol

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.scanning.text.local_parts import UNCASED, ignores_dots
from conversation_tracker.core.scanning.text.munged_words import (
    ALSO_DOT,
    AT_WORDS,
    DOT_WORDS,
    FENCE,
    LINED_AT,
    SAYS_DOT,
    SAYS_SO,
    SHUT,
    TURNED,
    WORDS,
)

BEFORE = 640
"""Characters that are read before a domain: a dot may take many characters each."""
BEHIND = 300
"""Characters that are read from the beginning of a domain on."""
_FEW = 16  # words that are looked for one by one
_MANY = 64  # labels from which on the words of a text are told first
_OFTEN = 64  # places of a label from which on those in clear are told apart all at once
_SHARE = 8  # at signs for each of them, as far as that is worth it
_CLOSE = 48  # characters before a place in which an ordinary word ends
_LAST = frozenset(
    "".join(map(chr, (*range(0x21), *range(0x7F, 0xA1), *range(0x2000, 0x200E))))
    + "\u1680\u2028\u2029\u202f\u205f\u2060\u2800\u3000\ufeff\u00ad"
    ">=@\uff20\ufe6b;|*\"'`+])}_~-n"
    "\u2606\u2605\u25ce\u25cf\u24d0\U0001f150\U0001f170\u30af\uc774"
    f"{SHUT}`\u00b4\u2506\u258c\u258f\u276f\u27a4\u226b"
    "\u203a\u3011\uff09\uff5c\u2502\u2503\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
)
_FENCES = frozenset(FENCE + TURNED)
_LONGEST_FENCED = 16  # characters of what they are on both sides of, with these behind it
_FENCED = tuple(LINED_AT)
_BEFORE_FENCED = frozenset(FENCE + SHUT)
_WORD = re.compile(r"[^\W_]+")
_LETTER = re.compile(rf"[^\W_{UNCASED}]")

# A tag that surely is no word in brackets, both ways round.
_ELEMENTS = (
    "b i u p td th tr li ul ol h1 h2 h3 h4 br hr div span pre em strong font body center".split()
)
_ATTRIBUTES = r"(?>[^<>\"=/\r\n\\]{0,200})[\"=/](?>[^<>\r\n\\]{0,200})"
_TAG = rf"<(?:{_ATTRIBUTES}|{'|'.join(_ELEMENTS)})>"
_GAT = rf">(?:{_ATTRIBUTES}|{'|'.join(each[::-1] for each in _ELEMENTS)})<"
_TOD, _TA = ("|".join(each[::-1] for each in words) for words in (DOT_WORDS, AT_WORDS))
# A word that stands for no sign, reversed. A written-out line end may be its beginning.
_DROW = r"(?!(?:%s)(?:n\\|(?![^\W_])))(?!n\\)[^\W_]"
_ENIL = r"[>| \t]{1,16}\n\r?(?!n\\)"  # with marks of quoted text behind it, reversed
_BEFORE_TEXT = (
    r"(?!n\\)"
    rf"(?![\w+.-]{{0,100}}[_-](?:{_TOD})(?![^\W_]))(?>[\w+-]+(?:\.[\w+-]+)*)"
    rf"(?:\Z|[<(\[{{,:?!/$#^=&](?!(?:{_TOD})[{FENCE}])|;(?:tl|pma|touq)&"
    r"|[\"'](?:\Z|[\s=:(\[{,<>])"
    rf"|{_ENIL}(?:,|{_DROW % _TOD})"
    rf"|(?>(?:[ \t\r\n]{{1,8}}|{_GAT}){{1,16}})"
    rf"(?:\Z|[,<(\[{{]|[:;](?!n\\|(?:tg|psbn)&|(?:{_TOD})[{FENCE}])[a-z0-9]"
    rf"|[\"'](?!{_TOD})[^\W_]"
    rf"|{_DROW % _TOD}))"
)
_BEHIND_TEXT = (
    rf"(?![\w.-]{{0,253}}[_-](?:{SAYS_DOT})(?![^\W_]))(?>[\w-]+(?:\.[\w-]+)*)"
    rf"(?:\Z|[>)\]}},;:?!/#+$%@](?!(?:{SAYS_DOT})[{FENCE}])|&(?:gt|amp|quot);"
    r"|\.(?=[\"')\],;]|\Z)|[\"'](?=[>\s,;):/]|\Z)"
    rf"|(?>(?:[ \t\r\n>]{{1,8}}|{_TAG}){{1,16}})"
    rf"(?:\Z|,|[(\[](?=[a-z0-9])(?!{SAYS_DOT}|{ALSO_DOT})"
    rf"|(?!(?:{SAYS_DOT})(?![^\W_]))(?![a-z]{{1,12}}[ \t]?(?:>|&gt;))[^\W_]))"
)
# What surely ends a local part that stands in clear, reversed, and a domain.
_CLEAR_BEFORE, _CLEAR_BEHIND = re.compile(_BEFORE_TEXT), re.compile(_BEHIND_TEXT)
# At signs of which that is not sure: the first one in a text that is reversed.
_PARTED_BEFORE = re.compile(rf"@(?!{_BEFORE_TEXT})")
_PARTED_BEHIND = re.compile(rf"@(?!{_BEHIND_TEXT})")
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)*")
# An ordinary word behind which nothing stands for an at sign, reversed.
_OS = "|".join(each[::-1] for each in SAYS_SO)
_NO_SIGN = re.compile(rf"[ \t\r\n]{{1,8}}(?:,|(?!{_OS}){_DROW % _TA})")


class WatchedAddresses(Protocol):
    """Whom to look for."""

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """Return their domains of several labels by the first of these, in lower case."""

    @property
    def endings(self) -> frozenset[str]:
        """Return the last words of their local parts."""

    def owner(self, local: str, domain: str) -> str | None:
        """Return the token of whose address has a local part and a domain."""


def stands_alone(low: str, word: str) -> bool:
    """Return whether a word stands in a text, not in another one; a line end may be written out."""
    at = low.find(word)
    while at >= 0:
        end = at + len(word)
        if not _LETTER.match(low, end) and (
            not at or not _LETTER.match(low, at - 1) or low.startswith("\\n", at - 2)
        ):
            return True
        at = low.find(word, at + 1)
    return False


def iter_places(
    low: str, known: WatchedAddresses, check: Callable[[], None]
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield where an address in words may have its domain, and the domains it may be.

    Args:
        low: a text in lower case.
        known: whom to look for.
        check: raises when the time for the message is over.
    """
    frequent: _FrequentLabels | None = None
    # A local part ends with one of a few words, mostly: in most texts is none.
    few, ends = len(known.endings) <= _FEW, False
    for word, names in _choose_labels(low, known):
        if word not in low:  # which costs half of what `find` does
            continue
        if few and not ignores_dots(names):
            ends = ends or any(map(low.__contains__, known.endings))
            if not ends:
                continue
        places: Iterable[int]
        if low.count(word) > _OFTEN:
            frequent = frequent or _FrequentLabels(low, known)
            places = frequent.find_places(word)
        else:
            places = _find_places(low, word)
        for at in places:
            check()
            if _may_follow_sign(low, at, names) and _may_be_read(low, at, known, names):
                yield at, names


def _choose_labels(low: str, known: WatchedAddresses) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Return the labels to look for: of many, those whose first word the text has."""
    if len(known.labels) <= _MANY:
        return known.labels.items()
    parted = low.replace("\\n", "\n")
    for sign in SAYS_SO:
        parted = parted.replace(sign, " ")
    words = set(_WORD.findall(parted))
    return [
        (label, names)
        for label, names in known.labels.items()
        if (first := _WORD.search(label)) is None or first[0] in words
    ]


def _find_places(low: str, word: str, start: int = 1, end: int | None = None) -> Iterator[int]:
    at = low.find(word, start, end)
    while at >= 0:
        yield at
        at = low.find(word, at + 1, end)


class _FrequentLabels:
    """The places of labels that a text has often, but those that surely are not read.

    A log has an address in each line, and a shop's label may be a word: here is no step for each.
    """

    def __init__(self, low: str, known: WatchedAddresses) -> None:
        self._low = low
        self._known = known

    def find_places(self, word: str) -> Iterable[int]:
        """Find the places of a label."""
        low = self._low
        dotted = ignores_dots(self._known.labels[word])
        few = len(self._known.endings) <= _FEW and not dotted
        if few and self._number_of_ends * _SHARE < low.count(word):
            return self._find_behind_ends(word)
        signs = low.count("@" + word)
        if signs > _OFTEN and signs * _SHARE > low.count("@"):
            return _find_unclear(low, word, self._parted)
        return _find_places(low, word)

    def _find_behind_ends(self, word: str) -> Iterator[int]:
        """Yield the places of a label behind the last word of a local part, as far as is read."""
        done = 1
        for end in self._ends:
            last = end + BEFORE + len(word)
            yield from _find_places(self._low, word, max(done, end), last)
            done = max(done, last - len(word) + 1)

    @cached_property
    def _number_of_ends(self) -> int:
        return sum(map(self._low.count, self._known.endings))

    @cached_property
    def _ends(self) -> list[int]:
        """Where the last words of local parts end, in order."""
        low = self._low
        return sorted(
            at + len(word) for word in self._known.endings for at in _find_places(low, word, 0)
        )

    @cached_property
    def _parted(self) -> list[int]:
        """Where at signs stand of addresses that may be divided, whosever."""
        low = self._low
        behind = [sign.start() for sign in _PARTED_BEHIND.finditer(low)]
        last = len(low) - 1
        return behind + [last - sign.start() for sign in _PARTED_BEFORE.finditer(low[::-1])]


def _find_unclear(low: str, word: str, parted: Iterable[int]) -> list[int]:
    """Return the places of a word, but those where `_is_clear` surely holds."""
    found = [match.start() for match in _compile_unclear(word).finditer(low, 1)]
    return sorted({*found, *(at + 1 for at in parted if low.startswith(word, at + 1))})


@lru_cache(maxsize=64)
def _compile_unclear(word: str) -> re.Pattern[str]:
    """Compile what finds a word, but not behind an at sign that ends a local part."""
    first, rest = re.escape(word), ""  # first, as it is found at many times the speed then
    if any(word.endswith(word[:size]) for size in range(1, len(word))):
        first, rest = re.escape(word[0]), re.escape(word[1:])  # two places may share something
    return re.compile(rf"{first}(?<![^\W_]@{first}){f'(?={rest})' if rest else ''}")


def _may_follow_sign(low: str, at: int, names: tuple[str, ...]) -> bool:
    """Return, cheaply, whether behind what stands for an at sign a domain may be spelled."""
    before = low[at - 1]
    if before not in _LAST:
        return before in _FENCES and _ends_in_word(low, at)
    if before == "@":
        return not _is_clear(low, at, names)
    if before == "n":
        return low[at - 2 : at - 1] == "\\"
    return _NO_SIGN.match(low[max(0, at - _CLOSE) : at][::-1]) is None


def _ends_in_word(low: str, at: int) -> bool:
    """Return whether a word for an at sign, and a sign on both sides of it, are before a place."""
    head = low[max(0, at - _LONGEST_FENCED) : at].rstrip(FENCE + TURNED)
    if not head.endswith(_FENCED):
        return False
    before = [head[: -len(word)][-1:] for word in _FENCED if head.endswith(word)]
    return any(not each or each in _BEFORE_FENCED for each in before)


def _is_clear(low: str, at: int, names: tuple[str, ...]) -> bool:
    """Return, cheaply, whether behind an at sign all of an address surely stands in clear."""
    if not low[max(0, at - 2)].isalnum():
        return False
    if _CLEAR_BEFORE.match(low[max(0, at - BEFORE) : at - 1][::-1]) is None:
        return False
    return _CLEAR_BEHIND.match(low, at) is not None or _is_whole(low, at, names)


def _is_whole(low: str, at: int, names: tuple[str, ...]) -> bool:
    """Return whether a domain stands in clear, and none that is longer is looked for."""
    found = _DOMAIN.match(low, at)
    name = found[0] if found is not None else ""
    return name in names and not any(each.startswith(f"{name}.") for each in names)


def _may_be_read(low: str, at: int, known: WatchedAddresses, names: tuple[str, ...]) -> bool:
    """Return, cheaply, whether words of somebody's address stand around a place."""
    wide = low[max(0, at - BEFORE) : at]  # most texts hold none of the words
    dotted = ignores_dots(names)
    few = len(known.endings) <= _FEW and not dotted
    if few and not any(map(wide.__contains__, known.endings)):
        return False
    behind = low[at : at + BEHIND]
    if not any(_take_second_label(name) in behind for name in names):
        return False
    if dotted:
        return True
    if len(known.endings) > _FEW:
        return not known.endings.isdisjoint(WORDS.findall(wide.replace("\\n", "\n")))
    return any(stands_alone(wide, word) for word in known.endings)


def _take_second_label(name: str) -> str:
    """Return what follows the first dot of a domain, to the next one."""
    return name.split(".", 2)[1]
