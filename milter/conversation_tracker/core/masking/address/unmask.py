"""The reader's own alias, turned back into their address in running text, where a person reads it.

Only an alias that stands whole and in clear counts. In a link it stays: links are a run without
blanks that has `://`, `www.`, `mailto:`, a path or a query, as it is written or percent-encoded,
or a run that goes on with such a one in angle brackets (RFC 3986 appendix C). What is text, and in
which form, is not known here. Nothing here raises.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator

from conversation_tracker.core.base.limits import UNLIMITED
from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.masking.address.address_forms import goes_on
from conversation_tracker.core.masking.address.reading import apply_edits

Span = tuple[int, int]

_LINK = re.compile(
    r"://|www\.|mailto:|/|\\\\|%[0-9a-f]{2}|&\w+="
    r"|\.\w[\w\-]{0,62}\.?(?::[0-9]{1,5})?#"  # a host, and what a page's own scripts read
    # Schemes that call people, or name them, without slashes.
    r"|\b(?:sips?|xmpp|pres|acct|callto|skype|facetime|facetime-audio|imessage|msnim|ymsgr|aim"
    r"|gtalk|matrix|javascript|urn|cid|mid|view-source):",
    re.IGNORECASE,
)
SOFT_BREAKS = re.compile(r"(?<!\n--) \r?\n(?>(?:> ?)*) ?")
"""Soft line breaks with the quote marks and stuffing behind them, in decoded text.

