"""Whether an address can be no part of anybody else's, however the text around it is read.

The reader's own address stays in their copy where the record has their alias. It may be the end of
a longer one there: `joe dot reader@doe.example`. Where it cannot, the copy names whom the record
named, and nobody else. Nothing here raises.
"""

import re
from collections.abc import Iterable

from conversation_tracker.core.masking.address.spellings import GMAIL

# No word for a sign is in it, nor a sign that few have.
_PLAIN = re.compile(
    r"(?!.*(?<![a-z0-9])(?:at|dot|punkt|point|punto|ponto|punt|arroba|chez)(?![a-z0-9]))"
    r"[a-z0-9]+(?:[._-][a-z0-9]+)*@[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)+"
)
_WORD = re.compile(r"[a-z0-9]+")


def stands_apart(address: str, others: Iterable[str]) -> bool:
    """Return whether none of some other addresses may be read from one and what is around it.

    What begins before it and ends in it has its first word, or its domain; what begins in it and
    ends behind it has its last word before an at sign.

    Args:
        address: the one, in lower case.
        others: the others, in lower case.
    """
    if _PLAIN.fullmatch(address) is None:
        return False
    return not any(_may_touch(address, other) for other in others)


def _may_touch(address: str, other: str) -> bool:
    local, _, domain = other.rpartition("@")
    if not other.isascii() or "xn--" in other or {address.partition("@")[2], domain} <= {*GMAIL}:
        return True
    whole = (local, local.replace(".", ""))
    for shown in (address, address[::-1]):  # some text is read from its end
        before, _, behind = shown.partition("@")
        first, host, last = (_WORD.findall(before)[0], *_take_ends(behind))
        if any(first in f"{each}@{domain}" or last in each for each in whole):
            return True
        if domain.startswith(host):
            return True
    return False


def _take_ends(domain: str) -> tuple[str, str]:
    """Return the first word of a domain, and its last one."""
    words = _WORD.findall(domain)
    return words[0], words[-1]
