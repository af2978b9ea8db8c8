"""Where in a text an address may be that is written for people, told cheaply.

The first label of a known domain is looked for, as that is fast; then what stands before it and
behind it is asked, from the cheapest question to the dearest. What is read there is in `munged`.
Time is linear. Nothing here raises.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

from conversation_tracker.core.masking.address.munged_words import (
    ANY_AT_WORD,
    AT,
    AT_WORDS,
    BETWEEN_LABELS,
    BETWEEN_LABELS_BEHIND_NAMES,
    DOT_WORDS,
    MARKS,
    NAMED_LINE,
    SHUT,
    SIGNS,
)
from conversation_tracker.core.masking.address.spellings import UNCASED


class KnownAddresses(Protocol):
    """The addresses that are looked for, as `Masker` knows them."""

    @property
    def labels(self) -> Mapping[str, tuple[tuple[str, ...], bool]]:
        """The first labels of their domains that have several, in lower case.

        With each, these domains, and whether a local part at one has a dot.
        """

    @property
    def endings(self) -> frozenset[str]:
        """The last runs of letters and digits in their local parts, tags left out or not."""

    @property
    def check(self) -> Callable[[], None]:
        """What raises `Overdue` when the time is over."""

    def lookup(self, local: str, domain: str) -> str | None:
        """Return what replaces an address, in lower case."""


BEFORE = 640  # characters before a label that are read
_NEAR = 128  # before it, in which a local part of 64 and what stands for the at sign are
_NAMED = 6  # marks of quoted text that may have names before them
_DEEPLY = 24  # marks of quoted text before it, and blanks among them
_MANY = 64  # labels from which on the signs are looked for, and not they
_FEW = 8  # words to look for one by one

_WIDE_BLANKS = "\u00a0\u2002-\u200d\u2060\u3000\ufeff\u00ad"
_QUOTING = rf"\s{_WIDE_BLANKS}>|:;%#!\u00bb\u203a\u2502\u2503\uff5c"  # and marks of quoted text
_LINED = "*_~|\"'\u2018\u2019\u201c\u201d\\-"
_WIDE_SHUT, _WIDE_OPEN = "\u00bb\u203a\u3011\uff09", "\u00ab\u2039\u3010\uff08"
_DOTS, _DOTS_REVERSED = ("|".join(word[::way] for word in sorted(DOT_WORDS)) for way in (1, -1))
# Reversed, a local part with more than dots in it; and a domain with more than dots. Between
# angle brackets, as in pages, there is no more: marks of quoted text stand behind a line end.
_PARTED_BEFORE = re.compile(
    rf"n\\|[\w+\-]+(?>(?:\.[\w+\-]+)*)(?:(?>(?:[{_QUOTING}]|(?<=[ \t])(?:[*+\-]|//)|(?<=\s)=|n\\"
    r"|(?<=;)(?:tg|psbn)&|(?<=[\s>])[^<>]{0,80}?rb<"
    rf"|(?:(?<=[>&])|(?<=>[ \t]))(?!{_DOTS_REVERSED})"
    r"[ \t]?[a-z]{1,12}(?=[ \t]{0,8}(?:[\r\n>;]|n\\)))+)"
    rf"(?:[.\u3002\uff0e]|[\])}}>{_WIDE_SHUT}]|[{_LINED}]{{0,3}}(?:{_DOTS_REVERSED}))"
    rf"|\.(?:[.{_QUOTING}]|n\\)|[\])}}>*_\\{_WIDE_SHUT}]|;(?!tl&)|[\u3002\uff0e]"
    rf"|[{_LINED}]{{1,3}}(?:{_DOTS_REVERSED}))"
    rf"|[\w+]{{1,80}}-{{1,3}}(?:{_DOTS_REVERSED})"
)
_PARTED_BEHIND = re.compile(
    rf"[\w\-]+(?>(?:\.[\w\-]+)*)(?:\.[.\s<&\\={_WIDE_BLANKS}]"
    rf"|[\[({{<*\u3002\uff0e\\{_WIDE_OPEN}]|&(?!gt;)|[{_LINED}]{{1,3}}(?:{_DOTS})"
    rf"|(?=[\s|{_WIDE_BLANKS}]|=[ \t]{{0,8}}[\r\n])"
    rf"(?>(?:[={_QUOTING}]|(?:[*+\-]|//)(?=[ \t])|&(?:gt|nbsp);"
    rf"|(?<=[\s>])[a-z]{{1,12}}(?=[ \t]?(?:>|&gt;)))+)"
    rf"(?:[.\u3002\uff0e\[({{<&{_LINED}{_WIDE_OPEN}]|{_DOTS}))"
    rf"|(?:\w+\.){{0,8}}[^\W_]{{1,64}}[_\-]{{1,3}}(?:{_DOTS})[_\-]"
)
# Reversed, what ends before a label: cheap to tell for each of them.
_ENDS = re.compile(
    rf"(?:=|(?:(?:[{_QUOTING}\u2002-\u200d\u2060\u3000\ufeff\u00ad*/\-{MARKS}]"
    rf"|n\\|[\r\n][ \t]{{0,8}}=|;(?:tg|psbn|touq)&|>[^<>]{{1,80}}<){{0,40}})"
    rf"(?:[{SIGNS}]|{SHUT}|[*_~\-]|;|{'|'.join(word[::-1] for word in sorted(AT_WORDS))}))",
    re.IGNORECASE,
)
_MAY_STAND_BEFORE = frozenset(
    " \t\r\n\f\v\u00a0\u2002\u2003\u2009\u200b\u200c\u200d\u2060\u3000\ufeff\u00ad"
    f">n;=])}}|:%#*_~/\\-\u203a\u3011\uff09\uff5c\u2502\u2503!{SIGNS}{MARKS}"
)
_GAPS = (
    " \t\r\n\f\v\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u200b\u200c\u200d"
    f"\u2060\u3000\ufeff\u00ad>|@:;%#!*+-/\u203a\u2502\u2503\uff5c\uff20\ufe6b{MARKS}"
)
_RUNS_ON = frozenset(">&\\")
_WORDS = re.compile(rf"[^\W_{UNCASED}]+")
_BRACKETS_END = re.compile(rf"[{SIGNS}]|(?:{ANY_AT_WORD})(?:[\W_]|\Z)", re.IGNORECASE)
_LINES = re.compile(rf"(?:{NAMED_LINE}|[\s{_WIDE_BLANKS}{MARKS}]|&nbsp;|<br>)+")
_SIGN_OF_ALL = re.compile(
    rf"[{SIGNS}=]|{AT}|[\s>](?:{'|'.join(sorted(AT_WORDS))})[\s<]",
    re.IGNORECASE,
)


def iter_places(low: str, known: KnownAddresses) -> Iterator[int]:
    """Yield the places where a domain may begin behind something like an at sign.

    Args:
        low: a lower-cased text, with what stands in clear masked already.
        known: the addresses that are looked for.
    """
    if len(known.labels) > _MANY:
        yield from (match.end() for match in _SIGN_OF_ALL.finditer(low))
        return
    for label, (names, dotted) in known.labels.items():
        if label not in low:  # which costs half of what `find` does
            continue
        at = low.find(label, 2)
        while at >= 0:
            before = low[at - 1]
            plain = (
                before == "@"
                and not dotted
                and low[at - 2].isalnum()
                and low[at - 3 : at - 1] != "\\n"
            )
            if (
                before in _MAY_STAND_BEFORE
                and not (plain and low.startswith(names, at))
                and not _is_clear(low, at)
                and _follows(low, at + len(label), names)
                and may_begin(low, at, known.endings)
            ):
                yield at
            at = low.find(label, at + len(label))


def _follows(low: str, at: int, names: Collection[str]) -> bool:
    """Return, cheaply, whether the rest of a domain may follow its first label."""
    for name in names:
        place = at
        for label in name.split(".")[1:]:
            for between in (BETWEEN_LABELS, BETWEEN_LABELS_BEHIND_NAMES):
                dot = between.match(low, place)
                if dot is not None and low.startswith(label, dot.end()):
                    place = dot.end() + len(label)
                    break
            else:
                break
        else:
            return True
    return False


def _is_clear(low: str, at: int) -> bool:
    """Return, cheaply, whether an address stands in clear around a label: at sign, dots as such."""
    if low[at - 1] != "@" or not low[at - 2 : at - 1].isalnum():
        return False
    if _PARTED_BEFORE.match(low[max(0, at - BEFORE) : at - 1][::-1]) is not None:
        return False
    return _PARTED_BEHIND.match(low, at) is None


def may_be_apart(low: str, at: int, endings: frozenset[str]) -> bool:
    """Return, cheaply, whether a domain may begin in a place, in no address that stands in clear.

    Args:
        low: a lower-cased text.
        at: where a label of a domain begins; not 0.
        endings: as of `KnownAddresses`.
    """
    return (
        low[at - 1] in _MAY_STAND_BEFORE and not _is_clear(low, at) and may_begin(low, at, endings)
    )


def _cut_near(low: str, at: int, endings: frozenset[str]) -> str:
    """Return what is near before a label; where that is marks or blanks, these count for little."""
    before = low[max(0, at - _NEAR) : at]
    marks = len(before) - len(before.rstrip(_GAPS))
    if marks < _DEEPLY and before.count(">") + before.count("gt;") < _NAMED:
        before = before.replace("\\n", "\n")
        if not endings.isdisjoint(_WORDS.findall(before)):
            return before
    return _LINES.sub("\n", low[max(0, at - BEFORE) : at])[-_NEAR:]


def may_begin(low: str, at: int, endings: frozenset[str]) -> bool:
    """Return, cheaply, whether a domain may begin in a place, behind what may be an at sign.

    Args:
        low: a lower-cased text.
        at: where a label of a domain begins.
        endings: as of `KnownAddresses`.
    """
    if len(endings) <= _FEW:  # most texts hold none, and this is far faster than a pattern
        wide = low[max(0, at - BEFORE) : at]
        if not any(map(wide.__contains__, endings)):
            return False
    before = _cut_near(low, at, endings)
    if endings.isdisjoint(_WORDS.findall(before)):
        return False
    if (sign := _ENDS.match(before[::-1])) is None:
        return False
    if before[-1] not in "=@" and _BRACKETS_END.search(before) is None:
        return False
    # Where the sign is no word, and no tag or escape is before it, the local part ends right there.
    rest = before[: len(before) - sign.end()]
    if sign[0][-1] not in SIGNS or not _RUNS_ON.isdisjoint(rest):
        return True
    words = _WORDS.findall(rest)
    return bool(words) and words[-1] in endings
