"""Quotation marks inside an address, for the final scan: `"john".doe@doe.example` is john.doe's.

A text in which some may be is looked at twice more: without the marks that part words and signs of
an address from each other, where nothing else is between these; and without those beside a sign.
Written apart from the masking code. Time is linear. Nothing here raises, but what the time for a
message raises.
"""

import re
from collections.abc import Callable, Iterator

from conversation_tracker.core.scanning.text import munged
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher

_MARKS = (
    "\"'`\u00ab\u00bb\u00b4\u2018-\u201f\u2032\u2033\u2039\u203a\u300c-\u300f\u301d-\u301f"
    "\uff02\uff07\uff40"
)
_WORD = r"\w\u00ad\u200b-\u200f\u2060-\u2064\ufeff"
_SIGNED = rf"[@{_WORD}.\-]"
# Such marks alone between two letters are of a name: o'brien. Two end the charset of RFC 2231.
_SPELLED = rf"(?<=[{_WORD}])['`\u00b4\u2018\u2019\u2032\uff07\uff40]+(?=[{_WORD}])"
_RUN = rf"\\*[{_MARKS}](?>[{_MARKS}\\]*)(?<=[{_MARKS}])"
_PARTING = re.compile(rf"(?<={_SIGNED})(?!{_SPELLED}){_RUN}(?={_SIGNED})")
_AT_SIGN = re.compile(rf"(?:(?<=[.@-]){_RUN}(?={_SIGNED})|(?<=[{_WORD}]){_RUN}(?=[.@-]))")
_LOCAL_STRING = re.compile(rf'"(?>(?:[{_WORD}.+\-]|\\[{_WORD}.+\-])+)"(?=[.@])')
# From an at sign to the first mark on either side, if it parts something; the second is reversed.
_WORDS = rf"(?>(?:[{_WORD}.+%\-]|{_SPELLED})*)"
_LEADING = re.compile(rf"@{_WORDS}{_RUN}{_SIGNED}")
_ENDING = re.compile(rf"@{_WORDS}[{_MARKS}](?>[{_MARKS}\\]*){_SIGNED}")
# In ASCII, with neither a blank nor a bracket on either side, and no letter of a name.
_TOUCHED = (
    ('"', re.compile(r"\"(?<=[\w.@\\\"'`-]\")(?=[\w.@\\\"'`-])")),
    ("'", re.compile(r"'(?:(?<=[\w.@\\\"'`-]')(?=[.@\\\"'`-])|(?<=[.@\\\"'`-]')(?=\w))")),
    ("`", re.compile(r"`(?:(?<=[\w.@\\\"'`-]`)(?=[.@\\\"'`-])|(?<=[.@\\\"'`-]`)(?=\w))")),
)
_MOST = 320  # characters of a local part with its marks
_SHORT = 1024  # characters of a text in which these are looked for first
_LARGE = 64 * 1024  # characters of a text that is not read so in each reading
_MOST_WORDS = 64  # that are looked for one by one
_FEW = 16  # at signs that are looked at one by one


def find_owners(
    low: str, matcher: AddressMatcher, check: Callable[[], None], *, rare: bool = False
) -> Iterator[str]:
    """Yield the tokens of those whose address a lower-case text says, or has with marks inside.

    Args:
        low: the text.
        matcher: knows whom to look for.
        check: raises when the time for the message is over.
        rare: it is a reading that few programs have: a large one is not looked at for marks.
    """
    yield from munged.find_owners(low, matcher, check)
    if rare and len(low) > _LARGE:
        return
    if "@" in low and _holds_domain(low, matcher) and parts_address(low, matcher):
        check()
        plain = _LOCAL_STRING.sub(_drop_pairs, low)
        for shown in dict.fromkeys(marks.sub("", plain) for marks in (_PARTING, _AT_SIGN)):
            yield from matcher.find(shown)


def _drop_pairs(string: re.Match[str]) -> str:
    return string[0].replace("\\", "")


def parts_address(low: str, matcher: AddressMatcher) -> bool:
    """Return, cheaply, whether a mark is inside what goes on around an at sign of a text."""
    if len(low) > _LARGE and not _may_name(low, matcher):
        return False
    if "@" not in low or not _may_be_parted(low):
        return False
    at = -1
    for _ in range(_FEW):
        at = low.find("@", at + 1)
        if at < 0:
            return False
        if _LEADING.match(low, at) or _ENDING.match(low[max(0, at - _MOST) : at + 1][::-1]):
            return True
    if low.isascii() and not _is_parted(low):
        return False
    return _LEADING.search(low, at) is not None or _ENDING.search(low[::-1]) is not None


def _may_be_parted(low: str) -> bool:
    """Return, at one look, whether a mark may part anything in a text."""
    if not low.isascii():
        return True
    if len(low) > _SHORT:
        return '"' in low or "'" in low or "`" in low
    return _is_parted(low)


def _holds_domain(low: str, matcher: AddressMatcher) -> bool:
    """Return, cheaply, whether all labels of somebody's domain may stand in a text, each whole."""
    if len(matcher.labels) > _MOST_WORDS:
        return True
    for word, names in matcher.labels.items():
        if word in low and any(all(map(low.__contains__, name.split("."))) for name in names):
            return True
    return False


def _may_name(low: str, matcher: AddressMatcher) -> bool:
    """Return, cheaply, whether an at sign is right before somebody's domain in a large text."""
    if not low.isascii() or len(matcher.words) > _MOST_WORDS:
        return True
    return any(f"@{word}" in low for word in matcher.words)


def may_part(low: str) -> bool:
    """Return, cheaply, whether a mark may part anything in a lower-case text."""
    return not low.isascii() or _is_parted(low)


def _is_parted(low: str) -> bool:
    """Return whether a mark parts anything in ASCII text, but an apostrophe in a name."""
    return any(mark in low and touched.search(low) is not None for mark, touched in _TOUCHED)
