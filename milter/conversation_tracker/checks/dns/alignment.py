"""What receivers are told to do with mail in an alias domain's name (DMARC, RFC 7489).

Our own must stand the test: its signature's domain must be aligned with that of From.
"""

from collections.abc import Collection, Iterator

from conversation_tracker.checks.dns.names import NameSystem
from conversation_tracker.checks.dns.signature import read_tags
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong

_POLICIES = ("none", "quarantine", "reject")


def find_policy(names: NameSystem, domain: str) -> tuple[str, list[str]]:
    """Find the policy of a domain: its own, or that of the first above it which has one.

    Args:
        names: the name system.
        domain: the domain.

    Returns:
        Whose it is, "" if nobody has one, and the records there.

    Raises:
        NameSystemError: there is no answer.
    """
    labels = domain.split(".")
    for place in range(len(labels) - 1):
        above = ".".join(labels[place:])
        found = [each for each in names.ask(f"_dmarc.{above}", "TXT") if _is_policy(each)]
        if found:
            return above, found
    return "", []


def _is_policy(text: str) -> bool:
    return read_tags(text).get("v", "").upper() == "DMARC1"


def check(
    names: NameSystem, domain: str, signers: Collection[str], *, soft: bool
) -> Iterator[CheckLine]:
    """Judge the policy of one alias domain.

    Args:
        names: the name system.
        domain: the alias domain.
        signers: the domains that its mail is signed by.
        soft: soft aliases are made there, whose domains are below it.

    Raises:
        NameSystemError: there is no answer.
    """
    publish = f'publish _dmarc.{domain}. IN TXT "v=DMARC1; p=none"'
    whose, found = find_policy(names, domain)
    if not found:
        yield note(f"{domain} has no DMARC policy: anybody may write in its name", publish)
        return
    if len(found) > 1:
        yield wrong(f"{whose} has {len(found)} DMARC policies, which count as none", publish)
        return
    tags = read_tags(found[0])
    policy = tags.get("p", "").lower()
    if policy not in _POLICIES:
        yield wrong(f"the DMARC policy of {whose} has no p= that receivers know", publish)
        return
    if whose != domain or soft:
        policy = tags.get("sp", policy).lower()
    strict = tags.get("adkim", "r").lower() == "s"
    bad = [each for each in signers if not _is_aligned(each, domain, strict=strict and soft)]
    if strict and soft:
        yield wrong(
            f"the DMARC policy of {whose} has adkim=s: the signature of {domain} does not stand"
            " for soft aliases, whose domains are below it",
            "publish it with adkim=r, or set mask and issuer_mask of the stores to hard",
        )
    elif bad:
        yield wrong(
            f"mail from {domain} is signed by {' and '.join(sorted(bad))}, which DMARC does not"
            " count for it",
            f"have the signer sign with d={domain}",
        )
    elif not signers and policy != "none":
        yield wrong(
            f"the DMARC policy of {whose} is {policy}, and mail from {domain} is not signed",
            f"run postfix/signer --domain {domain}",
        )
    else:
        yield ok(f"the DMARC policy for {domain} is {policy} ({whose}), and its signature aligned")


def _is_aligned(signer: str, domain: str, *, strict: bool) -> bool:
    """Whether a signature counts for From; the public suffixes are nobody's to sign for."""
    if strict or signer == domain:
        return signer == domain
    return "." in signer and domain.endswith(f".{signer}")
