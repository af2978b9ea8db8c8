r"""What a text, or bytes, may be read as: every decoded form in which an address could be seen.

Character references, percent and JSON escapes, characters without width, tags inside words, lines
that a format folds, blocks of base64. Charsets are in `charsets`, and what stands in tokens is
decoded in `tokens`. Written apart from the masking code.

Every reading costs time linear in the text's length. Nothing here raises.
"""

import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote

from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.scanning.text import characters, charsets

_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")

_NAMES = {
    "amp": "&", "apos": "'", "bsol": "\\", "commat": "@", "dash": "\u2010", "equals": "=",
    "gt": ">", "hyphen": "\u2010", "lowbar": "_", "lt": "<", "nbsp": " ", "newline": "\n",
    "num": "#", "percnt": "%", "period": ".", "plus": "+", "quot": '"', "shy": "\u00ad",
    "tab": "\t", "zerowidthspace": "\u200b", "zwj": "\u200d", "zwnj": "\u200c",
}  # fmt: skip
_REFERENCE = re.compile(
    rf"&(?:#(0{{0,24}}[0-9]{{1,7}}|x0{{0,24}}[0-9a-f]{{1,6}})|({'|'.join(_NAMES)}));?"
)
# Patterns begin with the one character, or the few, that each match begins with: then the others
# are passed over at many times the speed.
_PERCENT = re.compile(r"%(?:25)*[0-9a-f]{2}(?:%(?:25)*[0-9a-f]{2})*")
_ESCAPED = re.compile(r"%(?:[0-9a-f]{2}|u00)")
_ONE_PERCENT = re.compile(r"%(?:25)*([0-9a-f]{2})")
# What JSON, xtext (RFC 3461 section 4) and VERP write for an at sign, and what JSON and
# quoted-printable write for signs that part words.
# Before what is an address without them, they are no at sign; behind a word, that of
# quoted-printable is.
_SIGN = re.compile(
    r"[\\=+](?:(?:(?<=\\)(?:u00|x)|(?<=[=+]))(40)(?=[\w\[])(?:(?<=\w=40)|(?![^\s<>]{0,64}@))"
    r"|(?<=\\)(?:u00|x)(?!40)([2-7][0-9a-f])|(?<==)(?:2[02]|3[a-f]|0[9ad]))"
)
# The same where no backslash and no xtext is: what begins with one character is found at many times
# the speed.
_QUOTED_SIGN = re.compile(
    r"=(?:(40)(?=[\w\[])(?:(?<=\w=40)|(?![^\s<>]{0,64}@))|2[02]|3[a-f]|0[9ad])"
)
_EQUALS = re.compile(r"=(?:40|[023])")
_BACKSLASHED = re.compile(r"\\([@._+-])")
_UNSHOWN = (
    r"([a-z]{1,10})\s[^<>]{0,400}?(?:display\s{0,8}:\s{0,8}none|visibility\s{0,8}:\s{0,8}hidden)"
    r"[^<>]{0,400}>[^<>]{0,200}</\1\s{0,8}>"
)
_BETWEEN_LETTERS = (
    r"![^<>]*>|/?(?:a|abbr|acronym|b|bdi|bdo|big|code|em|font|i|ins|kbd|mark|nobr"
    r"|o:p|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var|wbr)(?:[\s/][^<>]*)?>"
)
_INLINE = re.compile(rf"<(?:{_UNSHOWN}|{_BETWEEN_LETTERS})", re.DOTALL)
_PLAIN_INLINE = re.compile(rf"<(?:{_BETWEEN_LETTERS})", re.DOTALL)
_FOLD = re.compile(r"\n[ \t]")  # found at many times the speed of one with two beginnings
_FLOWED = re.compile(r" \r?\n(?:>[> ]*)?")
_QUOTED_WORD = re.compile(r"=\?([^?\s]{1,40})\?([bq])\?([^?]*)\?=(?:\s+(?==\?))?", re.IGNORECASE)
_TOUCHED_WORD = re.compile(
    r"(?<=[^\s=])(?==\?[^?\s]{1,40}\?[bq]\?)|(?<=\?=)(?<!\?[bq]\?=)(?=[^\s=])", re.IGNORECASE
)
_PADDED_WORD = re.compile(r"\?b\?[^?=]*=+[^?=]", re.IGNORECASE)
# It begins at a quotation mark, or where blanks do: not at each of them.
_CONTINUED = re.compile(r'"?(?<!\s)\s*+;\s*+[\w-]++\*(?!0)[0-9]++\*?\s*+=\s*+"?')
_PAIR = re.compile(r"\\(.)", re.DOTALL)

