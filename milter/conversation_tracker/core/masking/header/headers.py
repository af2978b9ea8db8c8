"""Masking of header values: what a mask changes is written anew, every other byte stays.

A mask is a function on readable text that gives the text back as it was when it holds nothing to
hide. It never sees encoded words, quotes or folds: the value is cut into units, masked as one
text, and the difference is brought back to the units it falls into. Which header is treated how
is policy, and not decided here. Nothing here raises on any value.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Protocol

from conversation_tracker.core.base.header_names import TRACE_HEADERS
from conversation_tracker.core.base.limits import check_each, no_limit
from conversation_tracker.core.masking.header.ambiguous_words import rewrite_ambiguous_words
from conversation_tracker.core.masking.header.spans import Change, Edit, Place, find_edits
from conversation_tracker.core.masking.header.touching_strings import part_strings
from conversation_tracker.core.model.address import (
    Address,
    Mailbox,
    find_mailboxes,
    read_one,
    split_elements,
)
from conversation_tracker.core.syntax.encoded_words import (
    ENCODED,
    clean,
    decode_words,
    encode_words,
)
from conversation_tracker.core.syntax.folding import make_safe
from conversation_tracker.core.syntax.splicing import splice
from conversation_tracker.core.syntax.tokens import ANGLE, COMMENT, SIGN, split_tokens

__all__ = [
    "is_clear",
    "is_trace",
    "mask_mailboxes",
    "mask_text",
    "remove_people",
]


_TRACE_PREFIXES = (b"arc-", b"x-arc-", b"x-envelope-", b"x-spam-")

Check = Callable[[], None]

_STRAY = re.compile("[\udc80-\udcff]")
_LATIN_MARKS = bytes(
    each if each < 0x80 or chr(each).isalnum() else ord(" ") for each in range(256)
)


def is_trace(name: bytes) -> bool:
    """Return whether a header, named in lower case, was added on the way."""
    return name in TRACE_HEADERS or name.startswith(_TRACE_PREFIXES)


class TextMask(Protocol):
    """What changes a readable text, and says cheaply where it would not."""

    def __call__(self, text: str, /) -> str:
        """Return the text with what is hidden replaced; the same object where nothing is."""

    def possible(self, data: bytes, /) -> bool:
        """Return whether it could change what these bytes say in ASCII."""


def mask_text(value: bytes, mask: TextMask, check: Check = no_limit) -> bytes:
    """Change an unstructured header value (RFC 5322 section 2.2.1, RFC 2047).

    Args:
        value: a raw value, folded or not.
        mask: see this module's head.
        check: raises `Overdue` when the time is over.

    Returns:
        The value with what the mask changes written anew: encoded words as UTF-8 encoded words,
        other text as ASCII if it can be. Its `decoded` text is what the mask made of the old one,
        and of what others read where not all of it is UTF-8. The same object if nothing changes;
        else without CR, NUL or stray LF.
    """
    if is_clear(value) and not mask.possible(value):
        return value
    apart = rewrite_ambiguous_words(value, mask, check)
    found = find_edits(apart, 0, len(apart), mask, "text", check)
    result = splice(apart, found) if found else value
    result = _edit_not_utf8(
        result, lambda each: find_edits(each, 0, len(each), mask, "text", check), mask, check
    )
    if result is value:
        return value
    text, harmless = decode_words(result, check), make_safe(result)
    # Where a stray byte becomes a blank, encoded words around it may grow together.
    same = harmless == result or decode_words(harmless, check) == text
    return harmless if same else encode_words(text)


def _edit_not_utf8(
    value: bytes, find: Callable[[bytes], list[Edit]], mask: Change, check: Check
) -> bytes:
    """Edit a value that is not all UTF-8 as programs read it that show marks for the rest.

    A mark is no letter. Others take each byte for a character of latin-1, and see marks there.

    Args:
        value: the value, edited as most read it.
        find: gives the edits of one.
        mask: as for `mask_text`.
        check: raises `Overdue` when the time is over.
    """
    if value.isascii() or _STRAY.search(value.decode("utf-8", "surrogateescape")) is None:
        return value
    for marked in (_mark_stray, _mark_latin):
        shown = marked(value)
        apart = rewrite_ambiguous_words(shown, mask, check)
        if apart is not shown:
            value = shown = apart  # with the marks, as what is parted stands elsewhere now
        found = find(shown)
        value = splice(value, found) if found else value
    return value


def _mark_stray(value: bytes) -> bytes:
    return _STRAY.sub(" ", value.decode("utf-8", "surrogateescape")).encode("utf-8")


def _mark_latin(value: bytes) -> bytes:
    return value.translate(_LATIN_MARKS)


def is_clear(value: bytes) -> bool:
    """Return whether nothing in a value is encoded, and no identifier is linked to.

    A fold leaves its blank, so what has none stands in one piece.
    """
    return value.isascii() and b"=?" not in value and b"id:" not in value.lower()


def remove_people(
    value: bytes, gone: Callable[[Address], bool], check: Check = no_limit
) -> bytes | None:
    """Remove people from the value of an address header (RFC 5322 section 3.4).

    Args:
        value: a raw value, folded or not.
        gone: says whether an address is to go, with its name and comments.
        check: raises `Overdue` when the time is over.

    Returns:
        The value, the same object if nobody goes; None where nobody is left.
    """
    boxes = find_mailboxes(value, check)
    flags = [box.address is not None and gone(box.address) for box in boxes]
    if not any(flags):
        return value
    if all(flags):
        return None
    kept: list[bytes] = []
    at = 0
    for start, end, sign in split_elements(value, check):
        inside = at
        while at < len(boxes) and boxes[at].start < end:
            at += 1
        stay = [boxes[n] for n in range(inside, at) if not flags[n]]
        if len(stay) == at - inside:
            if start < end or sign not in b",":
                kept.append(value[start:end] + sign)
            elif kept and kept[-1].endswith(b";"):  # the comma behind a group
                kept[-1] += sign
        elif stay:
            # Of people without a comma between them, names and comments may be anybody's.
            bare = [b"<" + value[box.start : box.end] + b">" for box in stay]
            kept.append(b", ".join(bare) + sign)
        elif sign == b";" and kept:
            kept[-1] = kept[-1].removesuffix(b",") + sign
    if not kept:
        return None
    kept[-1] = kept[-1].removesuffix(b",")
    return b" ".join(kept)


def mask_mailboxes(
    value: bytes,
    alias: Callable[[Address], str | None],
    mask: Change,
    check: Check = no_limit,
) -> bytes:
    """Change the value of an address header (RFC 5322 sections 3.4 and 4.4).

    Args:
        value: a raw value, folded or not.
        alias: gives the text to put in an address's place, or None to leave it.
        mask: applied to all else: display names, quoted strings, comments, and text in the place
            of an address that is none.
        check: raises `Overdue` when the time is over.

    Returns:
        The value with only these parts written anew; what was a valid list of addresses is one.
        The same object if nothing changes; else without CR, NUL or stray LF.
    """
    if (only := read_one(value)) is not None and only.address is not None:
        name = value[: only.start].decode("ascii")
        if mask(name) == name:
            new = alias(only.address)
            if new is not None:
                return make_safe(splice(value, _edit_address(value, only, new)))
            if not _ends_before(value[only.start : only.end], mask):
                return value
    apart = part_strings(rewrite_ambiguous_words(value, mask, check), mask, check)
    found = _edit_list(apart, alias, mask, check)
    result = make_safe(splice(apart, found)) if found else value
    other = _edit_not_utf8(result, lambda each: _edit_list(each, alias, mask, check), mask, check)
    return result if other is result else make_safe(other)


def _edit_list(
    value: bytes, alias: Callable[[Address], str | None], mask: Change, check: Check
) -> list[Edit]:
    """Return the edits of a list of addresses, in order."""
    boxes = find_mailboxes(value, check)
    words = _find_loose_words(value, boxes, check)
    boxes = [box for box in boxes if box.address or not _touches_word(box, words)]
    found: list[Edit] = []
    for box in check_each(boxes, check):
        new = None if box.address is None else alias(box.address)
        if new is not None:
            found += _edit_address(value, box, new)
        else:
            for start, end, place in _find_in_kept_spans(value, box, mask):
                found += find_edits(value, start, end, mask, place, check)
    torn = _find_torn_words(value, boxes, mask, check)[::-1]
    for start, end, place in check_each(_find_outside(value, boxes, words, check), check):
        while torn and torn[-1].start() < end:
            first, last = max(start, torn[-1].start()), min(end, torn[-1].end())
            if first < last:
                found += find_edits(value, start, first, mask, place, check)
                found.append((first, last, _rewrite_word(value[first:last], torn[-1], mask)))
                start = last
            if torn[-1].end() > end:
                break
            torn.pop()
        found += find_edits(value, start, end, mask, place, check)
    return sorted(found)


def _edit_address(value: bytes, box: Mailbox, new: str) -> list[Edit]:
    data = clean(new).encode()
    return [(box.start, box.end, data)] if data != value[box.start : box.end] else []


def _find_in_kept_spans(
    value: bytes, box: Mailbox, mask: Change
) -> Iterator[tuple[int, int, Place]]:
    """Yield what is to be masked inside a span that stays: comments, or all if it is no address.

    One with blanks or signs inside may be so to our reading and not to another, or to an eye.
    """
    if box.address is None or _ends_before(value[box.start : box.end], mask):
        yield box.start, box.end, "text"
        return
    for kind, start, end in split_tokens(value[box.start : box.end]):
        if kind == COMMENT:
            yield box.start + start + 1, box.start + end - 1, "comment"


def _ends_before(written: bytes, mask: Change) -> bool:
    """Return whether an address holds one to mask, if a blank or a sign is taken for its end."""
    text = decode_words(written)
    return mask(text) != text


def _find_outside(
    value: bytes, boxes: list[Mailbox], words: list[tuple[int, int]], check: Check
) -> Iterator[tuple[int, int, Place]]:
    """Yield the comments and phrases outside the mailboxes' spans, in order."""
    cut = split_tokens(value, check)
    quotes = any(kind == SIGN and value[start] in b'"' for kind, start, _ in cut)
    place: Place = "phrase without quotes" if quotes else "phrase"
    box, word = 0, 0
    phrase: tuple[int, int] | None = None
    for kind, start, end in check_each(cut, check):
        while box < len(boxes) and boxes[box].end <= start:
            box += 1
        while word < len(words) and words[word][1] <= start:
            word += 1
        inside = box < len(boxes) and boxes[box].start <= start
        absorbed = word < len(words) and words[word][0] <= start and end <= words[word][1]
        sign = kind == SIGN and value[start] in b",;:<>"
        if not inside and (absorbed or (kind not in (ANGLE, COMMENT) and not sign)):
            phrase = (phrase[0] if phrase else start, end)
            continue
        if phrase:
            yield *phrase, place
            phrase = None
        if kind == COMMENT and not inside:
            yield start + 1, end - 1, "comment"
    if phrase:
        yield *phrase, place


