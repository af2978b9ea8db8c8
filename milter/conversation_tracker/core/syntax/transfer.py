"""Content transfer encodings (RFC 2045 section 6), decoded leniently and encoded with few changes.

Base64 passes over what is not in its alphabet and goes on after padding; quoted-printable leaves
broken escapes as they are; uuencoding is older than both. Any other encoding is the identity.
Nothing here raises.
"""

import binascii
import re
from collections.abc import Iterable, Iterator

from conversation_tracker.core.base.octets import LARGE, Octets, iter_windows
from conversation_tracker.core.syntax import folding, uuencoding

BASE64 = "base64"
QUOTED_PRINTABLE = "quoted-printable"

ENCODINGS = uuencoding.NAMES | {BASE64, QUOTED_PRINTABLE}
"""Those that are no identity."""

ARMOURS = uuencoding.NAMES | {BASE64}
"""Those beside whose lines other text may stand in clear."""

_COLUMNS = 76  # RFC 2045 sections 6.7 and 6.8
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"+/=" + bytes(range(48, 58))) - {*range(65, 91), *range(97, 123)}
)
_FULL = _COLUMNS - 3  # of a line, where nothing more is added but the sign of a soft break
_ESCAPED = re.compile(rb"[^ -<>-~]")
_BASE64_LINE = re.compile(rb"[A-Za-z0-9+/]++={0,2}")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_HEX = "0123456789ABCDEFabcdef"
_BYTES = {(high + low).encode(): bytes((int(high + low, 16),)) for high in _HEX for low in _HEX}
# What is not part of the content: soft line breaks, and blanks at a line's end.
_NO_CONTENT = re.compile(rb"=(?>[ \t]*)(?:\r?\n|\Z)|(?<![ \t])(?>[ \t]+)(?=\r?\n|\Z)")
_SOFT_BREAK = re.compile(rb"=[ \t]*\r?\n")
_RARE = (b"==", b" \n", b" \r", b"\t\n", b"\t\r")  # where it takes a pattern to take these out
# A line of the content: physical ones, as long as they end in soft breaks, and one more.
_LOGICAL_LINE = re.compile(rb"(?:[^\n]*=[ \t]*\r?\n)*[^\n]*(?:\n|\Z)")
_QUOTED = [
    bytes((value,)) if 0x20 <= value < 0x7F and value != 0x3D else b"=%02X" % value
    for value in range(256)
]


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
        return _decode_quoted_printable(raw)
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
        return (decode(each, encoding) for each in _cut_lines(body, start, end))
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
        text, too.
    """
    if encoding not in ARMOURS:
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


def encode_base64(data: Iterable[bytes], line_end: bytes, tail: bytes) -> Iterator[bytes]:
    """Encode octets that come in pieces in base64, in lines of 76 columns.

    Args:
        data: the octets.
        line_end: what stands between lines.
        tail: what stands behind the last one.
    """
    octets = _COLUMNS // 4 * 3
    rest = begun = b""
    for piece in data:
        rest += piece
        usable = len(rest) // octets * octets
        lines = (
            binascii.b2a_base64(rest[at : at + octets], newline=False)
            for at in range(0, usable, octets)
        )
        if usable:
            yield begun + line_end.join(lines)
            begun = line_end
        rest = rest[usable:]
    yield (begun + binascii.b2a_base64(rest, newline=False) if rest else b"") + tail


def encode_quoted_printable(data: Octets, line_end: bytes) -> Iterator[bytes]:
    """Encode octets in quoted-printable window by window; `line_end` stands at soft breaks."""
    for window in _cut_lines(data, 0, len(data)):
        yield b"".join(_append_line(*_split_end(line), line_end) for line in _LINE.findall(window))


def encode(raw: bytes, old: bytes, new: bytes, encoding: str) -> bytes:
    """Encode changed content as the unchanged was.

    Args:
        raw: the content as it stands in the message.
        old: the same, decoded.
        new: what it shall decode to.
        encoding: the transfer encoding in lower case.

    Returns:
        The encoded content with the line ends of `raw`: base64 in 76 columns; in quoted-printable,
        only lines that differ are written anew; anything else as it is, however long its lines.
    """
    if encoding == BASE64:
        return _encode_base64(raw, new)
    if encoding == QUOTED_PRINTABLE:
        return _encode_quoted_printable(raw, old, new)
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
    line_end = _find_line_end(data)
    if 6 * len(_ESCAPED.findall(data)) > len(data):
        return b"".join(encode_base64((data,), line_end, line_end)), BASE64
    return b"".join(encode_quoted_printable(data, line_end)), QUOTED_PRINTABLE


def _split_end(line: bytes) -> tuple[bytes, bytes]:
    """Split a line from its end."""
    text = line.removesuffix(b"\n").removesuffix(b"\r") if line.endswith(b"\n") else line
    return text, line[len(text) :]


def join_soft_breaks(raw: bytes) -> bytes:
    """Take the soft line breaks out of quoted-printable, and leave the rest undecoded."""
    return _SOFT_BREAK.sub(b"", raw) if b"=" in raw else raw


def break_lines(raw: bytes) -> bytes:
    """Put soft line breaks into what `join_soft_breaks` gave, where SMTP could not carry a line."""
    line_end = _find_line_end(raw)
    lines = (match[0] for match in _LINE.finditer(raw))
    return b"".join(b"=".join(_split_long_line(line, line_end)) for line in lines)


def _split_long_line(line: bytes, line_end: bytes) -> Iterator[bytes]:
    at = 0
    while len(line) - at > folding.LONGEST:
        end = at + _FULL
        end -= next((back for back in (1, 2) if line[end - back : end - back + 1] == b"="), 0)
        yield (line_end if at else b"") + line[at:end]
        at = end
    yield (line_end if at else b"") + line[at:]


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


def _cut_lines(body: Octets, start: int, end: int) -> Iterator[bytes]:
    """Cut quoted-printable where nothing is cut in two: behind a line, if there is one."""
    at = start
    while at < end:
        last = min(at + LARGE, end)
        if last < end:
            line = body.rfind(b"\n", at, last)
            escape = body.rfind(b"=", last - 2, last)
            last = line + 1 if line >= 0 else escape if escape > at else last
        yield body[at:last]
        at = last


def _decode_run(run: bytes) -> bytes:
    if len(run) % 4 == 1:  # six bits that make no byte
        run = run[:-1]
    return binascii.a2b_base64(run + b"=" * (-len(run) % 4))


def _encode_base64(raw: bytes, data: bytes) -> bytes:
    octets = _COLUMNS // 4 * 3
    line_end = _find_line_end(raw)
    lines = (
        binascii.b2a_base64(data[at : at + octets], newline=False)
        for at in range(0, len(data), octets)
    )
    head = raw[: len(raw) - len(raw.lstrip())]
    tail = raw[len(raw.rstrip()) :]
    return head + line_end.join(lines) + tail


def _find_line_end(raw: bytes) -> bytes:
    return b"\r\n" if b"\r\n" in raw else b"\n"


def _split_lines(raw: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Yield each line, soft breaks joined: as it stands, decoded, and what ends it in `raw`."""
    pieces: list[bytes] = []
    texts: list[bytes] = []
    for match in _LINE.finditer(raw):
        line = match[0]
        text, end = _split_end(line)
        text = text.rstrip(b" \t")  # not part of the content, RFC 2045 section 6.7 (3)
        pieces.append(line)
        if text.endswith(b"="):
            texts.append(text[:-1])
            if match.end() < len(raw):
                continue
            end = b"=" + end
        else:
            texts.append(text)
        hard = b"" if end.startswith(b"=") else end
        yield b"".join(pieces), _unescape(b"".join(texts)) + hard, end
        pieces, texts = [], []


