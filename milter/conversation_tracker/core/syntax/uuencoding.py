"""Uuencoded parts (POSIX.1-2017, uuencode): older than MIME, and still sent.

What stands around the lines from "begin" to "end" is not content, and stays. Nothing here raises.
"""

import binascii
import re
from collections.abc import Iterator

NAMES = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})
"""What Content-Transfer-Encoding calls it, in lower case."""

_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\r\n]*\r?\n", re.MULTILINE)
_END = re.compile(rb"^`?\r?\n?end\b", re.MULTILINE)
_LINE = re.compile(rb"[ -`]++")
_OCTETS = 45  # of a whole line


def decode(raw: bytes) -> bytes:
    """Decode a part's content; the same object where there is none to be found."""
    block = _find_block(raw)
    return raw if block is None else b"".join(map(decode_line, raw[slice(*block)].splitlines()))


def iter_contents(raw: bytes) -> Iterator[bytes]:
    """Go through the files in a text, decoded."""
    at = 0
    while (block := _find_block(raw, at)) is not None:
        start, at = block
        yield b"".join(map(decode_line, raw[start:at].splitlines()))


def is_line(line: bytes) -> bool:
    """Return whether a line, without its end, may be one of uuencoded content."""
    if _LINE.fullmatch(line) is None:
        return False
    # The last blanks may be cut off, or a few characters that mean nothing added.
    length = 1 + (((line[0] - 32) & 63) + 2) // 3 * 4
    return length <= len(line) + 3 and len(line) <= length + 2


def encode(raw: bytes, new: bytes) -> bytes:
    """Encode changed content.

    Args:
        raw: the content as it stands in the message.
        new: what it is to decode to.

    Returns:
        The content anew, with the first and last line and the line ends of `raw`; `new` where
        `raw` was not decoded either.
    """
    block = _find_block(raw)
    if block is None:
        return new
    start, end = block
    line_end = b"\r\n" if raw.endswith(b"\r\n", 0, start) else b"\n"
    lines = (
        binascii.b2a_uu(new[at : at + _OCTETS], backtick=True).rstrip(b"\n") + line_end
        for at in range(0, len(new), _OCTETS)
    )
    return raw[:start] + b"".join(lines) + raw[end:]


def _find_block(raw: bytes, at: int = 0) -> tuple[int, int] | None:
    """Find the lines between the first "begin" from a place on, and the next "end"."""
    begin = _BEGIN.search(raw, at)
    end = _END.search(raw, begin.end()) if begin is not None else None
    return (begin.end(), end.start()) if begin is not None and end is not None else None


def decode_line(line: bytes) -> bytes:
    """Decode one line, without its end; nothing where it is none."""
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Some encoders pad with what means nothing: the count alone is to be believed.
        count = (line[0] - 32) & 63 if line else 0
        try:
            return binascii.a2b_uu(line[: 1 + (count + 2) // 3 * 4])
        except binascii.Error:
            return b""
