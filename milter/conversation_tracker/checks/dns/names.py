"""Asks the name system: which records a name has, none, or that nobody can tell now.

`NameSystemError` is raised where nobody can tell: never taken for "no such record".
"""

from collections.abc import Sequence

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from conversation_tracker.base import timeouts

_ABSENT = (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer)


class NameSystemError(Exception):
    """The name system gives no answer; the message says why."""


class NameSystem:
    """The name system as this host sees it, or as the servers given do; asked once for each name.

    Attributes:
        failures: how many questions got no answer.
    """

    def __init__(self, servers: Sequence[str] = (), port: int = 53) -> None:
        """Ask the servers of /etc/resolv.conf, or these.

        Args:
            servers: addresses of name servers.
            port: theirs.
        """
        self._servers, self._port = list(servers), port
        self._resolver: dns.resolver.Resolver | None = None
        self._known: dict[tuple[str, str], list[str] | NameSystemError] = {}
        self.failures = 0

    def ask(self, name: str, kind: str) -> list[str]:
        """Return the records of a name, as text without a last dot; none if there are none.

        Args:
            name: the name, without a last dot.
            kind: the type: A, AAAA, MX, TXT.

        Raises:
            NameSystemError: there is no answer.
        """
        key = (name.lower(), kind)
        if key not in self._known:
            try:
                self._known[key] = self._ask(name, kind)
            except dns.exception.DNSException as error:
                self._known[key] = NameSystemError(f"{kind} of {name}: {type(error).__name__}")
        found = self._known[key]
        if isinstance(found, NameSystemError):
            self.failures += 1
            raise found
        return found

    def find_addresses(self, name: str) -> list[str]:
        """Return all addresses of a name; raise as `ask` does."""
        return [*self.ask(name, "A"), *self.ask(name, "AAAA")]

    def _ask(self, name: str, kind: str) -> list[str]:
        if self._resolver is None:
            self._resolver = dns.resolver.Resolver(configure=not self._servers)
            if self._servers:
                self._resolver.nameservers, self._resolver.port = self._servers, self._port
        try:
            whole = dns.name.from_text(name, dns.name.root)
            found = self._resolver.resolve(whole, kind, lifetime=timeouts.get().check_dns_seconds)
        except _ABSENT:
            return []
        except dns.name.LabelTooLong:
            return []
        if kind == "TXT":
            return [b"".join(each.strings).decode("utf-8", "replace") for each in found]
        return [each.to_text().rstrip(".") for each in found]
