r"""Addresses in running text some of whose characters are escaped, or written in another width.

What a mask knows by itself, such as `%40` for the at sign, is not looked for here, but escapes of
any other character of an address: `%6a`, `\u002e`, `&#106;`, `=2E`, full width letters. A text is
read as what they mean; where an address shows only then, the source of what differs is written
anew. Character references of HTML are read in `html`. Nothing here raises.
"""

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator

from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.syntax.charset import keep_non_ascii
from conversation_tracker.core.syntax.references import unescape

# Only what may belong to an address: letters, digits, dot, hyphen, underline, plus, at sign.
_HEX = r"(?:2[bBdDeE]|3[0-9]|4[0-9a-fA-F]|5[0-9aAfF]|6[1-9a-fA-F]|7[0-9aA])"
_BEHIND = {
    "%": rf"(?:25)*{_HEX}",
    "\\": rf"(?:(?:u00|x|U000000){_HEX}|[@._+\-])",
    "=": _HEX,
    "&": r"(?:#0{0,24}[0-9]{1,7}|#[xX]0{0,24}[0-9a-fA-F]{1,6}"
    r"|commat|period|lowbar|plus|dash|shy|zwn?j);?",
}
_ESCAPES = {sign: re.compile(re.escape(sign) + behind) for sign, behind in _BEHIND.items()}
# A pattern that begins with one character is found at many times the speed of one for all.
_IN_OCTETS = [
    (sign.encode(), re.compile((re.escape(sign) + behind).encode()))
    for sign, behind in _BEHIND.items()
]
_WIDE = re.compile(
    r"[\u3002\uff0b\uff0d-\uff0e\uff10-\uff19\uff20-\uff3a\uff3f\uff41-\uff5a\uff61\ufe52\ufe6b"
    r"\u24b6-\u24e9\u2070-\u209c\U0001d400-\U0001d7ff]"
)
_WORD = re.compile(r"[^\s<>\"]+")

_Found = tuple[int, int, str]


def possible(data: bytes) -> bool:
    """Return whether ASCII text has escapes that `mask_escapes` would decode."""
    for sign, pattern in _IN_OCTETS:  # in a loop, as this is asked so often
        if sign in data and pattern.search(data) is not None:
            break
    else:
        return False
    return True


def mask_escapes(text: str, mask: Mask) -> str:
    """Mask addresses that only show once escapes are read.

    Args:
        text: decoded text, or HTML source, with what stands in clear masked already.
        mask: gives a text with addresses replaced.

    Returns:
        The text; the same object if nothing changed.
    """
    found = sorted(each for sign in _choose_patterns(text) for each in _find_escapes(text, sign))
    if not found:
        return text
    new = _mask_found(text, found, mask)
    if new is text and any(not meant for _, _, meant in found):
        # What is no character is shown as a mark by some, and by others not at all.
        return _mask_found(text, [(start, end, meant or " ") for start, end, meant in found], mask)
    return new


def _mask_found(text: str, found: list[_Found], mask: Mask) -> str:
    whole = _decode_span(text, 0, len(text), found)
    if mask(whole) == whole:
        return text
    pieces: list[str] = []
    done = 0
    first = 0
    for word in _WORD.finditer(text):
        last = bisect_left(found, word.end(), first, key=_start)
        inside, first = found[first:last], last
        if not inside:
            continue
        pieces += text[done : word.start()], _mask_word(text, *word.span(), inside, mask)
        done = word.end()
    return "".join(pieces) + text[done:]


def _start(found: _Found) -> int:
    return found[0]


def _choose_patterns(text: str) -> Iterator[re.Pattern[str]]:
    for sign, pattern in _ESCAPES.items():
        if sign in text:
            yield pattern
    if not text.isascii() and _WIDE.search("".join(set(keep_non_ascii(text)))):
        yield _WIDE


def _find_escapes(text: str, pattern: re.Pattern[str]) -> Iterator[_Found]:
    for match in pattern.finditer(text):
        yield *match.span(), _unescape(match[0])


def _unescape(source: str) -> str:
    if source[0] == "&":
        # Some take a name for a reference that has no end.
        named = source[1] != "#" and not source.endswith(";")
        return unescape(f"{source};" if named else source)
    if source[0] == "\\" and len(source) == len("\\@"):  # as in Markdown
        return source[1]
    if source[0] in "%\\=":
        return chr(int(source[-2:], 16))
    return unicodedata.normalize("NFKC", source).replace("\u3002", ".")


def _decode_span(text: str, start: int, end: int, found: list[_Found]) -> str:
    """Read a span of a text as its escapes mean it."""
    pieces: list[str] = []
    at = start
    for first, last, meant in found:
        if first >= at:
            pieces += text[at:first], meant
            at = last
    return "".join(pieces) + text[at:end]


def _mask_word(text: str, start: int, end: int, found: list[_Found], mask: Mask) -> str:
    """Mask one word, keeping the source of what stays."""
    old = _decode_span(text, start, end, found)
    new = mask(old)
    if new == old:
        return text[start:end]
    shortest = min(len(old), len(new))
    head = next((i for i in range(shortest) if old[i] != new[i]), shortest)
    rest = shortest - head
    tail = next((i for i in range(rest) if old[-1 - i] != new[-1 - i]), rest)
    places = _map_places(text, start, end, found)
    first, last = places[head], places[len(old) - tail]
    return text[start:first] + new[head : len(new) - tail] + text[last:end]


def _map_places(text: str, start: int, end: int, found: list[_Found]) -> list[int]:
    """Return where each character of what is read begins in the source, and the end."""
    places: list[int] = []
    at = start
    for first, last, meant in found:
        if first < at:
            continue
        places += range(at, first)
        places += [first] * len(meant)
        at = last
    return [*places, *range(at, end), end]
