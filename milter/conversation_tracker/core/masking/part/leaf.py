"""The leaves of a message: how the content of each type is masked, or that it cannot be.

Content is decoded text or bytes here, without its transfer encoding; where it stands, and what
becomes of a part that cannot be masked, is decided in `message_body`. Nothing here raises.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Callable
from functools import partial

from conversation_tracker.core.base.limits import Limits, replace_spans
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.address import unmask
from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.container import search
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.part import (
    calendar,
    certificates,
    clear_signed,
    content_lines,
    media,
)
from conversation_tracker.core.masking.text import absence, encoded, flowed, obfuscated
from conversation_tracker.core.masking.text.html import mask_html
from conversation_tracker.core.masking.text.html_text import Page
from conversation_tracker.core.masking.text.whole_addresses import mask_frequent
from conversation_tracker.core.syntax import charset, quoted_printable, transfer
from conversation_tracker.core.syntax.mime import Part
from conversation_tracker.core.syntax.parameters import get_value
from conversation_tracker.core.syntax.splicing import splice

Leaf = Callable[[bytes, str, Mask], tuple[bytes, str]]
"""Masks content without its transfer encoding, given its charset label; gives both again.

The same content object says that nothing changed. A new label is declared in the part's header.
"""

Display = Callable[[str, unmask.Unmasker], str]
"""Gives the next piece of a text as its reader sees it: their own alias is their address there."""

_TAIL = 512  # octets in which an address ends
_PLAIN, _PAGE = "text/plain", "text/html"
# What files of these types may be called; by any other name programs open them as something else.
_NAMED = {_PLAIN: ("txt", "text", "asc", "log"), _PAGE: ("html", "htm", "xhtml")}
# Letters, digits and what else an alias is made of, as character references.
_REFERRED = re.compile(
    rb"&(?:#0*(?:4[3-6]|4[89]|5[0-7]|6[4-9]|[789][0-9]|1[01][0-9]|12[0-6])(?![0-9])"
    rb"|#[xX]0*[2-7][0-9a-fA-F](?![0-9a-fA-F])|period|commat|dash|plus|lowbar)"
)


def decode_content(part: Part, body: Octets) -> bytes:
    """Return a leaf's content without its transfer encoding."""
    return part.decode(body)


