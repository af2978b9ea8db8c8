"""Which IP addresses a webhook may go to: those of the public Internet, or others if allowed.

The lists are our own, of the registries of special addresses (RFC 6890, IANA): those of Python's
`ipaddress` differ between its versions. An IPv6 address that stands for an IPv4 one (mapped, RFC
4291; translated, RFC 6052) is judged as that one; the tunnels of RFC 3056 and RFC 4380, which name
their IPv4 address in the IPv6 one, lead wherever whoever wrote it wants, and count as inward.
"""

import socket
from contextlib import suppress
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_NOWHERE_4 = [IPv4Network(text) for text in ("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")]
_INWARD_4 = [
    IPv4Network(text)
    for text in (
        "10.0.0.0/8",
        "100.64.0.0/10",  # of carriers, RFC 6598
        "127.0.0.0/8",
        "168.63.129.16/32",  # of Azure, the host of a virtual machine
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
    )
]
_MULTICAST_6 = IPv6Network("ff00::/8")
_PUBLIC_6 = IPv6Network("2000::/3")  # all that was ever given out
_INWARD_6 = [
    IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")  # the first has Teredo
]
_TRANSLATED = IPv6Network("64:ff9b::/96")

_ANY_PORT = 9


class Reach(Enum):
    """Where an address leads."""

    PUBLIC = "public"
    INWARD = "inward"  # to this host or its network
    NOWHERE = "nowhere"  # to nobody, or to many


def judge(address: IPv4Address | IPv6Address) -> Reach:
    """Tell where an address leads, by the address alone."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _TRANSLATED:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is None:
            return _judge_6(address)
        address = inner
    if any(address in network for network in _NOWHERE_4):
        return Reach.NOWHERE
    return Reach.INWARD if any(address in network for network in _INWARD_4) else Reach.PUBLIC


def _judge_6(address: IPv6Address) -> Reach:
    if address in _MULTICAST_6 or address.is_unspecified:
        return Reach.NOWHERE
    if address not in _PUBLIC_6 or any(address in network for network in _INWARD_6):
        return Reach.INWARD
    return Reach.PUBLIC


def is_own(address: str) -> bool:
    """Return whether an address is one of this host's own: its packets would not leave it.

    A firewall that keeps strangers from a port keeps nothing from the host itself.

    Args:
        address: an IP address.
    """
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as trial:
        trial.connect((address, _ANY_PORT))  # sends nothing
        return str(trial.getsockname()[0]) == address
    return False  # no such family here, or no way there
