"""What the final scan finds: whose address, and where. Nothing here raises."""

import re
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Hit:
    """One address in one place.

    Attributes:
        channel: the place: "header Subject", "part 2 text/html", "part 3 application/pgp-keys
            (bytes)", "part header", "preamble", "epilogue", or one of these after "attached
            message, " or after the place of a text that reads like a message. It never holds the
            address.
        token: whose address it is.
        binary: the place is a file that is no text and of no known kind; it makes no difference
            between hits.
    """

    channel: str
    token: str
    binary: bool = field(default=False, compare=False)

    @property
    def in_header(self) -> bool:
        """Whether it stands in a header field of the message itself."""
        return self.channel.startswith("header ")

    @property
    def in_running_text(self) -> bool:
        """Whether it stands in the text of the message itself."""
        return re.fullmatch(r"part \d+ text/(?:plain|html)(?:, .*)?", self.channel) is not None

    @property
    def in_file(self) -> bool:
        """Whether it stands in a file of a kind that no one can mask."""
        return self.binary or self.channel.endswith("(file)")


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan found.

    Attributes:
        hits: as `Scanner.scan` gives them.
        unread: how often the reader's own address stands where nobody reads it, by the channel,
            in which parts have no number.
    """

    hits: tuple[Hit, ...] = ()
    unread: Counter[str] = field(default_factory=Counter)


NOTHING = ScanResult()
"""What a scan found that found nothing; nobody adds to it."""
