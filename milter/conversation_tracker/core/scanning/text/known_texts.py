"""Texts that showed nobody, and what of another text is not in one of them, for the final scan.

The record of a message is looked at first, and its copies after that. Most of a copy's text is the
record's, character by character: it differs where the reader's own address stands for their alias,
and where somebody's soft alias does. Whatever shows an address that the record did not show has
something of that difference in it, or near to it; so that is looked at, with what is around it.

How much is around it, is measured in a reading of the text: a tag or an escape takes any number of
characters and shows none. Where it is so written that one place of a text bears on the reading of
others far away, as RTF's braces do, the whole text is looked at. Nothing here raises.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import chain

from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.scanning.text import decodings, rare_spellings

MOST = 512 * 1024
"""Characters of all texts that are remembered."""
LEAST = 8192
"""Characters of one that is worth it."""
Span = tuple[int, int]
"""Where a piece of a text begins and ends."""

REACH = 1024
"""Characters of a reading around an address beyond which nothing bears on it."""

_SHARE = 2  # of a text, of which no more than one is looked at again
_STEP = 2048  # characters on one side of a difference that are tried first
_OFTEN = 256  # differences; with more, all is looked at
_FIRST = 8  # differences behind which as much has to be alike as not


class KnownTexts:
    """The texts of a message that showed nobody."""

    def __init__(self) -> None:
        self._texts: list[tuple[str, bool]] = []
        self._left = MOST

    def remember(self, text: str, *, markup: bool) -> None:
        """Note that a text showed nobody, in any of its readings.

        One in which a place may bear on others far away (`rare_spellings.bears_far`) must not be:
        what comes to it is read in another way there than by itself.

        Args:
            text: the text.
            markup: it was read as HTML.
        """
        if LEAST <= len(text) <= self._left:
            self._left -= len(text)
            self._texts.append((text, markup))

    def find_differences(self, text: str, *, markup: bool) -> list[Span] | None:
        """Return the spans of a text in which it may show what none of the known ones did.

        Args:
            text: the text.
            markup: it is HTML.

        Returns:
            The spans, none of which begins or ends inside a tag or a token; None where the text is
            like no known one, and all of it is to be looked at.
        """
        if not self._texts or not LEAST <= len(text) <= 2 * MOST:
            return None
        for known, as_markup in self._texts:
            if as_markup == markup:
                found = _find_differences(known, text, markup=markup)
                if found is not None:
                    return None if rare_spellings.is_turned(lower_case(text)) else found
        return None


def _find_differences(known: str, text: str, *, markup: bool) -> list[Span] | None:
    # No tag and no token goes on over one of these.
    sign = "<" if markup else "\n"
    changed: list[Span] = []
    gone: list[str] = []
    size = 0
    for before, after in _iter_changed(known, text, sign):
        size += after[1] - after[0]
        # Two parts of one message are compared as well, most of which are nothing alike.
        unlike = len(changed) >= _FIRST and size * _SHARE > after[1]
        if len(changed) == _OFTEN or unlike:
            return None
        changed.append(after)
        gone.append(known[slice(*before)])
    if not _stands_alone("".join(gone), markup=markup):
        return None
    found: list[Span] = []
    size = 0
    for start, end in _Pieces(text, sign).iter_spans(changed):
        found.append((start, end))
        size += end - start
        if size * _SHARE > len(text) or not _stands_alone(text[start:end], markup=markup):
            return None
    return found


def _iter_changed(known: str, text: str, sign: str) -> Iterator[tuple[Span, Span]]:
    """Yield the spans of pieces, as signs cut two texts, that are others in the second one.

    The first piece of one is held against the first of the other, and so on.
    """
    old = new = 0
    while old < len(known) or new < len(text):
        same = _count_same(known, old, text, new)
        old, new = old + same, new + same
        if old == len(known) and new == len(text):
            return
        # A piece begins with its sign, the first one apart.
        begin = max(new - same, text.rfind(sign, new - same, new))
        ends = [
            found if (found := whole.find(sign, at + (begin == new))) >= 0 else len(whole)
            for whole, at in ((known, old), (text, new))
        ]
        yield (old - (new - begin), ends[0]), (begin, ends[1])
        old, new = ends


def _count_same(known: str, old: int, text: str, new: int) -> int:
    """Count the characters that two texts have in common from two places on."""
    same, size = 0, 64
    most = min(len(known) - old, len(text) - new)
    while (
        same < most
        and known[old + same : old + same + size] == text[new + same : new + same + size]
    ):
        same, size = same + size, size * 2
    if same >= most:
        return most
    while size > 1:
        size //= 2
        if known[old + same : old + same + size] == text[new + same : new + same + size]:
            same += size
    return min(same, most)


def _stands_alone(text: str, *, markup: bool) -> bool:
    """Return whether a piece is read in the same way whatever stands elsewhere in its text.

    So it is where nothing is left to decode in its readings, and nothing is spelled as few do.
    """
    first = source = ""
    for source in decodings.iter_readings(text):
        first = first or source
    low = decodings.drop_tags(source) if markup else source
    if "\\" in first or "\\" in source:
        return False
    for last in dict.fromkeys((low, source)):
        again = chain(
            (each for each in decodings.iter_readings(last) if each != last),
            rare_spellings.iter_readings(text, first, last, markup=markup),
        )
        if any(True for _ in again):
            return False
    return True


class _Pieces:
    """A text that is cut where no tag and no token goes on."""

    def __init__(self, text: str, sign: str) -> None:
        self._text = text
        self._sign = sign

    def iter_spans(self, changed: Sequence[Span]) -> Iterator[Span]:
        """Yield the spans around pieces that changed, in order, those that touch as one."""
        last: Span | None = None
        number = 0
        while number < len(changed):
            start = self._find_begin(changed[number][0], last[1] if last is not None else 0)
            if last is not None and start > last[1]:
                yield last
                last = None
            # Of those that are in reach, only what is behind the last one is read.
            while True:
                end = self._find_end(changed[number][1])
                behind = max(number + 1, bisect_left(changed, (end, 0)))
                if behind == number + 1:
                    break
                number = behind - 1
            last = (start if last is None else last[0], end)
            number += 1
        if last is not None:
            yield last

    def _find_begin(self, end: int, done: int) -> int:
        """Find where what bears on a piece begins; not before a place."""
        size = _STEP
        while True:
            at = self._text.rfind(self._sign, 0, max(0, end - size) + 1)
            if at <= done:
                return done
            if self._shows_enough(at, end):
                return at
            size *= 2

    def _find_end(self, start: int) -> int:
        """Find where what bears on a piece ends."""
        size = _STEP
        while True:
            at = self._text.find(self._sign, start + size)
            if at < 0:
                return len(self._text)
            if self._shows_enough(start, at):
                return at
            size *= 2

    def _shows_enough(self, start: int, end: int) -> bool:
        *_, shown = decodings.iter_readings(self._text[start:end], markup=self._sign == "<")
        return len(shown) >= REACH