def mask_plain(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    """Mask text without any markup; a Leaf."""
    if charset.is_transparent(data, label) and b"://" not in data and not _readable(data, mask):
        return data, label
    return charset.change_text(data, label, partial(_mask_text, mask=mask))


def _mask_text(text: str, mask: Mask) -> str:
    if _names_nobody(text, mask):
        return text
    text = mask(mask_frequent(text, mask))
    return obfuscated.mask_words(obfuscated.mask_obfuscations(text, mask), mask)


def mask_around(data: bytes, encoding: str, mask: Mask) -> bytes:
    """Mask what stands in clear around base64 or uuencoded text, which some programs show.

    The encoded text is masked in decoded form: of its lines, one by one, an address may be read
    that is none, as the rest of a soft alias stands in the next.
    """
    new = charset.change_text(data, "", mask)[0] if _possible(data, mask) else data
    edits = []
    for start, end in transfer.find_clear_lines(new, encoding):
        clear = new[start:end]
        if (shown := mask_plain(clear, "", mask)[0]) is not clear:
            edits.append((start, end, shown))
    return splice(new, edits) if edits else new


def is_shown_raw(part: Part) -> bool:
    """Return whether some programs show content as it stands, for what is no code or all of it.

    No encoding is allowed for a message/* (RFC 2046 section 5.2), so many look for none there.
    """
    coded = part.encoding in transfer.ENCODINGS and part.type.startswith("message/")
    return coded or part.encoding in transfer.ARMOURS


def mask_raw(part: Part, written: bytes, mask: Mask) -> bytes:
    """Mask what shows of encoded content as it stands; the same object if nothing does."""
    if part.encoding != transfer.QUOTED_PRINTABLE:
        return mask_around(written, part.encoding, mask)
    whole = quoted_printable.join_soft_breaks(written)
    new = mask_around(whole, part.encoding, mask)
    return written if new is whole else quoted_printable.break_lines(new)


def mask_page(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    """Mask HTML, or XML; a Leaf."""
    clear = b"&" not in data and b"<" not in data and b"://" not in data
    if clear and charset.is_transparent(data, label) and not _readable(data, mask):
        return data, label
    # What the charset lacks is written as a character reference.
    return charset.change_text(
        data,
        label,
        partial(_mask_source, mask=mask),
        "xmlcharrefreplace",
    )


def _mask_source(text: str, mask: Mask) -> str:
    if _names_nobody(text, mask, markup=True):
        return text
    new = obfuscated.mask_obfuscations(mask_html(text, mask), mask, tagged=False)
    return obfuscated.mask_words(new, mask)


def _names_nobody(text: str, mask: Mask, *, markup: bool = False) -> bool:
    """Return, cheaply, that masking surely changes nothing, where that was not asked before."""
    clean = mask.clean_parts
    if text.isascii() or (clean is not None and clean.in_named):
        return False
    return absence.text_names_nobody(text, mask, markup=markup)


def _mask_header_lines(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    return _mask_encoded(part_header.mask_header(data, mask), mask), label


def _mask_encoded(data: bytes, mask: Mask) -> bytes:
    """Mask base64 that stands among header fields, or behind them."""
    if not encoded.possible(data, mask):
        return data
    deep = partial(obfuscated.mask_block, mask=mask)
    return charset.change_text(data, "", lambda text: encoded.mask_encodings(text, mask, deep))[0]


def _mask_report_lines(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    """Mask what is alike, and a piece of anything at worst: nothing in it is for its reader."""
    return _mask_encoded(part_header.mask_header(data, mask, shows=False), mask), label


LEAVES: dict[str, Leaf] = {
    "text/html": mask_page,
    "application/xhtml+xml": mask_page,
    "application/xml": mask_page,
    "application/json": mask_plain,
    "text/rfc822-headers": _mask_header_lines,
    "message/global-headers": _mask_header_lines,
    "text": mask_plain,
    "message": _mask_report_lines,
    **dict.fromkeys(calendar.TYPES, calendar.mask_calendar),
}
"""How content is masked, by media type or, where that is not here, by its first half."""

_SUFFIXES: dict[str, Leaf] = {"xml": mask_page, "json": mask_plain}


def mask_leaf(part: Part, data: bytes, mask: Mask, people: People | None) -> tuple[bytes, str]:
    """Mask a leaf's content, and let its reader see their own address where they read it.

    Args:
        part: the leaf.
        data: its content.
        mask: gives a text with addresses replaced. If it has a `unmasker`, as `View` has,
            that is the reader's.
        people: whose addresses must not be seen, None if only known types of text are masked.

    Returns:
        The content, the same object if nothing changed, and the charset it is in. Signed text that
        changed has no signature any more.
    """
    new, label = mask_piece(part, data, mask, people)
    if new is data or not clear_signed.may_hold(data, part.charset):
        return new, label
    bare = clear_signed.unsign((data, part.charset), (new, label))
    if bare is data:
        return new, label
    note_unsigned(part, mask)
    return mask_piece(part, bare, mask, people)


def note_unsigned(part: Part, mask: Mask) -> None:
    """Note that a text lost its signature, where the mask learns that, as `View` does."""
    if mask.clean_parts is not None and mask.clean_parts.learns:
        mask.clean_parts.unsigned.add(id(part))


def mask_piece(
    part: Part,
    data: bytes,
    mask: Mask,
    people: People | None,
    shown: Display | None = None,
    like: Leaf | None = None,
) -> tuple[bytes, str]:
    """Mask content, or a piece of it, whatever is signed in it; arguments as for `mask_leaf`.

    Args:
        part: the leaf.
        data: the piece.
        mask: gives a text with addresses replaced.
        people: whose addresses must not be seen.
        shown: what shows the pieces of this content to its reader, where this is one of several.
        like: what masks it, where its beginning told so.

    Returns:
        The content, the same object if nothing changed, and the charset it is in.
    """
    new, label = _mask_content(part, data, mask, people, like)
    own = mask.unmasker
    if own is None:
        return new, label
    if shown is None and may_show(part, new, label, own):
        shown = choose_display(part, new)
    return _show_reader(part, new, label, shown, own) if shown is not None else (new, label)


def _mask_content(
    part: Part, data: bytes, mask: Mask, people: People | None, like: Leaf | None = None
) -> tuple[bytes, str]:
    leaf = like or choose_leaf(part, data, people)
    if leaf is None:
        shows = people and media.is_media(part.type, data) and not search.is_container(data)
        return media.overwrite_addresses(data, people) if people and shows else data, part.charset
    if people and b"-----BEGIN " in data:
        # Before the text around: a key with some of its base64 written anew is none.
        data = certificates.remove_blocks(data, people)
    if leaf is calendar.mask_calendar:
        leaf = partial(calendar.mask_calendar, method=declares_method(part))
    new, label = leaf(data, part.charset, mask)
    if part.type == "text/plain" and _is_flowed(part):
        new, label = _mask_across_breaks(part, new, label, mask)
    return new, label


def _is_flowed(part: Part) -> bool:
    """Return whether some program or other joins the lines of a text (RFC 3676)."""
    flowed_ = get_value(part.parameters, "format").lower() == "flowed"
    return flowed_ or get_value(part.parameters, "delsp").lower() == "yes"


def choose_display(part: Part, data: bytes) -> Display | None:
    """Return how a leaf is shown to who reads it; None if it holds nothing for a person to read.

    Args:
        part: the leaf.
        data: how its content begins.
    """
    names = (part.name, get_value(part.parameters, "name"))
    if part.type == _PLAIN and not part.doubtful and calendar.is_calendar(data):
        return calendar.show_reader
    if part.doubtful or any(_opens_as_other_type(name, part.type) for name in names):
        return None
    if part.type == _PAGE:
        # Browsers believe the mark, and not the charset that is declared.
        marked = data.startswith(BOM_UTF8) and not charset.is_transparent(b"", part.charset)
        return None if marked else Page().show
    if part.type == _PLAIN:
        delsp = get_value(part.parameters, "delsp").lower() == "yes"
        is_flowed = get_value(part.parameters, "format").lower() == "flowed"
        return unmask.RunningText(flowed=is_flowed, delsp=is_flowed and delsp).show
    if part.type in calendar.CALENDARS:
        return calendar.show_reader
    return (
        calendar.show_reader if find_by_type(part) is None and calendar.is_calendar(data) else None
    )


def _opens_as_other_type(name: str, type: str) -> bool:
    """Return whether a file of this name is opened as something else than its type says."""
    _, dot, ending = name.rpartition(".")
    return bool(dot) and type in _NAMED and ending.lower() not in _NAMED[type]


def may_show(part: Part, data: bytes, label: str, own: unmask.Unmasker) -> bool:
    """Return, cheaply, whether the reader's alias may stand in a leaf's content."""
    if not charset.is_transparent(data, label) or own.possible(data):
        return True
    if part.type == _PAGE:
        return _REFERRED.search(data) is not None
    # In calendars and flowed text a line may end inside it.
    lines = part.type != _PLAIN or calendar.is_calendar(data)
    return lines or b" \n" in data or b" \r\n" in data


def _show_reader(
    part: Part, data: bytes, label: str, shown: Display, own: unmask.Unmasker
) -> tuple[bytes, str]:
    errors = "xmlcharrefreplace" if part.type == _PAGE else "strict"
    whole = content_lines.mend(data) if shown is calendar.show_reader else data
    new, new_label = charset.rewrite_text(whole, label, lambda text: shown(text, own), errors)
    return (data, label) if new is whole else (new, new_label)


def split_at_padding(
    part: Part, data: Octets, at: int, mask: Mask, people: People | None, limits: Limits
) -> Octets:
    """Split where base64's padding splits, if an address ends there for who reads no further.

    Args:
        part: the leaf.
        data: its content, without its transfer encoding.
        at: where the padding stood in it, as `transfer.find_padding` tells; 0 for nowhere.
        mask: as for `mask_leaf`.
        people: as for `mask_leaf`.
        limits: where to keep what is written anew.

    Returns:
        The content, with a blank there; the same object where there is no need for it.
    """
    end = data[(max(0, at - _TAIL)) & ~3 : at]
    if not end or _mask_content(part, end, mask, people)[0] is end:
        return data
    blank = " ".encode(charset.find_codec(end, part.charset))
    return replace_spans(data, [(at, at, blank)], limits)


def _mask_across_breaks(part: Part, data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    """Mask what soft line breaks part."""
    if charset.is_transparent(data, label) and not _possible(
        flowed.SOFT_BREAK.sub(b"", data), mask
    ):
        return data, label
    delsp = get_value(part.parameters, "delsp").lower() == "yes"
    return charset.change_text(
        data, label, partial(flowed.mask_soft_breaks, mask=mask, delsp=delsp)
    )


def find_by_type(part: Part) -> Leaf | None:
    """Return how a leaf is masked by its type alone; None if that does not say."""
    if part.doubtful:
        return mask_page
    main, _, sub = part.type.partition("/")
    return LEAVES.get(part.type) or LEAVES.get(main) or _SUFFIXES.get(sub.rpartition("+")[2])


def declares_method(part: Part) -> bool:
    """Return whether a part declares that its calendar is an invitation (RFC 6047 section 2.4)."""
    return bool(get_value(part.parameters, "method").strip())


def choose_leaf(part: Part, data: bytes, people: People | None) -> Leaf | None:
    """Return how a leaf is masked; None if it cannot be, or is left alone."""
    leaf = find_by_type(part)
    if leaf is mask_plain and calendar.is_calendar(data):
        # A program may take it for one, by its name or because its reader opens it as one.
        return calendar.mask_calendar
    if not people:
        return leaf
    if leaf is not None:
        return None if search.is_no_text(data) else leaf
    if certificates.is_one(part, data) or search.is_container(data):
        return None
    if charset.is_no_text(data):
        return None
    return calendar.mask_calendar if calendar.has_content_lines(data) else mask_plain


def _possible(data: bytes, mask: Mask) -> bool:
    return mask.possible(data)


def _readable(data: bytes, mask: Mask) -> bool:
    """Return whether ASCII text may hold an address, in clear or not."""
    words = b"=?" in data and b"?=" in data
    return words or _possible(data, mask) or obfuscated.possible(data, mask)
