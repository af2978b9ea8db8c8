"""Words inside base64 and hexadecimal digits in text, as link tokens hold them, decoded.

Written apart from the masking code. Each text is read a bounded number of times. Nothing here
raises.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from urllib.parse import unquote

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.scanning.text.characters import drop_invisible
from conversation_tracker.core.scanning.text.decodings import (
    decode_base64,
    decode_percent,
    decode_references,
)

_NO_TOKEN = re.compile(r"[^A-Za-z0-9+/_-]")
_NO_DIGIT = re.compile("[^0-9a-f]")
_LINKED = re.compile(r"://[^\s<>\"']+")
_LINK_WORD = re.compile(r"[A-Za-z0-9+/_-]{4,}")
_ALL_DIGITS = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_CONTROL = re.compile(rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
_URL_SAFE = str.maketrans("-_", "+/")
_TOKEN = 1024  # characters of a token looked at on either side
_OTHERS = bytes(set(range(256)) - set(b"+/-_0123456789") - {*range(65, 91), *range(97, 123)})
_FLAT = bytes.maketrans(bytes(range(256)), bytes(9 * (n not in _OTHERS) for n in range(256)))
_NESTED = re.compile(r"[A-Za-z0-9+/_-]{24,}")
_BESIDE = "2B 2b 2F 2f 3D 3d 3A 3a 3F 3f 26 23 22 7B 7b 2C 2c".split()
# What is beside a token in links, or in it: to undo all escapes costs many times as much.
_ESCAPES = (("%25", "%"), ("%25", "%"), *((f"%{n}", chr(int(n, 16))) for n in _BESIDE))
_FILL = ("AAAA", "AAAAAAA", "AAAAAA", "AAAAA")  # to a group of four, and one more
# How zlib and gzip begin. What begins with one character is found at many times the speed.
_PACKED = (
    re.compile(r"e(?:J[w-z]|A[E-H]|F[4-7]|N[o-r])(?<![A-Za-z0-9+_-]...)[A-Za-z0-9+/_-]{8,}"),
    re.compile(r"H4sI(?<![A-Za-z0-9+_-]....)[A-Za-z0-9+/_-]{8,}"),
)
# Letters of ASCII in UTF-16: of each three, eight characters.
_WIDE_LETTERS = re.compile(
    r"A[C-H][AEIMQUYcgkosw048]A[A-Za-z0-9+/_-][AQgw][AB][A-Za-z0-9+/_-]A[C-H]"
)
_BASE32 = re.compile(r"[A-Z2-7]{24,}|[a-z2-7]{24,}")  # RFC 4648 section 6, in one letter case
# How letters of another width, and characters without width, begin in UTF-8 read as Latin-1.
_NOT_ASCII = ("\xef\xbc", "\xef\xbd", "\xe2\x80", "\xc2\xad", "\xe2\x81", "\xef\xbb")
_LEAST = 28  # characters of a text that holds such a token
_MOST_UNPACKED = 16  # octets for each of a token
_LONG_LINKS = 64 * 1024  # characters of links that are remembered
_MOST_NEAR = 64  # labels that are looked for one by one
_LEVELS = 3  # tokens inside each other
_WORTH = (
    10  # characters of the shortest needle, and KiB of a text, from which on words are taken out
)


class Tokens:
    """Finds words in base64 or hexadecimal digits inside text, as link tokens hold them."""

    def __init__(self, words: tuple[str, ...], near: tuple[str, ...] = ()) -> None:
        """Prepare to find these words, given in lower case.

        Args:
            words: the words.
            near: first labels of domains, one of which is in whatever names somebody in a link.
        """
        self._near = near
        self._words = words
        self._needles = {each for word in words for each in _encode_base64(word)}
        self._hex = {word.encode("utf-8").hex() for word in words if word}
        self._plain: set[str] = set()  # links that hold no tokens in tokens

    # What follows is needed of links and files alone.

    @cached_property
    def _wide(self) -> list[str]:
        return ["\0".join(word) for word in self._words if len(word) > 1]

    @cached_property
    def _based(self) -> list[bytes]:
        return [needle.encode("ascii") for needle, _first in self._needles]

    @cached_property
    def _digits(self) -> list[bytes]:
        return [each.encode("ascii") for each in self._hex]

    @cached_property
    def _shortest(self) -> int:
        return min(map(len, (*self._based, *self._digits)), default=0)

    def decode_in_bytes(self, data: bytes) -> Iterator[str]:
        """Yield them in bytes that are no text, most of which hold none."""
        if self._stand_in(data):
            yield from self.decode(data.decode("latin-1"))

    def _stand_in(self, data: bytes) -> bool:
        """Return whether there is anything to decode in bytes: looked for in long words alone."""
        return self._stand_in_words(self._take_words(data))

    def _stand_in_words(self, data: bytes) -> bool:
        if any(map(data.__contains__, self._based)):
            return True
        return any(map(data.lower().__contains__, self._digits))

    def _take_words(self, data: bytes) -> bytes:
        """Return what of bytes may hold tokens: long words alone where there are few of them."""
        if len(data) >= _WORTH * 1024 and self._shortest >= _WORTH:
            return _take_words(data, self._shortest)
        return data

    def decode(self, text: str, low: str = "") -> Iterable[str]:
        """Return the decoded tokens in a text that hold one of the words.

        Args:
            text: the text.
            low: the same in lower case, where it is at hand.
        """
        short = "://" not in text and len(text) < _WORTH * 1024
        return () if short and not self._may_hold(text, low) else self._decode(text, low)

    def _may_hold(self, text: str, low: str) -> bool:
        """Return whether one of the words stands in a text in base64 or digits, or may there."""
        if _may_be_rare(text):
            return True
        # `in` costs half of what `find` does, and most texts hold none.
        for needle, _first in self._needles:
            if needle in text:
                return True
        return any(map((low or text.lower()).__contains__, self._hex))

    def _decode(self, text: str, low: str) -> Iterator[str]:
        if "://" in text and self._shortest:
            links = "\n".join(_LINKED.findall(text))
            if links not in self._plain:  # most links are looked at in several readings of a text
                found = list(self._decode_nested(links, _LEVELS))
                yield from found
                if not found and len(links) < _LONG_LINKS:
                    self._plain.add(links)
        if len(text) >= _WORTH * 1024:
            words = self._take_words(text.encode("utf-8", "surrogatepass"))
            if _may_be_rare(words.decode("latin-1")):
                yield from self._decode_rare(text)
            if not self._stand_in_words(words):
                return
        elif self._shortest and _may_be_rare(text):
            yield from self._decode_rare(text)
        yield from self._decode_once(text, low)

    def _decode_rare(self, text: str) -> Iterator[str]:
        """Yield what base64 in running text holds that is compressed, or UTF-16."""
        for pattern in _PACKED:
            yield from map(_unpack, pattern.findall(text))
        if not self._wide or _WIDE_LETTERS.search(text) is None:
            return
        done = 0
        for found in _WIDE_LETTERS.finditer(text):
            at = found.start()
            if at < done:
                continue
            left = _NO_TOKEN.split(text[max(done, at - _TOKEN) : at])[-1]
            right = _NO_TOKEN.split(text[at : at + 2 * _TOKEN], maxsplit=1)[0]
            done = at + len(right)
            code = (left + right).translate(_URL_SAFE).encode("ascii")
            shown = decode_base64(code).decode("latin-1")
            low = shown.lower()
            if any(each in low for each in self._wide):
                yield shown.replace("\0\0", " ").replace("\0", "")

    def _decode_once(self, text: str, low: str = "") -> Iterator[str]:
        for needle, first in self._needles:
            if needle not in text:
                continue
            at = text.find(needle)
            ends = [0] * 4  # of what was decoded, where a group begins at such a place
            while at >= 0:
                if at >= ends[(at - first) % 4]:
                    token, ends[(at - first) % 4] = _decode_around(text, at, first)
                    yield token
                at = text.find(needle, at + 1)
        low = low or text.lower()
        for needle in self._hex:
            if needle not in low:
                continue
            at = low.find(needle)
            ends = [0] * 2
            while at >= 0:
                if at >= ends[at % 2]:
                    token, ends[at % 2] = _decode_hexadecimal(low, at)
                    yield token
                at = low.find(needle, at + 1)

    def _decode_nested(self, links: str, levels: int) -> Iterator[str]:
        """Yield what tokens in links hold that hold such a token in turn, or are compressed."""
        if "%" in links:
            for escape, sign in _ESCAPES:
                links = links.replace(escape, sign)
        for pattern in _PACKED if levels > 1 else ():
            for each in pattern.findall(links):
                yield (shown := _unpack(each))
                yield from self._decode_again(shown, 1)
        words = _NESTED.findall(links)
        pieces = [*words, *(piece for word in words if "/" in word for piece in word.split("/"))]
        row = "".join([each + _FILL[len(each) % 4] for each in pieces]).translate(_URL_SAFE)
        if row:
            shown = decode_base64(row.encode("ascii")).decode("latin-1")
            low = shown.lower()
            if any(word in low for word in self._wide):  # UTF-16
                yield shown.replace("\0\0", " ").replace("\0", "")
            yield from self._decode_again(shown, levels)
            if self._is_near(low):
                yield from self._decode_spelled(pieces)
            for each in filter(_BASE32.fullmatch, pieces):
                if self._is_near(data := _decode_base32(each)):
                    yield data

    def _is_near(self, low: str) -> bool:
        """Return whether a domain may be in what was decoded, or in that without its escapes."""
        low = decode_references(decode_percent(low))
        if any(each in low for each in _NOT_ASCII):
            low += drop_invisible(low.encode("latin-1", "ignore").decode("utf-8", "ignore"))
        return any(word in low for word in self._near[:_MOST_NEAR])

    def _decode_spelled(self, pieces: list[str]) -> Iterator[str]:
        """Yield the words of links that hold text in which somebody's domain may be spelled."""
        for each in pieces:
            data = decode_base64(each.translate(_URL_SAFE).encode("ascii"))
            if _CONTROL.search(data) is None and self._is_near(data.decode("latin-1").lower()):
                yield data.decode("latin-1")

    def _decode_again(self, shown: str, levels: int) -> Iterator[str]:
        if levels and self._stand_in(shown.encode("latin-1", "replace")):
            yield from self._decode_once(shown)
        if levels and "://" in shown:
            yield from self._decode_nested("\n".join(_LINKED.findall(shown)), levels - 1)