def _find_loose_words(value: bytes, boxes: list[Mailbox], check: Check) -> list[tuple[int, int]]:
    """Find encoded words that no address overlaps.

    Some hold commas or brackets, which divide a list; yet programs decode them in one piece.
    """
    if b"=?" not in value:
        return []
    found: list[tuple[int, int]] = []
    spans = [(box.start, box.end) for box in boxes if box.address]
    for match in check_each(ENCODED.finditer(value), check):
        after = bisect_right(spans, match.start(), key=itemgetter(1))
        if after == len(spans) or match.end() <= spans[after][0]:
            found.append(match.span())
    return found


def _find_torn_words(
    value: bytes, boxes: list[Mailbox], mask: Change, check: Check
) -> list[re.Match[bytes]]:
    """Find encoded words that an address cuts, and that hold something to mask.

    Some readers decode the word first, and so show what no piece of it says.
    """
    if b"=?" not in value:
        return []
    spans = [(box.start, box.end) for box in boxes if box.address]
    found: list[re.Match[bytes]] = []
    for match in check_each(ENCODED.finditer(value), check):
        after = bisect_right(spans, match.start(), key=itemgetter(1))
        if after < len(spans) and spans[after][0] < match.end():
            text = decode_words(match[0])
            if mask(text) != text:
                found.append(match)
    return found


def _rewrite_word(piece: bytes, word: re.Match[bytes], mask: Change) -> bytes:
    """Write a piece of an encoded word as a word of its own, masked."""
    head = b"=?%s?%s?" % (word[1], word[2])
    text = mask(decode_words(head + piece.removeprefix(head).removesuffix(b"?=") + b"?=")).strip()
    return b" " + encode_words(text) + b" " if text else b""


def _touches_word(box: Mailbox, words: list[tuple[int, int]]) -> bool:
    """Return whether a span touches one of these words."""
    after = bisect_right(words, box.start, key=itemgetter(1))
    return after < len(words) and words[after][0] < box.end
