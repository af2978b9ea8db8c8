"""The leaves of a message: how the content of each type is masked, or that it cannot be.

Content is decoded text or bytes here, without its transfer encoding; where it stands, and what
becomes of a part that cannot be masked, is the affair of `body`. Nothing here raises.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Callable
from functools import partial

from conversation_tracker.core.base.means import Means, Octets, replaced
from conversation_tracker.core.masking.container import holding
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.part import (
    calendar,
    clear_signed,
    content_lines,
    identity,
    media,
)
from conversation_tracker.core.masking.text import (
    encoded,
    escapes,
    eyes,
    flowed,
    obfuscated,
    spelled,
)
from conversation_tracker.core.masking.text import html as markup
from conversation_tracker.core.masking.text import html_text as page
from conversation_tracker.core.masking.text.address_finder import People
from conversation_tracker.core.model.part_cache import Quiet
from conversation_tracker.core.syntax import charset, transfer
from conversation_tracker.core.syntax.mime import Part
from conversation_tracker.core.syntax.parameters import value_of

Mask = Callable[[str], str]
Leaf = Callable[[bytes, str, Mask], tuple[bytes, str]]
"""Masks content without its transfer encoding, given its charset label; gives both again.

The same content object says that nothing changed. A new label is declared in the part's header.
"""

Shown = Callable[[str, eyes.Eyes], str]
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
# What a text file does not hold; a part of any type without it is masked as text.
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def content(part: Part, body: Octets) -> bytes:
    """Give a leaf's content without its transfer encoding."""
    return transfer.decoded(body[slice(*part.content)], part.encoding)


