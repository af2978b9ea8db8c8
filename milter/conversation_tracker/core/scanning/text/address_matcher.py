r"""Where forbidden addresses stand in text that is decoded already: for the final scan.

Written apart from the masking code, on purpose: a fault there must not blind this. An address
counts when it stands whole: `xjohn@doe.example` and `john@doe.example.org` are other people, a soft
alias is no leak, and so is `mary.john@`; but `0489.john@` or `email-john@` was put together by a
machine, and in `write to--john@` is a dash. In bytes that are no text less is required, as in a
certificate any byte may follow.

Each text is read a bounded number of times. Nothing here raises.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache

import idna

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.scanning.text.clear import AddressesInClear
from conversation_tracker.core.scanning.text.short_addresses import find_pointers, is_long_enough

UNCASED = (
    r"\u0590-\u109f\u1100-\u139f\u1780-\u1c7f\u2e80-\ua63f\uac00-\ud7ff\uf900-\ufaff"
    r"\ufe70-\ufefe\uff66-\uffdc\U00020000-\U0003ffff"
)
"""The letters of scripts without letter case, most of them written without blanks."""

_WITHOUT_CASE = re.compile(f"[{UNCASED}]")
_WINDOW = 160  # characters looked at before a domain: a local part with what a machine put before
_TAGS = 8  # plus signs in one local part
_AT = "@"
_LONG = 4  # characters from which on a domain is looked for by itself
_SEVERAL = 256  # domains from which on they are looked for by the signs beside them
_BESIDE = re.compile(r"[@=%!]")
_GMAIL = ("gmail.com", "googlemail.com")
_JOINING = "._+-"
_MACHINES = frozenset(
    "bounce bounces e-mail email id mail mailto message messageid msg msgid prvs return returns"
    " unsubscribe verp".split()
)
_EXTENSION = (
    r"(?:7z|asc|avi|bin|bmp|csv|dat|docx?|eml|gif|gz|heic|html?|ics|jpe?g|json|key|log|mbox|mp[34]"
    r"|msg|od[st]|p12|p7[ms]|pdf|pem|png|pptx?|rar|rtf|sig|svg|tar|tiff?|txt|vcf|wav|webp|xlsx?|xml"
    r"|yml|zip)(?![\w-]|\.\w)"
)
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
_ASCII_ONLY = bytes(range(128)) + b" " * 128
_BEYOND_ASCII = re.compile(r"[^\0-\x7f]+")
_USER = re.compile(r"[\w.+\-]{1,64}+(?![%!=])")  # of a path as of UUCP: doe.example!john
_QUOTED_FOR_DOTS = re.compile(r"\"[^\s\"\\(),:;<>@\[\]]+\"")
_WORDS = re.compile(r"[^\W_]+")
_IN_DOMAIN = re.compile(r"[\w.-]")
_STRING_TAGS = (0x0C, 0x13, 0x16, 0x1A, 0x81)  # ASN.1 strings that hold addresses, and rfc822Name


class AddressMatcher:
    """Knows the forbidden addresses, and whose each is."""

    def __init__(self, forbidden: Mapping[str, str]) -> None:
        """Prepare to look for addresses.

        Args:
            forbidden: the token of each address's owner, by the address's key. What is a variant
                of several addresses is the first one's, what is exactly one of them that one's.
        """
        self._domains: dict[str, _Locals] = {}
        self._forbidden = forbidden
        for key, token in forbidden.items():
            local, _, domain = key.rpartition(_AT)
            for name in _find_spellings(domain):
                self._domains.setdefault(name, _Locals(name)).add(local, token)
        for found in self._domains.values():
            found.complete()
        # One letter stands everywhere, and thousands of names are too many to look for in turn.
        self._alone, self._lengths = self._domains, list[int]()
        several = len(self._domains) > _SEVERAL
        if several or not all(len(name) >= _LONG for name in self._domains):
            alone = {n: p for n, p in self._domains.items() if not several and len(n) >= _LONG}
            self._alone = alone
            self._lengths = sorted({len(name) for name in self._domains.keys() - alone.keys()})

    def __bool__(self) -> bool:
        """Return whether there is anybody to look for."""
        return bool(self._domains)

    @cached_property
    def pointers(self) -> tuple[str, ...]:
        """Return what to look for inside base64 and hexadecimal digits, in lower case."""
        found = (find_pointers(name, people.locals) for name, people in self._domains.items())
        return tuple({word for words in found for word in words})

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Return the first labels of all domains: one stands wherever a domain does, as it is."""
        return tuple({name.partition(".")[0] for name in self._domains})

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Return the domains that have several labels, by the first of these."""
        found: dict[str, tuple[str, ...]] = {}
        for name in self._domains:
            label, dot, _ = name.partition(".")
            if dot:
                found[label] = (*found.get(label, ()), name)
        return found

    @cached_property
    def dotted(self) -> frozenset[str]:
        """Return the domains at which a local part has a dot."""
        return frozenset(
            name for name, people in self._domains.items() if any("." in e for e in people.locals)
        )

    @cached_property
    def endings(self) -> frozenset[str]:
        """Return the last words of the local parts, with their tags and without."""
        known = [key.rpartition(_AT)[0] for key in self._forbidden]
        untagged = [local.partition("+")[0] for local in known]
        words = (_WORDS.findall(local) for local in (*known, *untagged))
        return frozenset(found[-1] for found in words if found)

    def owner(self, local: str, domain: str) -> str | None:
        """Return the token of whose address this is, given in lower case; None if nobody's."""
        people = self._domains.get(domain)
        return people.owner(local) if people is not None else None

    @cached_property
    def for_binary(self) -> "AddressMatcher":
        """Return the matcher for octets that are no text, where short addresses occur by chance."""
        if all(map(is_long_enough, self._forbidden)):
            return self
        return AddressMatcher(
            {key: token for key, token in self._forbidden.items() if is_long_enough(key)}
        )

    @cached_property
    def for_short(self) -> "AddressMatcher":
        """Return the matcher for those addresses alone that `for_binary` skips."""
        return AddressMatcher(
            {key: token for key, token in self._forbidden.items() if not is_long_enough(key)}
        )

    def has_domain(self, low: str) -> bool:
        """Return whether one of the domains stands in a lower-case text, with any local part."""
        return any(name in low for name in self._domains)

    def may_begin(self, low: str) -> bool:
        """Return, cheaply, whether a domain may begin in a lower-case text in ASCII.

        Where a dot is before its first label, it ends a longer one.
        """
        for word in self.words:
            if word not in low:
                continue
            if low.count(word) > low.count("." + word):
                return True
        return False

    def find(self, low: str) -> Iterator[str]:
        """Yield the tokens of those whose address stands in a lower-case text."""
        for name, people in self._alone.items():
            if name not in low:  # which costs half of what `find` does
                continue
            yield from people.find(low)
        if not self._lengths:
            return
        for sign in _BESIDE.finditer(low):
            start, end = sign.span()
            for length in self._lengths:
                if (behind := self._domains.get(low[end : end + length])) is not None:
                    yield from behind.at(low, end)
                if start < length or sign[0] == _AT:
                    continue
                if (before := self._domains.get(low[start - length : start])) is not None:
                    yield from before.at(low, start - length)

    def find_in_bytes(self, data: bytes) -> Iterator[str]:
        """Yield the tokens of those whose address stands in bytes that are no text."""
        yield from self.for_binary._search_bytes(data)

    def _search_bytes(self, data: bytes) -> Iterator[str]:
        low = data.lower()
        plain = False
        # Where a domain is short, only what follows an at sign is more than chance.
        sought = [(p, n if len(n) >= _LONG else _AT + n) for n, p in self._domains.items()]
        for people, name in sought:
            wanted = name.encode("utf-8")
            ahead = len(wanted) - people.octets
            at = low.find(wanted)
            plain = plain or at >= 0
            while at >= 0:
                yield from people.at_bytes(data, low, at + ahead)
                at = low.find(wanted, at + 1)
        if plain:
            yield from self.find(low.translate(_ASCII_ONLY).decode("ascii"))
        if _may_be_wide(low, [name for _, name in sought]):
            yield from self._search_wide(data, low, [name for _, name in sought])

    def _search_wide(self, data: bytes, low: bytes, names: Collection[str]) -> Iterator[str]:
        # Without the last byte, either byte order is found.
        if any(_take_ascii(name).encode("utf-16-le")[:-1] in low for name in names):
            for codec in ("utf-16-le", "utf-16-be"):
                for start in (0, 1):
                    text = data[start:].decode(codec, "replace").lower()
                    yield from self.find(text)  # a letter may be the length before it
                    yield from self.find(text.encode("latin-1", "replace").decode("latin-1"))
        if b"\0\0\0" in data and any(name.encode("utf-32-le")[:-3] in low for name in names):
            for start in range(4):  # either byte order of UTF-32
                yield from self.find(data[start::4].decode("ascii", "replace").lower())


