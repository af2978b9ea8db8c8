"""The filters of PDF streams that no library undoes (ISO 32000-1 section 7.4): letters, LZW, runs.

Nothing here raises.
"""

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.container.document import pdf_page
from conversation_tracker.core.masking.container.lempel_ziv import lzw

_ASCII85 = re.compile(rb"/(?:ASCII85Decode|A85)\b")
_HEXADECIMAL = re.compile(rb"/(?:ASCIIHexDecode|AHx)\b")
_LZW = re.compile(rb"/LZW(?:Decode)?\b")
_RUNS = re.compile(rb"/(?:RunLengthDecode|RL)\b")
_LATE = re.compile(rb"/EarlyChange\s{1,9}0\b")
_NO_DIGIT = re.compile(rb"[^0-9A-Fa-f]+")
_BLANKS = b"\0\t\n\f\r "
_WINDOW = 64 * 1024  # octets that are decoded at once: what is made of them is many times larger
_MOST = 1024 * 1024  # octets of a stream that are gone through step by step
_STEPS = 4  # octets of text that cost as much as such an octet
_END_OF_RUNS = 128


def decode(data: Octets, span: tuple[int, int], told: bytes, unpacking: Unpacking) -> Octets | None:
    """Undo the filters of a stream that are applied to all others.

    Args:
        data: where it stands.
        span: from where to where.
        told: its dictionary.
        unpacking: what may be unpacked, which gets less.

    Returns:
        What comes out; None where there is no such filter, or nothing comes out.
    """
    letters = _find_letters(told)
    found = None
    if letters is not None:
        found = unpacking.keep(_decode_letters(data, span, letters, unpacking))
    steps = _find_steps(told)
    if steps is None:
        return found or None
    packed = (data[slice(*span)] if found is None else found)[:_MOST]
    if not unpacking.allows_text(_STEPS * len(packed)):
        return found
    limit = unpacking.limit_for(len(packed))
    return unpacking.keep(iter([steps(packed, limit, unpacking.limits.check)]))


_Steps = Callable[[bytes, int, Callable[[], None]], bytes]


def _find_steps(told: bytes) -> _Steps | None:
    if _LZW.search(told):
        kind = lzw.Numbering(early=0 if _LATE.search(told) else 1)
        return lambda packed, limit, check: lzw.unpack(packed, kind, limit, check)
    return _repeat_runs if _RUNS.search(told) else None


def _repeat_runs(data: bytes, limit: int, check: Callable[[], None]) -> bytes:
    """Undo run lengths (section 7.4.5)."""
    out = bytearray()
    at = 0
    while at < len(data) and data[at] != _END_OF_RUNS and len(out) < limit:
        told, at = data[at], at + 1
        if told < _END_OF_RUNS:
            out += data[at : at + told + 1]
            at += told + 1
        else:
            out += data[at : at + 1] * (257 - told)
            at += 1
    return bytes(out)


_Letters = tuple[Callable[[bytes], bytes], int, Callable[[bytes], bytes]]
"""Gives the digits alone of written octets; how many digits make a group; and decodes groups."""


def _find_letters(told: bytes) -> _Letters | None:
    """Return how a stream is decoded that is written in letters; None if it is binary."""
    if _ASCII85.search(told):
        return _read_ascii85, 5, base64.a85decode
    if _HEXADECIMAL.search(told):
        return lambda written: _NO_DIGIT.sub(b"", written), 2, pdf_page.decode_hex
    return None


def _read_ascii85(written: bytes) -> bytes:
    """Return the digits of ASCII85 up to its end, a group of nulls written out."""
    written = written.translate(None, _BLANKS).removeprefix(b"<~")
    return written.partition(b"~")[0].replace(b"z", b"!!!!!")


def _decode_letters(
    data: Octets, span: tuple[int, int], letters: _Letters, unpacking: Unpacking
) -> Iterator[bytes]:
    """Decode a span window by window, up to where it is broken."""
    read_digits, size, decode_group = letters
    digits, left = b"", unpacking.octets
    for written in iter_windows(data, *span, _WINDOW):
        unpacking.limits.check()
        digits += read_digits(written)
        whole = len(digits) - len(digits) % size
        try:
            piece = decode_group(digits[:whole])
        except ValueError:
            return
        digits = digits[whole:]
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return
    with suppress(ValueError):
        yield decode_group(digits)
