"""What one envelope recipient is, decided from its text before the database is asked.

`classify_recipient` returns the reply to refuse it with, the recipient as it is taken, or what has
to be looked up first. Pure; nothing here raises.
"""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.model.alias import (
    Bounce,
    Hard,
    NotAnAlias,
    Soft,
    decode,
    find_domain,
)
from conversation_tracker.core.model.message import Recipient
from conversation_tracker.core.model.replies import Reply
from conversation_tracker.core.rules import postmaster

_ROUTE = re.compile(rb"\A@[^:]*:")  # RFC 5321 section 4.1.1.3: to be ignored


@dataclass(frozen=True, slots=True)
class ProbeAddress:
    """A probe of `check`: the message goes nowhere, and its reply says what would be believed."""


@dataclass(frozen=True, slots=True)
class AliasAddress:
    """A recipient of an alias's form: the database knows whether it is one."""

    recipient: Recipient
    alias: Hard | Soft


@dataclass(frozen=True, slots=True)
class BounceAddress:
    """A recipient of a bounce address's form: the database knows whether it is one."""

    recipient: Recipient
    bounce: Bounce


RecipientKind = Reply | Recipient | ProbeAddress | AliasAddress | BounceAddress


@dataclass(frozen=True, slots=True)
class Rcpt:
    """One RCPT command, and what is known of its transaction.

    Attributes:
        raw: what it named, with its angle brackets.
        original: it came with an original recipient (ORCPT, RFC 3461).
        split: it came over the splitter's listener.
        null: the envelope sender is the null sender.
        others: recipients were taken before.
        bounces: one of these is a bounce address.
    """

    raw: bytes
    original: bool = False
    split: bool = False
    null: bool = False
    others: bool = False
    bounces: bool = False


def strip_route(text: bytes) -> bytes:
    """Return a path without angle brackets and without its source route."""
    return _ROUTE.sub(b"", text.removeprefix(b"<").removesuffix(b">"))


def classify_recipient(
    rcpt: Rcpt,
    domains: Collection[str],
    reader: str,
    is_probe: Callable[[Address], bool],
) -> RecipientKind:
    """Decide what an envelope recipient is.

    Args:
        rcpt: what RCPT said.
        domains: all alias domains.
        reader: who gets the mail to an alias domain's postmaster, or `postmaster.HERE`.
        is_probe: whether an address in an alias domain is a probe that this client may ask with.

    Returns:
        The reply to refuse it with; the recipient, where nothing need be looked up; or what it has
        the form of.
    """
    text = strip_route(rcpt.raw)
    # Postfix forgets a route, and would not know the recipient by it any more.
    raw = b"<" + text + b">" if _ROUTE.match(rcpt.raw.removeprefix(b"<")) else rcpt.raw
    try:
        address = Address.parse(text)
    except AddressError:
        domain = text.rpartition(b"@")[2].decode("ascii", "replace").lower().rstrip(".")
        inside = find_domain(domain, domains) is not None
        return replies.UNKNOWN_ALIAS if inside else Recipient(raw, None)
    if find_domain(address.domain, domains) is None:
        if rcpt.split:
            # Postfix routes the domain here and no store has it: going on, it would go round.
            # A new domain is known a moment later, and the first pass has answered 250.
            return replies.TRY_LATER
        return Recipient(raw, address, original=rcpt.original)
    if is_probe(address):
        return ProbeAddress()
    if postmaster.is_postmaster(address, domains):
        if postmaster.is_unreachable(reader, domains):
            return replies.TRY_LATER
        return Recipient(raw, address, postmaster=True)
    return _classify_alias(Recipient(raw, address), address, domains)


def _classify_alias(
    recipient: Recipient, address: Address, domains: Collection[str]
) -> RecipientKind:
    try:
        alias = decode(address, domains)
    except NotAnAlias:
        return replies.UNKNOWN_ALIAS
    if not isinstance(alias, Bounce):
        return AliasAddress(recipient, alias)
    return BounceAddress(recipient, alias)


def must_come_alone(found: RecipientKind, rcpt: Rcpt) -> bool:
    """Whether a recipient must be handed in again apart from those that were taken before.

    Reports have the null sender (RFC 3464 section 2). Anything else to a bounce address is decided
    on at its end, by its content, and other recipients would be refused along with it.
    """
    if rcpt.null or isinstance(found, Reply):
        return False
    return rcpt.bounces or (rcpt.others and isinstance(found, BounceAddress))


def refuse_status(status: str) -> Reply | None:
    """Return the reply to mail for an order in some state, None where it is live.

    Args:
        status: as the database gives it: live, expired, or inactive.
    """
    if status == "live":
        return None
    return replies.EXPIRED_ALIAS if status == "expired" else replies.TRY_LATER
