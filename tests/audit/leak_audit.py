"""Which addresses a text names, however they are written. Pure: it gathers and compares texts.

Texts come while tests run, and the list of addresses is whole only at the end: so a text is kept as
the words around each @ in it, in every decoded form, and compared later.
"""

import base64
import binascii
import html
import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from urllib.parse import unquote

_AT = re.compile(r"@(\[[^\]\s]{1,60}\]|[^\W_](?:[\w.-]*[^\W_])?)")
_WORD = re.compile(r"[^\s@]+")
_RETURN = re.compile(r"(?<![\w.+-])([\w.+-]{1,64})=([\w-]{1,63}(?:\.[\w-]{1,63})+)@")
_LONGEST = 200  # characters of a local part, with what stands before it
_ESCAPE = re.compile(r"(?:\\u00|\\x|=|\+)([0-9A-Fa-f]{2})")
_SOFT_BREAK = re.compile(r"=\r?\n")
_FOLD = re.compile(r"\r?\n[ \t]")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}(?:\r?\n[A-Za-z0-9+/_-]+)*={0,2}")
_HEX = re.compile(r"(?:[0-9A-Fa-f]{2}){6,}")
_DEPTH = 2  # encodings within each other

_HARD = re.compile(r"(?:bounce-)?[0-9a-f]{32}@")
_SOFT = re.compile(r"@[^@]*-[0-9]{12}b\.[^@]+\Z")


@dataclass(frozen=True, slots=True)
class Leak:
    """An address, who named it, and the words around it."""

    address: str
    source: str
    text: str

    def __str__(self) -> str:
        return f"{self.source} names {self.address}: {self.text!r}"


@dataclass
class Gathered:
    """All that was said, and every address that must not have been.

    `sources` counts the texts of each kind of speaker; `domains` are alias domains, whose addresses
    are ours.
    """

    sources: dict[str, int] = field(default_factory=dict)
    domains: set[str] = field(default_factory=set)
    _addresses: set[str] = field(default_factory=set)
    _words: dict[str, tuple[str, str]] = field(default_factory=dict)

    def use(self, address: str) -> None:
        """Note an address that tests use; what is no address, or an alias, is left out."""
        address = address.strip().removeprefix("<").removesuffix(">").lower()
        if _whole(address) and not _HARD.match(address) and not _SOFT.search(address):
            self._addresses.add(address)

    def say(self, kind: str, who: str, text: str | bytes, allowed: Iterable[str] = ()) -> None:
        """Note what somebody said. It may name the addresses that `allowed` texts name."""
        self.sources[kind] = self.sources.get(kind, 0) + 1
        permitted = {each for some in allowed for word in words(some) for each in _ends(word)}
        for word, around in words(text).items():
            if permitted.isdisjoint(_ends(word)):
                self._words.setdefault(word, (f"{kind} ({who})", around))

    def join(self, other: "Gathered") -> None:
        """Add what was gathered elsewhere."""
        for kind, count in other.sources.items():
            self.sources[kind] = self.sources.get(kind, 0) + count
        self.domains |= other.domains
        self._addresses |= other._addresses
        self._words = other._words | self._words

    def leaks(self) -> list[Leak]:
        """Return each address that was named, once for each way it was."""
        return [
            Leak(address, source, around)
            for word, (source, around) in self._words.items()
            for address in _ends(word)
            if address in self._addresses and not self._ours(address)
        ]

    @property
    def addresses(self) -> frozenset[str]:
        """All that must not be named."""
        return frozenset(each for each in self._addresses if not self._ours(each))

    def _ours(self, address: str) -> bool:
        domain = address.rpartition("@")[2]
        return any(f".{domain}".endswith(f".{each}") for each in self.domains)


def named(text: str | bytes, addresses: Iterable[str]) -> list[str]:
    """Return those of the addresses, in lower case, that a text names in whatever form."""
    return named_of(text, {address.lower() for address in addresses})


def named_of(text: str | bytes, addresses: Set[str]) -> list[str]:
    """Do the same, where there are many addresses, all in lower case already."""
    return sorted({each for word in words(text) for each in _ends(word)} & addresses)


def words(text: str | bytes) -> dict[str, str]:
    """Return the word around every @ of a text in every form of it, each with its surroundings."""
    found: dict[str, str] = {}
    for form in _forms(text if isinstance(text, str) else _decoded(text), _DEPTH):
        for at in _AT.finditer(form):
            before = _last_word(form[max(0, at.start() - _LONGEST) : at.start()])
            if before:
                around = form[max(0, at.start() - 60) : at.end() + 20]
                found.setdefault(f"{before}@{at[1]}".lower(), around)
    return found


def _last_word(text: str) -> str:
    """Return the word or quoted words at the end of a text, the longer of both; "" for none."""
    word = _WORD.match(text[::-1])
    start = len(text) - word.end() if word else len(text)
    if text.endswith('"'):
        quote = text.rfind('"', 0, -1)
        if quote >= 0 and "\n" not in text[quote:]:
            start = min(start, quote)
    return text[start:]


def _ends(word: str) -> Iterator[str]:
    """Yield what may be the address in a word: something else may stand before it."""
    local, _, domain = word.rpartition("@")
    for start in range(len(local)):
        if start == 0 or not local[start - 1].isalnum():
            yield f"{local[start:]}@{domain}"


def _whole(address: str) -> bool:
    at = _AT.search(address)
    return at is not None and at.start() > 0 and at.end() == len(address)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _forms(text: str, depth: int) -> Iterator[str]:
    """Yield a text as it stands and in each form that a program would read it in."""
    yield text
    simple = {unquote(text), html.unescape(text), _FOLD.sub("", text)}
    simple.add(_ESCAPE.sub(lambda found: chr(int(found[1], 16)), _SOFT_BREAK.sub("", text)))
    simple.add(_RETURN.sub(r"\1@\2 ", text))
    yield from simple - {text}
    if depth:
        for inside in _inside(text):
            yield from _forms(inside, depth - 1)


def _inside(text: str) -> Iterator[str]:
    """Yield what base64 and hexadecimal in a text stand for, if it may name an address."""
    for run in _BASE64.finditer(text):
        letters = re.sub(r"\s|=", "", run[0]).translate({ord("-"): "+", ord("_"): "/"})
        for start in range(min(4, len(letters))):
            piece = letters[start : start + (len(letters) - start) // 4 * 4 + 3]
            piece = piece[: len(piece) - (len(piece) % 4 == 1)]
            decoded = base64.b64decode(piece + "=" * (-len(piece) % 4))
            if _telling(decoded):
                yield decoded.decode("latin-1")
    for run in _HEX.finditer(text):
        for start in (0, 1):
            piece = run[0][start:]
            decoded = binascii.unhexlify(piece[: len(piece) // 2 * 2])
            if _telling(decoded):
                yield decoded.decode("latin-1")


def _telling(data: bytes) -> bool:
    marked = any(mark in data for mark in (b"@", b"%40", b"=40", b"&#64;", b"\\u0040"))
    return marked or (data.isascii() and _BASE64.fullmatch(data.decode("ascii")) is not None)