def _may_be_rare(text: str) -> bool:
    """Return, cheaply, whether base64 in a text may be compressed, or UTF-16."""
    if len(text) < _LEAST:
        return False
    if "eJ" in text or "H4sI" in text:
        return True
    # One of these is in each word of letters.
    return ("AG" in text or "AH" in text) and _WIDE_LETTERS.search(text) is not None


def _decode_base32(token: str) -> str:
    """Decode base32, as far as there are whole octets."""
    code = token[: len(token) - (len(token) % 8 in (1, 3, 6))].upper()
    with suppress(binascii.Error):
        return base64.b32decode(code + "=" * (-len(code) % 8)).decode("latin-1").lower()
    return ""


def _unpack(token: str) -> str:
    """Unpack what a token holds, as far as it goes."""
    data = decode_base64(token.translate(_URL_SAFE).encode("ascii"))
    with suppress(zlib.error):
        return zlib.decompressobj(47).decompress(data, _MOST_UNPACKED * len(data)).decode("latin-1")
    return ""


def _take_words(data: bytes, size: int) -> bytes:
    """Return the words of bytes that have a size, or more: nothing shorter is a token.

    Where there are many, they are taken for all of it.
    """
    flat = data.translate(_FLAT)
    needle, words = b"\t" * size, []
    begin = flat.find(needle)
    while begin >= 0:
        end = flat.find(b"\0", begin)
        words.append(data[begin : end if end >= 0 else None])
        if len(words) * 250 > len(data):
            return data
        begin = flat.find(needle, end) if end >= 0 else -1
    return b" ".join(words)


