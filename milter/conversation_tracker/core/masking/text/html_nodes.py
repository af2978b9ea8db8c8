"""Markup told from text, where broken markup is read in two ways.

As HTML 5 says, and with every quotation mark, comment and CDATA section taken for one: only what is
text in both is surely text. Most pages have plain tags only, their heads apart: both readings are
one then, and of what is far from any place of interest, only this is looked at. Nothing here
raises, and time is linear.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from conversation_tracker.core.base.octets import LARGE
from conversation_tracker.core.masking.text.html import BLOCK

_B = r"\t\n\f\r "
# Each branch begins where the one before cannot; a value that has no end lets the tag have none.
_VALUE = rf"(?:\"[^\"]*+\"|'[^']*+'|[^{_B}>\"'][^{_B}>]*+|(?=>))"
_ATTRIBUTE = rf"(?:=[^{_B}/>=]*+|[^{_B}/>=]++)(?:[{_B}]*+=[{_B}]*+{_VALUE}|(?![{_B}]*+=))"
_OTHERS = r"(?:!(?!--)|\?|/(?![A-Za-z]))[^>]*+>"
_UNCLOSED = r"(?=[A-Za-z!?/])"
# HTML living standard, sections 13.2.5.1 to 13.2.5.53.
_STRICT = re.compile(
    rf"<(?:!--(?:-?>|.*?--!?>)|(?P<end>/?)(?P<name>[A-Za-z][^{_B}/>]*+)"
    rf"(?>(?:[{_B}/]++|{_ATTRIBUTE})*)>|{_OTHERS}|{_UNCLOSED})",
    re.DOTALL,
)
_WARY = re.compile(
    rf"<(?:!--.*?-->|!\[CDATA\[.*?\]\]>|(?P<end>/?)(?P<name>[A-Za-z][^{_B}/>\"'<]*+)"
    r"(?>(?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*)>"
    rf"|(?!!\[CDATA\[){_OTHERS}|{_UNCLOSED})",
    re.DOTALL,
)
# What these hold is no markup (section 13.2.6.2), and no text that is surely shown.
_RAW = frozenset(
    "iframe noembed noframes noscript plaintext script style textarea title xmp".split()
)
_SHOWN = "title"
_ENDLESS = "plaintext"
_LISTS = frozenset({"select", "datalist"})
_FIELDS = _LISTS | {"option"}
_BREAKS = re.compile(
    rf"(?:{BLOCK.pattern}|tbody|thead|tfoot|body|html|head|title|select|legend|summary|option)\Z",
    re.IGNORECASE,
)
# Most tags: where nothing is open, they only may end a line. With each, whether it does.
_ORDINARY = {
    name: _BREAKS.match(name) is not None
    for name in (
        "a b blockquote body br center div em font h1 h2 h3 h4 hr i img li o:p ol p small span"
        " strong sup table tbody td th tr u ul wbr"
    ).split()
}

_PLAIN_ATTRIBUTE = (
    rf"[{_B}]++[A-Za-z][A-Za-z0-9:_-]*+(?:=(?:\"[^\"<>]*+\"|'[^'<>]*+'|[A-Za-z0-9#%.,:;_-]++)"
    rf"(?=[{_B}/>])|(?=[{_B}/>]))"
)
# With what else is never raw, a list or from another language.
_PLAIN = (*_ORDINARY, *"html head meta link pre section header footer dl dt dd thead tfoot".split())
_PLAIN += tuple("caption col colgroup label s big strike code tt sub abbr cite q".split())
_PLAIN_TAG = (
    rf"</?(?:({'|'.join(name for name in _PLAIN if _BREAKS.match(name))})|"
    rf"(?:{'|'.join(name for name in _PLAIN if not _BREAKS.match(name))}))"
    rf"(?:>|(?=[{_B}/])(?>(?:{_PLAIN_ATTRIBUTE})*)[{_B}]*+/?>)"
)
# Tags that all programs read alike, and the text behind them; the group tells that a line ends.
_PLAIN_NODE = re.compile(rf"(?>(?:{_PLAIN_TAG})*)([^<]++)")
_PLAIN_END = re.compile(rf"(?>(?:{_PLAIN_TAG})*)\Z")
_ALL_PLAIN = re.compile(rf"(?>[^<]*+(?:{_PLAIN_TAG}[^<]*+)*)")
_BODY = "<body"
_MANY = 64  # places
# Characters of a source around a place: in most pages more than `unmask` asks for of their text.
_BEFORE, _BEHIND = 12 * 1024, 1024

Span = tuple[int, int]

Node = tuple[int, int, bool]
"""Start and end of a text in the source, and whether a new line is before it."""


class Window(NamedTuple):
    """Part of a source, from a tag to a tag or its end, with the texts in it.

    Attributes:
        start: where it begins; 0 or the place of a tag.
        end: where it ends.
        text: the texts in it, as HTML 5 says.
        sure: those that are surely text.
    """

    start: int
    end: int
    text: list[Node]
    sure: list[Node]


class Markup:
    """The markup of a source that is read piece by piece, in order."""

    def __init__(self) -> None:
        self._strict = _StrictReading()
        self._wary = _WaryReading()

    def read(self, source: str) -> tuple[list[Node], list[Node]]:
        """Return the texts in the next piece of the source, and those that surely are."""
        body = max(0, source.find(_BODY))
        head = self._read_head(source[:body])
        if head is not None:
            nodes = _read_plain(source, body, len(source))
            if nodes is not None:
                return head[0] + nodes, head[1] + nodes
        return list(self._strict.iter_texts(source)), list(self._wary.iter_texts(source))

    def read_near(self, source: str, places: Sequence[int]) -> list[Window] | None:
        """Return the texts near places in the next piece of the source, which is not passed.

        Args:
            source: the piece.
            places: where something stands, in order.

        Returns:
            The windows, in order, none of which touches another; None where the piece is to be read
            as a whole: since some of its tags are not plain, or since nearly all of it is near.
        """
        body = max(0, source.find(_BODY))
        spans = _cut_windows(source, places, body)
        if spans is None or (head := self._read_head(source[:body])) is None:
            return None
        last = spans[-1][1]
        whole = _ALL_PLAIN.match(source, body, last)
        if whole is None or whole.end() < last:
            return None
        windows: list[Window] = []
        for start, end in spans:
            nodes = _read_plain(source, max(start, body), end)
            if nodes is None:
                return None
            text, sure = head if start == 0 else ([], [])
            windows.append(Window(start, end, text + nodes, sure + nodes))
        return windows

    def _read_head(self, source: str) -> tuple[list[Node], list[Node]] | None:
        """Return the texts before a body, in both readings; None where it bears on the body."""
        if not (self._strict.is_at_rest and self._wary.is_at_rest):
            return None
        strict, wary = _StrictReading(), _WaryReading()
        text, sure = list(strict.iter_texts(source)), list(wary.iter_texts(source))
        return (text, sure) if strict.is_at_rest and wary.is_at_rest else None


def _cut_windows(source: str, places: Sequence[int], body: int) -> list[Span] | None:
    """Return the spans around places, from tag to tag; None where these are half of the source."""
    if len(places) > _MANY:
        return None
    spans: list[Span] = []
    for place in places:
        start = source.rfind("<", 0, max(0, place - _BEFORE))
        start = start if start > body else 0
        end = source.find("<", max(place, body) + _BEHIND)
        end = end if end >= 0 else len(source)
        if spans and start <= spans[-1][1]:
            start = spans.pop()[0]
        spans.append((start, end))
    size = sum(end - start for start, end in spans)
    return spans if spans and size * 2 < len(source) else None


def _read_plain(source: str, start: int, end: int) -> list[Node] | None:
    """Return the texts between two places where all tags are plain; None where some are not."""
    nodes: list[Node] = []
    at, match = start, _PLAIN_NODE.match
    while found := match(source, at, end):
        first, at = found.span(2)
        nodes.append((first, at, found[1] is not None))
    return nodes if _PLAIN_END.match(source, at, end) else None


class _StrictReading:
    """Tells markup from text as HTML 5 says; what a piece leaves open goes on in the next."""

    _markup = _STRICT

    def __init__(self) -> None:
        self._pending = ""
        self._raw = ""
        self._open: dict[str, int] = {}  # elements in which text is none, and how many
        self._foreign = False
        self._lost = False

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing that was read bears on what comes next."""
        return not (self._pending or self._raw or self._open or self._foreign or self._lost)

    def iter_texts(self, source: str) -> Iterator[Node]:
        """Yield the texts in the next piece of the source."""
        if self._lost:
            return
        whole, before = self._pending + source, len(self._pending)
        self._pending = ""
        at, breaks, search = 0, False, self._markup.search
        while True:
            if self._raw:
                close = _closing(self._raw).search(whole, at)
                end = close.start() if close else len(whole)
                if self._raw == _SHOWN and end > at and not self._open:
                    yield at - before, end - before, True
                if close is None:
                    return
                at, self._raw = end, ""
            found = search(whole, at)
            end, behind = found.span() if found else (len(whole), len(whole))
            if end > at and not self._open:
                yield at - before, end - before, breaks
                breaks = False
            if found is None:
                return
            if behind == end + 1:  # it has no end
                self._pending = whole[end:]
                self._lost = len(self._pending) > LARGE
                return
            at = behind
            ends_line = None if self._open else _ORDINARY.get(found["name"])
            breaks = (self._tag(found) if ends_line is None else ends_line) or breaks

    def _tag(self, found: re.Match[str]) -> bool:
        """Take notice of a tag; tell whether it ends a line."""
        name = (found["name"] or "").lower()
        if found["end"]:
            self._open.pop(name, None)
        elif name in _RAW:
            self._raw = name
        elif name in _FIELDS and not self._open:
            self._open[name] = 1
        return _BREAKS.match(name) is not None


