"""The final scan: whether what is about to leave shows an address that its reader must not see.

It shares nothing with the code that masks but the header values and the body: it has its own walk
through the structure (`parts`), decoders (`decodings`) and matcher (`address_matcher`). It finds,
and changes nothing; what follows from a hit is decided in `copies` and `recording`. What is packed
in files is found by `carving`.

Structure over the limits is looked at flat, as text. Time is linear in the size, times the depth.
Nothing here raises.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.base.limits import UNLIMITED, Limits
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.hits import NOTHING, Hit, ScanResult
from conversation_tracker.core.scanning.parts import Declared
from conversation_tracker.core.scanning.scan_pass import MOST_HITS, Scan
from conversation_tracker.core.scanning.text import tokens
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher
from conversation_tracker.core.scanning.text.known_texts import KnownTexts


class Scanner:
    """Knows whose addresses to look for, and which pieces of a message hold none of them.

    One is made for a message, and looks at all that is written of it: the record, and the copy.
    That of another reader among the same people knows what the first one knows.

    Args:
        forbidden: the token of each address's owner, by the address's key. What is a variant of
            several addresses is the first one's.
        limits: what looking may use.
        body: the message's body, if there is one: it stays in many a record and copy.
        other: one that looked at the same message.
    """

    def __init__(
        self,
        forbidden: Mapping[str, str],
        limits: Limits = UNLIMITED,
        body: Octets | None = None,
        other: "Scanner | None" = None,
    ) -> None:
        self.limits = limits
        self.forbidden = dict(forbidden)
        self.body = body
        self.matcher = AddressMatcher(forbidden)
        self.tokens = tokens.Tokens(self.matcher.pointers, self.matcher.words)
        self.nobody: set[Hashable] = set()  # fields, contents, the body as a whole
        self.declared: dict[Hashable, Declared] = {}  # by the fields that say it
        self.plain: set[tuple[str, bool]] = set()  # short texts that name nobody in other readings
        self.texts = KnownTexts()
        if other is not None and other.forbidden == self.forbidden:
            # Whoever is first decides whose an address is, and not whether it is anybody's.
            self.nobody, self.plain, self.texts = other.nobody, other.plain, other.texts

    @cached_property
    def locals(self) -> dict[str, str]:
        """Return the local part of each one's address, by the token; of several, the first one."""
        people = reversed(self.forbidden.items())
        return {token: key.rpartition("@")[0] for key, token in people}

    def scan(self, headers: Sequence[Header], body: Octets, own: str | None = None) -> list[Hit]:
        """Look for addresses, in every form in which a reader may see them.

        Args:
            headers: a message's header fields.
            body: its raw body, with any line ends.
            own: token of whose address is no hit: the reader's.

        Returns:
            The hits, each once, in the order they were found; at most a hundred.
        """
        return list(self.look(headers, body, own).hits)

    def look(
        self,
        headers: Sequence[Header],
        body: Octets,
        own: str | None = None,
        *,
        counts: bool = False,
        written: bool = False,
    ) -> ScanResult:
        """Look for addresses as `scan` does, and for the reader's own where nobody reads it.

        Args:
            headers: as of `scan`.
            body: as of `scan`.
            own: as of `scan`.
            counts: only how often the reader's own stands there is asked for: what can be told as
                an address in rare spellings alone is not looked for, and nothing is remembered.
            written: the body is the sender's own, so in it the reader's address is not counted.
        """
        if not self.matcher:
            return NOTHING
        found = Scan(self, own)
        if counts:
            found.forget_what_is_found()
        found.look_at_headers(headers)
        if len(body):
            found.counts_own = not written
            found.walk(headers, body)
        if not (found.hits or found.unread):
            return NOTHING
        return ScanResult(tuple(found.hits)[:MOST_HITS], Counter(found.unread))


def scan(
    headers: Sequence[Header],
    body: Octets,
    forbidden: Mapping[str, str],
    limits: Limits = UNLIMITED,
) -> list[Hit]:
    """Look for addresses once; arguments and result as of `Scanner`."""
    return Scanner(forbidden, limits).scan(headers, body)
