"""Parts that are too large to be held in memory: looked at and masked window by window.

A window of text ends where a line does, or at least a word; no address, fold or soft line break
goes on behind it. A text that has no such place is refused: raises `Unparted`. Everything else is
as for small parts, in `leaf`.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from conversation_tracker.core.base.limits import Limits, replace_spans
from conversation_tracker.core.base.octets import LARGE, Octets, iter_windows
from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.container import search
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.part import (
    attachment,
    binary_values,
    calendar,
    certificates,
    clear_signed,
    leaf,
    media,
)
from conversation_tracker.core.masking.part.attachment import Kind
from conversation_tracker.core.masking.part.leaf import Display
from conversation_tracker.core.syntax import charset, quoted_printable, transfer
from conversation_tracker.core.syntax.folding import find_line_end
from conversation_tracker.core.syntax.mime import Part

MAX_LINE = 2 * LARGE
"""Octets of a line in a text part that is over `LARGE`."""

Edit = tuple[int, int, Octets]

_OVERLAP = 4096  # octets seen twice, so that nothing is hidden by where a window ends
_TRIES = 10_000
_FOLDS = (b" ", b"\t", b"")
_WORD_ENDS = (b" ", b">", b",", b"}", b"\r")


class Unparted(ValueError):
    """A text has a line that is longer than what is looked at at once."""


def is_large(part: Part) -> bool:
    """Return whether a part's content is to be gone through in windows."""
    return part.content[1] - part.content[0] > LARGE


def decode_pieces(part: Part, body: Octets) -> Iterator[bytes]:
    """Go through a part's content without its transfer encoding, which is decoded once for all."""
    if part.encoding not in transfer.ENCODINGS or part.contents is None:
        return transfer.decode_pieces(body, *part.content, part.encoding)
    data = part.store(body)
    return iter(iter_windows(data, 0, len(data)))


def read_beginning(part: Part, body: Octets) -> bytes:
    """Return the first octets of a part's content without its transfer encoding."""
    return next(decode_pieces(part, body), b"")


def overlap(found: Iterable[bytes]) -> Iterator[bytes]:
    """Yield pieces that each begin with the end of the one before."""
    before = b""
    for piece in found:
        whole = before + piece
        yield whole
        before = whole[-_OVERLAP:]


def find_kind(part: Part, body: Octets, people: People, unpacking: Unpacking) -> Kind | None:
    """Return what a large leaf is that holds an address and cannot be masked; else None."""
    declared = leaf.find_by_type(part)
    first = read_beginning(part, body)
    if declared is calendar.mask_calendar and not search.is_no_text(first):
        seen = (
            each
            for window in overlap(decode_pieces(part, body))
            for each in binary_values.decode_values(window)
        )
        return "identity" if any(map(people.in_bytes, seen)) else None
    if not is_opaque(part, body):
        return None
    if certificates.is_one(part, first) or media.is_media(part.type, first):
        # One of that size is rare, and is taken as a whole.
        return attachment.find_kind(part, b"".join(decode_pieces(part, body)), people, unpacking)
    data = part.store(body, unpacking.limits)
    if not search.holds_address(data, people, unpacking):
        return None
    return "archive" if search.is_container(data) else "binary"


def find_edits(
    part: Part, body: Octets, mask: Mask, people: People | None, limits: Limits
) -> list[Edit]:
    """Mask a large leaf's content.

    Args:
        part: the leaf.
        body: the body it stands in.
        mask: gives a text with addresses replaced.
        people: as for `leaf.mask_leaf`.
        limits: where to keep what is written anew.

    Returns:
        The edits of the body. The charset stays as declared, whatever the replacements need.

    Raises:
        Unparted: a line is too long.
    """
    if (leaf.find_by_type(part) is None and not people) or (people and is_opaque(part, body)):
        return _edit_media(part, body, mask, people) if people else []
    start, end = part.content
    read: Callable[[], Iterable[bytes]] = partial(decode_pieces, part, body)
    if part.encoding not in transfer.ARMOURS:
        return _unsigned_edits(part, body, (start, end), mask, people, read)
    data = part.store(body, limits)
    if at := transfer.find_padding(body, start, end, part.encoding):
        data = leaf.split_at_padding(part, data, at, mask, people, limits)
        read = partial(iter_windows, data, 0, len(data))
    found = _unsigned_edits(part, data, (0, len(data)), mask, people, read)
    if not found:
        return list(edit_around(part, body, mask))
    if part.encoding != transfer.BASE64:
        raise Unparted
    new = replace_spans(data, found, limits)
    return [(start, end, limits.store(encode_base64(part, body, new)))]


