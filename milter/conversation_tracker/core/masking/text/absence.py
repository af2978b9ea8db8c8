"""Proof that a text names nobody: a few looks at all of its octets, instead of one at each form.

However an address is written, all runs of letters and digits in its domain stand in the text, if
need be across line ends, marks of quoted text and blanks; or something tells that they may be
written otherwise: an escape, a tag, base64, a link, a character beyond ASCII. Where neither is so,
no way of masking changes anything. Nothing here raises.
"""

from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.text import (
    composed_characters,
    encoded,
    escape_syntaxes,
    escapes,
    html,
    links,
    rare_spellings,
)

BETWEEN = b",\n"
"""What may stand between texts that are looked at together: none goes on in the next one."""

_PARTING = b" \t\r\n>|"  # what may stand in the midst of a word that is folded, wrapped or quoted
_TEXT = bytes((0x09, 0x0A, 0x0D, *range(0x20, 0x7F)))
_BEYOND = bytes(range(0x80, 0x100))
_IN_ANY_TEXT, _PARTING_ANY = _TEXT + _BEYOND, _PARTING + _BEYOND


def names_nobody(data: bytes, mask: Mask, *, markup: bool = False, hidden: bool = True) -> bool:
    """Return, cheaply, that masking surely changes nothing in a text, however it is read.

    Args:
        data: a text in a charset that leaves ASCII as it is, without a transfer encoding; or
            several, with `BETWEEN` between them. It is no calendar, nothing in it is signed or
            uuencoded, and of header fields, none holds identifiers or parameters in pieces.
        mask: gives a text with addresses replaced.
        markup: it is HTML.
        hidden: False where nothing in it can be hidden, as `obfuscated.possible` tells.
    """
    if mask.finder is None or mask.thorough or data.translate(None, _TEXT):
        return False
    if _may_name(data, mask):
        return False
    if not hidden:
        return True
    if escapes.possible(data) or rare_spellings.is_escaped(data, mask, tagged=not markup):
        return False
    if b"://" in data and links.may_hide(data.decode("ascii"), mask):
        return False
    if markup and _is_parted(data.decode("ascii"), mask):
        return False
    return not encoded.possible(data, mask)


def text_names_nobody(text: str, mask: Mask, *, markup: bool = False) -> bool:
    """Return the same of decoded text in any script.

    All that masking looks for is written with letters and signs of ASCII, or with characters that
    mean some of these: the text is looked at as it is and with what they mean, and wherever another
    character stands, a word may be parted by it.

    Args:
        text: the text, which is none as for `names_nobody`; or HTML source.
        mask: gives a text with addresses replaced.
        markup: it is HTML.
    """
    if text.isascii():
        return names_nobody(text.encode("ascii"), mask, markup=markup)
    finder = mask.finder
    if finder is None or mask.thorough:
        return False
    data = text.encode("utf-8", "surrogatepass")
    if data.translate(None, _IN_ANY_TEXT) or "\x9b" in text:
        return False
    low = lower_case(text)
    if _may_name_beyond(low, mask):
        return False
    shown, composed = composed_characters.show_composed(low)
    shown = lower_case(shown)
    if shown != low and _may_name_beyond(shown, mask):
        return False
    # Where characters are read as what they mean, so are all escapes.
    if composed and ("\\" in shown or escape_syntaxes.holds_escapes(shown)):
        return False
    if escapes.possible(shown.encode("utf-8", "surrogatepass")):
        return False
    if rare_spellings.may_be_escaped(shown, finder, tagged=not markup):
        return False
    if "://" in text and links.may_hide(text, mask):
        return False
    if markup and _is_parted(text, mask):
        return False
    return not encoded.possible(data, mask)


def _may_name_beyond(text: str, mask: Mask) -> bool:
    low = text.encode("utf-8", "surrogatepass")
    bare = low.translate(None, _PARTING_ANY)
    return mask.may_name(low, bare) or b"=?" in bare or b"cid:" in bare or b"mid:" in bare


def _may_name(data: bytes, mask: Mask) -> bool:
    """Return whether text in ASCII may name somebody, or link to an identifier."""
    low = data.lower()
    bare = low.translate(None, _PARTING)
    return mask.may_name(low, bare) or b"=?" in bare or b"cid:" in bare or b"mid:" in bare


def _is_parted(source: str, mask: Mask) -> bool:
    """Return whether an address may stand in HTML behind references, or with tags in it."""
    if "&" in source:
        shown = html.unescape_source(source).encode("utf-8", "surrogatepass")
        if _may_name(shown, mask) if shown.isascii() else mask.may_change(shown):
            return True
    return html.parts_address(source, mask)
