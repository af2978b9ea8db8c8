"""Encoded words (RFC 2047): header text to readable text and back, with the place of every piece.

Mail programs forgive much, so this forgives the same: words with blanks or special characters
in them, words that touch other text, characters cut in two between words, wrong or unknown
charsets. Which part of a header may hold encoded words is for the caller to know. Nothing here
raises on any input.
"""

import binascii
import codecs
import re
from collections.abc import Callable, Iterator
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache
from typing import NamedTuple

from conversation_tracker.core.base.limits import EVERY, check_each, no_limit
from conversation_tracker.core.syntax import control_sequences

PLAIN = 0
"""Kind of unit: ASCII text, one byte for each character."""
RAW = 1
"""Kind of unit: a run of 8-bit bytes, or one byte that is read as a blank."""
WORD = 2
"""Kind of unit: one encoded word, or several that share a character."""
GAP = 3
"""Kind of unit: bytes that stand for no text: a fold, the blanks between encoded words."""
QUOTED = 4
"""Kind of unit: a quoted string or a quoted pair; only callers make these."""

# A word ends where the next one begins even if its own end is missing: this keeps the search
# linear. A "=?=" is base64's padding and the end of the word.
ENCODED = re.compile(
    rb"=\?([!-)+->@-~]{1,60})(?:\*[!->@-~]{0,20})?\?([bBqQ])\?"
    rb"((?>(?:[^?=]|\?(?!=)|=(?!\?(?!=)))*))\?="
)
"""One encoded word as mail programs take it: charset, encoding, text (RFC 2047 section 2)."""

