r"""Addresses as people write them for people: `john (at) doe [dot] example`, over lines.

What may stand for the at sign and the dots: words of several languages in brackets or between
blanks; blanks, quotation marks and tags beside the signs; line ends with the marks of quoted text
behind them, to any depth; `=` as in `john=doe.example`. A place counts only where, read so, it is
exactly an address of the order. `munged_places` tells where one may be. Time is linear. Nothing
here raises.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from conversation_tracker.core.base.limits import check_each
from conversation_tracker.core.masking.address.address_forms import EXTENSION
from conversation_tracker.core.masking.address.munged_places import (
    BEFORE,
    KnownAddresses,
    Places,
    iter_places,
)
from conversation_tracker.core.masking.address.munged_words import (
    AT_WORDS,
    BEHIND_NAME,
    BLANKS,
    DOT_WORDS,
    LINE,
    SIGNS,
    TOKEN,
    TOKEN_BEHIND_NAMES,
)

_BEHIND = 1024  # characters behind a label that are read
# What stands before a person's address in a return path (VERP) that lacks its own domain.
_OF_BOUNCES = re.compile(r"(?<![^\W_])(?:bounces?|returns?|unsub(?:scribe)?|verp|\d+)-\Z")
_LONGEST_WORD = 16  # characters of one of these
_LONGEST = 32  # words of a local part, as many as 64 octets hold, or a domain

_INSIDE_TAG = re.compile(rf"(?P<gap>(?:{LINE}|[{BLANKS}])+)|(?P<other>.)", re.DOTALL)


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
    places = sorted(iter_places(low, known))
    for start, end in _join_windows(places):
        for pattern in _choose_tokens(low, start, end):
            tokens = list(_tokenize(low, start, end, places, pattern))
            for number in check_each(range(1, len(tokens) - 1), known.check):
                found = _read_address(low, tokens, number, known)
                if found is not None:
                    yield found


def may_hold_munged(low: str, known: KnownAddresses, places: Places | None = None) -> bool:
    """Return, cheaply, whether a lower-cased text may hold such an address.

    Arguments as for `munged_places.iter_places`.
    """
    return next(iter_places(low, known, places), None) is not None


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
        start = max(0, place - BEFORE)
        if start > last:
            if last >= 0:
                yield first, last
            first = start
        last = place + _BEHIND
    if last >= 0:
        yield first, last


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
    tight = text in SIGNS and last - first == len("x@" + behind)
    for domain in _find_domains(low, tokens, last):
        names = known.labels.get(domain.text.partition(".")[0], ())
        if domain.text not in names or (kind == "word" and domain.loose):
            continue
        for local in _find_locals(tokens, first, behind, routed=kind == "equals"):
            if kind == "word" and local.loose:
                continue  # a dot with a blank beside it ends a sentence: "I am John. Doe at ..."
            if kind == "equals" and not _is_routed(low, local):
                continue
            if "/" in text and _is_in_path(low, local):
                continue
            # What stands in clear is masked by `Masker`, not here.
            clear = tight and domain.plain and local.plain
            new = None if clear else known.lookup(local.text, domain.text)
            if new is not None:
                return MungedAddress(local.place, domain.place, (start, end), new)
    return None


def _is_routed(low: str, local: _Side) -> bool:
    """Return whether an equals sign behind a local part may be its at sign, and no assignment."""
    before = low[max(0, local.place - _LONGEST_WORD) : local.place]
    return (
        not local.text.isalnum()
        or before.endswith(("+", "="))
        or (before.endswith("-") and _OF_BOUNCES.search(before) is not None)
    )


def _is_in_path(low: str, local: _Side) -> bool:
    """Return whether slashes around a word for an at sign may be those of a path, in a link."""
    return local.text.isalnum() and low[local.place - 1 : local.place] == "/"


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


def _find_domains(low: str, tokens: list[_TextToken], number: int) -> Iterator[_Side]:
    """Yield the domains that may begin at a word, the longest first."""
    found: list[_Side] = []
    name, plain, loose = tokens[number].text, True, False
    for count in range(_LONGEST):
        after, dots, parts, blanks = _skip_dot(tokens, number, 1)
        # A dot with a blank behind it may end a sentence, and so the domain; a word for a dot
        # does not. A file's extension is no label.
        ends = after < 0 or blanks or EXTENSION.match(low, tokens[number].end) is not None
        if count and ends and not _is_escape(tokens, number + 1, 1):
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
    if way < 0:
        near = tokens[max(0, number - 6) : number + 1]
    else:  # a line end may be written as one
        near = list(takewhile(lambda token: token.kind != "gap", tokens[number : number + 4]))
    text = "".join([token.text for token in near])
    return (_ESCAPE_BEFORE.search(text) if way < 0 else _ESCAPE_BEHIND.match(text)) is not None


_ESCAPE_BEHIND = re.compile(
    r"%(?:25)*[0-9a-f]{2}|&(?:#|amp|period|hyphen|dash|lowbar)|=[0-9a-f]{2}"
    r"|\\(?![,;:!?\"()<>\[\]{}|]|'(?![0-9a-f]{2})|\\*(?:\s|\Z))"
)
_ESCAPE_BEFORE = re.compile(r"(?:%(?:25)*[0-9a-f]{2}|&#?\w{1,8};|\\(?:u00|x)[0-9a-f]{2})\Z")
