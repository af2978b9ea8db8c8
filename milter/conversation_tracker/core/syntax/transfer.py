"""Content transfer encodings (RFC 2045 section 6), decoded leniently and encoded with few changes.

Base64 passes over what is not in its alphabet and goes on after padding; quoted-printable leaves
broken escapes as they are; uuencoding is older than both. Any other encoding is the identity.
Nothing here raises.
"""

import binascii
import re
from collections.abc import Iterable, Iterator

from conversation_tracker.core.base.means import LARGE, Octets, windows
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


def decoded(raw: bytes, encoding: str) -> bytes:
    """Decode a part's content.

    Args:
        raw: the content as it stands in the message.
        encoding: the transfer encoding in lower case.

    Returns:
        The decoded bytes; the same object where the encoding is the identity or unknown.
    """
    if encoding == BASE64:
        return _from_base64(raw)
    if encoding == QUOTED_PRINTABLE:
        return _from_quoted(raw)
    return uuencoding.decoded(raw) if encoding in uuencoding.NAMES else raw


def pieces(body: Octets, start: int, end: int, encoding: str) -> Iterator[bytes]:
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
        return _unbased(windows(body, start, end))
    if encoding == QUOTED_PRINTABLE:
        return (decoded(each, encoding) for each in _lines(body, start, end))
    if encoding in uuencoding.NAMES:
        return iter((decoded(body[start:end], encoding),))
    return iter(windows(body, start, end))


def padded(body: Octets, start: int, end: int, encoding: str) -> int:
    """Tell where base64 has padding with more behind it: many programs end there.

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
        each.translate(None, _NOT_BASE64).strip(b"=") for each in windows(body, sign, end)
    ):
        return 0
    digits = sum(len(each.translate(None, _NOT_BASE64)) for each in windows(body, start, sign))
    return digits * 3 // 4


def based(data: Iterable[bytes], line_end: bytes, tail: bytes) -> Iterator[bytes]:
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


def encoded(raw: bytes, old: bytes, new: bytes, encoding: str) -> bytes:
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
        return _to_base64(raw, new)
    if encoding == QUOTED_PRINTABLE:
        return _to_quoted(raw, old, new)
    if encoding in uuencoding.NAMES:
        return uuencoding.encoded(raw, new)
    return new


def encode_anew(data: bytes) -> tuple[bytes, str]:
    """Encode content so that none of its lines is too long for SMTP.

    Args:
        data: the content.

    Returns:
        It encoded, and the transfer encoding: quoted-printable where most of it can be read then,
        else base64.
    """
    line_end = _line_end(data)
    if 6 * len(_ESCAPED.findall(data)) > len(data):
        return b"".join(based((data,), line_end, line_end)), BASE64
    lines = map(_split_end, _LINE.findall(data))
    return b"".join(_quoted(*line, line_end) for line in lines), QUOTED_PRINTABLE


def _split_end(line: bytes) -> tuple[bytes, bytes]:
    """Part a line from its end."""
    text = line.removesuffix(b"\n").removesuffix(b"\r") if line.endswith(b"\n") else line
    return text, line[len(text) :]


def unbroken(raw: bytes) -> bytes:
    """Take the soft line breaks out of quoted-printable, and leave the rest undecoded."""
    return _SOFT_BREAK.sub(b"", raw) if b"=" in raw else raw


def broken(raw: bytes) -> bytes:
    """Put soft line breaks into what `unbroken` gave, where SMTP could not carry a line."""
    line_end = _line_end(raw)
    lines = (match[0] for match in _LINE.finditer(raw))
    return b"".join(b"=".join(_short(line, line_end)) for line in lines)


def _short(line: bytes, line_end: bytes) -> Iterator[bytes]:
    at = 0
    while len(line) - at > folding.LONGEST:
        end = at + _FULL
        end -= next((back for back in (1, 2) if line[end - back : end - back + 1] == b"="), 0)
        yield (line_end if at else b"") + line[at:end]
        at = end
    yield (line_end if at else b"") + line[at:]


def _from_base64(raw: bytes) -> bytes:
    runs = raw.translate(None, _NOT_BASE64).split(b"=")
    return b"".join(_from_run(run) for run in runs if run)


def _unbased(found: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in found:
        *whole, rest = (rest + piece.translate(None, _NOT_BASE64)).split(b"=")
        usable = len(rest) // 4 * 4
        yield b"".join([_from_run(run) for run in whole if run]) + binascii.a2b_base64(
            rest[:usable]
        )
        rest = rest[usable:]
    yield _from_run(rest)


def _lines(body: Octets, start: int, end: int) -> Iterator[bytes]:
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


def _from_run(run: bytes) -> bytes:
    if len(run) % 4 == 1:  # six bits that make no byte
        run = run[:-1]
    return binascii.a2b_base64(run + b"=" * (-len(run) % 4))


def _to_base64(raw: bytes, data: bytes) -> bytes:
    octets = _COLUMNS // 4 * 3
    line_end = _line_end(raw)
    lines = (
        binascii.b2a_base64(data[at : at + octets], newline=False)
        for at in range(0, len(data), octets)
    )
    head = raw[: len(raw) - len(raw.lstrip())]
    tail = raw[len(raw.rstrip()) :]
    return head + line_end.join(lines) + tail


def _line_end(raw: bytes) -> bytes:
    return b"\r\n" if b"\r\n" in raw else b"\n"


def _quoted_lines(raw: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Give each line, soft breaks joined: as it stands, decoded, and what ends it in `raw`."""
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
        yield b"".join(pieces), _unescaped(b"".join(texts)) + hard, end
        pieces, texts = [], []


