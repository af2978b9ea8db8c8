"""What one mail transaction has found out so far, from MAIL to its end.

The session fills it and the filter asks for it. It decides nothing, and goes with the transaction.
"""

from dataclasses import dataclass, field

from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.message import Arrival, Recipient
from conversation_tracker.core.reports.bounce import Delivery
from conversation_tracker.database.rows import Found


@dataclass(slots=True)
class Transaction:
    """What one mail transaction has found out so far.

    Attributes:
        null: its envelope sender is the null sender.
        trusted: the client authenticated, or is in a trusted network.
        split: it comes from the splitter's transport, which carries aliases only.
        user: the name the client authenticated as, "" if it did not.
        local: the client is on this host.
        probe: a recipient is a probe of `check`.
        recipients: the recipients that were not refused.
        conversations: the conversations of those that are aliases, by the order's id.
        deliveries: the deliveries of those that are bounce addresses, by their token.
        named: the order that a store's own mail names, as far as it was asked for ahead.
    """

    null: bool = False
    trusted: bool = False
    split: bool = False
    user: str = ""
    local: bool = False
    probe: bool = False
    recipients: list[Recipient] = field(default_factory=list)
    conversations: dict[int, Conversation] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    named: Found | None = None

    def arrival(self, queue_id: str = "", client: str = "", helo: str = "") -> Arrival:
        """Tell where its message came from.

        Args:
            queue_id: Postfix's queue id.
            client: the client's IP address, "" where it is not known.
            helo: what the client called itself.
        """
        return Arrival(queue_id, self.trusted, self.split, client=client, helo=helo, user=self.user)