BASE64 = b"+/=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The octets of base64."""
NO_BASE64 = bytes(set(range(256)) - set(BASE64))
"""Octets that decoders of base64 pass over."""

_BLOCK = re.compile(rb"^(?:[A-Za-z0-9+/]{48,100}\r?\n)+[A-Za-z0-9+/]{0,100}={0,2}", re.MULTILINE)
_NEXT_BLOCK = re.compile(rb"\n[A-Za-z0-9+/]{48}")  # found at many times the speed
_URL_IN_LINES = re.compile(rb";base64,([A-Za-z0-9+/]*+(?>(?:\s++[A-Za-z0-9+/]++)+))")
_PIECE = 1024 * 1024  # octets looked at at once


def iter_readings(text: str, *, markup: bool = False) -> Iterator[str]:
    """Yield what a text may be read as, in lower case.

    Args:
        text: the decoded text.
        markup: it is HTML, whose tags a reader does not see.
    """
    low = lower_case(text)
    yield low
    for change in (
        decode_references,
        decode_percent,
        decode_percent,
        decode_signs,
        characters.drop_invisible,
    ):
        new = change(low)
        if new != low:
            low = new
            yield low
    if markup and (shown := drop_tags(low)) != low:
        yield shown


def drop_tags(low: str) -> str:
    """Leave out the tags of a lower-case text that may stand in a word."""
    unshown = "display" in low or "visibility" in low
    return (_INLINE if unshown else _PLAIN_INLINE).sub("", low) if "<" in low else low


def may_be_escaped(low: str) -> bool:
    """Return, cheaply, whether `iter_readings` might give more than a lower-case text in ASCII."""
    if "\\" in low or ("&" in low and _REFERENCE.search(low) is not None):
        return True
    if "%" in low and _ESCAPED.search(low) is not None:
        return True
    if not _may_hold_sign(low):
        return False
    pattern = _QUOTED_SIGN if _has_quoted_only(low) else _SIGN
    return pattern.search(low) is not None


def is_text(data: bytes) -> bool:
    """Return whether bytes with control characters among them are text all the same."""
    try:
        data.decode("utf-8")
    except ValueError:
        return False
    return True


def read_octets(data: bytes) -> str | None:
    """Read what was decoded as text; None where it is none."""
    try:
        text = data.decode("utf-8")
    except ValueError:
        return None
    return None if _CONTROL.search(text) else text


def iter_header_readings(value: str) -> Iterator[str]:
    """Yield what a header's value may be read as, in its own case.

    Args:
        value: the value, with its folds.
    """
    yield value
    flat = value
    if "\n " in value or "\n\t" in value:
        if "\r" in value:
            flat = value.replace("\r\n ", "\n ").replace("\r\n\t", "\n\t")
        pieces = _FOLD.split(flat)
        flat = " ".join(pieces)
        if '"' in flat:  # else it shows nothing more: a line end parts as a blank does
            yield flat
        yield "".join(pieces)
    if "=?" in flat:
        yield decode_encoded_words(flat)
        if _PADDED_WORD.search(flat) is not None:
            yield decode_encoded_words(flat, ended=True)
        if (parted := _TOUCHED_WORD.sub(" ", flat)) != flat:
            # Some programs show a blank between a word and what it touches.
            yield decode_encoded_words(parted)
    if "*" in flat:
        joined = _CONTINUED.sub("", flat)
        yield joined
        if "%" in joined:  # what is encoded in it, words may hide again
            yield unquote(joined)
    if "\\" in flat:
        yield _PAIR.sub(r"\1", flat)


def decode_encoded_words(text: str, *, ended: bool = False) -> str:
    """Decode the encoded words in a text (RFC 2047), adjacent ones joined.

    Those of one charset are joined as bytes, as many programs do: a character may be torn.

    Args:
        text: the text.
        ended: base64 ends at its padding, as it does for many programs.
    """
    pieces: list[str] = []
    words: list[bytes] = []
    label, done = "", 0
    for match in _QUOTED_WORD.finditer(text):
        own = match[1].partition("*")[0].lower()
        if match.start() > done or own != label:
            if words:
                pieces.append(_decode_charset(words, label))
            pieces.append(text[done : match.start()])
            label, words = own, []
        words.append(_decode_word(match, ended=ended))
        done = match.end()
    if not words:
        return text
    return "".join(pieces) + _decode_charset(words, label) + text[done:]


