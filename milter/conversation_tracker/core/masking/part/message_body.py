"""A message's body: addresses masked in it, and what of it a timeline shows.

Masking decodes each text, masks it, and writes anew only the parts that changed, each in its own
transfer encoding and charset; every other byte stays. Which text is masked how is a table keyed by
media type. Other parts are looked into where the people are named whose addresses must not be seen:
one that holds an address and says only who somebody is, is replaced by a note; any other that
cannot be masked passes, is removed, or makes the message refused, as the caller wants. The
structure itself is read in `mime`.

`read` raises `TooComplex`, and `mask_body` raises `Unmaskable`; nothing else here raises.
"""

from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, replace

from conversation_tracker.core.base.limits import UNLIMITED, Limits, replace_spans
from conversation_tracker.core.base.octets import Octets, count
from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.part import attachment, large, leaf
from conversation_tracker.core.masking.part.attachment import Policy
from conversation_tracker.core.masking.part.leaf import LEAVES
from conversation_tracker.core.masking.part.readable_text import find_attachment_names, find_text
from conversation_tracker.core.masking.part.unmasked_parts import (
    UNSIGNED,
    UnmaskedPart,
    find_kind,
    find_removed_signatures,
    find_unmasked_parts,
    is_leaf,
)
from conversation_tracker.core.model.part_cache import CleanParts
from conversation_tracker.core.syntax import charset, transfer, uuencoding
from conversation_tracker.core.syntax.mime import Part, TooComplex, read_structure

__all__ = [
    "LEAVES",
    "UNSIGNED",
    "Mask",
    "Part",
    "People",
    "TooComplex",
    "Unmaskable",
    "UnmaskedPart",
    "find_attachment_names",
    "find_removed_signatures",
    "find_text",
    "find_unmasked_parts",
    "make_content_field",
    "mask_body",
    "read_structure",
]

Edit = tuple[int, int, Octets]
REMOVED = "[An attachment was removed: it held an address.]"
"""What stands in the place of a part that was removed."""
RUNNING = ("text/plain", "text/html")
"""The types of what a reader sees as the text of a message."""

_SIGNED = "multipart/signed"
SHORT = 512
"""Octets of a text between parts that is worth remembering."""
_REMOVED, _UNSIGNED = REMOVED.encode("ascii"), UNSIGNED.encode("ascii")


class Unmaskable(ValueError):
    """A part holds an address that cannot be masked and shall not go; the message tells its type.

    Such a message must not leave: it is refused with 554 5.6.0.
    """


def mask_body(
    part: Part,
    body: Octets,
    mask: Mask,
    *,
    people: People | None = None,
    attachments: Policy = "flag",
    condemned: Collection[int] = (),
    keep_text: bool = False,
    limits: Limits = UNLIMITED,
    clean_parts: CleanParts | None = None,
) -> Octets:
    """Mask all text of a body: parts of a known type, part headers, preambles and epilogues.

    Args:
        part: the structure that `read` gave for this body.
        body: the raw body.
        mask: gives a text with addresses replaced, the same object when there are none. If it has
            a method `possible(bytes) -> bool`, as `Masker` has, ASCII text is first asked there.
        people: whose addresses must not be seen. With them, parts that cannot be masked are looked
            into, and text of any type is masked; without, parts of other types stay.
        attachments: what becomes of parts that hold an address and cannot be masked.
        condemned: the identities of leaves that are removed whatever is found in them.
        keep_text: whether plain text and HTML of the message itself, of none inside it, stay.
        limits: where to keep a large body.
        clean_parts: the parts that are known to name nobody; with it, the mask sets `met` there.

    Returns:
        The body; the same object when nothing changed. The header fields of the outermost part are
        not in the body, so its charset stays as declared, whatever the replacements need.

    Raises:
        Unmaskable: a part holds an address, and is to be refused; or a line is too long.
    """
    task = _Task(
        mask, people, part, attachments, condemned, keep_text, limits, clean_parts or CleanParts(),
        Unpacking(limits),
    )  # fmt: skip
    try:
        return replace_spans(body, _find_edits(part, body, task), limits)
    except large.Unparted:
        raise Unmaskable(f"a line over {large.MAX_LINE} octets") from None


def make_content_field(key: bytes, value: bytes, old: Octets, new: Octets) -> bytes | None:
    """Return what a message's Content-* field becomes, since `mask_body` does not see its fields.

    Args:
        key: the field's name in lower case.
        value: its raw value.
        old: the body as it was.
        new: the body as `mask_body` gave it.

    Returns:
        The value; a multipart/signed (RFC 1847) without its signature is multipart/mixed, since a
        reader would be warned of a wrong one. Where nothing but a note is left, this is plain text,
        and the fields that described the file go: None.
    """
    if new is old or not key.startswith(b"content-"):
        return value
    if len(new) <= len(_REMOVED) + 2 and new[:].rstrip() == _REMOVED:
        return b"text/plain; charset=us-ascii" if key == b"content-type" else None
    if key != b"content-type" or count(new, _UNSIGNED) == count(old, _UNSIGNED):
        return value
    return part_header.declare_value_mixed(value)


