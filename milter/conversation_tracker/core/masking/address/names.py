"""Domains too short, or too many, to be looked for one by one: found by the signs beside them.

A domain counts where an at sign, or what stands for one, is before it, or a sign behind it says
that a local part follows (`address_forms`). Where a domain is one letter, or there are thousands,
these signs are fewer than the domains' places. Time is linear in the text, whatever the number of
domains. Nothing here raises.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache

SHORT = 4
"""Characters from which on a domain is looked for by itself."""
MANY = 256
"""Domains from which on all are looked for by the signs."""

_FEW = 64  # domains to compare with each other

_SIGN = re.compile(r"[@\uff20\ufe6b%=!]|40|3d")
_BEHIND = ("=", "!")
_RUNS = re.compile(r"[a-z0-9]+")


class Names:
    """Domains that are looked for together.

    Args:
        names: the domains, in lower case.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._lengths = sorted({len(name) for name in self._names}, reverse=True)

    def find_places(self, low: str) -> Iterator[tuple[int, str]]:
        """Yield the places in a lower-cased text where a domain stands beside a sign.

        Returns:
            Place and domain of each; one between two signs comes twice.
        """
        for sign in _SIGN.finditer(low) if self._names else ():
            end = sign.end()
            for length in self._lengths:
                if (name := low[end : end + length]) in self._names:
                    yield end, name
            if sign[0] not in _BEHIND:
                continue
            start = sign.start()
            for length in self._lengths:
                if length <= start and (name := low[start - length : start]) in self._names:
                    yield start - length, name


def split_names(names: Collection[str]) -> tuple[Collection[str], Names | None]:
    """Split domains into those to look for one by one, and those to look for together, if any."""
    if len(names) <= MANY and min(map(len, names), default=SHORT) >= SHORT:
        return names, None
    alone = () if len(names) > MANY else tuple(name for name in names if len(name) >= SHORT)
    return alone, Names(set(names).difference(alone))


def keep_shortest(names: Collection[str]) -> list[str]:
    """Leave out the domains that contain another one: where they stand, that one stands as well."""
    if len(names) > _FEW:
        return [name for name in names if not _inside(name, names)]
    above = tuple([f".{name}" for name in names])
    return [name for name in names if not name.endswith(above)]


def _inside(name: str, names: Collection[str]) -> bool:
    while above := name.partition(".")[2]:
        if above in names:
            return True
        name = above
    return False


class Runs:
    """The runs of letters and digits that domains are made of.

    Wherever a domain is written without escapes, all of its runs stand, whatever its dots are; and
    of a longer domain that ends with it, a dot is before the first of them.

    Args:
        names: domains, in lower case, whose dots may be anything.
        whole: domains whose dots are dots.
    """

    def __init__(self, names: Iterable[str], whole: Iterable[str]) -> None:
        self._names = [*map(_find_runs, names)]
        self._names += (_take_whole(name) for name in whole)

    def may_stand_in(self, low: bytes, bare: bytes) -> bool:
        """Return whether one of the domains may stand in text in ASCII without escapes.

        Args:
            low: the text in lower case.
            bare: the same without what may part a word in it.
        """
        for first, runs in self._names:
            for run in runs:
                if run not in bare:
                    break
            else:
                if _begins_in(low, first) or _begins_in(bare, first):
                    return True
        return False


def _take_whole(name: str) -> tuple[bytes, tuple[bytes, ...]]:
    return (name.encode(), (name.encode(),)) if name.isascii() else (b"", ())


def _begins_in(low: bytes, first: bytes) -> bool:
    """Return whether something stands in a text without a dot before it, at least once."""
    return low.count(first) > low.count(b"." + first)


@lru_cache(maxsize=1024)
def _find_runs(name: str) -> tuple[bytes, tuple[bytes, ...]]:
    """Return the run in ASCII that begins a domain, if one does, and all of them, longest first."""
    found = _RUNS.findall(name)
    first = found[0].encode() if found and name.startswith(found[0]) else b""
    return first, tuple(sorted({each.encode() for each in found}, key=len, reverse=True))
