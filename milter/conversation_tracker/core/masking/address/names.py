"""Domains too short, or too many, to be looked for one by one: found by the signs beside them.

A domain counts where an at sign, or what stands for one, is before it, or a sign behind it says
that a local part follows (`address_forms`). Where a domain is one letter, or there are thousands,
these signs are fewer than the domains' places. Time is linear in the text, whatever the number of
domains. Nothing here raises.
"""

import re
from collections.abc import Collection, Iterator

SHORT = 4
"""Characters from which on a domain is looked for by itself."""
MANY = 256
"""Domains from which on all are looked for by the signs."""

_SIGN = re.compile(r"[@\uff20\ufe6b%=!]|40|3d")
_BEHIND = ("=", "!")


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
    if len(names) <= MANY and all(len(name) >= SHORT for name in names):
        return names, None
    alone = () if len(names) > MANY else tuple(name for name in names if len(name) >= SHORT)
    return alone, Names(set(names).difference(alone))


def keep_shortest(names: Collection[str]) -> list[str]:
    """Leave out the domains that contain another one: where they stand, that one stands as well."""
    return [name for name in names if not _inside(name, names)]


def _inside(name: str, names: Collection[str]) -> bool:
    while above := name.partition(".")[2]:
        if above in names:
            return True
        name = above
    return False