@dataclass(frozen=True, slots=True)
class _Task:
    """What is to be masked, and what becomes of parts that cannot be."""

    mask: Mask
    people: People | None
    whole: Part
    attachments: Policy
    condemned: Collection[int]
    keep_text: bool
    limits: Limits
    clean_parts: CleanParts
    unpacking: Unpacking

    def for_inner_message(self) -> "_Task":
        """Return the task for a message inside the message, all of whose text is masked."""
        return replace(self, keep_text=False) if self.keep_text else self

    def keeps(self, part: Part) -> bool:
        """Return whether a part's content stays, whatever is in it."""
        return self.keep_text and part.type in RUNNING


def _find_edits(part: Part, body: Octets, task: _Task) -> Iterator[Edit]:
    """Yield the edits of a part, header and content, in ascending order."""
    if task.people and _must_go(part, body, task):
        yield _remove_part(part, body, REMOVED, headed=part is not task.whole)
        return
    inside, label = _edit_content(part, body, task)
    start, end = part.header
    old = body[start:end]
    new = _new_header(part, old, task)
    if label != part.charset:
        new = part_header.set_charset(new, label)
    if part.type == _SIGNED and any(edit[2].endswith(_UNSIGNED) for edit in inside):
        new = part_header.declare_mixed(new)
    if new is not old:
        yield start, end, new
    yield from inside


def _new_header(part: Part, old: bytes, task: _Task) -> bytes:
    """Mask a part's header block; the same object if nothing changes."""
    clean = task.clean_parts
    if id(part) in clean.headers:
        return old
    clean.met = False
    new = part_header.mask_header(old, task.mask)
    if clean.learns and new is old and not (clean.met or part_header.looks_up(old)):
        clean.headers.add(id(part))
    return new


def _edit_content(part: Part, body: Octets, task: _Task) -> tuple[list[Edit], str]:
    """Return the edits of a part's content, and the charset it is in afterwards."""
    if part.children or (part.is_multipart and part.embedded is None):
        return list(_edit_container(part, body, task)), part.charset
    clean = task.clean_parts
    if task.keeps(part) or id(part) in clean.texts:
        return [], part.charset
    if part.embedded is not None:
        return list(_edit_embedded_message(part, body, task)), part.charset
    clean.begin_leaf(id(part))
    try:
        edits, label = _edit_leaf(part, body, task)
    finally:
        clean.end_leaf()
    clean.learn_leaf(id(part))
    if clean.learns and not (edits or clean.met) and label == part.charset:
        clean.texts.add(id(part))
    return edits, label


def _edit_leaf(part: Part, body: Octets, task: _Task) -> tuple[list[Edit], str]:
    """Return the edits of the content of a part without parts, and the charset it is in then."""
    start, end = part.content
    if large.is_large(part):
        return large.find_edits(part, body, task.mask, task.people, task.limits), part.charset
    raw = body[start:end]
    data = raw if part.encoding not in transfer.ENCODINGS else part.decode(body)
    at = transfer.find_padding(body, start, end, part.encoding)
    apart = data
    if task.people:
        apart = _edit_files(part, data, task, task.people)
    if at and apart is data:
        apart = leaf.split_at_padding(part, data, at, task.mask, task.people, task.limits)[:]
    new, label = leaf.mask_leaf(part, apart, task.mask, task.people)
    if label != part.charset and part.header[0] == part.header[1]:
        new, label = _narrow_charset(part, data, apart, task), part.charset
    if new is not data:
        written = transfer.encode(raw, data, new, part.encoding)
    elif not leaf.is_shown_raw(part) or leaf.choose_leaf(part, data, task.people) is None:
        return [], label
    else:
        written = raw
    if leaf.is_shown_raw(part):
        written = leaf.mask_raw(part, written, task.mask)
    if part.encoding in uuencoding.NAMES and task.people:  # there may be several files
        written = attachment.mask_further_files(written, task.mask, task.people, task.unpacking)
    return ([] if written is raw else [(start, end, written)]), label


def _edit_files(part: Part, data: bytes, task: _Task, people: People) -> bytes:
    """Mask or remove the files in the midst of a text; the same object if none changed."""
    new = attachment.remove_properties(part, data, people, task.unpacking)
    new = attachment.remove_packed_blocks(part, new, people, task.unpacking)
    return attachment.mask_uuencoded_files(part, new, task.mask, people, task.unpacking)


def _narrow_charset(part: Part, data: bytes, apart: bytes, task: _Task) -> bytes:
    """Mask content whose charset has to stay, and lacks something of the reader's address."""
    new, label = leaf.mask_leaf(part, apart, task.mask.blind(), task.people)
    return new if label == part.charset else charset.narrow(new, data, part.charset)


