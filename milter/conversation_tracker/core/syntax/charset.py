"""Text in the charsets of mail: as declared, else UTF-8, else latin-1, and never an exception.

Labels are not trusted: an unknown one, or one that the bytes contradict, is passed over. Transfer
encodings are not known here.
"""

import codecs
import re
from collections.abc import Callable
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache

# Python has codecs that are no charsets, some of them slow on input made for it, and it remembers
# every label that it was ever asked for: none but these are looked up.
_NO_CHARSETS = {"base64_codec", "bz2_codec", "hex_codec", "mbcs", "quopri_codec", "rot_13"} | {
    "uu_codec",
    "zlib_codec",
}
_WITHOUT_ALIAS = {"cp1006", "cp720", "cp737", "cp856", "cp874", "cp875", "koi8_t", "koi8_u"} | {
    "utf_8_sig"
}
_CHARSETS = (frozenset(aliases.values()) - _NO_CHARSETS) | _WITHOUT_ALIAS
# What people declare, and the wider charset that they use.
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "iso_8859_8_e": "iso8859_8",
    "iso_8859_8_i": "iso8859_8",
    "windows_874": "cp874",
    "x_gbk": "gb18030",
    "x_sjis": "cp932",
}
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_BEGINNING = 4096
_SEEN = bytes((0, 9, 10, 13, *range(0x20, 0x7F)))
_SHARE = 16  # of the characters of any text, so many are one blank, line end or letter of ASCII
_BINARY = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_KOREAN, _SHIFTS = b"\x1b$)", b"\x0e\x0f"  # ISO-2022-KR and -CN shift with two of these
_PADDING = b"\0\x1a"  # what some programs write behind the end of a text
# Bells, overstrikes, form feeds and sequences are in the logs of terminals and printers.
_CONTROL = re.compile(r"[\x00-\x06\x0e-\x1a\x1c-\x1f\ufffe\uffff]")
_ASCII = bytes(range(0x20, 0x7F))
_ALL_ASCII = bytes(range(128))
_LAST = "latin-1"
_WIDER_THAN_OCTETS = ("utf-16", "utf-32")
# Where text in UTF-16 or UTF-32 may show an address in the other order of octets, and in single
# octets: as letters of ASCII or their wide forms, and where more than one letter has no null.
_ELSE = (re.compile(r"[!-~\uff01-\uff5e]"), re.compile(r"(?:[^\0]{2,}\0{0,2}){2}[^\0]"))
_STRAY = "utf-8/surrogateescape"
_UTF8 = ("utf-8", "utf_8", "utf_8_sig")
_LOOKS_UTF8 = re.compile(rb"[\xc2-\xf4][\x80-\xbf]")
# Lower-case letters that no text has, for octets that are no UTF-8: they divide no words.
_LETTERS = re.compile("[\u1d00-\u1d7f]")
_AS_LETTERS = {0xDC80 + each: 0x1D00 + each for each in range(0x80)}
_AS_OCTETS = {letter: octet for octet, letter in _AS_LETTERS.items()}
_STATEFUL = ("utf_7", "iso2022", "hz")


def decode_text(data: bytes, label: str) -> str:
    """Decode text, whatever its label says; raises nothing.

    Args:
        data: the text's bytes.
        label: the declared charset, "" if there is none.

    Returns:
        The text, which may hold lone surrogates.
    """
    return data.decode(find_codec(data, label))


def find_codec(data: bytes, label: str) -> str:
    """Name the codec that decodes the data: the declared one, else UTF-8, else latin-1.

    Of what has a null byte beside most letters, UTF-16 or UTF-32 whatever is declared.
    """
    declared = _decode_by_label(data, label)
    told = declared.replace("_", "-")
    if b"\0" in data[:_BEGINNING] and not told.startswith("utf-32"):
        wide = _find_wide(data)
        if wide is not None and not (told.startswith("utf-16") and wide.startswith("utf-16")):
            declared = wide
    for name in (declared, "utf-8"):
        try:
            data.decode(name)
        except (ValueError, LookupError):
            continue
        return name
    return _LAST


