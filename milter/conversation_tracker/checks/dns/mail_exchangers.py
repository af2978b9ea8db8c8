"""Where mail to aliases goes by the name system: MX of the alias domain, and of all below it.

A soft alias has a domain of its own below the alias domain, which a wildcard serves (RFC 4592).
"""

from collections.abc import Iterator

from conversation_tracker.checks.dns.names import NameSystem
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong

_BELOW = "no-such-name.invalid-000000000000b"  # as the domain of a soft alias is made


def check(names: NameSystem, domain: str, host: str, *, soft: bool) -> Iterator[CheckLine]:
    """Judge where mail to aliases of one domain goes.

    Args:
        names: the name system.
        domain: the alias domain.
        host: this mail host's name.
        soft: soft aliases are made there.

    Raises:
        NameSystemError: there is no answer.
    """
    yield from _judge(names, domain, domain, host)
    below = list(_judge(names, f"{_BELOW}.{domain}", f"*.{domain}", host))
    if soft or all(fact.verdict == "ok" for fact in below):
        yield from below
    else:
        yield note(f"*.{domain} has no MX for this host: nor is there a store with soft aliases")


def _judge(names: NameSystem, asked: str, shown: str, host: str) -> Iterator[CheckLine]:
    publish = f"publish {shown}. IN MX 10 {host}."
    found = [each.partition(" ") for each in names.ask(asked, "MX")]
    targets = sorted({target.lower() for _, _, target in found})
    if not targets:
        yield wrong(f"{shown} has no MX: mail to such aliases does not come", publish)
        return
    if targets == [""]:
        yield wrong(f"{shown} has an MX that says it takes no mail (RFC 7505)", publish)
        return
    lost = [target for target in targets if not target or not names.find_addresses(target)]
    if lost:
        yield wrong(
            f"the MX of {shown} leads to {' and '.join(lost)}, which has no address", publish
        )
        return
    own = {*names.find_addresses(host)}
    if host.lower() in targets or any(own & {*names.find_addresses(each)} for each in targets):
        yield ok(f"the MX of {shown} leads to this host ({host})")
    else:
        yield note(
            f"the MX of {shown} leads to {' and '.join(targets)}, and not to this host ({host})",
            f"see that it hands such mail on to here; or {publish}",
        )
