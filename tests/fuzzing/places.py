"""The reader's own alias in every place of a message, and what has to stand there in their copy.

A person reads some places, and there the alias is to become the reader's real address. All others
reach machines of other people, and there it is to stay as the sender wrote it; so is the real
address, wherever the sender wrote it. Each place is marked, so that it is found again by the
standard library's parser alone. Nothing here knows how a message is masked.
"""

import base64
import contextlib
import email
import email.errors
import email.header
import email.policy
import html
import itertools
import quopri
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser

from choices import Choices
from limits import Broken

_TAIL = " \u00fc"


@dataclass(frozen=True)
class Placed:
    """What was written in one place, and what is to stand there.

    Attributes:
        kind: the type of the part, or "header" and its name.
        shown: as it stands in the reader's copy.
        seen: a person reads it, character references decoded; else its source is compared.
    """

    kind: str
    shown: str
    seen: bool


class Writer:
    """Writes places with one alias or address of the reader in each.

    Args:
        choices: what is chosen.
        aliases: all forms of the reader's alias.
        own: the reader's real address.
        sent_by_store: every header is kept.
    """

    def __init__(
        self, choices: Choices, aliases: tuple[str, ...], own: str, *, sent_by_store: bool
    ) -> None:
        self._choices = choices
        self._aliases = aliases
        self._own = own
        self._store = sent_by_store
        self._numbers = itertools.count(1)
        self.placed: list[Placed] = []

    def message(self, author: str) -> bytes:
        """Write a message with places in several headers and parts."""
        fields = "".join(self._choices.some(self._field, 4))
        parts = [self._part() for _ in range(1 + self._choices.number(3))]
        if len(parts) == 1:
            return f"From: {author}\n{fields}".encode() + parts[0]
        kind = self._choices.of(("mixed", "alternative", "related"))
        head = f'From: {author}\n{fields}Content-Type: multipart/{kind}; boundary="-z-"\n\n'
        return head.encode() + b"".join(b"---z-\n" + each + b"\n" for each in parts) + b"---z---\n"

    def _part(self) -> bytes:
        type_, make, line = self._choices.of(
            (
                ("text/plain", self._plain, "{}"),
                ("text/html", self._markup, "<p>{}</p>"),
                ("text/calendar", self._calendar, "{}"),
                ("application/json", self._json, "{}"),
                ("text/css", self._css, "{}"),
                ("application/xml", self._xml, "<i>{}</i>"),
            )
        )
        lines = [line.format(make()) for _ in range(1 + self._choices.number(6))]
        if type_ == "text/calendar":
            lines = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"]
        label = self._choices.of(("utf-8", "iso-8859-1", "utf-16"))
        label = label if self._own.isascii() else "utf-8"  # which has all of it
        data = ("\r\n".join(lines) + _TAIL).encode(label)
        way = self._choices.of(("8bit", "base64", "quoted-printable"))
        if way == "base64" or label == "utf-16":
            way, data = "base64", base64.encodebytes(data)
        elif way == "quoted-printable":
            data = quopri.encodestring(data.replace(b"\r\n", b"\n"))
        head = f"Content-Type: {type_}; charset={label}\nContent-Transfer-Encoding: {way}\n\n"
        return head.encode() + data

    def _note(self, kind: str, pattern: str, written: str, shown: str, *, seen: bool) -> str:
        """Note a place; {0} of the pattern is its mark, {1} what is written there."""
        mark = f"q{next(self._numbers)}q"
        self.placed.append(Placed(kind, pattern.format(mark, shown), seen))
        return pattern.format(mark, written)

    def _hidden(self, kind: str, patterns: tuple[str, ...], *ways: Callable[[str], str]) -> str:
        """Write a place that stays as it is."""
        spelled = self._choices.of((str, _at, *ways))(self._choices.of((*self._aliases, self._own)))
        return self._note(kind, self._choices.of(patterns), spelled, spelled, seen=False)

    def _seen(self, kind: str, patterns: tuple[str, ...], *ways: Callable[[str], str]) -> str:
        """Write a place that a person reads."""
        way = self._choices.of((str, *ways))
        written = self._own if self._choices.chance(4) else self._choices.of(self._aliases)
        shown = html.escape(self._own, quote=False) if kind == "text/html" else self._own
        return self._note(kind, self._choices.of(patterns), way(written), shown, seen=True)

    def _plain(self) -> str:
        kind = "text/plain"
        if self._choices.chance(2):
            return self._seen(kind, _RUNNING)
        return self._hidden(kind, _LINKS, _percent, _base64, _url_base64, _hex)

    def _markup(self) -> str:
        kind = "text/html"
        choice = self._choices.number(3)
        if choice == 0:
            return self._seen(kind, _TEXT_NODES, _reference)
        if choice == 1:
            return self._hidden(kind, _UNSEEN, _percent, _base64, _url_base64, _hex)
        ways = (_percent, _base64, _url_base64, _hex, _reference, _all_references)
        return self._hidden(kind, _ATTRIBUTES, *ways)

    def _calendar(self) -> str:
        if self._choices.chance(2):
            if '"' not in self._own:
                return self._seen("text/calendar", (*_INVITED, *_PARAMETERS))
            if self._choices.chance(2):
                return self._seen("text/calendar", _INVITED)
            # No parameter may hold the address (RFC 5545 section 3.2), so none is shown it.
            return self._hidden("text/calendar", _PARAMETERS)
        return self._hidden("text/calendar", _CALENDAR_LINKS, _percent, _base64, _hex)

    def _json(self) -> str:
        ways = (_percent, _base64, _hex, _unicode)
        return self._hidden("application/json", ('{{"{0}": "{1}"}}', '["{0} {1}"]'), *ways)

    def _css(self) -> str:
        return self._hidden("text/css", ('.{0} {{ content: "{1}" }}', "a {{ b: url(/{0}?{1}) }}"))

    def _xml(self) -> str:
        return self._hidden("application/xml", ('<a {0}="{1}"/>', "<a>{0} {1}</a>"), _reference)

    def _field(self) -> str:
        names = ("Subject", "Comments", "List-Unsubscribe", "List-Help", "X-Track")
        name = self._choices.of(names if self._store else names[:1])
        if name in ("Subject", "Comments") and self._choices.chance(2):
            return f"{name}: {self._seen(f'header {name}', _RUNNING)}\n"
        patterns = _LISTS if name not in ("Subject", "Comments") else _LINKS
        return f"{name}: {self._hidden(f'header {name}', patterns, _percent, _hex)}\n"