def is_transparent(data: bytes, label: str) -> bool:
    """Return whether ASCII text stands in the data as ASCII bytes, and these mean nothing else."""
    return b"\0" not in data and _keeps_ascii(_decode_by_label(data, label))


def is_wide(data: bytes) -> bool:
    """Return whether data is text in UTF-16 or UTF-32, whatever it is called."""
    marked = data.startswith(_MARKS)
    return (marked or b"\0" in data[:_BEGINNING]) and _find_wide(data) is not None


def is_no_text(data: bytes) -> bool:
    """Return whether data holds what no text does, in any charset."""
    if _BINARY.search(data) is None:
        return False
    rest = data.rstrip(_PADDING)
    if _KOREAN in rest:
        rest = rest.translate(None, _SHIFTS)
    return _BINARY.search(rest) is not None and not is_wide(data)


def _find_wide(data: bytes) -> str | None:
    """Name the wide encoding in which data is text; None if there is none."""
    return next((name for name in reversed(_WIDE) if _is_text(data, name)), None)


def _is_text(data: bytes, name: str) -> bool:
    """Return whether data is text in one of the wide encodings."""
    width = 4 if "32" in name else 2
    data, _ = _split_torn(data, name)
    # A mark tells it; or the octet that is null in ASCII is so in some characters of any script.
    head = data[: _BEGINNING - _BEGINNING % 4]
    if not head.startswith("\ufeff".encode(name)):
        great, little = head[::width].count(0), head[width - 1 :: width].count(0)
        high, low = (little, great) if name.endswith("le") else (great, little)
        # In UTF-32 the first octet of each character is null, or none is one.
        least = len(head) // width if width == 4 else len(head) // width // _SHARE
        if high < least or high < low:
            return False
        # Another script has other octets, too; else this is ASCII with some null octets in it.
        if high * width * 2 < len(head) and len(head.translate(None, _SEEN)) * 8 < len(head):
            return False
    try:
        text = data.decode(name)
    except ValueError:
        return False
    return _CONTROL.search(text.rstrip("\0\x1a")) is None


def change_text(
    data: bytes, label: str, change: Callable[[str], str], errors: str = "strict"
) -> tuple[bytes, str]:
    """Change the text in the data, in every charset that a program may take it for.

    These are the declared one or what stands in for it; UTF-8 with stray bytes, where it is none,
    and where it is called something else; ASCII, where the declared one would hide it; UTF-16,
    where there are null bytes.

    Args:
        data: the text's bytes.
        label: the declared charset, "" if there is none.
        change: gives the changed text.
        errors: what to do with characters that the charset lacks, as in `str.encode`.

    Returns:
        The data, the same object if nothing changed, and the charset it is in: the label as given,
        or "utf-8" where the changed text could not be written in it, or now needs one.
    """
    names = _iter_readings(data, label)
    wide = names[0].replace("_", "-").startswith(_WIDER_THAN_OCTETS)
    for name in names:
        name, _, stray = name.partition("/")
        whole, torn = _split_torn(data, name)
        try:
            text = whole.decode(name, stray or "strict")
        except ValueError:
            continue
        if wide and name != names[0] and _ELSE[name == _LAST].search(text) is None:
            continue  # each null would be looked behind
        new = change(text)
        if new == text:
            continue
        try:
            written = new.encode(name, stray or errors) + torn
        except ValueError:
            return new.encode("utf-8", "surrogatepass"), "utf-8"
        if not label and data.isascii() and not written.isascii():
            label = "utf-8"  # it was not needed before
        data = written
    if data.isascii() or _LOOKS_UTF8.search(data) is None:
        return data, label
    if _decode_by_label(data, label) not in _UTF8:
        data = _change_mistaken(data, change)
    return data, label


def read_only(data: bytes, label: str) -> str | None:
    """Decode text that every program reads alike; None where `change_text` changes it in several.

    Args:
        data: the text's bytes.
        label: the declared charset, "" if there is none.
    """
    name = find_codec(data, label)
    if name == _LAST or b"\0" in data or not _keeps_ascii(name):
        return None
    if name not in _UTF8 and _LOOKS_UTF8.search(data) is not None:
        return None
    return data.decode(name)