def _edit_embedded_message(part: Part, body: Octets, task: _Task) -> Iterator[Edit]:
    """Yield the edits of a message inside that is transfer-encoded."""
    assert part.embedded is not None
    (data, inside), (start, end) = part.embedded, part.content
    new = replace_spans(data, _find_edits(inside, data, task.for_inner_message()), task.limits)
    written: Octets = new
    if new is data:
        written = body
    elif not large.is_large(part):
        raw = body[start:end]
        anew = transfer.encode(raw, data[:], new[:], part.encoding)
        written = leaf.mask_raw(part, anew, task.mask) if leaf.is_shown_raw(part) else anew
    elif part.encoding == transfer.BASE64:
        written = task.limits.store(large.encode_base64(part, body, new))
    elif part.encoding == transfer.QUOTED_PRINTABLE:
        written = task.limits.store(large.encode_quoted_printable(part, body, new))
    elif part.encoding in transfer.ENCODINGS:
        raise Unmaskable("a large message in a rare encoding")
    if written is not body:
        yield start, end, written
    elif leaf.is_shown_raw(part):
        yield from large.edit_raw(part, body, task.mask)


def _must_go(part: Part, body: Octets, task: _Task) -> bool:
    """Return whether a part is to be removed; raises Unmaskable where it is to be refused."""
    if task.people is None or not is_leaf(part):
        return False
    if id(part) in task.condemned:
        return True
    if id(part) in task.clean_parts.files:
        return False
    kind = find_kind(part, body, task.people, task.unpacking)
    if kind is None and task.clean_parts.learns:
        task.clean_parts.files.add(id(part))
    if kind is None or attachment.always_stays(kind):
        return False
    if attachment.always_goes(kind):
        return True
    if task.attachments == "refuse":
        raise Unmaskable(f"an address in {part.type}")
    return task.attachments == "remove"


def _remove_part(part: Part, body: Octets, note: str, *, headed: bool = True) -> Edit:
    """Put a note in the place of a part, and describe that in its header fields if it has any."""
    start, end = part.header[0], part.content[1]
    if not headed:
        last = body[max(0, end - 2) : end]
        return start, end - len(last) + len(last.rstrip(b"\r\n")), note.encode("ascii")
    line_end = "\r\n" if b"\r\n" in body[slice(*part.header)] else "\n"
    header = f"Content-Type: text/plain; charset=us-ascii{line_end}{line_end}"
    return start, end, (header + note).encode("ascii")


def _edit_container(part: Part, body: Octets, task: _Task) -> Iterator[Edit]:
    """Yield the edits of the parts inside, and of what stands between them as text."""
    task = task.for_inner_message() if part.is_message else task
    inside = _edit_inside(part, body, task)
    at = part.content[0]
    if part.type == "multipart/alternative":
        at = yield from _edit_alternatives(part, body, list(inside), task)
    else:
        for child, edits in inside:
            yield from _edit_gap(at, child.header[0], body, task)
            yield from edits
            at = child.content[1]
    yield from _edit_gap(at, part.content[1], body, task)


def _edit_alternatives(
    part: Part, body: Octets, inside: list[tuple[Part, list[Edit]]], task: _Task
) -> Generator[Edit, None, int]:
    """Yield the edits of alternatives, and where the last one ends.

    The last is shown: a note must not stand before a reader instead of a text.
    """
    left = [n for n, (child, edits) in enumerate(inside) if not _is_removed(child, edits)]
    at = part.content[0]
    for number, (child, edits) in enumerate(inside):
        if not left or not _is_removed(child, edits):
            yield from _edit_gap(at, child.header[0], body, task)
            yield from edits
            at = child.content[1]
        elif number > left[0]:
            yield at, child.content[1], b""
            at = child.content[1]
        else:
            yield from _edit_gap(at, child.header[0], body, task)
            at = part.children[number + 1].header[0]
            yield child.header[0], at, b""
    return at


def _edit_inside(part: Part, body: Octets, task: _Task) -> Iterator[tuple[Part, list[Edit]]]:
    """Yield the edits of each part inside; of signed text that is edited, the signature goes."""
    broken = False
    for number, child in enumerate(part.children):
        edits = list(_find_edits(child, body, task))
        removed = any(new.endswith(_REMOVED) for *_, new in edits)
        if part.type == _SIGNED and _is_signature(number, child) and (broken or removed):
            edits = [_remove_part(child, body, UNSIGNED)]
        broken = broken or bool(edits)
        yield child, edits


def _is_removed(part: Part, edits: list[Edit]) -> bool:
    """Return whether the edits of a part put a note in its place."""
    return [(start, end) for start, end, new in edits if new.endswith(_REMOVED)] == [
        (part.header[0], part.content[1])
    ]


def _is_signature(number: int, part: Part) -> bool:
    """Return whether a part of multipart/signed is its signature: the second (RFC 1847), or so."""
    signs = number == 1 or (number > 1 and part.type.endswith("-signature"))
    return signs and is_leaf(part) and part.header[0] < part.header[1]


def _edit_gap(start: int, end: int, body: Octets, task: _Task) -> Iterator[Edit]:
    """Yield the edits of what stands between parts: mostly the same few delimiters."""
    clean = task.clean_parts
    text = body[start:end] if end - start <= SHORT else None
    if text is not None and text in clean.gaps:
        return
    clean.met = False
    edits = list(large.edit_text(body, start, end, task.mask))
    if text is not None and clean.learns and not (edits or clean.met):
        clean.gaps.add(text)
    yield from edits
