"""The codec of aliases: hard, soft and bounce addresses to text and back.

A hard alias is 32 hexadecimal digits at the alias domain. A soft alias carries the address
readably: `local@domain-REFb.alias-domain`. A bounce address is `bounce-` and 32 hexadecimal digits.
All are written in lower case and read in any case. Nothing here knows which aliases exist: a text
that merely looks like an alias is decoded, and the database says whether it is one.

`decode` raises `NotAnAlias`, and nothing else.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from conversation_tracker.core.model.address import Address, AddressError

REF_DIGITS = 12
"""Length of an order's random reference, in decimal digits."""

_TOKEN = re.compile(r"[0-9a-f]{32}")
_BOUNCE = re.compile(r"bounce-([0-9a-f]{32})")
_SOFT_DOMAIN = re.compile(rf"(.+)-([0-9]{{{REF_DIGITS}}})b")
# Postfix refuses to relay a local part with routing characters (allow_untrusted_routing), so such
# an address cannot travel in soft form.
_SOFT_LOCAL = re.compile(r"[a-z0-9#$&'*+/=?^_`{|}~-]+(?:\.[a-z0-9#$&'*+/=?^_`{|}~-]+)*")
_MAX_LOCAL = 64
_MAX_LABEL = 63
_MAX_DOMAIN = 253
_MAX_ADDRESS = 254


class NotAnAlias(ValueError):
    """The address has not the form of an alias of the given domains."""


@dataclass(frozen=True, slots=True)
class Hard:
    """An alias that tells nothing: `token` is 32 lower-case hexadecimal digits."""

    token: str
    domain: str

    def __str__(self) -> str:
        """Return the alias as an address."""
        return f"{self.token}@{self.domain}"


@dataclass(frozen=True, slots=True)
class Soft:
    """An alias that carries the address `key` (lower case) and the order's `ref` readably."""

    key: str
    ref: str
    domain: str

    def __str__(self) -> str:
        """Return the alias as an address."""
        return f"{self.key}-{self.ref}b.{self.domain}"


@dataclass(frozen=True, slots=True)
class Bounce:
    """The envelope sender of one delivery: `token` is 32 lower-case hexadecimal digits."""

    token: str
    domain: str

    def __str__(self) -> str:
        """Return the bounce address as an address."""
        return f"bounce-{self.token}@{self.domain}"


Alias = Hard | Soft | Bounce


def encode_soft(address: Address, ref: str, domain: str) -> Soft | None:
    """Encode an address softly.

    Args:
        address: the real address.
        ref: the order's reference, 12 digits.
        domain: the alias domain, lower case.

    Returns:
        The soft alias, or None where the address cannot be carried: a quoted or non-ASCII local
        part, one with routing characters, a domain literal, a label over 63 octets, a domain over
        253 or an address over 254 (RFC 5321 section 4.5.3.1, RFC 1035 section 2.3.4). A top level
        domain in ACE form cannot be carried either: with the reference behind it, it is no valid
        A-label any more (RFC 5890 section 2.3.2.1).
    """
    return _encode_key(address.key, ref, domain)


@lru_cache(maxsize=1024)
def _encode_key(key: str, ref: str, domain: str) -> Soft | None:
    local, _, name = key.rpartition("@")
    last = name.rpartition(".")[2]
    carried = f"{name}-{ref}b.{domain}"
    fits = (
        len(local) <= _MAX_LOCAL
        and _SOFT_LOCAL.fullmatch(local) is not None
        and not name.startswith("[")
        and not last.startswith("xn--")
        and len(last) + len(ref) + 2 <= _MAX_LABEL
        and len(carried) <= _MAX_DOMAIN
        and len(local) + 1 + len(carried) <= _MAX_ADDRESS
    )
    return Soft(key, ref, domain) if fits else None


def find_domain(name: str, domains: Collection[str]) -> str | None:
    """Find the alias domain that a domain is, or is inside of.

    Args:
        name: a domain in lower case.
        domains: the alias domains, lower case; none is inside another.

    Returns:
        The alias domain, or None.
    """
    while name:
        if name in domains:
            return name
        name = name.partition(".")[2]
    return None


def decode(address: Address, domains: Collection[str]) -> Alias:
    """Read an address as an alias.

    Args:
        address: any address.
        domains: the alias domains, lower case.

    Returns:
        The alias it has the form of.

    Raises:
        NotAnAlias: it is outside the alias domains, or inside them and of no alias's form.
    """
    domain = find_domain(address.domain, domains)
    if domain is None:
        raise NotAnAlias("not in an alias domain")
    local = address.local.lower()
    if domain == address.domain:
        if _TOKEN.fullmatch(local):
            return Hard(local, domain)
        if bounce := _BOUNCE.fullmatch(local):
            return Bounce(bounce[1], domain)
        raise NotAnAlias("no alias has this local part")
    carried = _SOFT_DOMAIN.fullmatch(address.domain[: -len(domain) - 1])
    if carried is None:
        raise NotAnAlias("no order's reference before the alias domain")
    try:
        real = Address.parse(f"{local}@{carried[1]}")
    except AddressError:
        raise NotAnAlias("no address before the reference") from None
    found = encode_soft(real, carried[2], domain)
    if found is None or str(found) != address.key:
        raise NotAnAlias("an address that no soft alias carries")
    return found
