"""How much may be unpacked of the files of a message: one budget for all of them together.

Whatever a file says of itself, the work ends here. Of a file over a limit, what lies within it is
looked at. Nothing here raises.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from conversation_tracker.core.base.limits import UNLIMITED, Limits
from conversation_tracker.core.base.octets import Octets

MAX_TOTAL = 64 * 1024 * 1024
"""Octets unpacked of the files of one message that are looked at together."""
MAX_RATIO = 200
"""Octets unpacked for one octet packed."""
MAX_MEMBERS = 2_000
"""Files in archives and streams in files, those further inside included."""
MAX_DEPTH = 3
"""Archives inside each other; what is only compressed does not count."""
MAX_LAYERS = 9
"""Files of any kind inside each other."""
MAX_TEXT = 4 * 1024 * 1024
"""Octets of one page, document or text that are read as text."""

_SLACK = 64 * 1024  # octets that any member may have, whatever its ratio


@dataclass(slots=True)
class Unpacking:
    """What may still be unpacked: one for all files of a message that are looked at together.

    Attributes:
        limits: where to keep what is unpacked.
        octets: how many.
        text: octets that are read as text.
        members: files in archives, and streams in other files.
    """

    limits: Limits = UNLIMITED
    octets: int = MAX_TOTAL
    text: int = 4 * MAX_TEXT
    members: int = MAX_MEMBERS

    def allows_another(self) -> bool:
        """Whether one more member may be unpacked, which is then counted."""
        self.limits.check()
        self.members -= 1
        return self.members >= 0 and self.octets > 0

    def allows_text(self, octets: int) -> bool:
        """Whether so many more octets may be read as text, which are then counted."""
        self.text -= octets
        return self.text > 0

    def limit_for(self, packed: int) -> int:
        """Return how many octets may come of so many packed ones."""
        return max(0, min(self.octets, packed * MAX_RATIO + _SLACK))

    def keep(self, pieces: Iterable[bytes]) -> Octets:
        """Keep what is unpacked, and count it."""
        content = self.limits.store(pieces)
        self.octets -= len(content)
        return content
