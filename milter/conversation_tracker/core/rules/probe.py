"""The address by which `check` asks what a forged message would be believed to be.

It is in an alias domain, so that it takes the way of all mail to aliases. It is signed and expires
soon: only those who have the database's secret can ask. Mail to it goes nowhere. Nothing here
raises.
"""

import hashlib
import hmac
import re
from dataclasses import replace
from ipaddress import ip_address

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.rules.authentication import find_verdict

_LOCAL = re.compile(r"probe-([0-9a-f]{8})-([0-9a-f]{32})")
_LIFETIME = 300.0  # seconds, and as much for clocks that differ


def make_address(domain: str, now: float, secret: bytes) -> str:
    """Make a probe's address.

    Args:
        domain: the alias domain.
        now: the time, in seconds since the epoch.
        secret: what to sign it with, the directory's.
    """
    time = f"{int(now):08x}"
    return f"probe-{time}-{_signature(time, domain, secret)}@{domain}"


def is_probe(address: Address, now: float, secret: bytes) -> bool:
    """Return whether an address is a probe's, and fresh.

    Args:
        address: it, of an alias domain.
        now: the time, in seconds since the epoch.
        secret: what it must be signed with; without one nothing is a probe.
    """
    match = _LOCAL.fullmatch(address.local)
    if match is None or not secret:
        return False
    if not hmac.compare_digest(_signature(match[1], address.domain, secret), match[2]):
        return False
    return abs(now - int(match[1], 16)) <= _LIFETIME


def answer(message: Message, authserv_id: str) -> Reply:
    """Return what would be believed of a message's author, had it come from outside.

    Args:
        message: the message.
        authserv_id: whose results to believe, "" for nobody's.
    """
    outside = replace(message, arrival=replace(message.arrival, trusted=False))
    match find_verdict(outside, authserv_id):
        case "verified":
            return replies.PROBE_BELIEVED
        case "failed":
            return replies.PROBE_FAILED
        case _:
            return replies.PROBE_UNASKED


def is_local(client: str, server: str) -> bool:
    """Return whether a client is on this host.

    Args:
        client: its address, as Postfix writes it.
        server: the address it connected to.
    """
    try:
        found = ip_address(client)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback or client == server


def _signature(time: str, domain: str, secret: bytes) -> str:
    said = f"probe {time} {domain}".encode("ascii", "replace")
    return hmac.new(secret, said, hashlib.sha256).hexdigest()[:32]
