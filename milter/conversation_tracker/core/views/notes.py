"""What the masks of a view note while they go through a message.

They hold what they call, and the view holds them. So what they call must not hold the view: what
refers to itself stays in memory, with all of the message, until the garbage collector comes.
Nothing here raises.
"""

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.model.part_cache import CleanParts
from conversation_tracker.core.views.disclosure import Disclosure


class Notes:
    """What was met and written so far.

    Attributes:
        disclosure: whose soft aliases are shown.
    """

    def __init__(self, disclosure: Disclosure) -> None:
        """Begin.

        Args:
            disclosure: whose soft aliases are shown.
        """
        self.disclosure = disclosure

    @cached_property
    def clean_parts(self) -> CleanParts:
        """What is known of the message: nothing, until it is taken from what goes with that."""
        return CleanParts()

    def note_written(self, alias: str) -> None:
        """Note that an alias was written into a text."""
        self.disclosure.note(alias)
        if self.clean_parts.learns:
            self.clean_parts.written.add(alias)

    def note_met(self) -> None:
        """Note that one of the domains was seen."""
        self.clean_parts.met = True

    def note_link(self) -> None:
        """Note a link to an identifier: what it becomes is another thing for each reader."""
        self.clean_parts.met = self.clean_parts.hid = True
