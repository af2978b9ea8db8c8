r"""Quotation marks inside an address: `"john".doe@doe.example`, `john.doe@"doe".example`.

The first is an obsolete local part (RFC 5322 section 4.4), and to an eye they all are one address.
So a text is read without each mark that has a letter, or a sign of an address, on either side; and
once more with those between two letters, which may part an address from a word. Only where an at
sign has such a mark in what goes on around it, is there anything to read: most texts tell that at
small cost. Time is linear. Nothing here raises, but what the time for a message raises.
"""

import re
from collections.abc import Iterator
from itertools import chain, islice

from conversation_tracker.core.base.limits import check_each
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.address.munged import MungedAddress
from conversation_tracker.core.masking.address.munged_places import KnownAddresses
from conversation_tracker.core.masking.address.reading import Piece, Reading

_COMMON = "\"'`"
_APOSTROPHES = "'`\u00b4\u2018\u2019\u2032\uff07\uff40"
_OTHERS = (
    "\u00ab\u00bb\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u2039\u203a"
    "\u300c\u300d\u300e\u300f\u301d\u301e\u301f\uff02\uff07\uff40"
)
_MARK = rf"[{_COMMON}{_OTHERS}]"
_WORD = r"\w\u00ad\u200b-\u200f\u2060-\u2064\ufeff"
_LETTER = rf"[{_WORD}.@\-]"
# These are part of a name: o'brien@ is not obrien@. Two end the charset of RFC 2231.
_IN_NAME = rf"(?<=[{_WORD}])(?>[{_APOSTROPHES}]+)(?=[{_WORD}])"
_RUN = rf"(?>(?:\\*{_MARK})+)"
_INSIDE = re.compile(rf"(?<={_LETTER})(?!{_IN_NAME}){_RUN}(?={_LETTER})")
_BESIDE_SIGN = re.compile(rf"(?<=[.@\-]){_RUN}(?={_LETTER})|(?<=[{_WORD}]){_RUN}(?=[.@\-])")
# What RFC 5322 calls a quoted string, in a local part, may have quoted pairs.
_STRING = re.compile(rf'"((?>(?:\\?[{_WORD}.+\-])+))"(?=[.@])')
_PAIR = re.compile(r"\\")
_OTHER_MARK = re.compile(f"[{_OTHERS}]")
# From an at sign to the first mark on either side, if it is inside; and the same backward.
_NAMES = rf"(?>[{_WORD}.+%\-]*(?:{_IN_NAME}[{_WORD}.+%\-]*)*)"
_BEHIND = re.compile(rf"@{_NAMES}{_RUN}{_LETTER}")
_BEFORE = re.compile(rf"@{_NAMES}(?>(?:{_MARK}\\*)+){_LETTER}")
# Each mark of ASCII, which is found at many times the speed of a class.
_BESIDE = rf"[\w.@\-\\{_COMMON}]"
_SIGN = rf"[.@\-\\{_COMMON}]"
_COMMON_MARKS = (
    ('"', re.compile(rf'"(?<={_BESIDE}")(?={_BESIDE})')),
    *(
        (each, re.compile(rf"{each}(?:(?<={_BESIDE}{each})(?={_SIGN})|(?<={_SIGN}{each})(?=\w))"))
        for each in ("'", "`")
    ),
)
_REACH = 320  # characters before an at sign: 64 octets, each in marks
_SHORT = 1024  # characters of a text whose marks are looked at first
_LARGE = 64 * 1024  # characters of a text in which a domain stands whole behind an at sign
_MOST = 64  # domains that are looked for before each mark
_FEW = 16  # at signs that are looked at one by one


def may_hold_marked(low: str, known: KnownAddresses) -> bool:
    """Return, cheaply, whether a lower-cased text may hold an address with marks inside."""
    plain = low.isascii()
    if plain and ("@" not in low or not _has_marks(low, inside=len(low) < _SHORT)):
        return False
    if not _has_domain(low, known, "@" if len(low) > _LARGE else ""):
        return False
    low = _show_signs(low)
    at = low.find("@")
    if at < 0:
        return False
    for _ in range(_FEW):
        if _BEHIND.match(low, at) or _BEFORE.match(low[max(0, at - _REACH) : at + 1][::-1]):
            return True
        at = low.find("@", at + 1)
        if at < 0:
            return False
    if plain and not _has_marks(low, inside=True):
        return False
    return _BEHIND.search(low, at) is not None or _BEFORE.search(low[::-1]) is not None


def find_marked(low: str, finder: Masker) -> Iterator[MungedAddress]:
    """Yield the addresses in a text that have marks inside.

    Args:
        low: a lower-cased text, with what stands in clear masked already.
        finder: knows whom to look for.
    """
    if not may_hold_marked(low, finder):
        return
    low = _show_signs(low)
    # A mark behind one of these ends an address.
    names = tuple(islice(chain.from_iterable(finder.labels.values()), _MOST))
    pairs = _find_pairs(low)
    for pattern in (_INSIDE, _BESIDE_SIGN):
        marks = [
            (*mark.span(), "")
            for mark in pattern.finditer(low)
            if not (low[mark.end()].isalnum() and low.endswith(names, 0, mark.start()))
        ]
        shown = Reading(low, sorted([*marks, *pairs]) if pairs else marks)
        for start, end, new in check_each(finder.hits(shown.text), finder.check):
            sign = shown.text.find("@", start, end)
            place = shown.span(start, end)
            if sign >= 0 and place[1] - place[0] > end - start:
                yield MungedAddress(*_take_outer(low, *place), shown.span(sign, sign + 1), new)


def _show_signs(low: str) -> str:
    """Return a text with each at sign in ASCII."""
    return low if low.isascii() else low.replace("\uff20", "@").replace("\ufe6b", "@")


def _find_pairs(low: str) -> list[Piece]:
    """Find the backslashes of quoted pairs in local parts."""
    if "\\" not in low:
        return []
    strings = [string.span(1) for string in _STRING.finditer(low) if "\\" in string[1]]
    return [(*pair.span(), "") for span in strings for pair in _PAIR.finditer(low, *span)]


def _has_domain(low: str, known: KnownAddresses, before: str) -> bool:
    """Return, cheaply, whether the first label of a domain may stand behind something."""
    if len(known.labels) > _MOST or (before and not low.isascii()):
        return True
    return any(before + label in low for label in known.labels)


def _has_marks(low: str, *, inside: bool) -> bool:
    """Return whether a text in ASCII has a mark; one that may be inside anything, or just any."""
    for mark, pattern in _COMMON_MARKS:
        if mark in low and not (inside and pattern.search(low) is None):
            return True
    return False


def _take_outer(low: str, start: int, end: int) -> tuple[int, int]:
    """Return the span of an address with the mark beside it of which the other one is inside."""
    inside = _INSIDE.findall(low, start, end)
    if len(inside) % 2:
        before, behind = len(inside[0]), len(inside[-1])
        if _are_pair(low[max(0, start - before) : start], inside[0]):
            return start - before, end
        if _are_pair(inside[-1], low[end : end + behind]):
            return start, end + behind
    return start, end


def _are_pair(first: str, last: str) -> bool:
    if first.isascii():
        return first == last
    return not last.isascii() and _OTHER_MARK.match(first[-1]) is not None
