"""Content transfer encodings (RFC 2045 section 6), decoded leniently and encoded with few changes.

Base64 is here: decoding passes over what is not in its alphabet and goes on after padding. The
others are in `quoted_printable` and `uuencoding`; any other encoding is the identity. Nothing here
raises.
"""

import binascii
import re
from collections.abc import Iterable, Iterator

from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.syntax import quoted_printable, uuencoding
from conversation_tracker.core.syntax.folding import find_line_end
from conversation_tracker.core.syntax.quoted_printable import COLUMNS

BASE64 = "base64"
QUOTED_PRINTABLE = "quoted-printable"

ENCODINGS = uuencoding.NAMES | {BASE64, QUOTED_PRINTABLE}
"""Those that are no identity."""

ARMOURS = uuencoding.NAMES | {BASE64}
"""Those beside whose lines other text may stand in clear."""

_NOT_BASE64 = bytes(
    set(range(256)) - set(b"+/=" + bytes(range(48, 58))) - {*range(65, 91), *range(97, 123)}
)
_BASE64_LINES = bytes(set(range(256)) - set(_NOT_BASE64) - set(b"=")) + b"\r\n"
_LINE_OCTETS = COLUMNS // 4 * 3
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]++={0,2}")


def decode(raw: bytes, encoding: str) -> bytes:
    """Decode a part's content.

    Args:
        raw: the content as it stands in the message.
        encoding: the transfer encoding in lower case.

    Returns:
        The decoded bytes; the same object where the encoding is the identity or unknown.
    """
    if encoding == BASE64:
        return _decode_base64(raw)
    if encoding == QUOTED_PRINTABLE:
        return quoted_printable.decode(raw)
    return uuencoding.decode(raw) if encoding in uuencoding.NAMES else raw


def decode_pieces(body: Octets, start: int, end: int, encoding: str) -> Iterator[bytes]:
    """Decode a part's content window by window.

    Args:
        body: the body it stands in.
        start: where the content begins.
        end: where it ends.
        encoding: the transfer encoding in lower case.

    Returns:
        The decoded octets in order. Uuencoded content comes in one piece.
    """
    if encoding == BASE64:
        return _decode_groups(iter_windows(body, start, end))
    if encoding == QUOTED_PRINTABLE:
        return (decode(each, encoding) for each in quoted_printable.cut_lines(body, start, end))
    if encoding in uuencoding.NAMES:
        return iter((decode(body[start:end], encoding),))
    return iter(iter_windows(body, start, end))


def find_padding(body: Octets, start: int, end: int, encoding: str) -> int:
    """Return where base64 has padding with more behind it: many programs end there.

    Args:
        body: the body it stands in.
        start: where the content begins.
        end: where it ends.
        encoding: the transfer encoding in lower case.

    Returns:
        How many octets are decoded before it; 0 where all programs see the same.
    """
    sign = body.find(b"=", start, end) if encoding == BASE64 else -1
    if sign < 0 or not any(
        each.translate(None, _NOT_BASE64).strip(b"=") for each in iter_windows(body, sign, end)
    ):
        return 0
    digits = sum(len(each.translate(None, _NOT_BASE64)) for each in iter_windows(body, start, sign))
    return digits * 3 // 4


def find_clear_lines(raw: bytes, encoding: str) -> Iterator[tuple[int, int]]:
    """Find the lines of base64 or uuencoded content that are none of it: text around it.

    Args:
        raw: the content, or a piece of whole lines of it.
        encoding: the transfer encoding; of any other, nothing is found.

    Returns:
        The spans, each of as many lines as stand together. What stands behind base64's padding is
        text, too. Where no line is any, so may be lines without characters.
    """
    if encoding not in ARMOURS or (encoding == BASE64 and _is_all_code(raw)):
        return
    is_code = _BASE64_LINE.fullmatch if encoding == BASE64 else uuencoding.is_line
    start = at = 0
    ended = False
    for line in raw.splitlines(keepends=True):
        if not ended and is_code(line.rstrip(b" \t\r\n")):
            if start < at:
                yield start, at
            start = at + len(line)
            ended = encoding == BASE64 and b"=" in line
        at += len(line)
    if start < at:
        yield start, at


