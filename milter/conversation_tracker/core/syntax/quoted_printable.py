"""Quoted-printable (RFC 2045 section 6.7), decoded leniently and encoded with few changes.

Broken escapes stay as they are. Nothing here raises.
"""

import binascii
import re
from collections.abc import Iterator
from itertools import accumulate, compress
from operator import ne

from conversation_tracker.core.base.octets import LARGE, Octets
from conversation_tracker.core.syntax.folding import LONGEST, find_line_end

COLUMNS = 76
"""Of an encoded line without its end (RFC 2045 sections 6.7 and 6.8)."""

_FULL = COLUMNS - 3  # of a line, where nothing more is added but the sign of a soft break
_ESCAPED = re.compile(rb"[^ -<>-~]")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_HEX = "0123456789ABCDEFabcdef"
_BYTES = {(high + low).encode(): bytes((int(high + low, 16),)) for high in _HEX for low in _HEX}
# What is not part of the content: soft line breaks, and blanks at a line's end.
_NO_CONTENT = re.compile(rb"=(?>[ \t]*)(?:\r?\n|\Z)|(?<![ \t])(?>[ \t]+)(?=\r?\n|\Z)")
_SOFT_BREAK = re.compile(rb"=[ \t]*\r?\n")
# What begins with one character, and not with what is before it, is found at many times the speed.
_RARE = (  # where more is to be looked at
    re.compile(rb"=(?==)"),
    re.compile(rb"\n(?:(?<=[ \t]\n)|(?<=[ \t]\r\n))"),
)
_ODD = re.compile(rb"=(?=0[Aa]|[ \t]+\r?\n)")  # a line end that is escaped; a break behind blanks
_QUOTED = [
    bytes((value,)) if 0x20 <= value < 0x7F and value != 0x3D else b"=%02X" % value
    for value in range(256)
]


def decode(raw: bytes) -> bytes:
    """Decode a part's content."""
    # All at once: the same as all that `_split_lines` gives, joined.
    if any(mark.search(raw) for mark in _RARE) or raw.endswith((b" ", b"\t")):
        return _unescape(_NO_CONTENT.sub(b"", raw))
    joined = raw.replace(b"=\r\n", b"").replace(b"=\n", b"")
    return _unescape(joined.removesuffix(b"="))


def encode(raw: bytes, old: bytes, new: bytes) -> bytes:
    """Encode changed content: write anew the lines that differ, or all if lines came or went.

    Args:
        raw: the content as it stands in the message.
        old: the same, decoded.
        new: what it is to decode to.
    """
    line_end = find_line_end(raw)
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


def encode_anew(data: Octets, line_end: bytes) -> Iterator[bytes]:
    """Encode octets window by window; `line_end` stands at soft breaks."""
    for window in cut_lines(data, 0, len(data)):
        yield b"".join(_append_line(*_split_end(line), line_end) for line in _LINE.findall(window))


def count_escapes(data: bytes) -> int:
    """Return how many octets can stand in quoted-printable as an escape only."""
    return len(_ESCAPED.findall(data))


def cut_lines(body: Octets, start: int, end: int) -> Iterator[bytes]:
    """Cut a part's content into windows: behind a line, if there is one, and in no escape."""
    at = start
    while at < end:
        last = min(at + LARGE, end)
        if last < end:
            line = body.rfind(b"\n", at, last)
            escape = body.rfind(b"=", last - 2, last)
            last = line + 1 if line >= 0 else escape if escape > at else last
        yield body[at:last]
        at = last


def join_soft_breaks(raw: bytes) -> bytes:
    """Take the soft line breaks out, and leave the rest undecoded."""
    return _SOFT_BREAK.sub(b"", raw) if b"=" in raw else raw


def break_lines(raw: bytes) -> bytes:
    """Put soft line breaks into what `join_soft_breaks` gave, where SMTP could not carry a line."""
    line_end = find_line_end(raw)
    lines = (match[0] for match in _LINE.finditer(raw))
    return b"".join(b"=".join(_split_long_line(line, line_end)) for line in lines)


def _split_long_line(line: bytes, line_end: bytes) -> Iterator[bytes]:
    at = 0
    while len(line) - at > LONGEST:
        end = at + _FULL
        end -= next((back for back in (1, 2) if line[end - back : end - back + 1] == b"="), 0)
        yield (line_end if at else b"") + line[at:end]
        at = end
    yield (line_end if at else b"") + line[at:]


def _split_end(line: bytes) -> tuple[bytes, bytes]:
    """Split a line from its end."""
    text = line.removesuffix(b"\n").removesuffix(b"\r") if line.endswith(b"\n") else line
    return text, line[len(text) :]


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


def _encode_by_lines(raw: bytes, old: bytes, new: bytes, line_end: bytes) -> bytes | None:
    """Write anew the lines that differ, where each line of `raw` is one of `old`; else None."""
    if _ODD.search(raw) is not None:
        return None
    # No step is made for a line that stays: most do.
    joined = raw.replace(b"=\r\n", b"=\r ").replace(b"=\n", b"= ")  # as long as before
    lines, before, after = (each.split(b"\n") for each in (joined, old, new))
    if not len(lines) == len(before) == len(after):
        return None
    ends = list(accumulate([len(line) + 1 for line in lines]))
    pieces: list[bytes] = []
    done, last = 0, len(lines) - 1
    for number in compress(range(len(lines)), map(ne, before, after)):
        start, end = ends[number] - len(lines[number]) - 1, ends[number]
        feed = b"\n" if number < last else b""
        split = list(_split_lines(raw[start:end]))
        if [data for _, data, _ in split] != [before[number] + feed]:
            return None
        pieces += raw[done:start], _encode_line(after[number] + feed, split[0][2], line_end)
        done = end
    return b"".join(pieces) + raw[done:]


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