def _decode_quoted_printable(raw: bytes) -> bytes:
    """Decode all at once: the same as all that `_split_lines` gives, joined."""
    if any(mark in raw for mark in _RARE) or raw.endswith((b" ", b"\t")):
        return _unescape(_NO_CONTENT.sub(b"", raw))
    text = raw.replace(b"=\r\n", b"").replace(b"=\n", b"")
    return _unescape(text.removesuffix(b"="))


def _unescape(text: bytes) -> bytes:
    if b"=" not in text:
        return text
    # The library's decoder is far faster; these it reads otherwise than mail programs do.
    if not (text.endswith(b"=") or b"==" in text or b"=\r" in text or b"=\n" in text):
        return binascii.a2b_qp(text)
    return _unescape_one_by_one(text)


def _unescape_one_by_one(text: bytes) -> bytes:
    head, *rest = text.split(b"=")
    pieces = [head]
    for piece in rest:
        byte = _BYTES.get(piece[:2])
        pieces += (b"=", piece) if byte is None else (byte, piece[2:])
    return b"".join(pieces)


def _encode_quoted_printable(raw: bytes, old: bytes, new: bytes) -> bytes:
    """Write anew the lines that differ; all of them, if the lines do not pair off."""
    line_end = _find_line_end(raw)
    if old.count(b"\n") != new.count(b"\n"):
        return b"".join(
            _append_line(line.rstrip(b"\r\n"), line[len(line.rstrip(b"\r\n")) :], line_end)
            for line in _LINE.findall(new)
        )
    paired = _encode_by_lines(raw, old, new, line_end)
    if paired is not None:
        return paired
    written: list[bytes] = []
    at = 0
    for line, data, end in _split_lines(raw):
        after = at
        for _ in range(data.count(b"\n")):
            after = new.index(b"\n", after) + 1
        if not data.endswith(b"\n"):
            after = len(new)
        now = new[at:after]
        written.append(line if now == data else _encode_line(now, end, line_end))
        at = after
    whole = b"".join(written)
    if at == len(new):
        return whole
    # What means nothing at the end would mean something before more.
    return whole.rstrip(b" \t").removesuffix(b"=") + _append_line(new[at:], b"", line_end)


