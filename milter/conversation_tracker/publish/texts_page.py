"""The HTML of a message as it may be shown: by a list of what is allowed, and nothing else.

bleach reads it as browsers do and keeps what is listed here. No script, form, frame or style sheet,
nothing that is loaded: a picture of the message itself becomes a reference to one of its files,
`attachment:N`, any other picture its alternative text. Raises `TooMuch` on what would cost more
than it is worth; what costs too much all the same is ended from outside.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from bleach import html5lib_shim
from bleach.sanitizer import Cleaner

from conversation_tracker.core.syntax.controls import clean_text

MAX_PAGE = 512 * 1024
"""Characters of HTML that is looked at; pictures written into it not counted."""
MAX_TAGS = 20_000
MAX_DEPTH = 200
"""Elements inside each other, as far as their tags tell."""

_TAGS = frozenset(
    "a abbr address article aside b bdi bdo big blockquote br caption center cite code col colgroup"
    " dd del details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i"
    " img ins kbd li main mark nav ol p pre q s samp section small span strike strong sub summary"
    " sup table tbody td tfoot th thead tr tt u ul var wbr".split()
)
_ATTRIBUTES = frozenset(
    "align alt bgcolor border cellpadding cellspacing color colspan dir face height lang nowrap"
    " rowspan size start style title valign width".split()
)
_STYLES = frozenset(
    "background-color border border-bottom border-collapse border-color border-left border-radius"
    " border-right border-spacing border-style border-top border-width color direction font-family"
    " font-size font-style font-variant font-weight letter-spacing line-height list-style-type"
    " margin margin-bottom margin-left margin-right margin-top max-width min-width padding"
    " padding-bottom padding-left padding-right padding-top text-align text-decoration text-indent"
    " text-transform vertical-align white-space width word-break word-wrap".split()
)
# No quotation mark, escape, at sign or slash; brackets around the numbers of a colour only.
_VALUE = re.compile(r"(?:[a-z0-9#%., \-]|\b(?:rgb|hsl)a?\([0-9%., ]{1,40}\)){1,100}", re.IGNORECASE)
_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_PICTURE = re.compile(r"cid:", re.IGNORECASE)
_PROTOCOLS = frozenset({"http", "https", "mailto", "tel", "cid"})

_UNSEEN = re.compile(
    r"<(script|style|title|noscript|template|select|textarea|svg|math|object|iframe)\b[^<>]*>"
    r".*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)|<!\[[^<>]*>|<\?[^<>]*>",
    re.DOTALL | re.IGNORECASE,
)
_WRITTEN_IN = re.compile(r"data:[a-z0-9/+.;=\-]{0,100},[A-Za-z0-9+/=%\s]{64,}+", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:]*+)")
# Elements that are empty, or end where the next one like them begins.
_FLAT = frozenset(
    "area base br col embed hr img input link meta param source track wbr"
    " p li dt dd td th tr tbody thead tfoot option colgroup caption html head body o:p".split()
)


class TooMuch(Exception):
    """It is too large, or too deep, to be looked at."""


class _Styles:
    """Keeps the declarations of a style attribute that can load nothing."""

    def sanitize_css(self, style: str) -> str:
        """Return the declarations that are allowed."""
        kept = []
        for declaration in style.split(";"):
            name, _, value = declaration.partition(":")
            name, value = name.strip().lower(), value.strip()
            if name in _STYLES and _VALUE.fullmatch(value):
                kept.append(f"{name}: {value}")
        return "; ".join(kept)


class PageCleaner:
    """Sanitises one page after another."""

    def __init__(self) -> None:
        """Make the one parser."""
        self._numbers: Mapping[str, int] = {}
        self._cleaner = Cleaner(
            tags=_TAGS,
            attributes=_allow_attribute,
            protocols=_PROTOCOLS,
            strip=True,
            strip_comments=True,
            filters=[self._filter],
            css_sanitizer=_Styles(),
        )

    def clean(self, source: str, numbers: Mapping[str, int]) -> str:
        """Return what may be shown of a page.

        Args:
            source: the decoded HTML.
            numbers: the number of each file that has a Content-ID, by that.

        Raises:
            TooMuch: it is over one of this module's limits.
        """
        source = _UNSEEN.sub(" ", clean_text(_WRITTEN_IN.sub("", source)))
        _bound(source)
        self._numbers = numbers
        return str(self._cleaner.clean(source)).strip()

    def _filter(self, source: Any) -> Any:
        return _Pictures(source, self._numbers)


class _Pictures(html5lib_shim.Filter):  # type: ignore[misc]
    """Makes each picture of the message itself a reference to its file; others lead nowhere."""

    def __init__(self, source: Any, numbers: Mapping[str, int]) -> None:
        super().__init__(source)
        self._numbers = numbers

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for token in super().__iter__():
            if token["type"] in ("StartTag", "EmptyTag"):
                attributes = token["data"]
                written = attributes.pop((None, "src"), None)
                if written is not None and token["name"] == "img":
                    number = self._numbers.get(unquote(written.strip()[len("cid:") :]))
                    if number is not None:
                        attributes[(None, "src")] = f"attachment:{number}"
            yield token


def _allow_attribute(tag: str, name: str, value: str) -> bool:
    if name == "href":
        return tag == "a" and _LINK.match(value.strip()) is not None
    if name == "src":
        return tag == "img" and _PICTURE.match(value.strip()) is not None
    return name in _ATTRIBUTES


def _bound(source: str) -> None:
    """Raise TooMuch where a page would take long: too large, or elements deep in each other."""
    if len(source) > MAX_PAGE:
        raise TooMuch
    opened: Counter[str] = Counter()
    deepest: Counter[str] = Counter()
    for count, tag in enumerate(_TAG.finditer(source)):
        if count > MAX_TAGS:
            raise TooMuch
        name = tag[2].lower()
        if name in _FLAT or name not in _TAGS:
            continue
        opened[name] = max(0, opened[name] - 1) if tag[1] else opened[name] + 1
        deepest[name] = max(deepest[name], opened[name])
    if deepest.total() > MAX_DEPTH:
        raise TooMuch
