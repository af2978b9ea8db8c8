"""The spellings of an address's local part and of its domain, one by one. Nothing here raises."""

import re
from functools import lru_cache
from urllib.parse import quote

GMAIL = ("gmail.com", "googlemail.com")
"""The two names of one domain, at which dots in local parts count nothing."""
UNCASED = (
    r"\u0590-\u109f\u1100-\u139f\u1780-\u1c7f\u2e80-\ua63f\uac00-\ud7ff\uf900-\ufaff"
    r"\ufe70-\ufefe\uff66-\uffdc\U00020000-\U0003ffff"
)
"""The letters of scripts without letter case, as part of a class in a pattern.

Most of these are written without spaces, so a letter may stand right beside an address that it is
no part of.
"""

_DOTTED = re.compile(r"\"[^\s\"\\(),:;<>@\[\]]+\"")


def spellings_of(local: str) -> tuple[str, ...]:
    """Return a local part, and without its quotes where it has them for its dots alone.

    Some providers gave addresses like `ann..lee@`, which everybody writes so.
    """
    quoted = local.startswith('"') and _DOTTED.fullmatch(local)
    return (local, local[1:-1]) if quoted else (local,)


@lru_cache(maxsize=1024)
def domain_spellings(domain: str) -> frozenset[str]:
    """Return a domain as it may be written: as A-labels or U-labels, as either Gmail, escaped."""
    if domain in GMAIL:
        return frozenset(GMAIL)
    if domain.startswith("["):
        return frozenset((domain, quote(domain, safe="").lower()))
    if "xn--" not in domain:
        return frozenset((domain,))
    return frozenset((domain, ".".join(_u_label(label) for label in domain.split("."))))


def _u_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    # It takes a third of a megabyte of each worker: few domains need it.
    from idna import decode

    try:
        return decode(label).lower()
    except UnicodeError:  # idna.IDNAError among them
        return label
