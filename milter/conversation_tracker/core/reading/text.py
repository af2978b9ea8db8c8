"""The text of a message as a person reads it, and the HTML it is shown as.

Of alternatives plain text is read, and HTML where that is empty; of parts one after the other all
that are text of the message itself. What is attached, or is a message inside, is read only if there
is nothing else. Uuencoded files stay in the text as they are. Nothing here raises.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.text.html import strip_tags
from conversation_tracker.core.reading import flowed
from conversation_tracker.core.syntax import charset, transfer
from conversation_tracker.core.syntax.controls import clean_text
from conversation_tracker.core.syntax.mime import Part
from conversation_tracker.core.syntax.parameters import get_value

MAX_TEXT = 1_000_000
"""Characters of a message's text; what is beyond is left out."""

_MAX_CONTENT = 4 * 1024 * 1024  # octets of a part that are read
_PLAIN, _PAGE = "text/plain", "text/html"


@dataclass(frozen=True, slots=True)
class Text:
    """What is read of a message.

    Attributes:
        body: with LF, without control characters and what turns the direction of text; "" if none.
        cut: whether the message has more than that.
    """

    body: str
    cut: bool


def read_text(part: Part, body: Octets) -> Text:
    """Return the text of a message.

    Args:
        part: the structure that `read_structure` gave for this body.
        body: the raw body.
    """
    inside = (inner for each in part.walk() if each.is_message for inner in each.children)
    for message in (part, *inside):
        shown = list(_find_shown(message))
        for wanted in (shown, *([each] for each in _iter_texts(message))):
            found = _join(_read_part(each, body) for each in wanted)
            if found.body:
                return found
    return Text("", False)


def find_pages(part: Part) -> list[Part]:
    """Return the parts that are shown where HTML is shown, in order; none if there is no HTML."""
    return [each for each in _find_shown(part, (_PAGE, _PLAIN)) if each.type == _PAGE]


def read_source(part: Part, body: Octets) -> str:
    """Return the decoded content of a text part, its beginning if it is very long."""
    start, end = part.content
    raw = body[start : min(end, start + _MAX_CONTENT)]
    return charset.decode_text(transfer.decode(raw, part.encoding), part.charset)


def _find_shown(part: Part, wanted: tuple[str, ...] = (_PLAIN, _PAGE)) -> Iterator[Part]:
    """Yield the text parts that a message is shown as; of alternatives those wanted."""
    if part.type == "multipart/alternative":
        yield from _choose(part, wanted)
    elif part.type in ("multipart/related", "multipart/signed"):
        # The root, or what is signed; the rest belongs to it (RFC 2387, RFC 1847).
        yield from next(filter(None, (list(_find_shown(c, wanted)) for c in part.children)), ())
    elif part.is_multipart:
        for child in part.children:
            yield from _find_shown(child, wanted)
    elif part.type in (_PLAIN, _PAGE) and part.disposition != "attachment" and not part.name:
        yield part


def _choose(part: Part, wanted: tuple[str, ...]) -> Iterable[Part]:
    """Return what is shown of alternatives: that of the first type wanted that one has."""
    each = [list(_find_shown(child, wanted)) for child in part.children]
    for type in wanted:
        for shown in each:
            if any(leaf.type == type and leaf.content[0] < leaf.content[1] for leaf in shown):
                return shown
    return ()


def _iter_texts(part: Part) -> Iterator[Part]:
    """Yield the texts that are not attached of a message, of none inside it, the likelier first."""
    texts = [
        each
        for each in _iter_own(part)
        if each.type.startswith("text/") and each.disposition != "attachment"
    ]
    for first in (_PLAIN, _PAGE, "text/"):
        yield from (each for each in texts if each.type.startswith(first))


def _iter_own(part: Part) -> Iterator[Part]:
    if not part.children:
        yield part
    for child in part.children:
        if not child.is_message:
            yield from _iter_own(child)


def _read_part(part: Part, body: Octets) -> Text:
    source = read_source(part, body)
    found = strip_tags(source) if part.type == _PAGE else source
    found = clean_text(found.replace("\r\n", "\n").replace("\r", "\n"))
    if get_value(part.parameters, "format").strip().lower() == "flowed":
        delsp = get_value(part.parameters, "delsp").strip().lower() == "yes"
        found = flowed.join_lines(found, delsp=delsp)
    return Text(found, part.content[1] - part.content[0] > _MAX_CONTENT)


def _join(texts: Iterable[Text]) -> Text:
    """Join texts that are shown one below the other."""
    pieces: list[str] = []
    cut, length = False, 0
    for text in texts:
        if text.body.strip() and length < MAX_TEXT:
            pieces.append(text.body if not pieces else text.body.lstrip("\n"))
            length += len(text.body)
            cut = cut or text.cut
    whole = pieces[0] if len(pieces) == 1 else "\n\n".join(each.rstrip("\n") for each in pieces)
    return Text(whole[:MAX_TEXT], cut or len(whole) > MAX_TEXT)