def plain(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    """Mask text without any markup; a Leaf."""
    if charset.transparent(data, label) and b"://" not in data and not _readable(data, mask):
        return data, label
    return charset.changed(data, label, lambda text: obfuscated.masked(mask(text), mask))


def around(data: bytes, mask: Mask) -> bytes:
    """Mask what stands in clear around base64 or uuencoded text, which some programs show.

    The encoded text is masked in decoded form: of its lines, one by one, an address may be read
    that is none, as the rest of a soft alias stands in the next.
    """
    return charset.changed(data, "", mask)[0] if _possible(data, mask) else data


def shown_raw(part: Part) -> bool:
    """Tell whether some programs show content as it stands, for what is no code or all of it.

    No encoding is allowed for a message/* (RFC 2046 section 5.2), so many look for none there.
    """
    coded = part.encoding in transfer.ENCODINGS and part.type.startswith("message/")
    return coded or part.encoding in transfer.ARMOURS


def raw(part: Part, written: bytes, mask: Mask) -> bytes:
    """Mask what shows of encoded content as it stands; the same object if nothing does."""
    if part.encoding != transfer.QUOTED_PRINTABLE:
        return around(written, mask)
    whole = transfer.unbroken(written)
    new = around(whole, mask)
    return written if new is whole else transfer.broken(new)


def _html(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    clear = b"&" not in data and b"<" not in data and b"://" not in data
    if clear and charset.transparent(data, label) and not _readable(data, mask):
        return data, label
    # What the charset lacks is written as a character reference.
    return charset.changed(
        data,
        label,
        lambda text: obfuscated.masked(markup.masked(text, mask), mask, tagged=False),
        "xmlcharrefreplace",
    )


def _header_lines(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    return part_header.masked(data, mask), label


def _report_lines(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    """Mask what is alike, and a piece of anything at worst: nothing in it is for its reader."""
    return part_header.masked(data, mask, shows=False), label


LEAVES: dict[str, Leaf] = {
    "text/html": _html,
    "application/xhtml+xml": _html,
    "application/xml": _html,
    "application/json": plain,
    "text/rfc822-headers": _header_lines,
    "message/global-headers": _header_lines,
    "text": plain,
    "message": _report_lines,
    **dict.fromkeys(calendar.TYPES, calendar.masked),
}
"""How content is masked, by media type or, where that is not here, by its first half."""

_SUFFIXES: dict[str, Leaf] = {"xml": _html, "json": plain}


def masked(part: Part, data: bytes, mask: Mask, people: People | None) -> tuple[bytes, str]:
    """Mask a leaf's content, and let its reader see their own address where they read it.

    Args:
        part: the leaf.
        data: its content.
        mask: gives a text with addresses replaced. If it has an attribute `eyes`, as `View` has,
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
    """Note that a text lost its signature, if the mask has a `quiet` that learns, as `View` has."""
    quiet: Quiet | None = getattr(mask, "quiet", None)
    if quiet is not None and quiet.learns:
        quiet.unsigned.add(id(part))


def mask_piece(
    part: Part,
    data: bytes,
    mask: Mask,
    people: People | None,
    shown: Shown | None = None,
    like: Leaf | None = None,
) -> tuple[bytes, str]:
    """Mask content, or a piece of it, whatever is signed in it; arguments as for `masked`.

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
    new, label = _masked(part, data, mask, people, like)
    own: eyes.Eyes | None = getattr(mask, "eyes", None)
    if own is None:
        return new, label
    if shown is None and may_show(part, new, label, own):
        shown = read(part, new)
    return _seen(part, new, label, shown, own) if shown is not None else (new, label)


def _masked(
    part: Part, data: bytes, mask: Mask, people: People | None, like: Leaf | None = None
) -> tuple[bytes, str]:
    leaf = like or how(part, data, people)
    if leaf is None:
        shows = people and media.is_one(part.type, data) and not holding.is_container(data)
        return media.masked(data, people) if people and shows else data, part.charset
    if people and b"-----BEGIN " in data:
        # Before the text around: a key with some of its base64 written anew is none.
        data = identity.removed(data, people)
    if leaf is calendar.masked:
        leaf = partial(calendar.masked, method=declares_method(part))
    new, label = leaf(data, part.charset, mask)
    if part.type == "text/plain" and value_of(part.parameters, "format").lower() == "flowed":
        new, label = _unparted(part, new, label, mask)
    return new, label


def read(part: Part, data: bytes) -> Shown | None:
    """Tell how a leaf is shown to who reads it; None if it holds nothing for a person to read.

    Args:
        part: the leaf.
        data: how its content begins.
    """
    names = (part.name, value_of(part.parameters, "name"))
    if part.type == _PLAIN and not part.doubtful and calendar.is_calendar(data):
        return calendar.shown
    if part.doubtful or any(_otherwise(name, part.type) for name in names):
        return None
    if part.type == _PAGE:
        # Browsers believe the mark, and not the charset that is declared.
        marked = data.startswith(BOM_UTF8) and not charset.transparent(b"", part.charset)
        return None if marked else page.Page().shown
    if part.type == _PLAIN:
        delsp = value_of(part.parameters, "delsp").lower() == "yes"
        is_flowed = value_of(part.parameters, "format").lower() == "flowed"
        return eyes.Running(flowed=is_flowed, delsp=is_flowed and delsp).shown
    if part.type in calendar.CALENDARS:
        return calendar.shown
    return calendar.shown if declared(part) is None and calendar.is_calendar(data) else None


def _otherwise(name: str, type: str) -> bool:
    """Tell whether a file of this name is opened as something else than its type says."""
    _, dot, ending = name.rpartition(".")
    return bool(dot) and type in _NAMED and ending.lower() not in _NAMED[type]


def may_show(part: Part, data: bytes, label: str, own: eyes.Eyes) -> bool:
    """Tell cheaply whether the reader's alias may stand in a leaf's content."""
    if not charset.transparent(data, label) or own.possible(data):
        return True
    if part.type == _PAGE:
        return _REFERRED.search(data) is not None
    # The lines of calendars and of flowed text may be parted in the midst of it.
    lines = part.type != _PLAIN or calendar.is_calendar(data)
    return lines or b" \n" in data or b" \r\n" in data


def _seen(part: Part, data: bytes, label: str, shown: Shown, own: eyes.Eyes) -> tuple[bytes, str]:
    errors = "xmlcharrefreplace" if part.type == _PAGE else "strict"
    whole = content_lines.mend(data) if shown is calendar.shown else data
    new, new_label = charset.rewritten(whole, label, lambda text: shown(text, own), errors)
    return (data, label) if new is whole else (new, new_label)


def parted(
    part: Part, data: Octets, at: int, mask: Mask, people: People | None, means: Means
) -> Octets:
    """Part what base64's padding parts, where an address ends there for who reads no further.

    Args:
        part: the leaf.
        data: its content, without its transfer encoding.
        at: where the padding stood in it, as `transfer.padded` tells; 0 for nowhere.
        mask: as for `masked`.
        people: as for `masked`.
        means: where to keep what is written anew.

    Returns:
        The content, with a blank there; the same object where there is no need for it.
    """
    end = data[(max(0, at - _TAIL)) & ~3 : at]
    if not end or _masked(part, end, mask, people)[0] is end:
        return data
    blank = " ".encode(charset.codec(end, part.charset))
    return replaced(data, [(at, at, blank)], means)


def _unparted(part: Part, data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    """Mask what soft line breaks part."""
    if charset.transparent(data, label) and not _possible(flowed.SOFT_BREAK.sub(b"", data), mask):
        return data, label
    delsp = value_of(part.parameters, "delsp").lower() == "yes"
    return charset.changed(data, label, partial(flowed.masked, mask=mask, delsp=delsp))


def declared(part: Part) -> Leaf | None:
    """Tell how a leaf is masked by its type alone; None if that does not say."""
    if part.doubtful:
        return _html
    main, _, sub = part.type.partition("/")
    return LEAVES.get(part.type) or LEAVES.get(main) or _SUFFIXES.get(sub.rpartition("+")[2])


def is_binary(data: bytes) -> bool:
    """Tell whether data holds what no text does."""
    return _BINARY.search(data) is not None


def declares_method(part: Part) -> bool:
    """Tell whether a part declares that its calendar is an invitation (RFC 6047 section 2.4)."""
    return bool(value_of(part.parameters, "method").strip())


def how(part: Part, data: bytes, people: People | None) -> Leaf | None:
    """Tell how a leaf is masked; None if it cannot be, or is left alone."""
    leaf = declared(part)
    if leaf is plain and calendar.is_calendar(data):
        return calendar.masked  # its name, or whoever reads it, may tell a program so
    if not people:
        return leaf
    if leaf is not None:
        return None if holding.is_no_text(data) else leaf
    if identity.is_one(part, data) or holding.is_container(data):
        return None
    if is_binary(data) and not charset.is_wide(data):
        return None
    return calendar.masked if calendar.is_one(data) else plain


def _possible(data: bytes, mask: Mask) -> bool:
    possible: Callable[[bytes], bool] | None = getattr(mask, "possible", None)
    return possible is None or possible(data)


def _readable(data: bytes, mask: Mask) -> bool:
    """Tell whether ASCII text may hold an address, in clear or not."""
    if _possible(data, mask) or encoded.possible(data, mask) or escapes.possible(data):
        return True
    return spelled.may_spell(data, mask)
