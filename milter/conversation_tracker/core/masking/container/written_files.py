"""Files that are written in letters inside a text: BinHex (RFC 1741), yEnc, and objects in RTF.

Uuencoded ones, which are masked, are read elsewhere. Nothing here raises.
"""

import re
from binascii import Error, a2b_base64, unhexlify
from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.container import compound
from conversation_tracker.core.masking.container.budget import MAX_TEXT, Unpacking

NOTE = b"[A file was removed: it held an address.]"
"""What stands in the place of a file that was removed."""

_MARKS = (b"=ybegin ", b"with BinHex", b"\\objdata")
_YENC = re.compile(rb"=ybegin [^\n]{0,400}\n(?:=ypart [^\n]{0,400}\n)?")
_END_OF_YENC = re.compile(rb"=yend [^\r\n]{0,400}")
_BINHEX = re.compile(
    rb"(?:\(This file must be converted )?with BinHex[^\n]{0,40}\n\s{0,99}:([^:]*+):?"
)
_OBJECT = re.compile(rb"(?<=\\objdata)[ \r\n]?([0-9A-Fa-f\s]{16,})")
_ESCAPED = re.compile(rb"=(.)", re.DOTALL)
_SHIFTED = bytes((n - 42) & 255 for n in range(256))
_LETTERS = bytes.maketrans(
    bytes(range(0x21, 0x2E)) + b"012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
)
_RUN = b"\x90"
_MOST = 8 * 1024 * 1024  # octets that come out of runs
_MOST_FILES = 100  # in a text that are looked at one by one; of the others, so many together


def may_stand_in(data: Octets) -> bool:
    """Return, cheaply, whether a text may hold such a file."""
    return any(data.find(mark) >= 0 for mark in _MARKS)


def open_files(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Decode the files in a text."""
    if not unpacking.allows_text(len(data)):
        return
    for _, content, _ in find_files(data[:MAX_TEXT]):
        if not unpacking.allows_another():
            return
        for each in _take_objects(content):
            yield unpacking.keep(iter([each]))


def remove_files(data: bytes, holds: Callable[[bytes], bool]) -> bytes:
    """Remove the files from a text that hold an address; of those in RTF nothing is left.

    Args:
        data: the text.
        holds: says of a file whether it holds an address.

    Returns:
        The text; the same object if none goes.
    """
    pieces: list[bytes] = []
    done = 0
    for found, content, note in find_files(data) if may_stand_in(data) else ():
        if found[0] >= done and any(map(holds, _take_objects(content))):
            pieces += data[done : found[0]], note
            done = found[1]
    return b"".join([*pieces, data[done:]]) if pieces else data


_File = tuple[tuple[int, int], bytes, bytes]
"""From where to where a file stands, its octets, and what stands in its place."""


def find_files(data: bytes) -> Iterator[_File]:
    """Yield the files in a text from its beginning on: of runs, each may be very large."""
    return merge(
        _join(_find_yenc(data)),
        _join(_find(data, _BINHEX, _read_binhex, NOTE)),
        _join(_find(data, _OBJECT, _read_digits, b"")),
    )


def _join(files: Iterator[_File]) -> Iterator[_File]:
    """Yield the first files one by one, and of all others many together: each look costs."""
    yield from islice(files, _MOST_FILES)
    while some := list(islice(files, _MOST_FILES)):
        (first, _), (_, last) = some[0][0], some[-1][0]
        yield (first, last), b"\n".join([content for _, content, _ in some]), some[0][2]


def _find_yenc(data: bytes) -> Iterator[_File]:
    """Yield what yEnc wrote. No pattern goes from line to line: each would take 150 octets."""
    at = 0
    while (begin := _YENC.search(data, at)) is not None:
        last = begin.end() - 1
        end = (data.find(b"\n=yend", last) + 1) or data.rfind(b"\n", last) + 1
        behind = _END_OF_YENC.match(data, end)
        at = behind.end() if behind is not None else end
        yield (begin.start(), at), _read_yenc(data[begin.end() : end]), NOTE


def _find(
    data: bytes, pattern: re.Pattern[bytes], decode: Callable[[bytes], bytes], note: bytes
) -> Iterator[_File]:
    for found in pattern.finditer(data):
        yield found.span(), decode(found[1]), note


def _take_objects(content: bytes) -> Iterator[bytes]:
    """Yield a file, and the compound file in it, before which an object's name may stand."""
    yield content
    if (at := content.find(compound.MAGIC)) > 0:
        yield content[at:]


def _read_yenc(lines: bytes) -> bytes:
    plain = lines.replace(b"\r", b"").replace(b"\n", b"")
    return _ESCAPED.sub(lambda sign: bytes(((sign[1][0] - 64) & 255,)), plain).translate(_SHIFTED)


def _read_binhex(letters: bytes) -> bytes:
    letters = b"".join(letters.split()).translate(_LETTERS)
    try:
        packed = a2b_base64(letters[: len(letters) & ~3])
    except Error:
        return b""
    out = bytearray()
    at = 0
    while (mark := packed.find(_RUN, at)) >= 0 and len(out) < _MOST:
        out += packed[at:mark]
        times = packed[mark + 1 : mark + 2]
        out += out[-1:] * (times[0] - 1) if times and times[0] else _RUN
        at = mark + 2
    return bytes(out) + packed[at:]


def _read_digits(digits: bytes) -> bytes:
    digits = b"".join(digits.split())
    return unhexlify(digits[: len(digits) & ~1])
