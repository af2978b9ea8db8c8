"""The decoded content of a part, for the final scan: whole, or stretch by stretch if it is large.

Written apart from the masking code. A stretch ends and begins at a blank or line end if one is
near, so that no address is cut in two and taken for another; each begins a little before the end
of the one before. Nothing here raises.
"""

import binascii
import quopri
import re
from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.scanning.text import decodings

LARGE = 1024 * 1024
"""Octets of a stretch."""

UUENCODED = (b"x-uuencode", b"uuencode", b"x-uue", b"uue")
"""The names of uuencoding, which is older than MIME, as a transfer encoding."""

_OVERLAP = 8192
_BLANKS = (b"\n", b" ", b">")
_IN_BASE64 = decodings.BASE64 + b"=\r\n\t "
_SOFT = re.compile(rb"=[ \t]*\r?\n")


def is_encoded(encoding: bytes) -> bool:
    """Return whether content in a transfer encoding, in lower case, is other than it stands."""
    return encoding in (b"base64", b"quoted-printable") or encoding in UUENCODED


def decode_transfer(raw: bytes, encoding: bytes) -> bytes:
    """Decode content; the same object where the encoding is the identity or unknown.

    Args:
        raw: the content as it stands in the message.
        encoding: the transfer encoding in lower case.
    """
    if encoding == b"base64":
        return decodings.decode_base64(raw)
    if encoding == b"quoted-printable":
        return quopri.decodestring(raw)
    return b"".join(_decode_uu_lines(raw)) if encoding in UUENCODED else raw


def has_strays(raw: bytes) -> bool:
    """Return whether what should be base64 has something else in it."""
    return bool(raw.translate(None, _IN_BASE64))


def join_soft_breaks(raw: bytes) -> bytes:
    """Join the lines that quoted-printable breaks, and decode nothing else of it."""
    return _SOFT.sub(b"", raw)


def decode(data: Octets, start: int, end: int, encoding: bytes) -> Iterator[bytes]:
    """Decode a span of octets piece by piece.

    Args:
        data: where the content stands.
        start: where it begins.
        end: where it ends.
        encoding: the transfer encoding in lower case.
    """
    rest = b""
    for at in range(start, end, LARGE):
        held = rest + data[at : min(at + LARGE, end)]
        usable = len(held)
        if encoding == b"base64":
            held = held.translate(None, decodings.NO_BASE64)
            usable = len(held) if b"=" in held[-4:] else len(held) // 4 * 4
        elif encoding == b"quoted-printable" or encoding in UUENCODED:
            usable = held.rfind(b"\n") + 1 or len(held)
        yield _decode_piece(held[:usable], encoding)
        rest = held[usable:]
    yield _decode_piece(rest, encoding)


def _decode_piece(piece: bytes, encoding: bytes) -> bytes:
    if encoding == b"base64":
        return decodings.decode_base64(piece, clean=True)
    return decode_transfer(piece, encoding)


def split(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Split content that comes in pieces into windows that overlap."""
    return (window for window, _ in split_apart(pieces))


def split_apart(pieces: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Split content as `split` does, and tell how much of each window the one before had too."""
    held, again = b"", 0
    for piece in pieces:
        held += piece
        while len(held) > LARGE + _OVERLAP:
            end = _find_word_end(held, LARGE)
            yield held[:end], again
            begin = _find_word_end(held, end - _OVERLAP)
            held, again = held[begin:], end - begin
    yield held, again


def _find_word_end(held: bytes, at: int) -> int:
    """Find where a word ends, near a place and not behind it."""
    for blank in _BLANKS:
        found = held.rfind(blank, max(0, at - _OVERLAP), at)
        if found >= 0:
            return _end_character(held, found + 1)
    return at


def _end_character(held: bytes, at: int) -> int:
    """Move a place to the end of a character, if that is one of UTF-16 or UTF-32."""
    width = 4 if b"\0\0\0" in held[max(0, at - 4) : at + 3] else 2
    while at % width and held.startswith(b"\0", at):
        at += 1
    return at


def _decode_uu_lines(raw: bytes) -> Iterator[bytes]:
    for line in raw.splitlines():
        try:
            yield binascii.a2b_uu(line)
        except binascii.Error:
            continue