class _WaryReading(_StrictReading):
    """Tells markup from text by all that some program may take for markup.

    Nothing is raw; text is sure where no element is open whose content may be no text.
    """

    _markup = _WARY

    def _tag(self, found: re.Match[str]) -> bool:
        name = (found["name"] or "").lower()
        if found["end"]:
            self._close(name)
        elif name != _SHOWN and (name in _RAW or name in _FIELDS):
            self._open[name] = self._open.get(name, 0) + 1
        else:
            self._inside(name)
        return False

    def _inside(self, name: str) -> None:
        """Take notice of what stands in an open element: its own end tag may end nothing then."""
        self._foreign = self._foreign or name in ("svg", "math")
        for each in self._open:
            if self._foreign or each == "option":
                self._open[each] += 1

    def _close(self, name: str) -> None:
        if name in _LISTS and name in self._open:  # closes what is left open in it
            self._open.pop("option", None)
        if self._open.get(name, 0) > 1:
            self._open[name] -= 1
        elif name != _ENDLESS:
            self._open.pop(name, None)


@lru_cache(maxsize=len(_RAW))
def _closing(name: str) -> re.Pattern[str]:
    if name == _ENDLESS:
        return re.compile(r"(?!)")
    return re.compile(rf"</{name}(?=[{_B}/>])", re.IGNORECASE)