def encode_base64(part: Part, body: Octets, new: Octets) -> Iterator[bytes]:
    """Encode a part's new content in base64, with the line ends of the old one."""
    start, end = part.content
    line_end = find_line_end(body[start : start + 1024])
    tail = body[max(start, end - 8) : end]
    return transfer.encode_base64(
        iter_windows(new, 0, len(new)), line_end, tail[len(tail.rstrip()) :]
    )


def encode_quoted_printable(part: Part, body: Octets, new: Octets) -> Iterator[bytes]:
    """Encode a part's new content in quoted-printable, with the line ends of the old one."""
    start, _ = part.content
    line_end = find_line_end(body[start : start + 1024])
    return quoted_printable.encode_anew(new, line_end)


def edit_text(body: Octets, start: int, end: int, mask: Mask) -> Iterator[Edit]:
    """Mask a span of text without any markup that is in no part; raises as `find_edits`."""
    return _edit_span(body, start, end, lambda old: leaf.mask_plain(old, "", mask)[0])


def edit_around(part: Part, body: Octets, mask: Mask) -> Iterator[Edit]:
    """Mask what stands in clear in a part's encoded content; raises as `find_edits`."""
    return _edit_span(body, *part.content, lambda old: leaf.mask_around(old, part.encoding, mask))


def edit_raw(part: Part, body: Octets, mask: Mask) -> Iterator[Edit]:
    """Mask what shows of a part's encoded content as it stands; raises as `find_edits`."""
    start, end = part.content
    if part.encoding != transfer.QUOTED_PRINTABLE or is_large(part):
        yield from edit_around(part, body, mask)
        return
    written = body[start:end]
    new = leaf.mask_raw(part, written, mask)
    if new is not written:
        yield start, end, new


def _edit_span(
    body: Octets, start: int, end: int, change: Callable[[bytes], bytes]
) -> Iterator[Edit]:
    for first, last in split_spans(body, start, end):
        old = body[first:last]
        new = change(old)
        if new is not old:
            yield first, last, new


def _unsigned_edits(
    part: Part,
    data: Octets,
    span: tuple[int, int],
    mask: Mask,
    people: People | None,
    read: Callable[[], Iterable[bytes]],
) -> list[Edit]:
    """Mask a text; where it is changed at all, what is signed in it loses its signatures.

    Args:
        part: the leaf.
        data: where the text stands: quoted-printable as it is, all else decoded.
        span: where it begins and ends there.
        mask: as for `find_edits`.
        people: as for `find_edits`.
        read: goes through the decoded text.
    """
    shown = _choose_display(part, read, mask)
    found = list(_edit_data(part, data, span, mask, people, shown))
    if not found or not _is_signed(part, read):
        return found
    leaf.note_unsigned(part, mask)
    shown = _choose_display(part, read, mask)
    return list(_edit_data(part, data, span, mask, people, shown, signed=True))


def _is_signed(part: Part, read: Callable[[], Iterable[bytes]]) -> bool:
    return any(clear_signed.holds_one(each, part.charset) for each in overlap(read()))


def _edit_data(
    part: Part,
    data: Octets,
    span: tuple[int, int],
    mask: Mask,
    people: People | None,
    shown: Display | None,
    *,
    signed: bool = False,
) -> Iterator[Edit]:
    quoted = part.encoding == transfer.QUOTED_PRINTABLE
    encoding = transfer.QUOTED_PRINTABLE if quoted else ""
    like: leaf.Leaf | None = None
    for first, last in split_spans(data, *span, quoted=quoted):
        raw = data[first:last]
        old = transfer.decode(raw, encoding)
        if first == span[0]:
            like = _like(part, old, people)
        bare = clear_signed.strip(old, part.charset) if signed else old
        if people:
            bare = attachment.mask_uuencoded_files(part, bare, mask, people)
        new, label = leaf.mask_piece(part, bare, mask, people, shown, like)
        if label != part.charset:
            new = charset.narrow(new, old, part.charset)
        if new is not old:
            yield first, last, transfer.encode(raw, old, new, encoding)


def _like(part: Part, first: bytes, people: People | None) -> leaf.Leaf | None:
    """Return what masks all of a part, where its beginning alone shows that it is a calendar."""
    if leaf.choose_leaf(part, first, people) is not calendar.mask_calendar:
        return None
    method = leaf.declares_method(part) or calendar.has_method(first, part.charset)
    return partial(calendar.mask_calendar, method=method)


