"""The local parts that are looked for at one domain, and where an address begins and ends.

Whether what stands around a place of the domain is somebody's address whole, and no part of another
one. Written apart from the masking code. All texts are lower case here. Nothing here raises.
"""

import re
from collections.abc import Iterable, Iterator

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.scanning.text.clear import AddressesInClear

UNCASED = (
    r"\u0590-\u109f\u1100-\u139f\u1780-\u1c7f\u2e80-\ua63f\uac00-\ud7ff\uf900-\ufaff"
    r"\ufe70-\ufefe\uff66-\uffdc\U00020000-\U0003ffff"
)
"""The letters of scripts without letter case, most of them written without blanks."""

GMAIL = ("gmail.com", "googlemail.com")
"""Domains at which dots do not count, and which are one."""

_WITHOUT_CASE = re.compile(f"[{UNCASED}]")
_WINDOW = 160  # characters looked at before a domain: a local part with what a machine put before
_TAGS = 8  # plus signs in one local part
_AT = "@"
_JOINING = "._+-"
_MACHINES = frozenset(
    "bounce bounces e-mail email id mail mailto message messageid msg msgid prvs return returns"
    " unsubscribe verp".split()
)
_EXTENSIONS = (
    r"(?:7z|asc|avi|bin|bmp|csv|dat|docx?|eml|gif|gz|heic|html?|ics|jpe?g|json|key|log|mbox|mp[34]"
    r"|msg|od[st]|p12|p7[ms]|pdf|pem|png|pptx?|rar|rtf|sig|svg|tar|tiff?|txt|vcf|wav|webp|xlsx?|xml"
    r"|yml|zip)"
)
_EXTENSION = rf"{_EXTENSIONS}(?![\w-]|\.\w)"
EXTENSION = re.compile(rf"(?:\.{_EXTENSIONS})+(?![\w-]|\.\w)")
"""The extensions of a file's name, in lower case, behind which nothing goes on."""
# An escape left standing may hide that the domain goes on: the reading without it will show.
_ESCAPED = r"%(?:25)*[0-9a-f]{2}|&(?:#|period|hyphen|dash)|=(?:\r?\n|2[de])"
_GOES_ON = re.compile(
    rf"[a-z0-9]|-\d{{12}}b\.|(?:-[a-z0-9_-]{{0,255}})?\.(?!{_EXTENSION})[a-z0-9]|{_ESCAPED}"
)
_REFERRED = re.compile(r"&(?:#x?[0-9a-f]+|period|lowbar|plus|hyphen|dash);\Z")
_BARE_GOES_ON = re.compile(rf"[a-z0-9_-]|\.[a-z0-9]|{_ESCAPED}")  # after a domain of one label
_TAG = re.compile(r"[\w.=+-]{0,64}")
_WORD_BEFORE = re.compile(r"[a-z0-9]{1,64}$")
_MADE = re.compile(r"[0-9]+|(?=[a-z]*[0-9])[a-z0-9]{8,}")
_USER = re.compile(r"[\w.+\-]{1,64}+(?![%!=])")  # of a path as of UUCP: doe.example!john
_QUOTED_FOR_DOTS = re.compile(r"\"[^\s\"\\(),:;<>@\[\]]+\"")
_IN_DOMAIN = re.compile(r"[\w.-]")
_STRING_TAGS = (0x0C, 0x13, 0x16, 0x1A, 0x81)  # ASN.1 strings that hold addresses, and rfc822Name


def ignores_dots(names: Iterable[str]) -> bool:
    """Return whether at one of some domains dots are no part of who it is: words end anywhere."""
    return any(name in GMAIL for name in names)


