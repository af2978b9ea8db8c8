"""Addresses that show only once a text is read in another way, masked: the last of all looks.

A text is read as its escapes mean it, also escaped ones, and as links of gateways do
(`escape_edits`), as people speak (`munged`), without quotation marks (`quote_marks`), and as pages
hide addresses (`cloudflare`). What is found is replaced in the source, in plain form or with the at
sign as it was escaped, so that links and programs still work. Most texts show by a few signs that
there is nothing to read so (`escape_signs`). Nothing here raises.
"""

import re
from collections.abc import Iterator
from functools import partial

from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.masking.address import munged, quote_marks
from conversation_tracker.core.masking.address.leave_out import leave_out_clear
from conversation_tracker.core.masking.address.mask import FunctionMask, Mask, Masker
from conversation_tracker.core.masking.address.munged_places import Places
from conversation_tracker.core.masking.address.reading import Reading
from conversation_tracker.core.masking.text import (
    cloudflare,
    escape_edits,
    escape_signs,
    escape_syntaxes,
    gateway_links,
)

_TURNS = 3  # in which all is found that overlaps
_TELLING = b"\\\x1b%&;+<[=#"  # one of these is in whatever is escaped
_ORDINARY = bytes(each for each in range(0x80) if each not in _TELLING)
_FEWEST = 7  # octets of an address that is spelled
_SHORT = 256  # characters of a word or a field
_LARGE = 64 * 1024  # characters of a text that is not read deep from end to end
_EDGE = 512  # characters of a stretch in which an address may be cut
_TELLS = re.compile(r"[\\\x1b%&;+<\[=#\x80-\U0010ffff]")


def may_hide(data: bytes, mask: Mask) -> bool:
    """Return, cheaply, whether `mask_readings` might change text with this ASCII in it."""
    if len(data) < _FEWEST:
        return False
    finder = mask.finder
    if finder is None or not finder.labels:
        return False
    if mask.thorough:
        return True
    low = leave_out_clear(lower_case(data.decode("utf-8", "replace")), finder.keys)
    places = Places(low, finder)
    if data.translate(None, _ORDINARY) and (
        escape_signs.is_deep(low, finder, places) or escape_signs.is_tagged(low)
    ):
        return True
    return _may_be_spelled(low, finder, places)


def _may_be_spelled(low: str, finder: Masker, places: Places) -> bool:
    """Return, cheaply, whether somebody may stand in a text without its being escaped."""
    return quote_marks.may_hold_marked(low, finder) or munged.may_hold_munged(low, finder, places)


def is_escaped(data: bytes, mask: Mask, *, tagged: bool) -> bool:
    """Return, cheaply, whether ASCII text has escapes or tags that `mask_readings` looks behind."""
    if mask.finder is None or not data.translate(None, _ORDINARY):
        return False
    if mask.thorough:
        return True
    return may_be_escaped(data.decode("ascii").lower(), mask.finder, tagged=tagged)


def may_be_escaped(low: str, finder: Masker, *, tagged: bool) -> bool:
    """Return the same of a lower-cased text of any script.

    What characters beyond ASCII mean is not asked here: `composed_characters` tells it.
    """
    return escape_signs.is_escaped(low, finder) or (tagged and escape_signs.is_tagged(low))


def mask_readings(text: str, mask: Mask, *, tagged: bool = True) -> str:
    """Mask what only shows in other readings of a text.

    Args:
        text: decoded text, or HTML source, with what stands in clear masked already.
        mask: gives a text with addresses replaced. Without an attribute `finder`, as
            `Masker` and `View` have, nothing is looked for.
        tagged: tags are looked behind here; nobody did before.

    Returns:
        The text; the same object if nothing changed.
    """
    finder = mask.finder
    if finder is None or not finder.labels:
        return text
    low = lower_case(text)
    plain = not mask.thorough and len(low) < _SHORT and _TELLS.search(low) is None
    if plain and not any(label in low for label in finder.labels):
        return text
    again = FunctionMask(partial(_mask_whole, mask=mask, finder=finder))
    if gateway_links.SIGN in low or any(sign in low for sign in cloudflare.SIGNS):
        text = cloudflare.mask_cfemail(gateway_links.mask_version_3(text, again), again)
        low = lower_case(text)
    if mask.thorough:
        return _mask_readings(text, finder, tagged=tagged, thorough=True)
    places = Places(low, finder)
    deep = escape_signs.is_deep(low, finder, places)
    tags = tagged and escape_signs.is_tagged(low)
    if not (deep or tags or _may_be_spelled(low, finder, places)):
        return text
    return _mask_readings(text, finder, deep=deep, tagged=tagged)


def mask_unseen(text: str, mask: Mask) -> str:
    """Mask what shows where control characters do not, and not in clear; arguments as above."""
    finder = mask.finder
    if finder is None or not finder.labels:
        return text
    families = (escape_syntaxes.UNSEEN, escape_syntaxes.UNUSUAL)
    whole = Reading(text)
    found = [e for family in families for e in escape_edits.find_behind(whole, family, finder)]
    return _apply(text, [each for each in found if not finder.hits(text[slice(*each[:2])])])


def _mask_readings(
    text: str,
    finder: Masker,
    *,
    deep: bool | None = None,
    tagged: bool,
    thorough: bool = False,
) -> str:
    """Mask in turns what readings show; `deep` tells what `is_deep` does, where it was asked."""
    for turn in range(_TURNS):
        whole = Reading(text)
        low = whole.low
        if thorough:
            deep, tags = True, True  # of tags, too, that are escaped
        else:
            deep = escape_signs.is_deep(low, finder) if turn or deep is None else deep
            tags = tagged and escape_signs.is_tagged(low)
        if deep and not thorough and len(text) > _LARGE:
            found = list(_find_in_stretches(whole, finder, tagged=tags))
        else:
            found = [
                *escape_edits.find_edits(whole, finder, deep=deep, tagged=tags, thorough=thorough)
            ]
        if not found:
            break
        text = _apply(text, found)
    return text


def _find_in_stretches(
    whole: Reading, finder: Masker, *, tagged: bool
) -> Iterator[escape_edits.Edit]:
    """Find what is to be replaced in a large text, read deep only around what is escaped."""
    text = whole.text
    stretches = escape_signs.find_stretches(whole.low, finder)
    deep = stretches is None
    yield from escape_edits.find_edits(whole, finder, deep=deep, tagged=tagged, thorough=False)
    for start, end in stretches or ():
        part = Reading(text[start:end])
        first = start + (_EDGE if start else 0)
        last = end - (_EDGE if end < len(text) else 0)
        found = escape_edits.find_edits(part, finder, deep=True, tagged=False, thorough=False)
        for begin, stop, new in found:
            # What is cut off at an edge may be read as something else.
            if first <= start + begin and start + stop <= last:
                yield start + begin, start + stop, new


def _mask_whole(text: str, mask: Mask, finder: Masker) -> str:
    """Mask a text that was hidden in another, once more in every reading but those."""
    return _mask_readings(mask(text), finder, tagged=True, thorough=mask.thorough)


def _apply(text: str, edits: list[escape_edits.Edit]) -> str:
    """Apply edits; of those that overlap, the first and longest."""
    pieces: list[str] = []
    done = 0
    for start, end, new in sorted(edits, key=lambda each: (each[0], -each[1])):
        if start >= done:
            pieces += text[done:start], new
            done = end
    return "".join(pieces) + text[done:]