def _decode_charset(words: list[bytes], label: str) -> str:
    data = words[0] if len(words) == 1 else b"".join(words)
    return next(charsets.read_texts(data, label)) if data else ""


def unflow(text: str) -> str:
    """Join the lines that format=flowed breaks inside words (RFC 3676 section 4.5)."""
    return _FLOWED.sub("", text)


def decode_blocks(data: bytes) -> Iterator[bytes]:
    """Yield the base64 of several lines in bytes, decoded: keys, quoted messages, `data:` URLs."""
    if b";base64," in data:
        for url in _URL_IN_LINES.findall(data):
            yield decode_base64(url)
    at = 0
    while at >= 0:
        block = _BLOCK.match(data, at)
        if block is not None:
            yield decode_base64(block[0])
            at = block.end() - 1
        # Only behind a line end may one begin: to look at each octet costs many times as much.
        line = _NEXT_BLOCK.search(data, at)
        at = line.start() + 1 if line is not None else -1


def decode_base64(data: bytes, *, clean: bool = False) -> bytes:
    """Decode base64 leniently: what is not in its alphabet is passed over, or was (`clean`)."""
    pieces = []
    for run in (data if clean else data.translate(None, NO_BASE64)).split(b"="):
        usable = run[: len(run) - (len(run) % 4 == 1)]
        pieces.append(binascii.a2b_base64(usable + b"=" * (-len(usable) % 4)))
    return b"".join(pieces)


def find_base64_end(data: Octets, start: int, end: int) -> int:
    """Find the padding at which many programs end, though more stands behind; -1 if nothing does.

    Args:
        data: where base64 stands.
        start: where it begins.
        end: where it ends.
    """
    sign = data.find(b"=", start, end)
    if sign < 0:
        return -1
    pieces = (data[at : min(at + _PIECE, end)] for at in range(sign, end, _PIECE))
    more = any(each.translate(None, NO_BASE64).strip(b"=") for each in pieces)
    return sign if more else -1


def decode_references(low: str) -> str:
    """Decode the character references in a text, those in lower case."""
    return _REFERENCE.sub(_decode_reference, low) if "&" in low else low


def _decode_reference(match: re.Match[str]) -> str:
    if match[2]:
        return _NAMES[match[2]]
    number = int(match[1][1:], 16) if match[1][0] == "x" else int(match[1])
    if 0x80 <= number < 0xA0:  # of Windows, HTML section 13.2.5.80
        return bytes((number,)).decode("cp1252", "replace")
    return chr(number).lower() if number < 0x110000 else " "


def decode_percent(low: str) -> str:
    """Decode the percent escapes in a text, those in lower case."""
    return _PERCENT.sub(_decode_percent_run, low) if "%" in low else low


def _decode_percent_run(match: re.Match[str]) -> str:
    digits = "".join(_ONE_PERCENT.findall(match[0]))
    return bytes.fromhex(digits).decode("utf-8", "replace").lower()


def _may_hold_sign(low: str) -> bool:
    if "\\" in low or ("+" in low and "+40" in low):
        return True
    return "=" in low and _EQUALS.search(low) is not None


def _has_quoted_only(low: str) -> bool:
    """Return whether no sign that `_SIGN` finds begins with anything but an equals sign."""
    return not ("\\" in low or ("+" in low and "+40" in low))


def decode_signs(low: str) -> str:
    """Decode what JSON, xtext and quoted-printable write for signs, in lower case."""
    if not _may_hold_sign(low):
        return low
    if _has_quoted_only(low):
        return _QUOTED_SIGN.sub(_decode_quoted_sign, low)
    low = _SIGN.sub(_decode_sign, low)
    if "\\" not in low:
        return low
    low = low.replace("\\t", " ").replace("\\n", "\n").replace("\\r", "\n")
    return _BACKSLASHED.sub(r"\1", low)


def _decode_sign(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)).lower() if code else " "


def _decode_quoted_sign(match: re.Match[str]) -> str:
    return "@" if match[1] else " "


def _decode_word(match: re.Match[str], *, ended: bool = False) -> bytes:
    payload = match[3].encode("utf-8", "replace")
    if match[2] in "bB":
        return decode_base64(payload.partition(b"=")[0] if ended else payload)
    return binascii.a2b_qp(payload, header=True)
