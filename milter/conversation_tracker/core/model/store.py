"""What is set for one store, as far as mail needs it."""

from dataclasses import dataclass
from typing import Literal

AliasKind = Literal["hard", "soft"]
"""The two forms of an alias."""


@dataclass(frozen=True, slots=True)
class Store:
    """One row of the stores table, `tracker.stores`, as far as mail needs it.

    Only the directory reads two of these: `submitters`, who may write as the store where not every
    trusted client may; and `unnamed_mail`, what becomes of the store's mail that names no order and
    goes to somebody in an open one.
    """

    name: str
    mask: AliasKind = "hard"
    issuer_mask: AliasKind = "soft"
    sender_domains: frozenset[str] = frozenset()
    order_header: str = "X-Order-Id"
    mask_body: bool = True
    attachments_with_address: Literal["flag", "remove", "refuse"] = "flag"
    unknown_senders: Literal["accept", "reject"] = "accept"
    spoofed_senders: Literal["flag", "reject"] = "flag"
    participant_limit: int = 100
    submitters: frozenset[str] = frozenset()
    guest_limit: int = 20
    unnamed_mail: Literal["pass", "reject"] = "pass"
