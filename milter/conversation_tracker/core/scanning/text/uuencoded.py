"""Uuencoded files that stand in a text, for the final scan (POSIX.1-2017, uuencode).

Written apart from the masking code. Nothing here raises.
"""

import binascii
import re
from collections.abc import Iterator

from conversation_tracker.core.scanning.text import decodings

_MARKS = b" \t>|:"
_BEGIN = re.compile(rb"begin(-base64)? [0-7]{3,7} ")
_TAGS = re.compile(rb"(?:<[A-Za-z][^<>]*>)+(?=[> \t]*begin)")
_REFERENCE = re.compile(rb"&(lt|gt|amp|quot);")
_MEANT = {b"lt": b"<", b"gt": b">", b"amp": b"&", b"quot": b'"'}
_WHOLE = 61  # characters of a whole line, which begins with an M
_FIRST_LINE = re.compile(rb"M[ -`]{60}(?:[\r\n]|\Z)")
_NEXT_LINE = re.compile(rb"\nM[ -`]{60}(?:[\r\n]|\Z)")
# The same in HTML, where it may go on with a tag.
_FIRST_IN_MARKUP = re.compile(rb"M(?:[ -`]|&(?:lt|gt|amp|quot);){60}")
_NEXT_IN_MARKUP = re.compile(rb"\nM(?:[ -`]|&(?:lt|gt|amp|quot);){60}")


def decode_files(data: bytes, *, markup: bool = False) -> Iterator[bytes]:
    """Yield the uuencoded files in a text, decoded, as far as they can be.

    Args:
        data: the text.
        markup: it is HTML.
    """
    if not _may_hold_file(data, markup=markup):
        return
    found: list[bytes] = []
    inside = based = False
    marks = 0
    for line in data.split(b"\n"):
        line = line.rstrip(b"\r")
        if markup:
            line = _REFERENCE.sub(lambda sign: _MEANT[sign[1]], line.partition(b"<br")[0])
            if (tags := _TAGS.match(line)) is not None:
                line = line[tags.end() :]
        begin = _BEGIN.match(line.lstrip(_MARKS))
        code = line[marks:] if inside else line
        if begin is not None:
            inside, based, octets = True, begin[1] is not None, None
            marks = len(line) - len(line.lstrip(_MARKS))
        elif inside and based:
            octets = decodings.decode_base64(code) if b"=" not in code[:-2] else None
        else:
            whole = len(code) == _WHOLE and code.startswith(b"M")
            octets = _decode_line(code) if inside or whole else None
        if octets is not None:
            found.append(octets)
            continue
        if found:
            yield b"".join(found)
            found = []
        inside = begin is not None
    if found:
        yield b"".join(found)


def _may_hold_file(data: bytes, *, markup: bool) -> bool:
    """Return cheaply whether a text may hold the beginning of a file, or a whole line of one."""
    if b"begin" in data and _BEGIN.search(data) is not None:
        return True
    if b"\nM" not in data and not data.startswith(b"M"):
        return False
    first, following = (_FIRST_IN_MARKUP, _NEXT_IN_MARKUP) if markup else (_FIRST_LINE, _NEXT_LINE)
    return first.match(data) is not None or following.search(data) is not None


def _decode_line(code: bytes) -> bytes | None:
    """Decode one line; None where it is none."""
    if not code or min(code) < 0x20 or max(code) > 0x60:
        return None
    count = code[0] - 0x20 & 63
    length = 1 + (count + 2) // 3 * 4
    if len(code) > length + 2:
        return None
    try:
        return binascii.a2b_uu(code[:length].ljust(length))
    except binascii.Error:
        return None
