"""Names that an administrator may give: alias domains, verifiers, the splitter's listener."""

import re

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{1,200}}\Z)(?:{_LABEL}\.)+{_LABEL}")
_NO_WORD = re.compile(r'[\s\x00-\x1f\x7f;"/]')
_LOOPBACK = re.compile(r"(?:127\.[0-9.]+|localhost):[0-9]+")


def read_domain(text: str) -> str | None:
    """Read an alias domain, in lower case; None if it is no domain name."""
    domain = text.lower().removesuffix(".")
    return domain if _DOMAIN.fullmatch(domain) else None


def is_word(text: str) -> bool:
    """Whether a text can be the name of a verifier (authserv-id) to Postfix's tables."""
    return _NO_WORD.search(text) is None


def is_loopback(text: str) -> bool:
    """Whether a text is HOST:PORT on this host only."""
    return _LOOPBACK.fullmatch(text) is not None