_RAW = re.compile(rb"(\r?\n(?=[ \t]))|([\x00-\x09\x0b\x0c\x0e-\x7f]+)|[\x80-\xff]+|[\r\n]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PRINTED = bytes(range(0x20, 0x7F))
_SURROGATE = re.compile("[\ud800-\udfff]")
_SIMPLE = re.compile(rb"[ -~]*")
_BASE64_OTHER = re.compile(rb"[^A-Za-z0-9+/=]+")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")

# Python knows codecs that are no charsets, some of them slow on purpose-made input, and it keeps
# every label it was ever asked for: only these are looked up.
_NO_CHARSETS = {"base64_codec", "bz2_codec", "hex_codec", "mbcs", "quopri_codec", "rot_13"} | {
    "uu_codec",
    "zlib_codec",
}
_CHARSETS = (frozenset(aliases.values()) - _NO_CHARSETS) | {
    *("cp1006", "cp720", "cp737", "cp856", "cp874", "cp875", "koi8_t", "koi8_u"),
    *("mac_arabic", "mac_croatian", "mac_farsi", "mac_romanian", "utf_8_sig"),
}
# Labels seen in mail that Python does not know, or that stand for a larger set in practice.
_LABELS = {
    "gb2312": "gb18030",
    "gb_2312_80": "gb18030",
    "gbk": "gb18030",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_8_i": "iso8859_8",
    "ks_c_5601_1987": "cp949",
    "windows_31j": "cp932",
    "windows_874": "cp874",
    "x_gbk": "gb18030",
    "x_sjis": "cp932",
    "x_user_defined": "latin_1",
}

_SHORT = 2_000  # octets of a value of which several are remembered
_OPEN, _CLOSE, _WORD_LENGTH = b"=?utf-8?", b"?=", 75
_AROUND = len(_OPEN) + 2 + len(_CLOSE)
# What may stand unencoded in the Q encoding everywhere, in a display name too (section 5 (3)).
_Q_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q = [bytes([c]) if c in _Q_SAFE else b"=%02X" % c for c in range(256)]
_Q[ord(" ")] = b"_"


class Unit(NamedTuple):
    """A piece of a header value and the text it stands for.

    Attributes:
        start: where it begins, in bytes.
        end: where it ends.
        text: its readable text; the units' texts together are the value's.
        kind: PLAIN, RAW, WORD, GAP or QUOTED.
    """

    start: int
    end: int
    text: str
    kind: int


def decode_words(value: bytes, check: Callable[[], None] = no_limit) -> str:
    """Return the readable text of a header value.

    Args:
        value: a raw unstructured value or phrase, folded or not.
        check: raises `Overdue` when the time is over.

    Returns:
        Its text: encoded words decoded and adjacent ones joined, raw 8-bit text read as UTF-8, else
        as latin-1, unfolded. Control characters are blanks; there are no lone surrogates.
    """
    if _SIMPLE.fullmatch(value) and b"=?" not in value:
        return value.decode("ascii")
    return "".join([unit.text for unit in cut_units(value, 0, len(value), check)])


def decode_otherwise(word: re.Match[bytes]) -> Iterator[tuple[str, str]]:
    """Yield what some programs show for an encoded word, where not all show the same.

    Many end at padding inside base64, and many show a mark for what the charset lacks.

    Args:
        word: a match of `ENCODED`.

    Returns:
        Each such text, and all of the word in a way that shows it to everybody.
    """
    label = word[1].decode("ascii").lower()
    first, _, rest = word[3].partition(b"=")
    if word[2] in b"bB" and rest.strip(b"="):
        seen, more = (decode_bytes(_decode_payload(word[2], each), label) for each in (first, rest))
        yield seen, f"{seen} {more}" if more else seen
    data = _decode_payload(word[2], word[3])
    if not data.isascii() and _decode_strictly(data, label) is None:
        marked = data.decode(_find_codec(label) or "utf-8", "replace")
        yield marked, marked


def decode_with_controls(word: re.Match[bytes]) -> str | None:
    """Return what an encoded word says with its control characters; None where it has none.

    Args:
        word: a match of `ENCODED`.
    """
    data = _decode_payload(word[2], word[3])
    if not data.translate(None, _PRINTED):
        return None
    label = word[1].decode("ascii").lower()
    text = _decode_strictly(data, label) or decode_bytes(data, label)
    return None if text.isprintable() or _CONTROL.search(text) is None else text


def cut_units(
    value: bytes, start: int, end: int, check: Callable[[], None] = no_limit
) -> list[Unit]:
    """Cut value[start:end] into units, without a gap between them."""
    # What the record masks, a copy masks once more.
    if len(value) <= _SHORT:
        return list(_cut_once(value, start, end))
    return _cut(value, start, end, check)


@lru_cache(maxsize=64)
def _cut_once(value: bytes, start: int, end: int) -> tuple[Unit, ...]:
    return tuple(_cut(value, start, end, no_limit))


def _cut(value: bytes, start: int, end: int, check: Callable[[], None]) -> list[Unit]:
    found: list[Unit] = []
    run: list[re.Match[bytes]] = []
    position = start
    words = ENCODED.finditer(value, start, end) if value.find(b"=?", start, end) >= 0 else ()
    for match in check_each(words, check):
        between = value[position : match.start()]
        if run and between.strip(b" \t\r\n"):
            found += _decode_run(run, check)
            run = []
        if not run:
            found += _cut_raw(value, position, match.start(), check)
        run.append(match)
        position = match.end()
    found += _decode_run(run, check)
    found += _cut_raw(value, position, end, check)
    return found


def encode_words(text: str, longest: int = _WORD_LENGTH) -> bytes:
    """Write text as encoded words in UTF-8, each at most 75 characters, folded between them.

    Args:
        text: any text; its first and last blanks are kept.
        longest: characters of a word, 40 to 75.

    Returns:
        Encoded words that are valid in every place of RFC 2047 section 5; empty for no text.
    """
    room = longest - _AROUND
    characters = [c.encode() for c in clean(text)]
    quoted = ["".join(_Q[b].decode() for b in c).encode() for c in characters]
    if sum(map(len, quoted)) <= 4 * ((sum(map(len, characters)) + 2) // 3):
        words = [b"q?" + b"".join(line) for line in _share_lines(quoted, room, _Q[ord(" ")])]
    else:
        lines = _share_lines(characters, room // 4 * 3, b" ")
        words = [b"b?" + binascii.b2a_base64(b"".join(line), newline=False) for line in lines]
    return b"\n ".join(_OPEN + word + _CLOSE for word in words)


def clean(text: str) -> str:
    """Replace control characters and lone surrogates, each by one character."""
    if text.isascii() and text.isprintable():  # which most is, and far cheaper to tell
        return text
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", text))


def decode_bytes(data: bytes, charset: str) -> str:
    """Decode bytes by the declared charset, else as UTF-8, else as latin-1."""
    return control_sequences.drop(_decode_somehow(data, charset))


def _decode_somehow(data: bytes, charset: str) -> str:
    text = _decode_strictly(data, charset)
    if text is None and b"\x1b" in data:
        text = control_sequences.decode_japanese(data)
    for label in ("utf-8", "latin-1"):
        text = _decode_strictly(data, label) if text is None else text
    return text or ""


def _cut_raw(value: bytes, start: int, end: int, check: Callable[[], None]) -> list[Unit]:
    found: list[Unit] = []
    for match in check_each(_RAW.finditer(value, start, end), check):
        data = match[0]
        if match.lastindex == 1:
            found.append(Unit(match.start(), match.end(), "", GAP))
        elif match.lastindex == 2:
            found.append(Unit(match.start(), match.end(), clean(data.decode("ascii")), PLAIN))
        else:
            found.append(Unit(match.start(), match.end(), clean(decode_bytes(data, "utf-8")), RAW))
    return found


def _decode_run(run: list[re.Match[bytes]], check: Callable[[], None]) -> list[Unit]:
    """Decode adjacent encoded words; where one character is cut in two, those words are one unit.

    And where a control sequence is: what is left of one would stand before the next word.
    """
    found: list[Unit] = []
    parts = [(m[1].decode("ascii").lower(), _decode_payload(m[2], m[3])) for m in run]
    first = tried = 0
    while first < len(run):
        if not len(found) % EVERY:
            check()
        charset, data = parts[first]
        last = first
        text = _decode_strictly(data, charset)
        if text is None and first >= tried:
            while last + 1 < len(run) and parts[last + 1][0] == charset:
                last += 1
            tried = last + 1
            text = _decode_strictly(b"".join(part[1] for part in parts[first:tried]), charset)
            last = first if text is None else last
        if found:
            found.append(Unit(found[-1].end, run[first].start(), "", GAP))
        joined = _join_sequence(parts, last, text)
        last += len(joined) - 1
        shown = clean(control_sequences.drop("".join(joined)))
        found.append(Unit(run[first].start(), run[last].end(), shown, WORD))
        first = last + 1
    return found


def _join_sequence(parts: list[tuple[str, bytes]], last: int, text: str | None) -> list[str]:
    """Return the texts of words from the last of a unit on, as far as a sequence goes on."""
    joined = [_decode_somehow(parts[last][1], parts[last][0]) if text is None else text]
    begun = control_sequences.find_unfinished(joined[0])
    while begun and last + len(joined) < len(parts):
        charset, data = parts[last + len(joined)]
        joined.append(_decode_somehow(data, charset))
        begun = control_sequences.find_unfinished(begun + joined[-1])
    return joined


def _decode_payload(encoding: bytes, data: bytes) -> bytes:
    """Undo the B or Q encoding (RFC 2047 section 4), passing over what is no part of it."""
    if encoding in b"qQ":
        data = data.replace(b"_", b" ").replace(b"\r", b"").replace(b"\n", b"")
        return _HEX.sub(lambda match: bytes([int(match[1], 16)]), data)
    whole: list[bytes] = []
    for part in _BASE64_OTHER.sub(b"", data).split(b"="):
        usable = part[: len(part) - (len(part) % 4 == 1)]
        whole.append(binascii.a2b_base64(usable + b"=" * (-len(usable) % 4)))
    return b"".join(whole)


def _decode_strictly(data: bytes, charset: str) -> str | None:
    name = _find_codec(charset)
    if name is None:
        return None
    if name in ("utf_16", "utf_32") and data[:2] not in (b"\xff\xfe", b"\xfe\xff", b"\0\0"):
        # Without a byte order mark it is big-endian (RFC 2781 section 4.3), unless it is not.
        name += "_le" if data[1::2].count(0) > data[::2].count(0) else "_be"
    try:
        return data.decode(name)
    except (UnicodeError, ValueError):
        return None


@lru_cache(maxsize=512)
def _find_codec(label: str) -> str | None:
    normal = normalize_encoding(label).lower()
    name = _LABELS.get(normal) or aliases.get(normal, normal)
    if name not in _CHARSETS:
        return None
    try:
        codecs.lookup(name)
    except LookupError:
        return None
    return name


def _share_lines(pieces: list[bytes], room: int, blank: bytes) -> list[list[bytes]]:
    """Share pieces out to lines of at most `room` bytes: cut no piece, and no short word."""
    lines: list[list[bytes]] = []
    used = room
    for piece in pieces:
        if used + len(piece) > room:
            begun = _take_word(lines[-1], room // 2, blank) if lines and piece != blank else []
            lines.append(begun)
            used = sum(map(len, begun))
        lines[-1].append(piece)
        used += len(piece)
    return lines


def _take_word(line: list[bytes], most: int, blank: bytes) -> list[bytes]:
    """Take the word that a line ends with, if a blank is before it and it is not long."""
    place = len(line)
    while place and line[place - 1] != blank:
        place -= 1
    word = line[place:]
    if not place or sum(map(len, word)) > most:
        return []
    del line[place:]
    return word