def _encode_by_lines(raw: bytes, old: bytes, new: bytes, line_end: bytes) -> bytes | None:
    """Write anew the lines that differ, where each line of `raw` is one of `old`; else None."""
    if b"=0A" in raw or b"=0a" in raw:
        return None
    lines = [line for line in _LOGICAL_LINE.findall(raw) if line]
    before, after = _LINE.findall(old), _LINE.findall(new)
    if not len(lines) == len(before) == len(after):
        return None
    for number, (line, was, now) in enumerate(zip(lines, before, after, strict=True)):
        if was == now:
            continue
        [(_, data, end), *more] = _split_lines(line)
        if more or data != was:
            return None
        lines[number] = _encode_line(now, end, line_end)
    return b"".join(lines)


def _encode_line(data: bytes, end: bytes, line_end: bytes) -> bytes:
    """Encode a decoded line; `end` is what ended it before, a soft break perhaps."""
    if end.startswith(b"=") or not end:
        return _append_line(data, end, line_end)
    if data.endswith(end):
        return _append_line(data.removesuffix(end), end, line_end)
    return _append_line(data, b"=" + end, line_end)


def _append_line(data: bytes, end_of_line: bytes, line_end: bytes) -> bytes:
    """Encode one line, without its end, and append that."""
    text = _ESCAPED.sub(lambda match: _QUOTED[match[0][0]], data)
    lines: list[bytes] = []
    at = 0
    while at < len(text):
        first = b""
        if text.startswith(b"-", at):  # a line must not become a delimiter
            first, at = b"=2D", at + 1
        end = at + _FULL - len(first)
        # An escape is not cut in two.
        end += 2 if text.startswith(b"=", end - 1) else text.startswith(b"=", end - 2)
        lines.append(first + text[at:end])
        at = end
    if text.endswith(b" "):  # white space at a line's end would get lost
        lines[-1] = lines[-1][:-1] + b"=20"
    return (b"=" + line_end).join(lines) + end_of_line
