"""A message's body: addresses masked in it, and what of it a timeline shows.

Masking decodes each text, masks it, and writes anew only the parts that changed, each in its own
transfer encoding and charset; every other byte stays. Which text is masked how is a table keyed by
media type; types that are not in it are left alone. The structure itself is read in `mime`.

`read` raises `TooComplex`; nothing else here raises.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial

from conversation_tracker.core import charset, markup, part_header, transfer
from conversation_tracker.core.address import replaced
from conversation_tracker.core.mime import Part, TooComplex, read

__all__ = ["LEAVES", "Part", "TooComplex", "attachment_names", "masked", "read", "text"]

Mask = Callable[[str], str]
Edit = tuple[int, int, bytes]
Leaf = Callable[[bytes, str, Mask], tuple[bytes, str]]
"""Masks content without its transfer encoding, given its charset label; gives both again.

The same content object says that nothing changed. A new label is declared in the part's header.
"""

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def _plain(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    # Lines that format=flowed broke inside an address would be joined here.
    if charset.transparent(data, label) and not _possible(data, mask):
        return data, label
    return charset.changed(data, label, mask)


def _html(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    if b"&" not in data and charset.transparent(data, label) and not _possible(data, mask):
        return data, label
    # What the charset lacks is written as a character reference.
    return charset.changed(data, label, partial(markup.masked, mask=mask), "xmlcharrefreplace")


def _header_lines(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    return part_header.masked(data, mask), label


LEAVES: dict[str, Leaf] = {
    "text/html": _html,
    "application/xhtml+xml": _html,
    "text/rfc822-headers": _header_lines,
    "text": _plain,
    "message": _header_lines,
}
"""How content is masked, by media type or, where that is not here, by its first half."""


def masked(part: Part, body: bytes, mask: Mask) -> bytes:
    """Mask all text of a body: parts of a known type, part headers, preambles and epilogues.

    Args:
        part: the structure that `read` gave for this body.
        body: the raw body.
        mask: gives a text with addresses replaced, the same object when there are none. If it has
            a method `possible(bytes) -> bool`, as `Masker` has, ASCII text is first asked there.

    Returns:
        The body; the same object when nothing changed. The header fields of the outermost part are
        not in the body, so its charset stays as declared, whatever the replacements need.
    """
    return replaced(body, list(_edits(part, body, mask)))


def text(part: Part, body: bytes) -> str:
    """Give the readable text of a message: the first plain text that is not attached, else HTML.

    Args:
        part: the structure that `read` gave for this body.
        body: the raw body.

    Returns:
        Text with LF, without control characters; "" if there is none.
    """
    inside = (child for child in part.walk() if child.is_message for child in child.children)
    for message in (part, *inside):
        shown = sorted(_shown(message), key=lambda leaf: leaf is not part and bool(leaf.name))
        for wanted in ("text/plain", "text/html", "text/"):
            for leaf in shown:
                if leaf.type.startswith(wanted) and (found := _readable(leaf, body)).strip():
                    return found
    return ""


def attachment_names(part: Part, body: bytes) -> tuple[str, ...]:
    """Give the file names of all parts that are attached, or have a name.

    Args:
        part: the structure that `read` gave for this body.
        body: the raw body.

    Returns:
        Names without directories and control characters. A message without one is "message.eml",
        anything else "part-N", N counting the parts that are no multiparts from 1.
    """
    names: list[str] = []
    for number, leaf in enumerate(_leaves(part), 1):
        name = _file_name(leaf.name)
        if leaf.disposition == "attachment" or name:
            names.append(name or ("message.eml" if leaf.is_message else f"part-{number}"))
    return tuple(names)


def _edits(part: Part, body: bytes, mask: Mask) -> Iterator[Edit]:
    """Give the edits of a part, header and content, in ascending order."""
    inside, label = _content_edits(part, body, mask)
    start, end = part.header
    old = body[start:end]
    new = part_header.masked(old, mask)
    if label != part.charset:
        new = part_header.with_charset(new, label)
    if new is not old:
        yield start, end, new
    yield from inside


def _content_edits(part: Part, body: bytes, mask: Mask) -> tuple[list[Edit], str]:
    """Give the edits of a part's content, and the charset it is in afterwards."""
    if part.children or part.is_multipart:
        return list(_container_edits(part, body, mask)), part.charset
    leaf = LEAVES.get(part.type) or LEAVES.get(part.type.partition("/")[0])
    if leaf is None:
        return [], part.charset
    start, end = part.content
    raw = body[start:end]
    if part.embedded is not None:
        data, inside = part.embedded
        new, label = masked(inside, data, mask), part.charset
    else:
        data = transfer.decoded(raw, part.encoding)
        new, label = leaf(data, part.charset, mask)
        if label != part.charset and part.header[0] == part.header[1]:
            new, label = charset.narrowed(new, data, part.charset), part.charset
    if new is not data:
        return [(start, end, transfer.encoded(raw, data, new, part.encoding))], label
    # What stands in clear around encoded text is shown by some programs.
    new = _plain(raw, "", mask)[0] if part.encoding == transfer.BASE64 else raw
    return ([] if new is raw else [(start, end, new)]), label


def _container_edits(part: Part, body: bytes, mask: Mask) -> Iterator[Edit]:
    """Give the edits of the parts inside, and of what stands between them as text."""
    at = part.content[0]
    for child in part.children:
        yield from _gap_edits(at, child.header[0], body, mask)
        yield from _edits(child, body, mask)
        at = child.content[1]
    yield from _gap_edits(at, part.content[1], body, mask)


def _gap_edits(start: int, end: int, body: bytes, mask: Mask) -> Iterator[Edit]:
    old = body[start:end]
    new = _plain(old, "", mask)[0]
    if new is not old:
        yield start, end, new


def _possible(data: bytes, mask: Mask) -> bool:
    possible: Callable[[bytes], bool] | None = getattr(mask, "possible", None)
    return possible is None or possible(data)


def _shown(part: Part) -> Iterator[Part]:
    """Go through the parts that are text of the message itself, not of one inside it."""
    for child in part.children:
        if not child.is_message:
            yield from _shown(child)
    if not part.children and part.type.startswith("text/") and part.disposition != "attachment":
        yield part


def _readable(leaf: Part, body: bytes) -> str:
    found = charset.decoded(
        transfer.decoded(body[slice(*leaf.content)], leaf.encoding), leaf.charset
    )
    if leaf.type == "text/html":
        found = markup.stripped(found)
    return _CONTROLS.sub("", found.replace("\r\n", "\n").replace("\r", "\n"))


def _leaves(part: Part) -> Iterator[Part]:
    """Go through the parts that are no multiparts; an attached message is one of them."""
    if part.is_message and (part.name or part.disposition == "attachment" or part.embedded):
        yield part
    elif part.children or part.is_multipart:
        for child in part.children:
            yield from _leaves(child)
    else:
        yield part


def _file_name(declared: str) -> str:
    name = re.split(r"[/\\]", _CONTROLS.sub("", declared).replace("\n", " "))[-1].strip()
    return "" if name in (".", "..") else name