_RUNNING = (
    "{0} {1} said", "{0} <{1}>", "({0} {1})", "{0}, {1}, and others", '{0} "{1}"', "{0} {1}.",
)  # fmt: skip
_LINKS = (
    "https://t.example/{0}?e={1}&z=1", "<https://t.example/{0}/{1}>", "www.t.example/{0}?{1}",
    "mailto:{1}?subject={0}", "http://t.example/{0}#{1}", "t.example/{0}/?e={1}",
    "(https://t.example/{0};{1})", "ftp://{1}/{0}", "https://{1}:x@t.example/{0}",
    "x-app://{0}?to={1}", "/track/{0}/{1}",
)  # fmt: skip
_LISTS = (
    "<https://t.example/{0}?e={1}>", "<mailto:{1}?subject={0}>",
    "<https://t.example/{0}>, <mailto:{1}>",
)  # fmt: skip
_TEXT_NODES = ("{0} {1}", "<b>{0}</b> {1} <i>x</i>", "<span>{0} {1}</span>", "&lt;{0} {1}&gt;")
_ATTRIBUTES = (
    '<img src="https://t.example/{0}.gif?e={1}">', '<a href="https://t.example/{0}/{1}">x</a>',
    '<a href="mailto:{1}?subject={0}">x</a>', "<img srcset='https://t.example/{0}?e={1} 2x'>",
    '<p style="background: url(https://t.example/{0}?e={1})">x</p>', '<p data-x="{0} {1}">x</p>',
    '<input type="hidden" name="{0}" value="{1}">', '<img alt="{0} {1}" title="{1}">',
    '<form action="/{0}?e={1}"></form>', "<a href=https://t.example/{0}?{1}>x</a>",
    '<meta name="{0}" content="{1}">', '<body background="http://t.example/{0}/{1}">',
)  # fmt: skip
_UNSEEN = (
    "<!-- {0} {1} -->", "<style>.{0} {{ b: url(//t.example/?{1}) }}</style>",
    '<script>var {0} = "{1}";</script>', '<textarea name="{0}">{1}</textarea>',
    '<script type="application/ld+json">{{"{0}": "{1}"}}</script>',
    '<select><option value="{0}">{1}</option></select>', "https://t.example/{0}?e={1}",
)  # fmt: skip
_INVITED = (
    "ATTENDEE;X-A={0}:mailto:{1}", "ORGANIZER;X-A={0}:mailto:{1}",
)  # fmt: skip
_PARAMETERS = (
    'ATTENDEE;X-A={0};SENT-BY="mailto:{1}":urn:x',
    'ATTENDEE;X-A={0};DELEGATED-TO="mailto:{1}":urn:x',
    'ATTENDEE;X-A={0};MEMBER="mailto:{1}":urn:x',
    "ATTENDEE;X-A={0};EMAIL={1}:urn:x",
)  # fmt: skip
_CALENDAR_LINKS = (
    "URL:https://t.example/{0}?e={1}", "DESCRIPTION:see https://t.example/{0}?e={1} now",
    "ATTACH:https://t.example/{0}/{1}", "X-ALT-DESC:www.t.example/{0}?{1}",
)  # fmt: skip


_RAW = re.compile(r"[^\x00-\x7f]+")


def _quote(raw: re.Match[str]) -> str:
    return _percent(raw[0])


def _at(text: str) -> str:
    return text.replace("@", "%40")


