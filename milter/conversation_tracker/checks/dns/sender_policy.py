"""Whether the name system lets this host send for an alias domain (SPF, RFC 7208).

Of a policy only what names hosts is followed; macros and `exists` cannot be told from here.
"""

from collections.abc import Collection, Iterator
from ipaddress import ip_address, ip_network
from typing import Literal

from conversation_tracker.checks.dns.names import NameSystem
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong

_LOOKUPS = 10  # RFC 7208 section 4.6.4
_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}
_ASKING = ("include", "a", "mx", "ptr", "exists", "redirect")

Result = Literal["pass", "fail", "softfail", "neutral", "none", "unknown"]


class PolicyError(Exception):
    """The policy is none; the message says why."""


def find_result(names: NameSystem, domain: str, address: str) -> str:
    """Return what the policy of a domain says of an address: an SPF result, or `unknown`.

    Args:
        names: the name system.
        domain: the domain.
        address: the sending host's.

    Raises:
        PolicyError: the policy is none.
        NameSystemError: there is no answer.
    """
    return _Policy(names, address).judge(domain)


class _Policy:
    """One question: of one address, with one limit of look-ups."""

    def __init__(self, names: NameSystem, address: str) -> None:
        self._names, self._address, self._left = names, ip_address(address), _LOOKUPS

    def judge(self, domain: str) -> str:
        policies = [each for each in self._names.ask(domain, "TXT") if _is_policy(each)]
        if len(policies) > 1:
            raise PolicyError(f"{domain} has {len(policies)} of them")
        if not policies:
            return "none"
        redirect = ""
        for term in policies[0].split()[1:]:
            name, _, value = term.lower().partition("=")
            if name == "redirect":
                redirect = value
            elif "=" not in term.partition(":")[0]:
                sign, mechanism = (term[0], term[1:]) if term[0] in _RESULTS else ("+", term)
                met = self._meets(mechanism.lower(), domain)
                if met is None:
                    return "unknown"
                if met:
                    return _RESULTS[sign]
        if not redirect:
            return "neutral"
        self._count("redirect")
        return self.judge(redirect)

    def _count(self, name: str) -> None:
        if name in _ASKING:
            self._left -= 1
            if self._left < 0:
                raise PolicyError(f"it takes more than {_LOOKUPS} questions")

    def _meets(self, mechanism: str, domain: str) -> bool | None:
        """Whether a mechanism matches; None if that cannot be told from here."""
        head, _, prefix = mechanism.partition("/")
        name, _, value = head.partition(":")
        self._count(name)
        if name == "all":
            return True
        if name in ("ip4", "ip6"):
            return self._is_in(mechanism.partition(":")[2])
        if "%" in value or name in ("ptr", "exists"):
            return None
        if name == "include":
            found = self.judge(value)
            if found == "none":
                raise PolicyError(f"it includes {value}, which has none")
            return None if found == "unknown" else found == "pass"
        if name not in ("a", "mx"):
            raise PolicyError(f"{name} means nothing")
        hosts = [value or domain]
        if name == "mx":
            hosts = [each.partition(" ")[2] for each in self._names.ask(hosts[0], "MX")]
            if len(hosts) > _LOOKUPS:
                raise PolicyError(f"{value or domain} has {len(hosts)} mail exchangers")
        four, _, six = (
            prefix.partition("//") if not prefix.startswith("/") else ("", "", prefix[1:])
        )
        size = six if self._address.version == 6 else four
        # Of the other family neither address nor size says anything.
        kind = "AAAA" if self._address.version == 6 else "A"
        found_at = [each for host in hosts if host for each in self._names.ask(host, kind)]
        return any(self._is_in(f"{each}/{size}" if size else each) for each in found_at)

    def _is_in(self, network: str) -> bool:
        try:
            found = ip_network(network, strict=False)
        except ValueError:
            if "/" in network and ":" in network.partition("/")[0]:
                return False
            raise PolicyError(f"{network} is no network") from None
        return self._address.version == found.version and self._address in found


def _is_policy(text: str) -> bool:
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def check(
    names: NameSystem, domain: str, host: str, addresses: Collection[str], relay: str
) -> Iterator[CheckLine]:
    """Judge the policy of one alias domain: every copy has an envelope sender there.

    Args:
        names: the name system.
        domain: the alias domain.
        host: this mail host's name.
        addresses: those that it sends from; none where they are not known.
        relay: the host by which all mail leaves, or "".

    Raises:
        NameSystemError: there is no answer.
    """
    publish = f'publish {domain}. IN TXT "v=spf1 a:{relay or host} -all"'
    try:
        found = {each: find_result(names, domain, each) for each in addresses or ["192.0.2.1"]}
    except PolicyError as error:
        yield wrong(f"the SPF policy of {domain} is none: {error}", publish)
        return
    results = set(found.values())
    refused = sorted(each for each, result in found.items() if result in ("fail", "softfail"))
    if results == {"none"}:
        yield note(f"{domain} has no SPF policy: many take its mail for doubtful", publish)
    elif relay or not addresses:
        why = f"mail leaves by {relay}" if relay else f"{host} has no public address"
        yield note(f"{domain} has an SPF policy; that it names what sends was not seen: {why}")
    elif refused:
        yield wrong(f"the SPF policy of {domain} refuses this host ({', '.join(refused)})", publish)
    elif results == {"pass"}:
        yield ok(f"the SPF policy of {domain} names this host ({', '.join(sorted(found))})")
    else:
        yield note(f"the SPF policy of {domain} does not say that this host may send", publish)