class LocalParts:
    """One spelling of a domain, and the local parts known there."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tokens: dict[str, str] = {}
        self._exact: dict[str, str] = {}
        self._goes_on = _GOES_ON if "." in name else _BARE_GOES_ON

    def add(self, local: str, token: str) -> None:
        """Add an address, and it without its `+tag`; a variant is the first one's."""
        self._exact.setdefault(local, token)
        self._tokens.setdefault(self._plain(local), token)
        if local.startswith('"'):
            if _QUOTED_FOR_DOTS.fullmatch(local):  # as everybody writes it
                self.add(local[1:-1], token)
        elif "+" in local and (base := local.partition("+")[0]):
            self._tokens.setdefault(self._plain(base), token)

    # What follows is asked for when all addresses were added, and of few domains.

    @cached_property
    def octets(self) -> int:
        """Return how many octets the domain has in UTF-8."""
        return len(self._name.encode("utf-8"))

    @cached_property
    def _lengths(self) -> list[int]:
        return sorted({len(local) for local in self._tokens}, reverse=True)

    @cached_property
    def _clear(self) -> AddressesInClear:
        known = {} if self._name in GMAIL else {e: self._token(e) or "" for e in self._tokens}
        return AddressesInClear(self._name, known)

    def find(self, low: str) -> Iterator[str]:
        """Yield the tokens of those whose address stands at this domain in a text."""
        yield from self._clear.find(low, self.at)

    @property
    def locals(self) -> list[str]:
        """Return the local parts that are known here."""
        return list(self._exact)

    def owner(self, local: str) -> str | None:
        """Return the token of a local part, with a tag or without."""
        return self._token(local) or self._token(local.partition("+")[0])

    def at(self, low: str, at: int) -> Iterator[str]:
        """Yield the token of whose address has its domain at this place of a text."""
        end = at + len(self._name)
        before, after = low[at - 1 : at], low[end : end + 1]
        routed = before in ("=", "%") and after == _AT
        if routed or (before == _AT and not self._goes_on.match(low, end)):
            yield from self._find_ending(low[max(0, at - 1 - _WINDOW) : at - 1])
        if after == "=" and not _IN_DOMAIN.match(before):
            local = low[end + 1 : end + 1 + _WINDOW].partition(_AT)
            token = self._token(local[0]) if local[1] else None
            if token is not None:
                yield token
        if after == "!" and not _IN_DOMAIN.match(before):
            user = _USER.match(low, end + 1)
            token = self._token(user[0].rstrip(".-")) if user else None
            if token is not None:
                yield token

    def _find_ending(self, text: str) -> Iterator[str]:
        """Yield the token of the local part that a text ends with, a tag apart."""
        tag = len(text)
        for _attempt in range(_TAGS):
            found = self._owner(text[:tag])
            if found is not None:
                yield found
                return
            tag = text.rfind("+", 0, tag)
            if tag < 0 or not _TAG.fullmatch(text, tag + 1):
                return

    def _owner(self, text: str) -> str | None:
        for ending in (text, text[:-1] if text.endswith('"') else ""):
            quoted = ending is not text
            for length in self._lengths:
                start = self._start(ending, length)
                token = self._token(ending[start:]) if start >= 0 else None
                if token is None:
                    continue
                if quoted and ending[start - 1 : start] == '"':
                    return token
                if not quoted and _may_begin(ending, start):
                    return token
        return None

    def _start(self, text: str, length: int) -> int:
        """Find where a local part of this length begins; dots do not count at Gmail."""
        if self._name not in GMAIL:
            return len(text) - length
        at = len(text)
        while at > 0 and length > 0:
            at -= 1
            length -= text[at] != "."
        return at if length == 0 else -1

    def _token(self, local: str) -> str | None:
        """Return whose a local part is: spelled exactly so, or else with dots that do not count."""
        return self._exact.get(local) or self._tokens.get(self._plain(local))

    def _plain(self, local: str) -> str:
        return local.replace(".", "") if self._name in GMAIL else local

    def at_bytes(self, data: bytes, low: bytes, at: int) -> Iterator[str]:
        """Yield the token of whose address has its domain at this place of bytes."""
        if low[at - 1 : at] != b"@":
            return
        before = low[max(0, at - 1 - _WINDOW) : at - 1].decode("ascii", "replace")
        end = at + self.octets
        if not _byte_goes_on(data, end):
            yield from self._find_ending(before)
        for size in self._lengths:
            # A string in a certificate has its type and length before it.
            start = at - 1 - size
            lead = data[max(0, start - 2) : max(0, start)]
            token = self._token(before[-size:])
            if len(lead) == 2 and lead[0] in _STRING_TAGS and lead[1] == end - start and token:
                yield token


def _byte_goes_on(data: bytes, end: int) -> bool:
    """Return whether a domain goes on in bytes, where anything may follow a string."""
    last, following = data[end - 1 : end], data[end : end + 2]
    if following[:1].isalpha():
        return following[:1].isupper() == last.isupper()
    if following[:1] == b"-":
        return _GOES_ON.match(data[end : end + 80].decode("latin-1").lower()) is not None
    return following[:1] == b"." and following[1:].isalnum()


def _may_begin(text: str, start: int) -> bool:
    """Return whether a local part can begin here, rather than be the end of another one."""
    before = text[start - 1 : start]
    if not before:
        return True
    if before == ";" and _REFERRED.search(text, max(0, start - 12), start):
        return False
    if before not in _JOINING:
        return not (before.isalnum() and _has_case(before))
    head = text[: start - 1]
    if not head or not (head[-1].isalnum() and _has_case(head[-1])):
        return True
    word = _WORD_BEFORE.search(head)
    if word is None or head[: word.start()][-1:].isalnum():
        return False
    return word[0] in _MACHINES or _MADE.fullmatch(word[0]) is not None


def _has_case(character: str) -> bool:
    """Return whether a letter or digit divides words; scripts without case use no blanks."""
    return _WITHOUT_CASE.match(character) is None