def _percent(text: str) -> str:
    return "".join(f"%{each:02X}" for each in text.encode())


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _url_base64(text: str) -> str:
    return base64.urlsafe_b64encode(f'{{"e":"{text}"}}'.encode()).decode().rstrip("=")


def _hex(text: str) -> str:
    return text.encode().hex()


def _unicode(text: str) -> str:
    return text.replace("@", "\\u0040")


def _reference(text: str) -> str:
    return html.escape(text).replace("@", "&#64;")


def _all_references(text: str) -> str:
    return "".join(f"&#{ord(each)};" for each in text)


def check(placed: list[Placed], sent: bytes) -> None:
    """Look for all places in a reader's copy.

    Args:
        placed: what was written.
        sent: the copy.

    Raises:
        Broken: something else stands there.
    """
    message = email.message_from_bytes(sent, policy=email.policy.compat32)
    texts = dict(_texts(message))
    for each in placed:
        text, shown = texts.get(each.kind, ""), each.shown
        if each.seen and each.kind == "text/html":
            text, shown = html.unescape(text), html.unescape(shown)
        elif each.kind.startswith("header List-"):  # a link says the same (RFC 3986 section 2.1)
            text, shown = _RAW.sub(_quote, text), _RAW.sub(_quote, shown)
        if shown not in text:
            raise Broken(f"{each} is not in {text!r}")


def _texts(message: "email.message.Message[str, str]") -> Iterator[tuple[str, str]]:
    """Yield what the headers and the parts of each type say, decoded."""
    found: dict[str, str] = {}
    for name, value in _headers(message):
        text = _words(value).replace("\r\n", "").replace("\n", "")
        found[f"header {name}"] = found.get(f"header {name}", "") + text + "\n"
    for part in message.walk():
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            type_ = part.get_content_type()
            text = content.decode(part.get_content_charset("utf-8"), "replace")
            if type_ == "text/calendar":
                text = text.replace("\r\n ", "").replace("\n ", "")
            found[type_] = found.get(type_, "") + text + "\n"
    yield from found.items()


def elsewhere(raw: bytes, key: str, forms: Callable[[str], Iterable[str]]) -> Counter[str]:
    """Count where the reader's real address stands that no person reads.

    Args:
        raw: a message.
        key: the address, in lower case.
        forms: gives what a text may be read as.

    Returns:
        How often, by place: headers that are no text, URLs, attributes, comments, scripts, styles,
        form fields, parts of other types.
    """
    found: Counter[str] = Counter()
    for place, text in _unseen(email.message_from_bytes(raw, policy=email.policy.compat32)):
        found[place] += any(key in form.lower() for form in forms(text))
    return +found


def _unseen(message: "email.message.Message[str, str]") -> Iterator[tuple[str, str]]:
    for name, value in _headers(message):
        if name.lower() not in _READ:
            whole = [re.sub(r"\r?\n[ \t]", blank, value) for blank in ("", " ")]
            yield f"header {name.lower()}", "\n".join([value, *map(_words, (value, *whole))])
    for part in message.walk():
        content, type_ = part.get_payload(decode=True), part.get_content_type()
        if not isinstance(content, bytes) or part.is_multipart():
            continue
        text = _decoded(content, str(part.get_content_charset("utf-8")))
        if type_ == "text/html":
            reader = _Hidden()
            reader.feed(text)
            reader.close()
            yield from reader.found
        elif type_ == "text/plain":
            yield from (("URL", each) for each in _URL.findall(text))
        elif type_ in _OTHERS or part.get_content_maintype() in ("image", "video"):
            yield type_, text


def _headers(message: "email.message.Message[str, str]") -> Iterator[tuple[str, str]]:
    """Yield the header fields, with what is UTF-8 in them as such."""
    for name, value in message.raw_items():
        yield name, str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _words(value: str) -> str:
    """Read the encoded words of a header as far as the library can."""
    try:
        words = email.header.decode_header(value)
    except (ValueError, email.errors.HeaderParseError):
        return ""
    with contextlib.suppress(LookupError, ValueError):
        return str(email.header.make_header(words))
    return "".join(w.decode("latin-1") if isinstance(w, bytes) else w for w, _ in words)


def _decoded(content: bytes, label: str) -> str:
    try:
        return content.decode(label, "replace")
    except LookupError:
        return content.decode("utf-8", "replace")


_READ = frozenset(
    "from to cc reply-to sender subject comments resent-from resent-to resent-cc resent-sender"
    " disposition-notification-to return-receipt-to mail-followup-to mail-reply-to".split()
)
_OTHERS = ("application/json", "application/xml", "text/css", "text/rtf", "text/vcard")
_URL = re.compile(r"\S*(?:://|www\.|mailto:)\S*")
_FIELDS = ("script", "style", "textarea", "option")


class _Hidden(HTMLParser):
    """Collects what a page holds and does not show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += ((f"attribute {name}", value or "") for name, value in attrs)
        self._inside = tag if tag in _FIELDS else self._inside

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == self._inside else self._inside

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", data))

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.found.append((self._inside, data))
        else:
            self.found += (("URL", each) for each in _URL.findall(data))
