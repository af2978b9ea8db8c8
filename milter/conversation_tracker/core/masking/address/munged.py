r"""Addresses as people write them for people: `john (at) doe [dot] example`, over lines.

What may stand for the at sign and the dots: words of several languages in brackets or between
blanks; blanks, quotation marks and tags beside the signs; line ends with the marks of quoted text
behind them, to any depth; `=` as in `john=doe.example`. A place counts only where, read so, it is
exactly an address of the order. The first label of a known domain is looked for, as that is fast;
what stands around it is read then. Time is linear. Nothing here raises.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple, Protocol

from conversation_tracker.core.base.limits import check_each
from conversation_tracker.core.masking.address.munged_words import (
    ANY_AT_WORD,
    AT,
    AT_WORDS,
    BEHIND_NAME,
    BETWEEN_LABELS,
    BETWEEN_LABELS_BEHIND_NAMES,
    DOT_WORDS,
    LINE,
    MARKS,
    SHUT,
    SIGNS,
    TOKEN,
    TOKEN_BEHIND_NAMES,
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


_BEFORE, _BEHIND = 640, 360  # characters around a label that are read
_NEAR = 128  # before it, in which a local part of 64 and what stands for the at sign are
_DEEPLY = 24  # marks of quoted text before it, and blanks among them
_MANY = 64  # labels from which on the signs are looked for, and not they
_FEW = 8  # words to look for one by one
_LONGEST = 32  # words of a local part, as many as 64 octets hold, or a domain

_QUOTING = r"\s\u00a0>|:;%#!\u00bb\u203a\u2502\u2503\uff5c"  # blanks, and marks of quoted text
_DOTS, _DOTS_REVERSED = ("|".join(word[::way] for word in sorted(DOT_WORDS)) for way in (1, -1))
# Reversed, a local part with more than dots in it; and a domain with more than dots. Between
# angle brackets, as in pages, there is no more: marks of quoted text stand behind a line end.
_PARTED_BEFORE = re.compile(
    rf"[\w+\-]+(?:(?>(?:[{_QUOTING}]|(?<=>)[ \t]?[a-z]{{1,12}}(?=[\r\n]))+)"
    rf"(?:\.|[\])}}>]|{_DOTS_REVERSED})"
    r"|[.\u3002\uff0e][\s\u00a0>]|[\])}>*_]|;(?!tl&)|\uff0e)"
)
_PARTED_BEHIND = re.compile(
    r"[\w\-]+(?>(?:\.[\w\-]+)*)(?:\.[\s<&\\]|[\[({<*\u3002\uff0e\\]|&(?!gt;)"
    rf"|(?=[\s|])(?>(?:[{_QUOTING}]|(?<=\n)[a-z]{{1,12}}(?=[ \t]?>))+)(?:[.\[({{<*_\-]|{_DOTS}))"
)
_INSIDE_TAG = re.compile(rf"(?P<gap>(?:{LINE}|[ \t\f\v\u00a0])+)|(?P<other>.)", re.DOTALL)
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
_RUNS_ON = frozenset(">&\\")
_WORDS = re.compile(rf"[^\W_{UNCASED}]+")
_BRACKETS_END = re.compile(rf"[{SIGNS}]|(?:{ANY_AT_WORD})(?:[\W_]|\Z)", re.IGNORECASE)
_LINES = re.compile(LINE)
_SIGN_OF_ALL = re.compile(
    rf"[{SIGNS}=]|{AT}|[\s>](?:{'|'.join(sorted(AT_WORDS))})[\s<]",
    re.IGNORECASE,
)


class MungedAddress(NamedTuple):
    """An address in a text: its place, that of what stands for its at sign, what replaces it."""

    start: int
    end: int
    sign: tuple[int, int]
    new: str


class _TextToken(NamedTuple):
    kind: str
    start: int
    end: int
    text: str


class _Side(NamedTuple):
    """A local part or domain that may be meant: its words, and where it begins or ends."""

    text: str
    place: int
    plain: bool
    loose: bool  # blanks stand beside a dot of it


def find_munged(low: str, known: KnownAddresses) -> Iterator[MungedAddress]:
    """Yield the addresses in a text that are written so; they may overlap.

    Args:
        low: a lower-cased text, with what stands in clear masked already.
        known: the addresses that are looked for.
    """
    places = sorted(_iter_places(low, known))
    for start, end in _join_windows(places):
        for pattern in _choose_tokens(low, start, end):
            tokens = list(_tokenize(low, start, end, places, pattern))
            for number in check_each(range(1, len(tokens) - 1), known.check):
                found = _read_address(low, tokens, number, known)
                if found is not None:
                    yield found


def may_hold_munged(low: str, known: KnownAddresses) -> bool:
    """Return, cheaply, whether a lower-cased text may hold such an address."""
    return next(_iter_places(low, known), None) is not None


def _choose_tokens(low: str, start: int, end: int) -> Iterator[re.Pattern[str]]:
    """Yield how a span of a text is cut: with names before marks of quoted text, too, if any is."""
    yield TOKEN
    if BEHIND_NAME.search(low, start, end) is not None:
        yield TOKEN_BEHIND_NAMES


def _tokenize(
    low: str, start: int, end: int, places: list[int], pattern: re.Pattern[str]
) -> Iterator[_TextToken]:
    """Cut a span of a text; a tag in which a domain begins is text, and no gap."""
    at, end = start, min(end, len(low))
    while at < end and (match := pattern.match(low, at, end)) is not None:
        if match["gap"] and "<" in match[0]:
            first = bisect_left(places, match.start())
            if first < len(places) and places[first] < match.end():
                match = _INSIDE_TAG.match(low, at, end) or match
        at = match.end()
        yield _TextToken(str(match.lastgroup), *match.span(), match[0])


def _join_windows(places: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the spans of a text to read, those that overlap as one."""
    first = last = -1
    for place in places:
        start = max(0, place - _BEFORE)
        if start > last:
            if last >= 0:
                yield first, last
            first = start
        last = place + _BEHIND
    if last >= 0:
        yield first, last


