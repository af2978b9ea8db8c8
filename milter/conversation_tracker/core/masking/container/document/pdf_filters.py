"""The filters of PDF streams that no library undoes (ISO 32000-1 section 7.4): letters, LZW, runs.

Nothing here raises.
"""

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container import decompressing
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.container.document import pdf_page
from conversation_tracker.core.masking.container.lempel_ziv import lzw

# Where a stream's dictionary has its filters in another object, all of it is looked at.
_FILTERS = re.compile(rb"/F(?:ilter)?\b\s{0,9}(\[[^\]]{0,500}\]|/\w{1,40}|null)")
_FILTER = re.compile(
    rb"/(?:(ASCII85Decode|A85)|(ASCIIHexDecode|AHx)|(LZW(?:Decode)?)|(RunLengthDecode|RL)"
    rb"|(Fl(?:ateDecode)?))\b"
)
_MOST_FILTERS = 4
_LATE = re.compile(rb"/EarlyChange\s{1,9}0\b")
_NO_DIGIT = re.compile(rb"[^0-9A-Fa-f]+")
_BLANKS = b"\0\t\n\f\r "
_WINDOW = 64 * 1024  # octets that are decoded at once: what is made of them is many times larger
_MOST = 1024 * 1024  # octets of a stream that are gone through step by step
_STEPS = 4  # octets of text that cost as much as such an octet
_END_OF_RUNS = 128


def decode(data: Octets, span: tuple[int, int], told: bytes, unpacking: Unpacking) -> Octets | None:
    """Undo the filters of a stream, one after the other, but for compression that is the last.

    Args:
        data: where it stands.
        span: from where to where.
        told: its dictionary.
        unpacking: what may be unpacked, which gets less.

    Returns:
        What comes out; None where there is no such filter, or nothing comes out.
    """
    value = _FILTERS.search(told)
    names = [each.lastindex for each in _FILTER.finditer(value[1] if value else told)]
    late = _LATE.search(told) is not None
    found = None
    for number in names[: -1 if names[-1:] == [_FLATE] else None][:_MOST_FILTERS]:
        unpacking.limits.check()
        out = _undo(number, data, span, unpacking, late=late)
        if out is not None and len(out):
            data = found = out
            span = 0, len(out)
    return found


def _undo(
    number: int | None, data: Octets, span: tuple[int, int], unpacking: Unpacking, *, late: bool
) -> Octets | None:
    """Undo one filter of a span, by its group in `_FILTER`; None where that may not be."""
    if number in _LETTERS:
        return unpacking.keep(_decode_letters(data, span, _LETTERS[number], unpacking))
    if number == _FLATE:
        limit = unpacking.limit_for(span[1] - span[0])
        return unpacking.keep(decompressing.open_deflate(data, span[0] + 2, span[1], limit))
    packed = data[slice(*span)][:_MOST]
    if not unpacking.allows_text(_STEPS * len(packed)):
        return None
    limit, check = unpacking.limit_for(len(packed)), unpacking.limits.check
    if number == _LZW:
        plain = lzw.unpack(packed, lzw.Numbering(early=0 if late else 1), limit, check)
    else:
        plain = _repeat_runs(packed, limit, check)
    return unpacking.keep(iter([plain]))


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


def _read_ascii85(written: bytes) -> bytes:
    """Return the digits of ASCII85 up to its end, a group of nulls written out."""
    written = written.translate(None, _BLANKS).removeprefix(b"<~")
    return written.partition(b"~")[0].replace(b"z", b"!!!!!")


def _read_hexadecimal(written: bytes) -> bytes:
    """Return the digits of hexadecimal numbers."""
    return _NO_DIGIT.sub(b"", written)


_Letters = tuple[Callable[[bytes], bytes], int, Callable[[bytes], bytes]]
_ASCII85, _HEXADECIMAL, _LZW, _FLATE = 1, 2, 3, 5
_LETTERS: dict[int | None, _Letters] = {
    _ASCII85: (_read_ascii85, 5, base64.a85decode),
    _HEXADECIMAL: (_read_hexadecimal, 2, pdf_page.decode_hex),
}
"""Gives the digits alone of written octets; how many digits make a group; and decodes groups."""


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
