"""Encoded words (RFC 2047) that programs show differently, rewritten so that all show the same.

Some end at padding, some show a low line or a blank where others do not. Nothing here raises.
"""

import re
from collections.abc import Callable

from conversation_tracker.core.base.limits import check_each
from conversation_tracker.core.masking.header.spans import Change, Edit
from conversation_tracker.core.syntax.encoded_words import (
    ENCODED,
    decode_otherwise,
    decode_words,
    encode_words,
)
from conversation_tracker.core.syntax.splicing import splice

Check = Callable[[], None]

_APART = (b"", *(bytes((each,)) for each in b' \t\r\n()<>,;:"'))
_WORD_END = re.compile(rb"[ \t\r\n()<>,;:\"]")
_BESIDE = 320  # octets of an address beside an encoded word


def rewrite_ambiguous_words(value: bytes, mask: Change, check: Check) -> bytes:
    """Write encoded words anew in which only some readers see an address, so that all do.

    Args:
        value: a raw header value.
        mask: gives a text with addresses replaced.
        check: raises `Overdue` when the time is over.

    Returns:
        The value, in which nothing is masked yet; the same object where all see the same.
    """
    if b"=?" not in value:
        return value
    found: list[Edit] = []
    for word in check_each(ENCODED.finditer(value), check):
        for seen, whole in decode_otherwise(word):
            if mask(seen) != seen:
                found.append((*word.span(), encode_words(whole)))
                break
        else:
            if (text := _read_low_lines(word, mask)) is not None:
                found.append((*word.span(), encode_words(text)))
    return _space_words(splice(value, found) if found else value, mask, check)


def _read_low_lines(word: re.Match[bytes], mask: Change) -> str | None:
    """Return a Q-encoded word with its low lines as they are, if an address is seen only so.

    Some programs write a low line that should be encoded, and programs that decode nothing show it.
    """
    if word[2] not in b"qQ" or b"_" not in word[3]:
        return None
    seen = decode_words(word[0].replace(b"_", b"=5F"))
    if mask(seen) == seen:
        return None
    left = mask(decode_words(word[0])).replace(" ", "_")
    return seen if mask(left) != left else None


def _space_words(value: bytes, mask: Change, check: Check) -> bytes:
    """Separate encoded words from what they touch, where an address shows in one of both alone.

    RFC 2047 section 5 (1) asks for a blank there, without which a word is text like any other: many
    readers decode none that touches, and others show a blank there.
    """
    found: list[Edit] = []
    for word in check_each(ENCODED.finditer(value), check):
        before = value[max(0, word.start() - _BESIDE) : word.start()]
        behind = value[word.end() : word.end() + _BESIDE]
        touched = before[-1:] not in _APART and not before.endswith(b"?=")
        touching = behind[:1] not in _APART and not behind.startswith(b"=?")
        if not (touched or touching):
            continue
        near_before, near_behind = _WORD_END.split(before)[-1], _WORD_END.split(behind)[0]
        places = (
            (word.start(), touched, before, before + word[0], near_before + word[0]),
            (word.end(), touching, behind, word[0] + behind, word[0] + near_behind),
        )
        for place, touches, beside, whole, near in places:
            if touches and (
                _is_seen_only_in(beside, whole, mask) or _is_seen_only_in(word[0], near, mask)
            ):
                found.append((place, place, b" "))
    return splice(value, found) if found else value


def _is_seen_only_in(piece: bytes, whole: bytes, mask: Change) -> bool:
    """Return whether a piece of a value shows something to mask, and the whole of it nothing."""
    text = decode_words(piece)
    if mask(text) == text:
        return False
    joined = decode_words(whole)
    return mask(joined) == joined
