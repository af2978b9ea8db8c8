"""Whose share of an order's hour a message uses, and how much of it is used already.

The rules are those of tracker.limit_reached in sql/; here they are shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HourlyUsage:
    """How many messages of an order each had within the hour.

    Attributes:
        limit: the store's hourly_limit.
        own: the store's own.
        others: all other.
        strangers: of those, the strangers'.
        sender: of those, the message's author's.
        stranger: the message's author is a stranger.
    """

    limit: int
    own: int
    others: int
    strangers: int
    sender: int
    stranger: bool

    def describe(self, *, own: bool) -> str:
        """Describe what a message would use.

        Args:
            own: it is the store's own mail.
        """
        if own:
            return f"the store's own, {self.own} of {self.limit} used"
        return ", ".join(self._describe_others())

    def _describe_others(self) -> Iterator[str]:
        half = (self.limit + 1) // 2
        yield f"the sender's, {self.sender} of {half} used"
        if self.stranger:
            yield f"the strangers', {self.strangers} of {half} used"
        yield f"that of all but the store, {self.others} of {self.limit} used"