def _from_quoted(raw: bytes) -> bytes:
    """Decode all at once: the same as all that `_quoted_lines` gives, joined."""
    if any(mark in raw for mark in _RARE) or raw.endswith((b" ", b"\t")):
        return _unescaped(_NO_CONTENT.sub(b"", raw))
    text = raw.replace(b"=\r\n", b"").replace(b"=\n", b"")
    return _unescaped(text.removesuffix(b"="))


def _unescaped(text: bytes) -> bytes:
    if b"=" not in text:
        return text
    # The library's decoder is far faster; these it reads otherwise than mail programs do.
    if not (text.endswith(b"=") or b"==" in text or b"=\r" in text or b"=\n" in text):
        return binascii.a2b_qp(text)
    return _unescaped_one_by_one(text)


def _unescaped_one_by_one(text: bytes) -> bytes:
    head, *rest = text.split(b"=")
    pieces = [head]
    for piece in rest:
        byte = _BYTES.get(piece[:2])
        pieces += (b"=", piece) if byte is None else (byte, piece[2:])
    return b"".join(pieces)


def _to_quoted(raw: bytes, old: bytes, new: bytes) -> bytes:
    """Write anew the lines that differ; all of them, if the lines do not pair off."""
    line_end = _line_end(raw)
    if old.count(b"\n") != new.count(b"\n"):
        return b"".join(
            _quoted(line.rstrip(b"\r\n"), line[len(line.rstrip(b"\r\n")) :], line_end)
            for line in _LINE.findall(new)
        )
    paired = _paired(raw, old, new, line_end)
    if paired is not None:
        return paired
    written: list[bytes] = []
    at = 0
    for line, data, end in _quoted_lines(raw):
        after = at
        for _ in range(data.count(b"\n")):
            after = new.index(b"\n", after) + 1
        if not data.endswith(b"\n"):
            after = len(new)
        now = new[at:after]
        written.append(line if now == data else _requoted(now, end, line_end))
        at = after
    whole = b"".join(written)
    if at == len(new):
        return whole
    # What means nothing at the end would mean something before more.
    return whole.rstrip(b" \t").removesuffix(b"=") + _quoted(new[at:], b"", line_end)


def _paired(raw: bytes, old: bytes, new: bytes, line_end: bytes) -> bytes | None:
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
        [(_, data, end), *more] = _quoted_lines(line)
        if more or data != was:
            return None
        lines[number] = _requoted(now, end, line_end)
    return b"".join(lines)


def _requoted(data: bytes, end: bytes, line_end: bytes) -> bytes:
    """Encode a decoded line; `end` is what ended it before, a soft break perhaps."""
    if end.startswith(b"=") or not end:
        return _quoted(data, end, line_end)
    if data.endswith(end):
        return _quoted(data.removesuffix(end), end, line_end)
    return _quoted(data, b"=" + end, line_end)


def _quoted(data: bytes, end_of_line: bytes, line_end: bytes) -> bytes:
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
