"""Uuencoded files that stand in a text (POSIX.1-2017, uuencode), as many programs show them.

A file is the lines behind one that begins it; quoted text has the same marks before each. Text in
it is masked and encoded anew; another file that holds an address goes, with a note in its place.
Nothing here raises.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.container import readings
from conversation_tracker.core.masking.container.written_files import NOTE
from conversation_tracker.core.masking.part import calendar, leaf
from conversation_tracker.core.syntax import charset, uuencoding
from conversation_tracker.core.syntax.references import escape, unescape

_BEGIN = re.compile(
    # In HTML a tag may stand before it.
    rb"^(?:<[A-Za-z][^\r\n<>]{0,200}>)?(?P<before>(?:[>|:\t ]|&gt;){0,80})"
    rb"begin(?P<base64>-base64)? [0-7]{3,7} [^\r\n]{1,400}\r?\n"
    # In a window of a large text the beginning may be missing.
    rb"|\n(?=M(?:[ -`]{60}|(?:[ -%\x27-`]|&(?:amp|lt|gt|quot|#39);){60})\r?\n)",
    re.MULTILINE,
)
# What begins with a few characters that are always the same is found at many times the speed.
_FIRST_WORDS = re.compile(rb"begin(?:-base64)? [0-7]{3,7} ")
_WHOLE_LINE = re.compile(rb"\nM(?:[ -`]{60}|(?:[ -%\x27-`]|&(?:amp|lt|gt|quot|#39);){60})\r?\n")
_LINE = re.compile(rb"([^\n]*?)((?:<br ?/?>)?\r?)(?:\n|\Z)")
_END = re.compile(rb"(?:&gt;|[>|:\t ]){0,80}(?:end|====)(?:<br ?/?>)?\r?(?:\n|\Z)")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}")
_CODE = re.compile(rb"[ -`]++")
_OCTETS = 45  # of a whole line
_INSIDE = 2


class _File(NamedTuple):
    """A file: where it begins, its lines and what is behind them, what stands before each line.

    Whether a line without octets ends it here: in a window of a large text it may go on.
    """

    start: int
    lines: tuple[int, int]
    end: int
    before: bytes
    base64: bool
    ends: bool
    line_end: bytes
    data: bytes


def may_stand_in(data: bytes) -> bool:
    """Return, cheaply, whether a text may hold such a file."""
    if b"begin" in data and _FIRST_WORDS.search(data) is not None:
        return True
    return b"\nM" in data and _WHOLE_LINE.search(data) is not None


def mask_files(
    data: bytes,
    mask: Mask,
    holds: Callable[[bytes], bool],
    *,
    markup: bool = False,
    further: bool = False,
    inside: int = _INSIDE,
) -> bytes:
    """Mask the uuencoded files in a text.

    Args:
        data: the text, in any charset that leaves ASCII as it is.
        mask: gives a text with addresses replaced.
        holds: says of a file that is no text whether it holds an address.
        markup: the text is HTML: some signs of the code are written as references.
        further: the first one stays as it is.
        inside: how many more of them may lie inside each other.

    Returns:
        The text; the same object if nothing changed.
    """
    if not may_stand_in(data):
        return data
    pieces: list[bytes] = []
    done = 0
    for file in islice(_find_files(data, markup=markup), int(further), None):
        if charset.is_no_text(file.data):
            if holds(file.data):
                pieces += data[done : file.start], file.before, NOTE, file.line_end
                done = file.end
            continue
        new = _choose_leaf(file.data)(file.data, "", mask)[0]
        if inside:
            new = mask_files(new, mask, holds, inside=inside - 1)
        if new != file.data:
            pieces += data[done : file.lines[0]], *_encode(new, file, markup=markup)
            done = file.lines[1]
    return b"".join([*pieces, data[done:]]) if pieces else data


def _choose_leaf(data: bytes) -> leaf.Leaf:
    """Choose how a file's text is masked: in a calendar or a card, folds are none of it."""
    if readings.is_markup(data):
        return leaf.mask_page
    folds = calendar.is_calendar(data) or calendar.has_content_lines(data)
    return calendar.mask_calendar if folds else leaf.mask_plain


def _find_files(data: bytes, *, markup: bool) -> Iterator[_File]:
    done = 0
    for begin in _BEGIN.finditer(data):
        if begin.start() < done:
            continue
        before, base64 = begin["before"] or b"", begin["base64"] is not None
        octets: list[bytes] = []
        at, line_end = begin.end(), b"\n"
        while (line := _LINE.match(data, at)) is not None and at < len(data):
            code = _read_line(line[1], before, base64=base64, markup=markup)
            if code is None:
                break
            octets.append(code)
            at, line_end = line.end(), line[2] + b"\n"
        end = _END.match(data, at)
        done = end.end() if end else at
        if octets:
            start = begin.start("before") if begin["before"] is not None else begin.end()
            whole = b"".join(octets)
            ends = not base64 and not octets[-1]
            yield _File(start, (begin.end(), at), done, before, base64, ends, line_end, whole)


def _read_line(line: bytes, before: bytes, *, base64: bool, markup: bool) -> bytes | None:
    """Decode a line; None if it is none of a file's."""
    if not line.startswith(before.rstrip(b" \t")):
        return None
    code = line[len(before) :]
    if markup and b"&" in code:
        code = unescape(code.decode("latin-1")).encode("latin-1", "replace")
    if base64:
        if _BASE64.fullmatch(code) is None:
            return None
        try:
            return binascii.a2b_base64(code)
        except binascii.Error:
            return None
    if not code or code.strip() == b"end" or _CODE.fullmatch(code) is None:
        return None
    # Blanks at a line's end, which mean nulls, may be cut off.
    length = 1 + (((code[0] - 32) & 63) + 2) // 3 * 4
    if len(code) > length + 2:
        return None
    return uuencoding.decode_line(code.ljust(length))


def _encode(new: bytes, file: _File, *, markup: bool) -> Iterator[bytes]:
    for at in range(0, len(new), _OCTETS):
        octets = new[at : at + _OCTETS]
        if file.base64:
            code = binascii.b2a_base64(octets, newline=False)
        else:
            code = binascii.b2a_uu(octets, backtick=True).rstrip(b"\n")
        if markup:
            code = escape(code.decode("ascii"), quote=False).encode("ascii")
        yield file.before + code + file.line_end
    if file.ends:
        yield file.before + b"`" + file.line_end
