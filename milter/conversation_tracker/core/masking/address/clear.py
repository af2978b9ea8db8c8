"""Addresses that stand in clear, told by what is right before and behind them.

Most do, and a log or a mailbox has one in each line. What `address_forms` finds out about any
address, in several steps, is sure of these at one look. All texts are lower case here. Nothing
raises.
"""

import re
from collections.abc import Mapping

_PLAIN = re.compile(r"[a-z0-9._\-]+")
# These part an address from whatever else: it does not go on there, nor is it a part of another.
_BEGINS = frozenset(" \t\r\n<>()[]{}|,:;\"'=")
_ENDS = frozenset(" \t\r\n<>()[]{}|,:;\"'")

Hit = tuple[int, int, str | None]
"""Start and end of an address in a text, and what replaces it; None where it stays."""


class ClearAddresses:
    """The addresses at one domain, as they stand in clear.

    Args:
        locals_: the local parts in lower case, and what replaces each address; None where it stays.
            With one that may be spelled in other ways, nothing is found.
    """

    def __init__(self, locals_: Mapping[str, str | None]) -> None:
        self._locals = locals_
        plain = all(map(_PLAIN.fullmatch, locals_))
        self._lengths = sorted({len(each) for each in locals_}) if plain else []

    def find(self, low: str, at: int, end: int) -> Hit | None:
        """Return the address whose domain stands in a place of a text, if it is clear."""
        if low[end : end + 1] not in _ENDS:
            return None
        sign = at - 1
        for length in self._lengths:
            if (start := sign - length) < 1:
                break
            local = low[start:sign]
            if local in self._locals and low[start - 1 : start] in _BEGINS:
                return start, end, self._locals[local]
        return None
