"""What of a message surely names nobody, found out at once for all of it that is text.

Most parts of most messages name nobody. So before any is gone through, the text of all of them is
looked at together (`masking.text.absence`); what is proved so is noted in the message's
`CleanParts`, and neither the record nor a copy goes through it. Nothing here raises.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from conversation_tracker.core.base.octets import LARGE, Octets
from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.part import leaf, message_body, uuencoded_files
from conversation_tracker.core.masking.text import encoded
from conversation_tracker.core.masking.text.absence import (
    BETWEEN,
    names_nobody,
    text_names_nobody,
)
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.model.part_cache import CleanParts
from conversation_tracker.core.syntax import charset, transfer
from conversation_tracker.core.syntax.mime import Part

_CODED = transfer.ENCODINGS - {transfer.QUOTED_PRINTABLE}


class _Text(NamedTuple):
    """A text in a body: what it is, the identity of its part, its octets decoded.

    Beyond ASCII these are UTF-8, if it is a text or page; of a header or gap, anything.
    """

    kind: Literal["header", "gap", "text", "page"]
    part: int
    data: bytes


def learn_fields(
    headers: Iterable[tuple[int, Header]], mask: Mask, clean: CleanParts, *, hidden: bool
) -> None:
    """Note which header fields of a message name nobody: those that are text, if none of them does.

    Args:
        headers: fields, with their places.
        mask: gives a text with addresses replaced.
        clean: where it is noted.
        hidden: whether something in the fields may be hidden, as `obfuscated.possible` tells.
    """
    found = [(place, h.value) for place, h in headers if part_header.is_text(h.key, h.value)]
    whole = BETWEEN.join([value for _, value in found])
    if found and names_nobody(whole, mask, hidden=hidden):
        clean.fields.update([place for place, _ in found])


def learn_body(
    part: Part, body: Octets, mask: Mask, people: message_body.People, clean: CleanParts
) -> None:
    """Note which parts of a message name nobody.

    Args:
        part: the message's structure.
        body: its raw body.
        mask: gives a text with addresses replaced.
        people: whose addresses must not be seen.
        clean: where it is noted.
    """
    if len(body) >= LARGE:
        return
    found = list(_iter_texts(part, body, people))
    texts = [each for each in found if each is not None]
    if _name_nobody(texts, mask):
        _note(texts, clean)
        clean.body = len(texts) == len(found)
        return
    frame = [each for each in texts if each.kind in ("header", "gap")]
    leaves = [[each] for each in texts if each.kind not in ("header", "gap")]
    for some in [frame, *leaves]:
        if some and len(texts) > 1 and _name_nobody(some, mask):
            _note(some, clean)
        elif some is not frame:
            clean.named.add(some[0].part)


def _name_nobody(texts: Sequence[_Text], mask: Mask) -> bool:
    plain = [each for each in texts if each.kind != "page"]
    if not all(each.data.isascii() for each in plain if each.kind != "text"):
        return False
    whole = BETWEEN.join([each.data for each in plain])
    if plain and not text_names_nobody(_decode(whole), mask):
        return False
    pages = (_decode(each.data) for each in texts if each.kind == "page")
    return all(text_names_nobody(page, mask, markup=True) for page in pages)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _note(texts: Iterable[_Text], clean: CleanParts) -> None:
    for kind, part, data in texts:
        if kind == "header":
            clean.headers.add(part)
        elif kind == "gap":
            clean.gaps.add(data)
        else:
            clean.texts.add(part)
            clean.files.add(part)


def _iter_texts(part: Part, body: Octets, people: message_body.People) -> Iterator[_Text | None]:
    """Yield all text in a body; None for what may be something else."""
    if part.header[0] < part.header[1]:
        block = body[slice(*part.header)]
        yield _Text("header", id(part), block) if part_header.is_plain(block) else None
    if not (part.children or part.is_multipart) or part.embedded is not None:
        yield _read_leaf(part, body, people)
        return
    at = part.content[0]
    for child in part.children:
        yield _read_gap(part, body[at : child.header[0]])
        yield from _iter_texts(child, body, people)
        at = child.content[1]
    yield _read_gap(part, body[at : part.content[1]])


def _read_gap(part: Part, gap: bytes) -> _Text | None:
    return _Text("gap", id(part), gap) if len(gap) <= message_body.SHORT else None


def _read_leaf(part: Part, body: Octets, people: message_body.People) -> _Text | None:
    """Return a leaf's text; None if it is no such text, or signed, or holds files."""
    if part.embedded is not None or part.doubtful or part.encoding in _CODED:
        return None
    if part.encoding and part.type.startswith("message/"):  # some show it as it stands
        return None
    data = part.decode(body)
    if b"-----BEGIN " in data or uuencoded_files.may_stand_in(data):
        return None
    if not data.isascii():
        text = charset.read_only(data, part.charset)
        if text is None:
            return None
        read = text.encode("utf-8", "surrogatepass")
    elif charset.is_transparent(data, part.charset):
        read = data
    else:
        return None
    if encoded.may_hold_block(data):  # so it is gone through, whatever else is in it
        return None
    how = leaf.choose_leaf(part, data, people)
    if how is leaf.mask_plain:
        return _Text("text", id(part), read)
    return _Text("page", id(part), read) if how is leaf.mask_page else None