def _iter_places(low: str, known: KnownAddresses) -> Iterator[int]:
    """Yield the places where a domain may begin behind something like an at sign."""
    if len(known.labels) > _MANY:
        yield from (match.end() for match in _SIGN_OF_ALL.finditer(low))
        return
    for label, (names, dotted) in known.labels.items():
        if label not in low:  # which costs half of what `find` does
            continue
        at = low.find(label, 2)
        while at >= 0:
            before = low[at - 1]
            plain = before == "@" and not dotted and low[at - 2].isalnum()
            if (
                before in _MAY_STAND_BEFORE
                and not (plain and low.startswith(names, at))
                and not _is_clear(low, at)
                and _follows(low, at + len(label), names)
                and _may_begin(low, at, known.endings)
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
    if _PARTED_BEFORE.match(low[max(0, at - _NEAR) : at - 1][::-1]) is not None:
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
        low[at - 1] in _MAY_STAND_BEFORE and not _is_clear(low, at) and _may_begin(low, at, endings)
    )


def _cut_near(low: str, at: int) -> str:
    """Return what is near before a label; the marks of deeply quoted text count for nothing."""
    before = low[max(0, at - _NEAR) : at]
    if len(before) - len(before.rstrip(" \t>|@")) < _DEEPLY:
        return before
    return _LINES.sub("\n", low[max(0, at - _BEFORE) : at])[-_NEAR:]


def _may_begin(low: str, at: int, endings: frozenset[str]) -> bool:
    before = _cut_near(low, at)
    if len(endings) <= _FEW and not any(map(before.__contains__, endings)):
        return False  # as in most texts, and far faster than a pattern
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


def _read_address(
    low: str, tokens: list[_TextToken], number: int, known: KnownAddresses
) -> MungedAddress | None:
    """Read the address whose at sign a token may be."""
    kind, start, end, text = tokens[number]
    first, last = number - 1, number + 1
    if kind == "sign":
        while first > 0 and tokens[first].kind in ("gap", "mark"):
            first -= 1
        while last < len(tokens) - 1 and tokens[last].kind in ("gap", "mark"):
            last += 1
    elif kind == "at":
        first -= tokens[first].kind == "gap"
        last += tokens[last].kind == "gap"
    elif kind == "word" and text in AT_WORDS:
        if tokens[first].kind != "gap" or tokens[last].kind != "gap":
            return None
        first, last = first - 1, last + 1
    elif kind != "equals":
        return None
    behind = ""
    if first > 0 and tokens[first].kind == "point":
        behind, first = "." * len(tokens[first].text), first - 1
    if first < 0 or last >= len(tokens) or {tokens[first].kind, tokens[last].kind} != {"word"}:
        return None
    tight = kind == "sign" and last - first == len("x@" + behind)
    for domain in _find_domains(tokens, last):
        names, _ = known.labels.get(domain.text.partition(".")[0], ((), False))
        if domain.text not in names or (kind == "word" and domain.loose):
            continue
        for local in _find_locals(tokens, first, behind, routed=kind == "equals"):
            if kind == "word" and local.loose:
                continue  # a dot with a blank beside it ends a sentence: "I am John. Doe at ..."
            if kind == "equals" and not _is_routed(low, local):
                continue
            # What stands in clear is masked by `Masker`, not here.
            clear = tight and domain.plain and local.plain
            new = None if clear else known.lookup(local.text, domain.text)
            if new is not None:
                return MungedAddress(local.place, domain.place, (start, end), new)
    return None


