"""HTML as a person reads it: the reader's own alias becomes their address in text nodes only.

Not in tags and their attributes, comments, scripts, styles, form fields, or what any element holds
that is no markup to some programs. Broken markup is read in two ways, as HTML 5 says and with every
quotation mark, comment and CDATA section taken for one; only what is text in both is text. A run
without blanks goes on over tags that end no line. Nothing here raises, and time is linear.
"""

import html
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import accumulate, chain
from operator import add, sub

from conversation_tracker.core.base.limits import check_each
from conversation_tracker.core.base.octets import LARGE
from conversation_tracker.core.masking.address.reading import apply_edits
from conversation_tracker.core.masking.address.unmask import Span, Unmasker
from conversation_tracker.core.masking.text.html import BLOCK, REFERENCE
from conversation_tracker.core.syntax.references import unescape

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
_SEVEN = re.compile(
    r"charset\s*+=\s*+[\"']?(?:x-unicode-2-0-|unicode-1-1-|x-)?utf-?7", re.IGNORECASE
)
# Those that may belong to an alias.
_REFERENCES = re.compile("&(?:#|commat|period|dash|plus|lowbar)", re.IGNORECASE)
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
    rf"(?:{'|'.join(name for name in _PLAIN if not _BREAKS.match(name))}))(?=[{_B}/>])"
    rf"(?>(?:{_PLAIN_ATTRIBUTE})*)[{_B}]*+/?>"
)
# Tags that all programs read alike, and the text behind them; the group tells that a line ends.
_PLAIN_NODE = re.compile(rf"(?>(?:{_PLAIN_TAG})*)([^<]++)")
_PLAIN_END = re.compile(rf"(?>(?:{_PLAIN_TAG})*)\Z")
_BODY = "<body"

Node = tuple[int, int, bool]
"""Start and end of a text in the source, and whether a new line is before it."""


class Page:
    """HTML source that is read piece by piece, in order."""

    def __init__(self) -> None:
        self._strict = _Reading()
        self._wary = _WaryReading()
        self._begun = False
        self._broken = False

    def show(self, source: str, unmasker: Unmasker) -> str:
        """Return the next piece of the source as the reader sees it.

        Args:
            source: decoded source; what is not written yet may end inside a tag.
            unmasker: the reader's.

        Returns:
            The source; the same object where nothing changes.
        """
        text, sure = self._read(source)
        unmasker.check()
        # Some programs, and hosts on the way, leave NUL out, and so find other tags; and some
        # believe the page, not its header, that it is in UTF-7, where tags look like text.
        self._broken = self._broken or "\0" in source or _SEVEN.search(source) is not None
        if self._broken or not (unmasker.may_stand_in(source) or _REFERENCES.search(source)):
            if text:
                self._begun = not source[text[-1][1] - 1].isspace()
            return source
        layout = TextLayout(source, text, unmasker.check)
        starts = [start for start, _, _ in sure]
        spans = unmasker.find(layout.text, layout.edges, begun=self._begun)
        if layout.text:
            self._begun = not layout.text[-1].isspace()
        new = html.escape(unmasker.own, quote=False)
        edits: list[tuple[int, int, str]] = []
        for span in spans:
            places = list(layout.places(*span))
            if all(_within(sure, starts, place) for place in places):
                edits += ((*place, "" if n else new) for n, place in enumerate(places))
        return apply_edits(source, edits)

    def _read(self, source: str) -> tuple[list[Node], list[Node]]:
        """Return the texts in the next piece of the source, in both readings.

        Most pages have plain tags only, their heads apart: both readings are one then.
        """
        if self._strict.is_at_rest and self._wary.is_at_rest:
            at = max(0, source.find(_BODY))
            strict, wary = _Reading(), _WaryReading()
            text, sure = list(strict.iter_texts(source[:at])), list(wary.iter_texts(source[:at]))
            if strict.is_at_rest and wary.is_at_rest:
                nodes = _read_plain(source, at)
                if nodes is not None:
                    return text + nodes, sure + nodes
        return list(self._strict.iter_texts(source)), list(self._wary.iter_texts(source))


def _read_plain(source: str, at: int) -> list[Node] | None:
    """Return the texts from a place on where all tags are plain; None where some are not."""
    nodes: list[Node] = []
    match = _PLAIN_NODE.match
    while found := match(source, at):
        start, at = found.span(2)
        nodes.append((start, at, found[1] is not None))
    return nodes if _PLAIN_END.match(source, at) else None


def _within(nodes: list[Node], starts: list[int], place: Span) -> bool:
    number = bisect_right(starts, place[0]) - 1
    return number >= 0 and place[1] <= nodes[number][1]


class _Reading:
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


class _WaryReading(_Reading):
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


_meant = lru_cache(maxsize=1024)(unescape)


@lru_cache(maxsize=len(_RAW))
def _closing(name: str) -> re.Pattern[str]:
    if name == _ENDLESS:
        return re.compile(r"(?!)")
    return re.compile(rf"</{name}(?=[{_B}/>])", re.IGNORECASE)


class TextLayout:
    """The text of nodes, one after the other, and where in the source each character is.

    Nearly all of it holds no alias: so where a reference stands in a node is found out when it is
    asked for, and no step in Python is made for each of them.

    Attributes:
        text: what is read, references decoded.
        edges: where in it a node begins or ends.
    """

    def __init__(self, source: str, nodes: list[Node], check: Callable[[], None]) -> None:
        self._source = source
        self._nodes = nodes
        pieces = [source[start:end] for start, end, _ in check_each(nodes, check)]
        if "&" in source:
            pieces = [_decode(each) if "&" in each else each for each in pieces]
        breaks = [node[2] for node in nodes]
        line_ends = ["\n" if each else "" for each in breaks]
        sizes = list(map(len, pieces))
        ends = list(accumulate(map(add, sizes, breaks)))
        self._starts = list(map(sub, ends, sizes))
        self.text = "".join(chain.from_iterable(zip(line_ends, pieces, strict=True)))
        self.edges = frozenset(chain(self._starts, ends))

    def places(self, start: int, end: int) -> Iterator[Span]:
        """Yield the spans of the source that a span of the text stands for."""
        number = max(0, bisect_right(self._starts, start) - 1)
        found: list[Span] = []
        while number < len(self._starts) and self._starts[number] < end:
            for at, size, first, last in self._iter_segments(number):
                if not size or at >= end or at + size <= start:
                    continue
                if last - first == size:
                    first, last = first + max(0, start - at), min(last, first + end - at)
                if found and found[-1][1] == first:
                    found[-1] = (found[-1][0], last)
                else:
                    found.append((first, last))
            number += 1
        yield from found

    def _iter_segments(self, number: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield the pieces of a node, each as long in its source, or a reference.

        Place and size in the text, and the span of the source.
        """
        (at, end, _), place = self._nodes[number], self._starts[number]
        for match in REFERENCE.finditer(self._source, at, end):
            meant = _meant(match[0])
            if meant != match[0]:
                size = match.start() - at
                yield place, size, at, match.start()
                yield place + size, len(meant), *match.span()
                place, at = place + size + len(meant), match.end()
        yield place, end - at, at, end


def _decode(text: str) -> str:
    return REFERENCE.sub(_decode_reference, text)


def _decode_reference(match: re.Match[str]) -> str:
    return _meant(match[0])