def _choose_display(part: Part, read: Callable[[], Iterable[bytes]], mask: Mask) -> Display | None:
    """Return how a text is shown to its reader; None if their alias is nowhere in it."""
    own = mask.unmasker
    if own is None:
        return None
    first = b""
    for window in overlap(read()):
        first = first or window
        if leaf.may_show(part, window, part.charset, own):
            return leaf.choose_display(part, first)
    return None


def _edit_media(part: Part, body: Octets, mask: Mask, people: People) -> list[Edit]:
    first = read_beginning(part, body)
    if not media.is_media(part.type, first) or _is_searched(part, first, mask):
        return []
    if not any(map(people.in_bytes, overlap(decode_pieces(part, body)))):
        return []
    raw, old = body[slice(*part.content)], b"".join(decode_pieces(part, body))
    new = media.overwrite_addresses(old, people)
    return [(*part.content, transfer.encode(raw, old, new, part.encoding))]


def _is_searched(part: Part, first: bytes, mask: Mask) -> bool:
    """Return whether `find_kind` looked at all octets of a file, and found nobody in them.

    It does not where they may be text.
    """
    clean = mask.clean_parts
    if clean is None or id(part) not in clean.files or leaf.find_by_type(part) is not None:
        return False
    return b"\0" in first and not charset.is_wide(first)


def is_opaque(part: Part, body: Octets) -> bool:
    """Return whether a part is no text, so that it cannot be masked."""
    return _recall("opaque", part, body, partial(_is_opaque, part, body))


def _recall(question: str, part: Part, body: Octets, look: Callable[[], bool]) -> bool:
    contents = part.contents
    return look() if contents is None else contents.recall(question, body, part.content, look)


def _is_opaque(part: Part, body: Octets) -> bool:
    first = read_beginning(part, body)
    if leaf.find_by_type(part) is not None:
        return search.is_no_text(first)
    if certificates.is_one(part, first) or search.is_container(first) or charset.is_no_text(first):
        return True
    return any(charset.is_no_text(each) for each in decode_pieces(part, body))


def split_spans(
    data: Octets, start: int, end: int, *, quoted: bool = False
) -> Iterator[tuple[int, int]]:
    """Split a text between words.

    Args:
        data: the octets it stands in.
        start: where it begins.
        end: where it ends.
        quoted: it is quoted-printable: a soft line break is no end of a line.

    Returns:
        Spans of about `LARGE` octets, without a gap.

    Raises:
        Unparted: there is no place to part it.
    """
    at = start
    while end - at > LARGE:
        cut = _find_cut(data, start, at, at + LARGE, quoted=quoted)
        if cut is None:
            cut = _find_cut(data, start, at, min(end, at + MAX_LINE), quoted=quoted)
        if cut is None:
            raise Unparted
        yield at, cut
        at = cut
    if at < end:
        yield at, end


def _find_cut(data: Octets, start: int, at: int, limit: int, *, quoted: bool) -> int | None:
    """Find the last place to part a text at: between lines, best where nothing is folded."""
    text = clear_signed.end_before_signature(data[at:limit])
    if b"\0" in text:
        return _find_wide_cut(text, at - start, at)
    any_line, place = None, len(text)
    for _ in range(_TRIES):
        place = text.rfind(b"\n", 0, place)
        if place < 0:
            break
        before = text[max(0, place - 2) : place].removesuffix(b"\r")[-1:]
        if quoted and before == b"=":
            continue
        any_line = any_line or at + place + 1
        if before not in _FOLDS and text[place + 1 : place + 2] not in _FOLDS:
            return at + place + 1
    if any_line is None and not quoted and text.isascii():
        word = max(text.rfind(each) for each in _WORD_ENDS)
        return at + word + 1 if word >= 0 else None
    return any_line


def _find_wide_cut(text: bytes, offset: int, at: int) -> int | None:
    """Find a line end in what may be UTF-16 or UTF-32, where no character is cut."""
    place = len(text)
    for _ in range(_TRIES):
        place = text.rfind(b"\n", 0, place)
        if place < 0:
            return None
        for cut in range(place + 1, place + 5):
            clear = not text[place + 1 : cut].strip(b"\0")
            if clear and (offset + cut) % 4 == 0 and cut <= len(text):
                return at + cut
    return None
