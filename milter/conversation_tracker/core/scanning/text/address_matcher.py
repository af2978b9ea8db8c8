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

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.scanning.text.local_parts import GMAIL, LocalParts
from conversation_tracker.core.scanning.text.munged_places import stands_alone
from conversation_tracker.core.scanning.text.own_address import OwnAddress

_AT = "@"
MANY = 64
"""Words that are not worth looking for one by one."""

# Attachments and tokens have millions of octets that are as good as random: any three that are
# looked for stand in there, and a needle of four characters of base64 stands in 25 MB twice.
_SHORTEST = 6  # octets of an address that counts where there are no words
_POINTER = 5  # octets of a word that is looked for inside base64 and hexadecimal digits

_LONG = 4  # characters from which on a domain is looked for by itself
_SEVERAL = 256  # domains from which on they are looked for by the signs beside them
_SHORT = 4096  # characters of a text in which places of labels are looked at
_FEW = 16  # places of a label that are looked at one by one
_QUOTED = re.compile("=[2-7][0-9a-f]")  # quoted-printable that nobody undid
_IN_ALIAS = re.compile(r"-[0-9]{12}b\.")  # how a soft alias goes on behind somebody's domain
_BESIDE = re.compile(r"[@=%!]")
_ASCII_ONLY = bytes(range(128)) + b" " * 128
_BEYOND_ASCII = re.compile(r"[^\0-\x7f]+")
_WORDS = re.compile(r"[^\W_]+")


class AddressMatcher:
    """Knows the forbidden addresses, and whose each is."""

    def __init__(self, forbidden: Mapping[str, str]) -> None:
        """Prepare to look for addresses.

        Args:
            forbidden: the token of each address's owner, by the address's key. What is a variant
                of several addresses is the first one's, what is exactly one of them that one's.
        """
        self._domains: dict[str, LocalParts] = {}
        self._forbidden = forbidden
        for key, token in forbidden.items():
            local, _, domain = key.rpartition(_AT)
            for name in _find_spellings(domain):
                self._domains.setdefault(name, LocalParts(name)).add(local, token)
        # One letter stands everywhere, and thousands of names are too many to look for in turn.
        self._alone = self._domains
        self._lengths: list[int] = []
        several = len(self._domains) > _SEVERAL
        if several or min(map(len, self._domains), default=_LONG) < _LONG:
            alone = {n: p for n, p in self._domains.items() if not several and len(n) >= _LONG}
            self._alone = alone
            self._lengths = sorted({len(name) for name in self._domains.keys() - alone.keys()})

    def __bool__(self) -> bool:
        """Return whether there is anybody to look for."""
        return bool(self._domains)

    @cached_property
    def pointers(self) -> tuple[str, ...]:
        """Return what to look for inside base64 and hexadecimal digits, in lower case."""
        found: set[str] = set()
        for name, people in self._domains.items():
            found.update(_find_pointers(name, people.locals))
        return tuple(found)

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
        known += [local.partition("+")[0] for local in known if "+" in local]
        # Most are one word.
        words = ([local] if local.isalnum() else _WORDS.findall(local) for local in known)
        return frozenset([found[-1] for found in words if found])

    def choose_own(self, own: str | None) -> OwnAddress | None:
        """Return somebody's only address, if it can be told at one look; None otherwise."""
        keys = [key for key, token in self._forbidden.items() if token == own]
        if len(keys) != 1:
            return None
        others = [
            f"{local}@{name}"
            for name, people in self._domains.items()
            for local in people.locals
            if people.owner(local) != own
        ]
        return OwnAddress.of(keys[0], others)

    def owner(self, local: str, domain: str) -> str | None:
        """Return the token of whose address this is, given in lower case; None if nobody's."""
        people = self._domains.get(domain)
        return people.owner(local) if people is not None else None

    @property
    def for_binary(self) -> "AddressMatcher":
        """Return the matcher for octets that are no text, where short addresses occur by chance."""
        return self if self._long_enough is None else self._long_enough

    @cached_property
    def _long_enough(self) -> "AddressMatcher | None":
        # None for itself: what holds itself stays until the garbage collector comes.
        if all(map(_is_long_enough, self._forbidden)):
            return None
        return AddressMatcher(
            {key: token for key, token in self._forbidden.items() if _is_long_enough(key)}
        )

    @cached_property
    def for_short(self) -> "AddressMatcher":
        """Return the matcher for those addresses alone that `for_binary` skips."""
        if all(map(_is_long_enough, self._forbidden)):
            return _NOBODY
        return AddressMatcher(
            {key: token for key, token in self._forbidden.items() if not _is_long_enough(key)}
        )

    def has_domain(self, low: str) -> bool:
        """Return whether one of the domains stands in a lower-case text, with any local part."""
        return any(name in low for name in self._domains)

    def has_word(self, low: str) -> bool:
        """Return, cheaply, whether a domain may be in a lower-case text, however it goes on."""
        return len(self.words) > MANY or any(word in low for word in self.words)

    @cached_property
    def signs(self) -> frozenset[str]:
        """Return the characters of all domains, and of the last words of the local parts."""
        return frozenset("".join((*self._domains, *self.endings)))

    def may_show(self, clear: Collection[str], read: Collection[str]) -> bool:
        """Return, cheaply, whether one of some lower-case texts may be read as with an address.

        Args:
            clear: what the texts are as they stand.
            read: all that those of their lines are read as in which something else may stand then.
        """

        def stands(word: str) -> bool:
            return any(word in low for low in clear) or any(word in low for low in read)

        if any(map(stands, self._domains)):
            return True
        apart = (name.split(".", 2) for names in self.labels.values() for name in names)
        if not any(stands(first) and stands(second) for first, second, *_ in apart):
            return False
        return any(
            any(word in low for low in clear) or any(stands_alone(low, word) for low in read)
            for word in self.endings
        )

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

    def may_begin_apart(self, low: str) -> bool:
        """Return the same where no mark and no escape parts a word: each place is looked at.

        All labels of the domain have to stand in the text. Where a letter or digit is before the
        first one, that ends a longer one. A soft alias is no address at the domain in it. In
        quoted-printable a letter or digit may be another sign. In a large text it is not worth it.
        """
        if len(low) > _SHORT or _QUOTED.search(low) is not None:
            return True
        return any(self._stands_apart(word, low) for word in self.words if word in low)

    def _stands_apart(self, word: str, low: str) -> bool:
        """Return whether a first label is at a place in a text where nothing else goes on."""
        names = self.labels.get(word, ())
        if word not in self._domains and not any(
            all(map(low.__contains__, name.split("."))) for name in names
        ):
            return False
        at = low.find(word)
        for _ in range(_FEW):
            before = low[at - 1 : at]
            if before == "@" and len(names) == 1:
                if not low.startswith(names[0], at) or not _IN_ALIAS.match(low, at + len(names[0])):
                    return True
            elif before != "." and not (before.isalnum() and before.isascii()):
                return True
            at = low.find(word, at + 1)
            if at < 0:
                return False
        return True

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
        for people, _name, wanted in self._sought:
            ahead = len(wanted) - people.octets
            at = low.find(wanted)
            plain = plain or at >= 0
            while at >= 0:
                yield from people.at_bytes(data, low, at + ahead)
                at = low.find(wanted, at + 1)
        if plain:
            yield from self.find(low.translate(_ASCII_ONLY).decode("ascii"))
        if _may_be_wide(low, self._thin):
            yield from self._search_wide(data, low, [name for _, name, _ in self._sought])

    @cached_property
    def _sought(self) -> list[tuple[LocalParts, str, bytes]]:
        """What to look for in octets: where a domain is short, only what follows an at sign.

        Anything else is no more than chance.
        """
        people = [(p, n if len(n) >= _LONG else _AT + n) for n, p in self._domains.items()]
        return [(each, name, name.encode("utf-8")) for each, name in people]

    @cached_property
    def _thin(self) -> list[bytes]:
        """What is looked for of domains in octets in UTF-16 or UTF-32, without their null bytes."""
        return [_take_ascii(name).encode("ascii") for _, name, _ in self._sought]

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


