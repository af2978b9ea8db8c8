"""What one mail transaction has found out so far, from MAIL to its end.

`begin_transaction` decides what the client is; the filter notes what its recipients led to. It is
dropped with the transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.message import Arrival, Recipient
from conversation_tracker.core.reports.bounce import Delivery
from conversation_tracker.core.rules.classification import Lookups
from conversation_tracker.core.rules.probe import is_local
from conversation_tracker.database.rows import Directory, Lookup

SPLITTER = "tracker-split"
"""{daemon_name} of the listener that takes single copies from the splitter's transport."""


@dataclass(slots=True)
class Transaction:
    """What one mail transaction has found out so far.

    Attributes:
        null: its envelope sender is the null sender.
        trusted: the client authenticated, or is in a trusted network.
        split: it comes from the splitter's transport, which carries aliases only.
        user: the name the client authenticated as, "" if it did not.
        client: the client's IP address, "" where it is the splitter's or not known.
        local: the client is on this host.
        probe: a recipient is a probe of `check`.
        recipients: the recipients that were not refused.
        conversations: the conversations of those that are aliases, by the order's id.
        deliveries: the deliveries of those that are bounce addresses, by their token.
        named: the order that a store's own mail names, as far as it was looked up ahead.
        unread: its message's body was not kept, since by its header fields nobody would read it.
    """

    null: bool = False
    trusted: bool = False
    split: bool = False
    user: str = ""
    client: str = ""
    local: bool = False
    probe: bool = False
    recipients: list[Recipient] = field(default_factory=list)
    conversations: dict[int, Conversation] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    named: Lookup | None = None
    unread: bool = False

    @property
    def may_probe(self) -> bool:
        """Whether the client may ask what would be believed of a stranger."""
        return self.local and not self.split

    @property
    def may_name_order(self) -> bool:
        """Whether a header may name the order: a store's own system writes, and to no alias."""
        return self.trusted and not self.conversations and not self.deliveries

    def collect_lookups(self, directory: Directory) -> Lookups:
        """Return what was looked up, to decide what the message is.

        Args:
            directory: the alias domains and stores.
        """
        return Lookups(
            self.conversations,
            self.deliveries,
            self.probe,
            directory.alias_domains,
            directory.senders,
        )

    def make_arrival(self, queue_id: str = "", helo: str = "") -> Arrival:
        """Return where its message came from.

        Args:
            queue_id: Postfix's queue id.
            helo: what the client called itself.
        """
        return Arrival(
            queue_id,
            self.trusted,
            self.split,
            client=self.client,
            helo=helo,
            user=self.user,
            local=self.local and not self.split,
        )


def begin_transaction(
    sender: bytes, macro: Callable[[str], str | None], trusts: Callable[[str], bool]
) -> Transaction:
    """Begin a transaction with what MAIL says of the client.

    On the splitter's listener nobody is trusted: its client is this host, as a rule in a trusted
    network.

    Args:
        sender: what MAIL FROM named.
        macro: returns one of Postfix's macros, None where it is not defined.
        trusts: whether a client's address is in a trusted network.
    """
    client = macro("{client_addr}") or ""
    found = Transaction(
        null=sender.strip() in (b"", b"<>"),
        split=macro("{daemon_name}") == SPLITTER,
        local=is_local(client, macro("{daemon_addr}") or ""),
    )
    if not found.split:
        found.client = client
        found.user = macro("{auth_authen}") or ""
        found.trusted = bool(found.user) or trusts(client)
    return found
