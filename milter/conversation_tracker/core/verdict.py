"""Whether a message's author is who they claim to be, as the verifiers before us found out.

Only Authentication-Results (RFC 8601) of the configured authserv_id count: the verifier removes
forged ones with its own name. An author is verified when a method passed for a domain that is
aligned with theirs (RFC 7489 section 3.1, relaxed). Nothing here raises; what cannot be read says
nothing.
"""

from collections.abc import Iterator

import authres

from conversation_tracker.core.message import Message
from conversation_tracker.core.passage import Verdict

_LONGEST = 8_192
_PROPERTIES = {
    ("dkim", "header", "d"),
    ("dkim", "header", "i"),
    ("dmarc", "header", "from"),
    ("spf", "smtp", "mailfrom"),
}


def verdict(message: Message, authserv_id: str) -> Verdict:
    """Tell what is known of a message's author.

    Args:
        message: the message.
        authserv_id: whose results to believe, "" for nobody's.

    Returns:
        The verdict. On the splitter's listener it is the one that the first pass came to.
    """
    if message.arrival.split:
        passed = message.arrival.passage
        return passed.verdict if passed is not None else "unverified"
    if message.arrival.trusted:
        return "trusted"
    if not authserv_id:
        return "unverified"
    domains = list(_passed(message, authserv_id))
    aligned = [
        any(_aligned(domain, author.domain) for domain in domains) for author in message.authors
    ]
    return "verified" if aligned and all(aligned) else "failed"


def _passed(message: Message, authserv_id: str) -> Iterator[str]:
    """Go through the domains that a method passed for."""
    for value in message.values(b"authentication-results"):
        for result in _results(value, authserv_id):
            if str(result.result).lower() != "pass":
                continue
            for each in result.properties:
                if (str(result.method).lower(), each.type, each.name) in _PROPERTIES:
                    yield str(each.value).rpartition("@")[2].strip('"').lower().rstrip(".")


def _results(value: bytes, authserv_id: str) -> list[authres.core.AuthenticationResult]:
    text = " ".join(value[:_LONGEST].decode("utf-8", "replace").split())
    try:
        header = authres.AuthenticationResultsHeader.parse_value(text)
    except Exception:
        # The library raises whatever comes up; a header we cannot read verifies nobody.
        return []
    return list(header.results) if str(header.authserv_id).lower() == authserv_id.lower() else []


def _aligned(domain: str, wanted: str) -> bool:
    """Tell whether one domain is, or is above or below, the other, and no top level domain."""
    shorter, longer = sorted((domain, wanted), key=len)
    return domain == wanted or ("." in shorter and longer.endswith("." + shorter))