_NOBODY = AddressMatcher({})


def _may_be_wide(low: bytes, thin: Collection[bytes]) -> bool:
    """Return, cheaply, whether some names may stand in octets in UTF-16 or UTF-32.

    Among many null bytes, as in pictures, what has some itself is looked for slowly.

    Args:
        low: the octets in lower case.
        thin: what of the names is ASCII.
    """
    bare = low.translate(None, b"\0") if b"\0" in low else low
    return any(map(bare.__contains__, thin))


def _take_ascii(name: str) -> str:
    """Return the longest part of a domain in ASCII: lower case changes octets of other letters."""
    return max(_BEYOND_ASCII.split(name), key=len)


@lru_cache(maxsize=1024)
def _find_spellings(domain: str) -> frozenset[str]:
    """Return a domain as A-labels and as U-labels, with either name of Gmail."""
    if domain in GMAIL:
        return frozenset(GMAIL)
    if "xn--" not in domain:
        return frozenset((domain,))
    # It takes a third of a megabyte of each worker: few domains need it.
    from idna import decode

    labels = []
    for label in domain.split("."):
        try:
            labels.append(decode(label).lower() if label.startswith("xn--") else label)
        except UnicodeError:
            labels.append(label)
    return frozenset((domain, ".".join(labels)))


def _is_long_enough(address: str) -> bool:
    """Return whether an address that stands among random octets is there on purpose."""
    return len(address) >= _SHORTEST or len(address.encode("utf-8")) >= _SHORTEST


def _find_pointers(domain: str, locals: list[str]) -> list[str]:
    """Return the words that point to addresses at a domain inside base64 or digits.

    Args:
        domain: a domain in lower case.
        locals: the local parts that are looked for there.
    """
    if len(domain) >= _POINTER:
        return [domain]
    for word in (domain, "@" + domain):
        if len(word.encode("utf-8")) >= _POINTER:
            return [word]
    return [local + "@" + domain for local in locals if _is_long_enough(local + "@" + domain)]