The line before a signature ends in none (RFC 3676 section 4.3).
"""

_WORD = re.compile(r"\w")
_BLANK = re.compile(r"\s")
_ANGLED = re.compile(
    r"<(?:URL:)?(?:[a-z][a-z0-9+.\-]{0,30}://|www\.|mailto:)[^<>]*+\Z", re.IGNORECASE
)
_NEAR = 2048  # characters before a run that are looked at for its bracket
_JOINING = "._+-"


class Unmasker:
    """Replaces one reader's aliases in what they read.

    Args:
        aliases: the reader's aliases in lower case, ASCII.
        marks: for each form of them, what stands in every one of that form, in lower case.
        own: the reader's address.
        check: raises when the time for the message is over.
    """

    def __init__(
        self,
        aliases: Iterable[str],
        marks: Iterable[str],
        own: str,
        check: Callable[[], None] = UNLIMITED.check,
    ) -> None:
        self._aliases = tuple(aliases)
        self._marks = tuple(mark.encode("ascii") for mark in marks)
        self.own = own
        self.check = check

    def possible(self, raw: bytes) -> bool:
        """Return, cheaply, whether an alias may stand in text whose ASCII stands as these bytes."""
        low = raw.lower()
        return any(mark in low for mark in self._marks)

    def __call__(self, text: str) -> str:
        """Return running text as the reader sees it; the same object where nothing changes."""
        spans = self.find(text)
        return apply_edits(text, [(start, end, self.own) for start, end in spans])

    def find(self, shown: str, edges: Collection[int] = (), *, begun: bool = False) -> list[Span]:
        """Find the aliases in running text that are in no link.

        Args:
            shown: the text.
            edges: places in it where a word ends although no blank is there.
            begun: its first run began in what stands before.

        Returns:
            Their spans, in order.
        """
        read: list[Span] = []
        for (start, end), group in self._iter_runs(
            shown, self._find_places(lower_case(shown), edges)
        ):
            if not (begun and start == 0) and not _is_link(shown, start, end, group):
                read += group
        return read

    def find_in_part(
        self,
        shown: str,
        cut: tuple[bool, bool],
        edges: Collection[int] = (),
        *,
        begun: bool = False,
    ) -> list[Span] | None:
        """Find the same in a part of a running text; None where more of it may tell of a link.

        Args:
            shown: the part.
            cut: whether there is more of the text before it, and behind.
            edges: as for `find`.
            begun: as for `find`, where there is nothing before it.
        """
        before, behind = cut
        marks = [(at, at + 1) for at in self.find_marks(shown)]
        for (start, end), _ in self._iter_runs(shown, marks):
            if (before and start < _NEAR) or (behind and end == len(shown)):
                return None
        return self.find(shown, edges, begun=begun and not before)

    def find_marks(self, text: str) -> list[int]:
        """Return where in a text aliases may stand, in order."""
        low = lower_case(text)
        found: list[int] = []
        for mark in self._marks:
            sign = mark.decode()
            at = low.find(sign)
            while at >= 0:
                found.append(at)
                at = low.find(sign, at + 1)
        return sorted(found)

    def _iter_runs(self, shown: str, found: Iterable[Span]) -> Iterator[tuple[Span, list[Span]]]:
        """Yield the runs without blanks in which something stands, and what stands in each."""
        spans = sorted(found)
        done = first = 0
        while first < len(spans):
            self.check()
            start, end = _find_run(shown, done, spans[first])
            last = first
            while last < len(spans) and spans[last][0] < end:
                last += 1
            yield (start, end), spans[first:last]
            first, done = last, end

    def _find_places(self, low: str, edges: Collection[int]) -> Iterator[Span]:
        for alias in self._aliases:
            at = low.find(alias)
            while at >= 0:
                end = at + len(alias)
                if (at in edges or _begins(low, at)) and (end in edges or not goes_on(low, end)):
                    yield at, end
                at = low.find(alias, end)


class RunningText:
    """Running text that is read piece by piece, in order.

    Args:
        flowed: it is in the format "flowed" (RFC 3676).
        delsp: the blank of a soft line break is no part of the text.
    """

    def __init__(self, *, flowed: bool = False, delsp: bool = False) -> None:
        self._flowed = flowed
        self._delsp = delsp
        self._begun = False

    def show(self, text: str, unmasker: Unmasker) -> str:
        """Return the next piece of the text as the reader sees it."""
        flows = self._flowed and SOFT_BREAKS.search(text) is not None
        spans = [] if flows and self._delsp else unmasker.find(text, begun=self._begun)
        if flows:
            spans = sorted({*spans, *self._find_across_breaks(text, unmasker)})
        if text:
            self._begun = not text[-1].isspace()
        return apply_edits(text, [(start, end, unmasker.own) for start, end in spans])

    def _find_across_breaks(self, text: str, unmasker: Unmasker) -> Iterator[Span]:
        """Find what stands in one run only once soft line breaks are taken out."""
        breaks = [match.span() for match in SOFT_BREAKS.finditer(text)]
        joined = SOFT_BREAKS.sub("", text)
        number = gone = 0
        for start, end in unmasker.find(joined, begun=self._begun):
            while number < len(breaks) and breaks[number][0] - gone <= start:
                gone += breaks[number][1] - breaks[number][0]
                number += 1
            first = start + gone
            while number < len(breaks) and breaks[number][0] - gone < end:
                gone += breaks[number][1] - breaks[number][0]
                number += 1
            parted = end + gone - first > end - start
            if self._delsp or parted:
                yield first, end + gone


def _find_run(shown: str, done: int, span: Span) -> Span:
    """Return the run without blanks that a span stands in; none begins before `done`."""
    before = _BLANK.search(shown[done : span[0]][::-1])
    after = _BLANK.search(shown, span[1])
    start = span[0] - before.start() if before else done
    return start, after.start() if after else len(shown)


def _is_link(shown: str, start: int, end: int, spans: list[Span]) -> bool:
    """Return whether a run is a link, whatever is in the aliases that stand in it."""
    pieces: list[str] = []
    at = start
    for first, last in spans:
        pieces.append(shown[at:first])
        at = last
    rest = "x".join([*pieces, shown[at:end]])
    if _LINK.search(rest) is not None:
        return True
    # A question mark before nothing but other marks ends a sentence.
    query = rest.find("?")
    if query >= 0 and _WORD.search(rest, query) is not None:
        return True
    bracket = shown.rfind("<", max(0, start - _NEAR), start)
    return bracket >= 0 and _ANGLED.match(shown, bracket, start) is not None


def _begins(low: str, at: int) -> bool:
    """Return whether an address can begin here, rather than go on."""
    before = low[at - 1 : at] if at else ""
    if not before or before not in _JOINING:
        return not (before and _joins(before))
    return at < 2 or not _joins(low[at - 2])


def _joins(character: str) -> bool:
    """Return whether a character belongs to a word; scripts without case use no blanks."""
    if character.isascii():
        return character.isalnum()
    return character.lower() != character.upper()
