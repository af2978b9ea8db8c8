"""What somebody typed to search for: an address, an alias, or a number or words.

Whatever may be an address, however it is spelled, is never shown again and never stands in a URL.
"""

import re
from dataclasses import dataclass
from typing import Literal

_LONGEST = 200  # characters; the search looks at no more
_HARD = re.compile(r"[0-9A-Fa-f]{32}(?:@[^@\s]+)?")
_SOFT = re.compile(r"[^@\s]+@[^@\s]+-[0-9]{12}[Bb]\.[^@\s]+")
# As mail programs copy it; a name with an at sign in it may be another address, and is none.
_NAMED = re.compile(r"[^<>@]*<\s*([^<>\s]+@[^<>\s@]+)\s*>")
_LINK = re.compile(r"mailto:([^?\s]+@[^?\s]+)(?:\?.*)?", re.IGNORECASE)
_ANY_AT = re.compile(
    r"[@\N{FULLWIDTH COMMERCIAL AT}\N{SMALL COMMERCIAL AT}]|%40|&#0*64;|&commat;"
    r"|[(\[{<] ?at ?[)\]}>]",
    re.IGNORECASE,
)

Kind = Literal["nothing", "alias", "address", "words"]


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed.

    Attributes:
        text: it, without white space around and control characters.
        kind: what it is.
        secret: whether it may name a person, and is not to be shown.
    """

    text: str
    kind: Kind
    secret: bool


def read_address(given: str) -> Typed:
    """Read what was typed where an address belongs; an alias may stand there too."""
    found = read_typed(given)
    kind: Kind = found.kind if found.kind in ("nothing", "alias") else "address"
    return Typed(found.text, kind, secret=True)


def read_typed(given: str) -> Typed:
    """Read what was typed, of any length."""
    text = "".join(each if each.isprintable() else " " for each in given[: 2 * _LONGEST])
    text = " ".join(text.split())
    if copied := _NAMED.fullmatch(text) or _LINK.fullmatch(text):
        text = copied[1]
    if "@" not in text:
        text = text[:_LONGEST].rstrip()
    if not text:
        return Typed("", "nothing", secret=False)
    if _HARD.fullmatch(text):
        return Typed(text, "alias", secret=False)
    secret = "@" in text or _ANY_AT.search(text) is not None
    if _SOFT.fullmatch(text):
        return Typed(text, "alias", secret=True)
    return Typed(text, "address" if "@" in text else "words", secret=secret)