def _is_routed(low: str, local: _Side) -> bool:
    """Return whether an equals sign behind a local part may be its at sign, and no assignment."""
    return not local.text.isalnum() or low[local.place - 1 : local.place] in ("+", "=")


def _skip_dot(tokens: list[_TextToken], number: int, way: int) -> tuple[int, str, bool, bool]:
    """Skip a dot, or what stands for one, to the next word; -1 where there is none.

    Gives its dots too, whether it is more than these, where a sentence may end, and whether blanks
    stand beside a dot.
    """
    nothing = -1, "", True, False
    size, at = len(tokens), number + way
    gaps = 0
    if 0 <= at < size and tokens[at].kind == "gap":
        at, gaps = at + way, 1
    if not 0 <= at < size:
        return nothing
    kind, free = tokens[at].kind, tokens[at].kind == "word" and tokens[at].text in DOT_WORDS
    if not (kind in ("point", "dot") or (free and gaps)):
        return nothing
    dots = "." * len(tokens[at].text) if kind == "point" else "."
    at += way
    behind = 0 <= at < size and tokens[at].kind == "gap"
    if free and not behind:
        return nothing
    at += way * behind
    if not 0 <= at < size or tokens[at].kind != "word":
        return nothing
    blanks = bool(gaps or behind)
    return at, dots, blanks or kind != "point", blanks and kind == "point"


def _find_domains(tokens: list[_TextToken], number: int) -> Iterator[_Side]:
    """Yield the domains that may begin at a word, the longest first."""
    found: list[_Side] = []
    name, plain, loose = tokens[number].text, True, False
    for count in range(_LONGEST):
        after, dots, parts, blanks = _skip_dot(tokens, number, 1)
        # A dot with a blank behind it may end a sentence, and so the domain; a word for a dot
        # does not.
        if count and (after < 0 or blanks) and not _is_escape(tokens, number + 1, 1):
            found.append(_Side(name, tokens[number].end, plain, loose))
        if after < 0:
            break
        plain, loose = plain and not parts, loose or blanks
        number = after
        name += dots + tokens[number].text
    yield from reversed(found)


def _find_locals(
    tokens: list[_TextToken], number: int, behind: str, *, routed: bool
) -> Iterator[_Side]:
    """Yield the local parts that may end at a word, the longest first.

    Args:
        tokens: what the text is made of.
        number: the word.
        behind: surplus dots behind it.
        routed: something may stand before it, as in `bounce+john=doe.example`.
    """
    found: list[_Side] = []
    name, plain, loose = behind, True, False
    for _ in range(_LONGEST):
        word = tokens[number]
        before, dots, parts, blanks = _skip_dot(tokens, number, -1)
        if (before < 0 or blanks) and not _is_escape(tokens, number - 1, -1):
            found.append(_Side(word.text + name, word.start, plain, loose))
        if parts and number and tokens[number - 1].kind == "point":  # surplus dots
            first = tokens[number - 1]
            dotted = "." * len(first.text) + word.text + name
            found.append(_Side(dotted, first.start, plain, loose))
        cut = max(word.text.rfind(sign) for sign in "+-") + 1 if routed else 0
        if cut and word.text[cut:]:
            found.append(_Side(word.text[cut:] + name, word.start + cut, plain, loose))
        if before < 0:
            break
        plain, loose = plain and not parts, loose or blanks
        number = before
        name = dots + word.text + name
    yield from reversed(found)


def _is_escape(tokens: list[_TextToken], number: int, way: int) -> bool:
    """Return whether what touches an address is an escape: another reading tells what it means."""
    near = tokens[max(0, number - 6) : number + 1] if way < 0 else tokens[number : number + 4]
    text = "".join([token.text for token in near])
    return (_ESCAPE_BEFORE.search(text) if way < 0 else _ESCAPE_BEHIND.match(text)) is not None


_ESCAPE_BEHIND = re.compile(
    r"%(?:25)*[0-9a-f]{2}|&(?:#|amp|period|hyphen|dash|lowbar)|\\|=[0-9a-f]{2}"
)
_ESCAPE_BEFORE = re.compile(r"(?:%(?:25)*[0-9a-f]{2}|&#?\w{1,8};|\\(?:u00|x)[0-9a-f]{2})\Z")