def _is_all_code(raw: bytes) -> bool:
    """Return, cheaply, whether all lines are of one piece of base64, or empty."""
    sign = raw.find(b"=")
    code, padding = (raw, b"") if sign < 0 else (raw[:sign], raw[sign:].rstrip(b"\r\n"))
    if padding not in (b"", b"=", b"==") or (padding and code.endswith((b"\r", b"\n"))):
        return False
    return bool(code) and not code.translate(None, _BASE64_LINES)


def encode_base64(data: Iterable[bytes], line_end: bytes, tail: bytes) -> Iterator[bytes]:
    """Encode octets that come in pieces in base64, in lines of 76 columns.

    Args:
        data: the octets.
        line_end: what stands between lines.
        tail: what stands behind the last one.
    """
    rest = begun = b""
    for piece in data:
        rest += piece
        usable = len(rest) // _LINE_OCTETS * _LINE_OCTETS
        lines = (
            binascii.b2a_base64(rest[at : at + _LINE_OCTETS], newline=False)
            for at in range(0, usable, _LINE_OCTETS)
        )
        if usable:
            yield begun + line_end.join(lines)
            begun = line_end
        rest = rest[usable:]
    yield (begun + binascii.b2a_base64(rest, newline=False) if rest else b"") + tail


def encode(raw: bytes, old: bytes, new: bytes, encoding: str) -> bytes:
    """Encode changed content as the unchanged was.

    Args:
        raw: the content as it stands in the message.
        old: the same, decoded.
        new: what it is to decode to.
        encoding: the transfer encoding in lower case.

    Returns:
        The encoded content with the line ends of `raw`: base64 in 76 columns; in quoted-printable,
        only lines that differ are written anew; anything else as it is, however long its lines.
    """
    if encoding == BASE64:
        return _encode_base64(raw, new)
    if encoding == QUOTED_PRINTABLE:
        return quoted_printable.encode(raw, old, new)
    if encoding in uuencoding.NAMES:
        return uuencoding.encode(raw, new)
    return new


def encode_anew(data: bytes) -> tuple[bytes, str]:
    """Encode content so that none of its lines is too long for SMTP.

    Args:
        data: the content.

    Returns:
        It encoded, and the transfer encoding: quoted-printable where most of it can be read then,
        else base64.
    """
    line_end = find_line_end(data)
    if 6 * quoted_printable.count_escapes(data) > len(data):
        return b"".join(encode_base64((data,), line_end, line_end)), BASE64
    return b"".join(quoted_printable.encode_anew(data, line_end)), QUOTED_PRINTABLE


def _decode_base64(raw: bytes) -> bytes:
    runs = raw.translate(None, _NOT_BASE64).split(b"=")
    return b"".join(_decode_run(run) for run in runs if run)


def _decode_groups(found: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in found:
        *whole, rest = (rest + piece.translate(None, _NOT_BASE64)).split(b"=")
        usable = len(rest) // 4 * 4
        yield b"".join([_decode_run(run) for run in whole if run]) + binascii.a2b_base64(
            rest[:usable]
        )
        rest = rest[usable:]
    yield _decode_run(rest)


def _decode_run(run: bytes) -> bytes:
    if len(run) % 4 == 1:  # six bits that make no byte
        run = run[:-1]
    return binascii.a2b_base64(run + b"=" * (-len(run) % 4))


def _encode_base64(raw: bytes, data: bytes) -> bytes:
    line_end = find_line_end(raw)
    lines = (
        binascii.b2a_base64(data[at : at + _LINE_OCTETS], newline=False)
        for at in range(0, len(data), _LINE_OCTETS)
    )
    head = raw[: len(raw) - len(raw.lstrip())]
    tail = raw[len(raw.rstrip()) :]
    return head + line_end.join(lines) + tail
