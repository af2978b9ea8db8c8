"""Where in a text an address may be that is written for people, told cheaply.

The first label of a known domain is looked for, as that is fast; then the ends of known local parts
before it, and whether one and the other are joined: by the very patterns with which `munged` cuts
the text, so that nothing is read there that is not told here. Time is linear: what follows the end
of a local part is looked at once, however many labels are behind it. Nothing here raises.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from conversation_tracker.core.masking.address.munged_words import (
    APART,
    BETWEEN_LABELS,
    BETWEEN_LABELS_BEHIND_NAMES,
    FENCED_WORDS,
    JOIN,
    JOIN_BEHIND_NAMES,
    LABEL_APART,
    LINE_ENDS,
    SIGNS,
    WORD,
)
from conversation_tracker.core.masking.address.spellings import GMAIL, UNCASED


class KnownAddresses(Protocol):
    """The addresses that are looked for, as `Masker` knows them."""

    @property
    def labels(self) -> Mapping[str, tuple[str, ...]]:
        """The first labels of their domains that have several, in lower case; with these."""

    @property
    def endings(self) -> Mapping[str, tuple[str, ...]]:
        """The last runs of letters and digits in their local parts, with these.

        Of each that has a tag, and without it.
        """

    @property
    def dotted_endings(self) -> Mapping[str, tuple[str, ...]]:
        """The same where dots may stand anywhere in a local part, as at Gmail."""

    @property
    def check(self) -> Callable[[], None]:
        """What raises `Overdue` when the time is over."""

    def lookup(self, local: str, domain: str) -> str | None:
        """Return what replaces an address, in lower case."""


class _End(NamedTuple):
    """The end of what may be a local part: its place, and the run of letters that ends there."""

    place: int
    run: str


BEFORE = 2048  # characters before a label that are read
_BLOCK = 1024  # characters in which ends of local parts are looked for at once
_LONGEST = 128  # characters of a local part with a tag, and more
_MANY = 64  # labels from which on the ends of local parts are looked for, and not they
_FEW = 8  # words to look for one by one
_LARGE = 16 * 1024  # characters of a text in which ends of local parts may be looked for first
_RARE = 256  # characters for each place of a label, so that this is worth it
_SHARE = 8  # places of a label for each end of a local part, as well

_NEVER_BEFORE = frozenset("./,")  # what most labels in links stand behind
# Behind a word for an at sign, or for a dot, one may stand.
_SLASHED = tuple(f"{word}{'/' * size}" for word in FENCED_WORDS for size in (1, 2, 3))
_LINE_END = "\\n"  # written out
_LAST_LETTERS = "\u30af\uc774"  # of words for an at sign that nothing parts from others
_WORDS = re.compile(rf"[^\W_{UNCASED}]+")
_LAST_RUN = re.compile(rf"[^\W_{UNCASED}]+")
_PLAIN = re.compile(r"[a-z0-9.]*")
# What ends a domain that would go on with a hyphen; and where a dot may stand behind a line end.
_ENDED = re.compile(r"[>,)]|\r?\n(?![ \t])|\Z")
_ENDED_AT_DOT = re.compile(r"[,)]|\Z")
_TIGHT = re.compile(rf"(?:\+[a-z0-9.+]*[a-z0-9])?[.\u3002\uff0e]*[{SIGNS}]")


def iter_places(low: str, known: KnownAddresses, places: "Places | None" = None) -> Iterator[int]:
    """Yield the places where a domain may begin behind something like an at sign.

    Args:
        low: a lower-cased text, with what stands in clear masked already.
        known: the addresses that are looked for.
        places: what is known of this text already.
    """
    places = places or Places(low, known)
    if len(known.labels) > _MANY:
        yield from places.iter_by_ends()
        return
    for label, names in known.labels.items():
        # Which costs half of what `find` does.
        if label not in low or not places.may_hold_end(names):
            continue
        for at in places.iter_label(label, names):
            if places.may_begin(at, names):
                yield at


class Places:
    """The places of a text in which a domain may begin.

    Args:
        low: a lower-cased text.
        known: the addresses that are looked for.
    """

    def __init__(self, low: str, known: KnownAddresses) -> None:
        self._low = low
        self._known = known
        self._joined: dict[tuple[int, bool], dict[int, list[_End]]] = {}
        self._tagged: dict[int, frozenset[int]] = {}  # what is joined to what begins with a plus
        self._may_hold: dict[bool, bool] = {}
        # Where `may_be_apart` was asked, and of which domains, and it is not: one label may begin
        # with another.
        self._not_apart: set[tuple[int, str]] = set()

    def may_hold_end(self, names: Sequence[str]) -> bool:
        """Return, at one look, whether an end of a local part at one of the domains is anywhere."""
        dotted = _is_dotted(names)
        found = self._may_hold.get(dotted)
        if found is None:
            known = self._known.dotted_endings if dotted else self._known.endings
            found = len(known) > _FEW or any(map(self._low.__contains__, known))
            self._may_hold[dotted] = found
        return found

    def iter_label(self, label: str, names: Sequence[str]) -> Iterator[int]:
        """Yield the places of a label, in order; of a frequent one, those behind known local parts.

        One of two letters is in many words, and a log has addresses at a provider in each line.

        Args:
            label: the label.
            names: the domains that begin with it.
        """
        low = self._low
        if len(low) > _LARGE and (often := low.count(label)) * _RARE > len(low):
            ends = self._known.dotted_endings if _is_dotted(names) else self._known.endings
            if len(ends) <= _FEW and sum(map(low.count, ends)) * _SHARE < often:
                yield from self._iter_behind_ends(label, ends)
                return
        yield from _find_all(low, label, 2)

    def _iter_behind_ends(self, label: str, ends: Iterable[str]) -> Iterator[int]:
        """Yield the places of a label as far behind an end of a local part as it may be joined."""
        low = self._low
        done = 2
        for end in sorted(at + len(run) for run in ends for at in _find_all(low, run)):
            last = end + BEFORE + _BLOCK
            yield from _find_all(low, label, max(done, end), last + len(label))
            done = max(done, last + 1)

    def iter_by_ends(self) -> Iterator[int]:
        """Yield these places behind the ends of local parts: where there are many domains."""
        labels = self._known.labels
        dotted = any(name in labels.get(name.partition(".")[0], ()) for name in GMAIL)
        for number in range(len(self._low) // _BLOCK + 1):
            for at in self._find_joined(number, dotted=dotted):
                word = WORD.match(self._low, at)
                names = labels.get(word[0], ()) if word is not None else ()
                if names and self.may_begin(at, names):
                    yield at

    def may_begin(self, at: int, names: Sequence[str]) -> bool:
        """Return, cheaply, whether a known address in words may have its domain in a place.

        Args:
            at: where the first label of the domains stands.
            names: the domains.
        """
        if (at, names[0]) in self._not_apart or not self._may_stand(at, names):
            return False
        if LABEL_APART.match(self._low, at + names[0].index(".")) is not None:
            return False
        if not (ends := self._find_ends(at, dotted=_is_dotted(names))):
            return False
        some = [name for name in names if self._follows(at, name)]
        return bool(some) and any(self._may_end(end, at, some) for end in ends)

    def may_be_apart(self, at: int, names: Sequence[str]) -> bool:
        """Return the same for a domain that may go on in any way."""
        found = self._may_stand(at, names) and any(
            self._may_end(end, at, names) for end in self._find_ends(at, dotted=_is_dotted(names))
        )
        if not found:
            self._not_apart.add((at, names[0]))
        return found

    def _may_stand(self, at: int, names: Sequence[str]) -> bool:
        """Return, at one look, whether a word begins in a place that no other one goes on in."""
        low = self._low
        before = low[at - 1]
        if before in _NEVER_BEFORE:
            return before == "/" and low.endswith(_SLASHED, 0, at)
        if before.isalnum():
            return low.startswith(_LINE_END, at - 2) or before in _LAST_LETTERS
        if before != "@" or not low[at - 2].isalnum() or low.startswith(_LINE_END, at - 3):
            return True
        # What ends right there is the local part, but for a tag.
        known = self._known.dotted_endings if _is_dotted(names) else self._known.endings
        if len(known) <= _FEW and not low.endswith(tuple(known), 0, at - 1):  # as in identifiers
            return self._may_be_tagged(at)
        if (found := _LAST_RUN.match(low[max(0, at - _LONGEST) : at - 1][::-1])) is not None:
            run = found[0][::-1]
            if run in known or (run[0] == "n" and run[1:] in known):  # behind a backslash
                return True
        return self._may_be_tagged(at)

    def _find_ends(self, at: int, *, dotted: bool) -> list[_End]:
        """Return the ends of local parts that are joined to what begins in a place."""
        if self._is_joined_by_sign_alone(at):
            return self._find_ends_before_sign(at - 1, dotted=dotted)
        found: list[_End] = []
        for number in range(max(0, at - BEFORE) // _BLOCK, (at - 1) // _BLOCK + 1):
            joined = self._joined.get((number, dotted))
            if joined is None:
                joined = self._find_joined(number, dotted=dotted)
            if at in joined:
                found += joined[at]
        return found

    def _is_joined_by_sign_alone(self, at: int) -> bool:
        """Return whether only what ends right before an at sign is joined to a place: no tag is."""
        low = self._low
        if low[at - 1] != "@" or not low[at - 2].isalnum() or low.startswith(_LINE_END, at - 3):
            return False
        return not self._may_be_tagged(at)

    def _may_be_tagged(self, at: int) -> bool:
        """Return whether a tag may end right before the at sign that is before a place.

        Most that begin with a plus are none of any address: a time zone, a telephone number.
        """
        low, first = self._low, max(0, at - BEFORE)
        if (plus := low.find("+", first, at)) < 0:
            return False
        if low.count("+", plus, at) > _FEW:
            return True
        while plus >= 0:
            ends = self._tagged.get(plus)
            if ends is None:
                ends = self._tagged[plus] = frozenset(_join(low, plus))
            if at in ends:
                return True
            plus = low.find("+", plus + 1, at)
        return False

    def _find_ends_before_sign(self, sign: int, *, dotted: bool) -> list[_End]:
        known = self._known.dotted_endings if dotted else self._known.endings
        if len(known) <= _FEW:
            runs = [run for run in known if self._low.endswith(run, 0, sign)]
        else:
            found = _LAST_RUN.match(self._low[max(0, sign - _LONGEST) : sign][::-1])
            run = found[0][::-1] if found is not None else ""
            runs = [each for each in (run, run[1:]) if each in known]  # behind a backslash
        return [_End(sign, run) for run in runs]

    def _find_joined(self, number: int, *, dotted: bool) -> dict[int, list[_End]]:
        """Return the places that are joined to ends of local parts in a block, with these."""
        found = self._joined[number, dotted] = dict[int, list[_End]]()
        for end in self._iter_ends(number * _BLOCK, (number + 1) * _BLOCK, dotted=dotted):
            for at in _join(self._low, end.place):
                found.setdefault(at, []).append(end)
        return found

    def _iter_ends(self, start: int, stop: int, *, dotted: bool) -> Iterator[_End]:
        """Yield the ends of local parts that begin in a block."""
        low = self._low
        known = self._known.dotted_endings if dotted else self._known.endings
        if len(known) > _FEW:
            first = max(0, start - _LONGEST)
            near = low[first : stop + _LONGEST].replace(_LINE_END, "  ")
            for word in _WORDS.finditer(near, start - first):
                if word[0] in known:
                    yield _End(first + word.end(), word[0])
            return
        for run in known:
            at = low.find(run, start, stop + len(run))
            while at >= 0:
                yield _End(at + len(run), run)
                at = low.find(run, at + 1, stop + len(run))

    def _follows(self, at: int, name: str) -> bool:
        """Return, cheaply, whether a domain may stand in a place, whatever its dots are."""
        low = self._low
        if low.startswith(name, at):
            return True
        first, *labels = name.split(".")
        at += len(first)
        for label in labels:
            for between in (BETWEEN_LABELS, BETWEEN_LABELS_BEHIND_NAMES):
                dot = between.match(low, at)
                if dot is not None and low.startswith(label, dot.end()):
                    at = dot.end() + len(label)
                    break
            else:
                return False
        return True

    def _may_end(self, end: _End, at: int, names: Sequence[str]) -> bool:
        """Return whether a known local part may end there, in no address that stands in clear."""
        low = self._low
        locals_: Iterable[str] = self._known.endings.get(end.run, ())
        dotted: Iterable[str] = ()
        if _is_dotted(names):
            dotted = self._known.dotted_endings.get(end.run, ())
        before = low[max(0, at - BEFORE) : end.place]
        if self._stands_whole(at, names) and _TIGHT.fullmatch(low, end.place, at) is not None:
            # Then it is read on only where something else parts it before that.
            last = _PLAIN.match(before[: -_LONGEST - 1 : -1].partition("n\\")[0])
            shown = last[0][::-1] if last is not None else ""
            locals_ = [x for x in locals_ if x.endswith(shown) and not before.endswith(x)]
            shown = shown.replace(".", "")
            dotted = [x for x in dotted if x.endswith(shown) and x != shown]
        return any(dotted) or any(
            all(map(before.__contains__, _WORDS.findall(local))) for local in locals_
        )

    def _stands_whole(self, at: int, names: Sequence[str]) -> bool:
        """Return whether a domain stands in a place as it is, and none of the others can be read.

        What stands there in plain letters is read as no other domain, whatever is escaped behind
        it, but one that goes on: as the soft alias of an address does. No reading leaves out what
        ends it here.
        """
        low = self._low
        whole = [name for name in names if low.startswith(name, at)]
        if len(whole) == len(names):
            return True
        if not whole:
            return False
        longest = max(whole, key=len)
        more = [name for name in names if len(name) > len(longest) and name.startswith(longest)]
        if not longest.isascii():
            return False
        behind = {name[len(longest)] for name in more}
        ended = _ENDED if behind <= {"-"} else _ENDED_AT_DOT
        return not more or ended.match(low, at + len(longest)) is not None


def _find_all(low: str, word: str, start: int = 0, end: int | None = None) -> Iterator[int]:
    at = low.find(word, start, end)
    while at >= 0:
        yield at
        at = low.find(word, at + 1, end)


def _join(low: str, end: int) -> Iterator[int]:
    """Yield where a domain may begin that is joined to the end of a local part."""
    if APART.match(low, end) is not None:
        return
    plain = JOIN.match(low, end)
    if plain is not None:
        yield plain.end()
        if not any(map(plain[0].__contains__, LINE_ENDS)):
            return
    named = JOIN_BEHIND_NAMES.match(low, end)
    if named is not None and (plain is None or named.end() != plain.end()):
        yield named.end()


def _is_dotted(names: Sequence[str]) -> bool:
    return not _GMAIL.isdisjoint(names)


_GMAIL = frozenset(GMAIL)
