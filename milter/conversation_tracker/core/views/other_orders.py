"""Soft aliases of other orders in what is recorded: nothing there may hold the address they carry.

Nothing here raises, but what the time for a message raises.
"""

import re
from collections.abc import Callable, Collection

from conversation_tracker.core.base.limits import UNLIMITED
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import REF_DIGITS

_SOFT_MARK = re.compile(rf"-([0-9]{{{REF_DIGITS}}})b\.", re.IGNORECASE)
_DOMAIN = re.compile(r"@([a-z0-9._-]++)", re.IGNORECASE)
_BEFORE_AT = re.compile(r"[^\s<>\"(),:;@]++")
_MARK = REF_DIGITS + 3  # characters of a soft mark
_LONGEST_DOMAIN = 253
_DOMAIN_END = re.compile(r"[._]")
_OFTEN = 256  # at signs after which the time is looked at
_RAW_MARK = re.compile(rb"-[0-9]{%d}b\." % REF_DIGITS, re.IGNORECASE)


class OtherOrders:
    """Other orders' soft aliases: what is recorded must not hold the addresses they carry.

    There may be thousands of alias domains: what has a soft alias's form is found first, and its
    domain looked up then. No character is looked at more than a few times, whatever stands there.
    """

    def __init__(
        self, domains: Collection[str], check: Callable[[], None] = UNLIMITED.check
    ) -> None:
        """Look for soft aliases in these domains; `check` raises when the time is over."""
        self._domains = domains
        self._check = check

    def __call__(self, text: str) -> str:
        """Return the text without the addresses they carry; the same object if there is none."""
        if ("b." not in text and "B." not in text) or _SOFT_MARK.search(text) is None:
            return text
        pieces: list[str] = []
        done = before = 0  # where what is not yet written begins, and what may be a local part
        count = 0
        at = text.find("@")
        while at >= 0:
            if not (count := count + 1) % _OFTEN:
                self._check()
            name = _DOMAIN.match(text, at)
            order = self._find_order(text, *name.span(1)) if name is not None else None
            if order is not None and (run := _BEFORE_AT.match(text[before:at][::-1])) is not None:
                shown, end = order
                pieces += text[done : at - run.end()], shown
                done = before = end
            else:
                before = at + 1  # what is no alias may be the local part of the next one
            at = text.find("@", before)
        return "".join(pieces) + text[done:]

    def _find_order(self, text: str, start: int, end: int) -> tuple[str, int] | None:
        """Return what stands for the alias with this domain, and where it ends; the last counts."""
        if end - start <= _MARK:
            return None
        for mark in reversed(list(_SOFT_MARK.finditer(text, start + 1, end))):
            self._check()
            if domain := self._find_domain(
                text[mark.end() : min(end, mark.end() + _LONGEST_DOMAIN + 1)]
            ):
                return f"order-{mark[1]}@{domain}", mark.end() + len(domain)
        return None

    def _find_domain(self, name: str) -> str | None:
        """Return the alias domain that a text begins with, as it stands there."""
        for end in (len(name), *(m.start() for m in reversed(list(_DOMAIN_END.finditer(name))))):
            if name[:end].lower() in self._domains:
                return name[:end]
        return None

    def address(self, address: Address) -> str | None:
        """Return what an address in a header becomes, or None where it stays as it is."""
        shown = self(str(address))
        return None if shown == str(address) else shown

    def possible(self, raw: bytes) -> bool:
        """Return, cheaply, whether text that says these bytes in ASCII may hold one."""
        return (b"b." in raw or b"B." in raw) and _RAW_MARK.search(raw) is not None
