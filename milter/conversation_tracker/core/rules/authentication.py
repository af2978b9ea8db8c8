"""Whether a message's author is who they claim to be, as the verifiers before us found out.

Only Authentication-Results (RFC 8601) of the configured authserv_id count; Postfix or the verifier
removes those that a stranger wrote. Verifiers repeat there what the sender wrote, some without
quotes: OpenDKIM the identity of a signature, OpenDMARC and rspamd HELO, others who sealed it. So
where the sender wrote anything that could pass for a result, no result of the message counts. An
author is verified when a method passed for a domain that is aligned with theirs (RFC 7489 section
3.1, relaxed). Nothing here raises; what cannot be read says nothing.
"""

import re
from collections.abc import Callable, Collection, Iterator

from conversation_tracker.core.model.address import find_mailboxes
from conversation_tracker.core.model.alias import find_domain
from conversation_tracker.core.model.first_pass import Verdict
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.syntax.results import Result, parse_results
from conversation_tracker.core.syntax.signature import is_plain

_HELO = re.compile(r"[A-Za-z0-9._:\[\]-]*+")
_DOMAIN = re.compile(r"[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]++)*\.?")
_LOCAL = re.compile(r"[^\0- \x7f\"(),:;<>@\[\]\\]*+")  # RFC 5322 section 3.2.3, RFC 6532
_SIGNATURES = (b"dkim-signature", b"arc-seal", b"arc-message-signature")
_METHOD_NAMES = ("dkim", "dmarc", "spf")
_METHODS = tuple(name.encode() for name in _METHOD_NAMES)
_NAMES = ("header.d", "header.i", "header.from", "smtp.mailfrom")


def find_verdict(message: Message, authserv_id: str, besides: Collection[str] = ()) -> Verdict:
    """Return what is known of a message's author.

    Args:
        message: the message.
        authserv_id: whose results to believe, "" for nobody's.
        besides: domains that no result counts for, nor for what is below them.

    Returns:
        The verdict. On the splitter's listener it is the one that the first pass came to.
    """
    if message.arrival.split:
        passed = message.arrival.first_pass
        return passed.verdict if passed is not None else "unverified"
    if message.arrival.trusted:
        return "trusted"
    if not authserv_id:
        return "unverified"
    found = set(_find_passes(message, authserv_id))
    domains = {domain for domain in found if find_domain(domain, besides) is None}
    aligned = [
        any(_is_aligned(domain, author.domain) for domain in domains) for author in message.authors
    ]
    return "verified" if aligned and all(aligned) else "failed"


def bears_our_signature(message: Message, authserv_id: str, alias_domains: Collection[str]) -> bool:
    """Whether a verifier found a message signed for the alias domain that its From is in.

    Only a signature proves it: whoever forwards mail may write any envelope domain. Of the trusted
    clients only this host counts, from which mail may come back: others need not be verified.

    Args:
        message: the message.
        authserv_id: whose results to believe, "" for nobody's.
        alias_domains: all alias domains.
    """
    authors = {find_domain(author.domain, alias_domains) for author in message.authors}
    arrival = message.arrival
    if arrival.split or (arrival.trusted and not arrival.local):
        return False
    if not authserv_id or len(authors) != 1 or None in authors:
        return False
    return any(
        find_domain(domain, alias_domains) in authors
        for domain in _find_passes(message, authserv_id, ("dkim",))
    )


def _find_passes(
    message: Message, authserv_id: str, methods: Collection[str] = _METHOD_NAMES
) -> Iterator[str]:
    """Yield the domains for which one of some methods passed.

    A client that authenticated comes in where there may be no verifier, and may have written the
    results itself.
    """
    if message.arrival.user:
        return
    found = []
    for value in message.values(b"authentication-results"):
        message.limits.check()
        found += [r for r in parse_results(value, authserv_id) if r.result == "pass"]
    if found and _is_harmless(message):
        for result in found:
            if result.method in methods and (domain := _find_domain(result)) is not None:
                yield domain


def _is_harmless(message: Message) -> bool:
    """Return whether nothing that verifiers repeat could pass for a result."""
    sender = message.sender
    return (
        _HELO.fullmatch(message.arrival.helo) is not None
        and (message.null or (sender is not None and _LOCAL.fullmatch(sender.local) is not None))
        and all(is_plain_author(value, message.limits.check) for value in message.values(b"from"))
        and all(is_plain(value) for name in _SIGNATURES for value in message.values(name))
    )


def is_plain_author(value: bytes, check: Callable[[], None]) -> bool:
    """Return whether From can be read, and holds no result, be it in a name or in a comment.

    Args:
        value: From's.
        check: raises where time is up.
    """
    low = value.lower()
    if b"=" in low and b"pass" in low and any(method in low for method in _METHODS):
        return False
    return all(mailbox.address is not None for mailbox in find_mailboxes(value, check))


def _find_domain(result: Result) -> str | None:
    """Return the domain that a result is about, None where it is about none."""
    if result.repeated or not all(
        _is_plain(result.properties[name]) for name in _NAMES if name in result.properties
    ):
        return None
    said = {name: _after_sign(result.properties.get(name, "")) for name in _NAMES}
    match result.method:
        case "dkim":
            domain, identity = said["header.d"], said["header.i"]
            if domain and identity and not _is_within(identity, domain):
                return None  # RFC 6376 section 3.5, i=
            return domain or identity or None
        case "dmarc":
            return said["header.from"] or None
        case "spf":
            return said["smtp.mailfrom"] or None
        case _:
            return None


def _is_plain(value: str) -> bool:
    local, _, domain = value.rpartition("@")
    return _LOCAL.fullmatch(local) is not None and _DOMAIN.fullmatch(domain) is not None


def _after_sign(value: str) -> str:
    return value.rpartition("@")[2].lower().rstrip(".")


def _is_within(domain: str, other: str) -> bool:
    return domain == other or domain.endswith("." + other)


def _is_aligned(domain: str, wanted: str) -> bool:
    """Return whether one domain is, or is above or below, the other, and no top level domain."""
    shorter, longer = sorted((domain, wanted), key=len)
    return domain == wanted or ("." in shorter and longer.endswith("." + shorter))
