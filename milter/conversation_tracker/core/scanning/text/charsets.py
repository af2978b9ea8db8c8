"""The charsets of octets: which text they may be, for the final scan.

As declared, else UTF-8, else latin-1; UTF-16 or UTF-32 whatever is declared, where octets are text
in one of these. Written apart from the masking code. Time is linear. Nothing here raises.
"""

import codecs
import re
from collections.abc import Iterator
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache

_OTHERS = {"base64_codec", "bz2_codec", "hex_codec", "mbcs", "quopri_codec", "rot_13", "tactis"} | {
    "uu_codec",
    "zlib_codec",
}
_CODECS = (frozenset(aliases.values()) - _OTHERS) | {"koi8_u", "cp874", "cp720", "utf_8_sig"}
_ASCII = bytes(range(0x20, 0x7F))
_OCTET = re.compile("[\udc80-\udcff]")  # one that is no UTF-8

# Bells, overstrikes, form feeds and sequences are in the logs of terminals and printers.
_IN_NO_TEXT = re.compile(rb"[\0-\x06\x0e-\x1a\x1c-\x1f]")
_IN_NO_WIDE_TEXT = re.compile("[\0-\x06\x0e-\x1a\x1c-\x1f\ufffe\uffff]")
_SHIFTS, _KOREAN = b"\x0e\x0f", b"\x1b$)"  # as ISO-2022-KR begins, which shifts with two of these
_PADDING = b"\0\x1a"  # what some programs write behind the end of a text
# Where in each of its characters the octet stands that is null in ASCII, and the one that is not.
_WIDE = (
    ("utf-32-le", 4, 3, 0),
    ("utf-32-be", 4, 0, 3),
    ("utf-16-le", 2, 1, 0),
    ("utf-16-be", 2, 0, 1),
)
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_NO_ASCII = bytes(n for n in range(1, 256) if not (32 <= n < 127 or n in b"\t\n\r"))
_LEAST_OTHERS = 8
_HEAD = 4096
_SHARE = 16  # of the characters of any text, so many are one blank, line end or letter of ASCII


def read_texts(data: bytes, label: str) -> Iterator[str]:
    """Return the texts that bytes may be, in the charset that is declared and in others.

    Args:
        data: text without its transfer encoding.
        label: the declared charset, "" if there is none.
    """
    codec = _find_codec(label)
    if data.isascii() and b"\0" not in data and _keeps_ascii(codec):
        return iter((data.decode("ascii"),))  # so it is mostly
    return _read_otherwise(data, codec)


def _read_otherwise(data: bytes, codec: str) -> Iterator[str]:
    """Yield the texts that bytes may be which are not all ASCII, or not sure to be."""
    if data.isascii() and b"\0" not in data:
        yield data.decode("ascii")
    wide = read_wide(data)
    if wide is not None:
        yield wide
    for name in (codec, "utf-8", "latin-1"):
        try:
            text = data.decode(name)
        except (ValueError, LookupError):
            # Many programs show what they can.
            yield data.decode(name, "replace")
            continue
        if text != wide:
            yield text
        break
    if name == codec != "utf-8" and not data.isascii():
        # Many take what is UTF-8 for that, whatever is said of it. Octets that are none are letters
        # of the charset, which part nothing.
        yield _OCTET.sub("\u00e4", data.decode("utf-8", "surrogateescape"))
    if not _keeps_ascii(codec) and not data.isascii():
        yield data.decode("latin-1")
    if wide is not None:
        return
    if b"\0" in data:
        yield data[::2].decode("ascii", "replace")
        yield data[1::2].decode("ascii", "replace")
    if b"\0\0\0" in data:
        yield data[::4].decode("ascii", "replace")
        yield data[3::4].decode("ascii", "replace")


def read_wide(data: bytes) -> str | None:
    """Read octets as UTF-16 or UTF-32; None where they are no text in these.

    A mark tells it (RFC 2781 section 3.2), or that the octet which is null in letters of ASCII is
    so in many characters.
    """
    head = data[:_HEAD]
    marked = head.startswith(_MARKS)
    if not marked and b"\0" not in head:
        return None
    for codec, width, null, other in _WIDE:
        if not (marked and head.startswith("\ufeff".encode(codec))):
            nulls = head[null::width].count(0)
            # In UTF-32 the first octet of each character is null, or none is one.
            least = len(head) // width if width == 4 else len(head) // width // _SHARE
            if nulls < least or nulls < head[other::width].count(0):
                continue
            # With fewer it is of another script, and else octets of ASCII with some null beside.
            some = len(head) - len(head.translate(None, _NO_ASCII))
            if nulls * width * 2 < len(head) and some * _LEAST_OTHERS < len(head):
                continue
        try:
            begins = codecs.getincrementaldecoder(codec)().decode(head)
            if _IN_NO_WIDE_TEXT.search(begins.rstrip("\0\x1a")) is not None:
                continue
            text = data[: len(data) - len(data) % width].decode(codec)
        except ValueError:
            continue
        if _IN_NO_WIDE_TEXT.search(text.rstrip("\0\x1a")) is None:
            return text
    return None


def has_controls(data: bytes) -> bool:
    """Return whether octets hold what no text of single octets does."""
    return _IN_NO_TEXT.search(data) is not None


def is_no_text(data: bytes) -> bool:
    """Return whether octets hold what no text does, in any charset."""
    if not has_controls(data):
        return False
    rest = data.rstrip(_PADDING)
    if _KOREAN in rest:
        rest = rest.translate(None, _SHIFTS)
    return _IN_NO_TEXT.search(rest) is not None and read_wide(data) is None


def is_utf_8(label: str) -> bool:
    """Return whether a charset that is declared, or "" for none, is read as UTF-8."""
    return _find_codec(label) == _find_codec("")


def keeps_ascii(label: str) -> bool:
    """Return whether octets of ASCII are what they are in ASCII, in a charset that is declared."""
    return _keeps_ascii(_find_codec(label))


@lru_cache(maxsize=256)
def _find_codec(label: str) -> str:
    """Name Python's codec for a label; UTF-8 where there is none."""
    normal = normalize_encoding(label.strip(" \t\"'").lower())
    name = aliases.get(normal, normal)
    if name not in _CODECS:
        return "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


@lru_cache(maxsize=256)
def _keeps_ascii(name: str) -> bool:
    if name.replace("-", "_").startswith(("utf_7", "utf_16", "utf_32", "iso2022", "hz")):
        return False
    try:
        return _ASCII.decode(name) == _ASCII.decode("ascii")
    except ValueError:
        return False