def decode_in_links(text: str) -> Iterator[str]:
    """Yield the words of links in a text, decoded, that are base64 or digits of text.

    What comes out as text from end to end is not text by chance, so here even the shortest address
    counts.
    """
    if "://" not in text:
        return
    for link in _LINKED.findall(text):
        for each in dict.fromkeys((link, unquote(link))):
            for word in _LINK_WORD.findall(each):
                for piece in dict.fromkeys((word, *word.split("/"))):
                    yield from _decode_word(piece)


def _decode_word(word: str) -> Iterator[str]:
    based = decode_base64(word.translate(_URL_SAFE).encode("ascii"))
    digits = bytes.fromhex(word) if _ALL_DIGITS.fullmatch(word) else b""
    for data in (based, digits):
        if b"@" in data and _CONTROL.search(data) is None:
            with suppress(UnicodeDecodeError):
                yield data.decode("utf-8")


@lru_cache(maxsize=1024)
def _encode_base64(word: str) -> frozenset[tuple[str, int]]:
    """Return what a word looks like in base64, and how far behind a group's begin each stands."""
    raw = word.encode("utf-8")
    found: set[tuple[str, int]] = set()
    for before in range(3):
        code = binascii.b2a_base64(b"\0" * before + raw, newline=False).decode("ascii")
        first = (before * 8 + 5) // 6
        needle = code[first : (before + len(raw)) * 8 // 6]
        if needle:
            found |= {(needle, first), (needle.replace("+", "-").replace("/", "_"), first)}
    return frozenset(found)


def _decode_around(text: str, at: int, first: int) -> tuple[str, int]:
    """Decode the base64 token around a place, whose group begins `first` characters before.

    Gives its end as well, or how far it was looked at.
    """
    aligned = at - first
    left = text[max(0, aligned - _TOKEN) : max(0, aligned)][::-1]
    other = _NO_TOKEN.search(left)
    left = left[: other.start() if other else None][::-1]
    left = left[len(left) % 4 :]
    start = max(0, aligned)
    right = text[start : at + 2 * _TOKEN]
    stray = _NO_TOKEN.search(right)
    # What is cut off here is looked at again, from its middle on.
    end = start + stray.start() if stray else at + _TOKEN
    code = (left + right[: stray.start() if stray else None]).translate(_URL_SAFE)
    return decode_base64(code.encode("ascii", "ignore")).decode("latin-1"), end


def _decode_hexadecimal(low: str, at: int) -> tuple[str, int]:
    """Decode the hexadecimal digits around a place, at which a byte begins; gives their end too."""
    left = low[max(0, at - _TOKEN) : at][::-1]
    other = _NO_DIGIT.search(left)
    left = left[: other.start() if other else None][::-1]
    right = low[at : at + 2 * _TOKEN]
    stray = _NO_DIGIT.search(right)
    end = at + (stray.start() if stray else _TOKEN)
    right = right[: stray.start() if stray else None]
    return bytes.fromhex(left[len(left) % 2 :] + right[: len(right) & ~1]).decode("latin-1"), end