class _Locals:
    """One spelling of a domain, and the local parts known there."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.octets = len(name.encode("utf-8"))
        self._tokens: dict[str, str] = {}
        self._exact: dict[str, str] = {}
        self._lengths: list[int] = []
        self._goes_on = _GOES_ON if "." in name else _BARE_GOES_ON

    def add(self, local: str, token: str) -> None:
        """Add an address, and it without its `+tag`; a variant is the first one's."""
        self._exact.setdefault(local, token)
        if _QUOTED_FOR_DOTS.fullmatch(local):  # as everybody writes it
            self.add(local[1:-1], token)
        base, plus, _ = local.partition("+")
        variants = [local, base] if plus and base and not local.startswith('"') else [local]
        for variant in variants:
            self._tokens.setdefault(self._plain(variant), token)

    def complete(self) -> None:
        """Finish: all addresses were added."""
        self._lengths = sorted({len(local) for local in self._tokens}, reverse=True)

    @cached_property
    def _clear(self) -> AddressesInClear:
        known = {} if self._name in _GMAIL else {e: self._token(e) or "" for e in self._tokens}
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
        if self._name not in _GMAIL:
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
        return local.replace(".", "") if self._name in _GMAIL else local

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


def _may_be_wide(low: bytes, names: Collection[str]) -> bool:
    """Return, cheaply, whether one of some names may stand in octets in UTF-16 or UTF-32.

    Among many null bytes, as in pictures, what has some itself is looked for slowly.
    """
    thin = low.translate(None, b"\0") if b"\0" in low else low
    return any(_take_ascii(name).encode("ascii") in thin for name in names)


def _take_ascii(name: str) -> str:
    """Return the longest part of a domain in ASCII: lower case changes octets of other letters."""
    return max(_BEYOND_ASCII.split(name), key=len)


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


@lru_cache(maxsize=1024)
def _find_spellings(domain: str) -> frozenset[str]:
    """Return a domain as A-labels and as U-labels, with either name of Gmail."""
    if domain in _GMAIL:
        return frozenset(_GMAIL)
    labels = []
    for label in domain.split("."):
        try:
            labels.append(idna.decode(label).lower() if label.startswith("xn--") else label)
        except UnicodeError:
            labels.append(label)
    return frozenset((domain, ".".join(labels)))
