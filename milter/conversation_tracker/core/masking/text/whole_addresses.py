"""Addresses that stand as they are between signs that no address goes on over: most of them.

Of a page or a large text, these are replaced all at once, before anything is decoded; `Mask` would
replace each of them by the same, but looks far longer at it. What is spelled otherwise, or touches
something else, is left to that. Nothing here raises, but what the time for a message raises.
"""

import re
from itertools import pairwise

from conversation_tracker.core.masking.address.mask import Mask

_FEW = 64  # addresses that are looked for one by one
_LARGE = 64 * 1024  # characters of a text in which an address may stand thousands of times
# What begins and ends an address there, behind which no link to an identifier goes on.
_BEGINS, _ENDS = tuple(" \t\r\n<>\"'(["), tuple(" \t\r\n<>\"')],;:?|")
# Nothing in such a local part is a whole address of somebody else, or parts words.
_LOCAL = re.compile(r"(?![.]+\Z)[a-z0-9._\-]+")
_NEW = re.compile(r"[A-Za-z0-9.@_\-]*")  # what is written so in a source, too


def mask_clear(text: str, mask: Mask, begins: tuple[str, ...], ends: tuple[str, ...]) -> str:
    """Return a text with addresses replaced that stand as they are, in small letters.

    Args:
        text: text, or source that is decoded for all others.
        mask: gives a text with addresses replaced. Without a `finder`, nothing is replaced.
        begins: what, before an address, parts it from all that is before, in every reading of
            the text.
        ends: the same behind one.

    Returns:
        The text; the same object if nothing changed.
    """
    finder = mask.finder
    if finder is None or len(finder.keys) > _FEW:
        return text
    known = [key for key in finder.keys if key in text]
    if not known or not all(map(_is_plain, (*finder.keys, *finder.kept))):
        return text
    for address in known:
        around = text.split(address)
        whole = [
            before.endswith(begins) and behind.startswith(ends)
            for before, behind in pairwise(around)
        ]
        if not any(whole):
            continue
        new = mask(address)
        if new == address or _NEW.fullmatch(new) is None:
            continue
        pieces = around[:1]
        for each, behind in zip(whole, around[1:], strict=True):
            pieces += (new if each else address), behind
        text = "".join(pieces)
    return text


def mask_frequent(text: str, mask: Mask) -> str:
    """Return a large text without markup with such addresses replaced, any other as it is."""
    return mask_clear(text, mask, _BEGINS, _ENDS) if len(text) > _LARGE else text


def _is_plain(key: str) -> bool:
    return key.isascii() and _LOCAL.fullmatch(key.rpartition("@")[0]) is not None
