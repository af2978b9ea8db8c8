"""Encoded words (RFC 2047) that stand in running text, masked: quoted header fields have some.

Nothing here raises.
"""

import re
from collections.abc import Callable, Iterator

from conversation_tracker.core.masking.address.reading import apply_edits
from conversation_tracker.core.syntax.encoded_words import decode_words, encode_words

Edit = tuple[int, int, str]

_RUN = re.compile(
    r"=\?[^?\s]{1,60}\?[bq]\?[^?]*\?="
    r"(?:\s*+(?:[>|][>|\s]*+)?=\?[^?\s]{1,60}\?[bq]\?[^?]*\?=)*",
    re.IGNORECASE,
)
_MARKS = re.compile(r"\n[ \t]*+[>|][>| \t]*+")
_BESIDE = 320  # characters of an address beside an encoded word
_PARTING = re.compile(r"[\s<>\"(),;]")
_TOGETHER = 64  # that are looked at at once, as most hold nothing


def mask_words(text: str, change: Callable[[str], str]) -> str:
    """Mask encoded words (RFC 2047) that stand in running text, as in quoted header fields.

    Args:
        text: decoded text, or HTML source, with all else masked already.
        change: gives a decoded text with addresses replaced, however they are written.

    Returns:
        The text; the same object if nothing changed.
    """
    if "=?" not in text:
        return text
    runs = [match.span() for match in _RUN.finditer(text)]
    edits: list[Edit] = []
    for first in range(0, len(runs), _TOGETHER):
        spans = [each for run in runs[first : first + _TOGETHER] for each in _widen(text, *run)]
        read = [_read(text[slice(*span)]) for span in spans]
        whole = ",\n".join(read)  # so that none goes on in the next one
        if change(whole) != whole:
            done = edits[-1][1] if edits else 0
            edits += _find_word_edits(text, spans, read, change, done)
    return apply_edits(text, edits)


def _read(words: str) -> str:
    """Read encoded words, also those in several lines of quoted text."""
    return decode_words(_MARKS.sub("\n ", words).encode("utf-8", "replace"))


def _widen(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where encoded words stand, and where they do with what touches them."""
    yield start, end
    before = _PARTING.search(text[max(0, start - _BESIDE) : start][::-1])
    behind = _PARTING.search(text, end, end + _BESIDE)
    first = start - before.start() if before else max(0, start - _BESIDE)
    last = behind.start() if behind else min(len(text), end + _BESIDE)
    if (first, last) != (start, end):
        yield first, last


def _find_word_edits(
    text: str,
    spans: list[tuple[int, int]],
    read: list[str],
    change: Callable[[str], str],
    done: int,
) -> Iterator[Edit]:
    """Find the edits of encoded words; of two that share something the first is made."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    for (start, end), old in zip(spans, read, strict=True):
        new = change(old) if start >= done else old
        if new != old:
            yield start, end, encode_words(new).decode("ascii").replace("\n", line_end)
            done = end
