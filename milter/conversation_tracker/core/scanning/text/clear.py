"""Addresses that stand in clear in a text, for the final scan: most do, and a log has thousands.

An address between two characters that part it from whatever else is that one, and no part of
another. Written apart from the masking code. All texts are lower case here. Nothing here raises.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import repeat

from conversation_tracker.core.base.cached import cached_property

_PLAIN = re.compile(r"[a-z0-9.+_-]+")
_BEGINS = frozenset(" \t\r\n<>()[]{}|,:\"'=")
_ENDS = frozenset(" \t\r\n<>()[]{}|,:\"';")
_BEGIN, _END = (f"[{re.escape(''.join(sorted(each)))}]" for each in (_BEGINS, _ENDS))
_MANY = 64  # places from which on patterns are compiled to find them all at once
_FEW = 8  # local parts for which that is done


class AddressesInClear:
    """The addresses at one domain.

    Args:
        name: the domain as it may stand in a text.
        owners: whose each local part is; with one that may be written otherwise, none is told.
    """

    def __init__(self, name: str, owners: Mapping[str, str]) -> None:
        self._name = name
        self._owners = owners

    @cached_property
    def _lengths(self) -> list[int]:
        plain = all(map(_PLAIN.fullmatch, self._owners))
        return sorted({len(each) for each in self._owners}) if plain else []

    @cached_property
    def _whole(self) -> bool:
        """Whether no two places of the domain can share anything, and local parts are few."""
        name = self._name
        alone = not any(name.endswith(name[:size]) for size in range(1, len(name)))
        return alone and bool(self._lengths) and len(self._owners) <= _FEW

    def find(self, low: str, look: Callable[[str, int], Iterator[str]]) -> Iterator[str]:
        """Yield the owner of each address in a text, in no order.

        Args:
            low: the text.
            look: yields the owners of what stands around a place of the domain, if not in clear.
        """
        name = self._name
        if low.count(name) > _MANY and self._whole:
            yield from self._find_at_once(low, look)
            return
        at = low.find(name)
        while at >= 0:
            owner = self._take_owner(low, at, at + len(name))
            if owner is None:
                yield from look(low, at)
            else:
                yield owner
            at = low.find(name, at + 1)

    def _take_owner(self, low: str, at: int, end: int) -> str | None:
        """Return whose address stands in clear around a place of the domain."""
        if low[at - 1 : at] != "@" or low[end : end + 1] not in _ENDS:
            return None
        for length in self._lengths:
            start = at - 1 - length
            local = low[start : at - 1] if start > 0 else ""
            if local in self._owners and low[start - 1 : start] in _BEGINS:
                return self._owners[local]
        return None

    def _find_at_once(self, low: str, look: Callable[[str, int], Iterator[str]]) -> Iterator[str]:
        for local, owner in self._owners.items():
            yield from repeat(owner, len(_compile_clear(f"{local}@{self._name}").findall(low)))
        for other in _compile_unclear(self._name, tuple(self._owners)).finditer(low):
            yield from look(low, other.start())


# A pattern begins with what it finds: so that is found at many times the speed.
@lru_cache(maxsize=256)
def _compile_clear(address: str) -> re.Pattern[str]:
    literal = re.escape(address)
    return re.compile(rf"{literal}(?={_END})(?<={_BEGIN}{literal})")


@lru_cache(maxsize=256)
def _compile_unclear(name: str, locals_: tuple[str, ...]) -> re.Pattern[str]:
    literal = re.escape(name)
    others = "".join(rf"(?<!{_BEGIN}{re.escape(each)}@{literal})" for each in locals_)
    return re.compile(rf"{literal}(?:(?!{_END})|{others})")