def _split_torn(data: bytes, name: str) -> tuple[bytes, bytes]:
    """Split off octets that are too few for a character: often a line end behind UTF-16."""
    if name not in _WIDE or not (torn := len(data) % (4 if "32" in name else 2)):
        return data, b""
    return data[:-torn], data[-torn:]


def _change_mistaken(data: bytes, change: Callable[[str], str]) -> bytes:
    """Change what many programs take for UTF-8, whatever is declared; other octets are letters."""
    try:
        text = data.decode("utf-8")
    except ValueError:
        text = data.decode("utf-8", "surrogateescape")
    else:  # nothing stands for octets, which would be looked for one by one
        new = change(text)
        return data if new == text else new.encode("utf-8", "surrogatepass")
    if _LETTERS.search(text):
        return data  # it holds one of the letters that stand for octets below
    shown = text.translate(_AS_LETTERS)
    new = change(shown)
    return data if new == shown else new.translate(_AS_OCTETS).encode("utf-8", "surrogateescape")


def rewrite_text(
    data: bytes, label: str, change: Callable[[str], str], errors: str = "strict"
) -> tuple[bytes, str]:
    """Change the text in the data as `change_text` does, in the one charset that it is read in."""
    name = find_codec(data, label)
    text = data.decode(name)
    new = change(text)
    if new == text:
        return data, label
    try:
        written = new.encode(name, errors)
    except ValueError:
        return new.encode("utf-8", "surrogatepass"), "utf-8"
    lacking = not label and data.isascii() and not written.isascii()
    return written, "utf-8" if lacking else label


def keep_non_ascii(text: str) -> str:
    """Return the characters of a text that are not ASCII: looking for some among these is cheap.

    Of octets that are none of the charset, nothing is kept: decoding these again would be slow.
    """
    try:  # one octet for each character: far cheaper
        return text.encode(_LAST).translate(None, _ALL_ASCII).decode(_LAST)
    except ValueError:
        octets = text.encode("utf-8", "surrogatepass").translate(None, _ALL_ASCII)
        return octets.decode("utf-8", "ignore")


def narrow(data: bytes, old: bytes, label: str) -> bytes:
    """Write UTF-8 data in the charset of the old, where no other can be declared.

    What that charset lacks becomes a question mark; only ASCII is taken for UTF-8, which it is.
    """
    name = find_codec(old, label)
    return data if name == "ascii" else data.decode("utf-8", "replace").encode(name, "replace")


def _iter_readings(data: bytes, label: str) -> list[str]:
    name = find_codec(data, label)
    names = [_STRAY, name] if name == _LAST else [name]
    if not _keeps_ascii(name):
        names.append("latin-1")
    if b"\0" in data:
        names += _WIDE if b"\0\0" in data else _WIDE[:2]
    return list(dict.fromkeys(names))


def _decode_by_label(data: bytes, label: str) -> str:
    name = _codec_name(label)
    if name == "utf_16":  # keep its byte order and whether there is a mark (RFC 2781)
        marked_big = data.startswith(codecs.BOM_UTF16_BE)
        looks_big = data[0::2].count(0) > data[1::2].count(0)
        marked_little = data.startswith(codecs.BOM_UTF16_LE)
        return "utf-16-be" if marked_big or (looks_big and not marked_little) else "utf-16-le"
    return name


@lru_cache(maxsize=256)
def _codec_name(label: str) -> str:
    """Name Python's codec for a label; UTF-8 if there is none."""
    normal = normalize_encoding(label.strip(" \t\"'").lower())
    name = aliases.get(normal, normal)
    name = _WIDER.get(name, name)
    return name if name in _CHARSETS else "utf-8"


@lru_cache(maxsize=256)
def _keeps_ascii(name: str) -> bool:
    if name.startswith(_STATEFUL):
        return False
    try:
        return _ASCII.decode(name) == _ASCII.decode("ascii")
    except ValueError:
        return False
