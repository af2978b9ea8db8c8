"""One message as Postfix showed it: envelope, raw headers, raw body, and where it came from.

Header fields are an ordered list of raw names and values, never a dictionary; nothing is decoded
and nothing is ever put together again from its parts. `parse` reads a stored message into the same
shape, for `explain` and the timeline.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from conversation_tracker.core.base.limits import UNLIMITED, Limits
from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.model.address import Address, find_mailboxes
from conversation_tracker.core.model.first_pass import FirstPass
from conversation_tracker.core.model.part_cache import PartCache

HOPS = b"X-Conversation-Hops"
"""Counts how often a message went through a tracker; it survives every header policy."""

PASS = b"X-Conversation-Pass"
"""Tells the second pass what the first one found; removed on every other way in, and out."""

INTERNAL = frozenset({PASS.lower()})
"""Lower-case names of headers that only we write, and that never leave."""

_set = object.__setattr__  # of what is frozen; many of these are made
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]?(.*)", re.DOTALL)
_MBOX = re.compile(rb">?From (?![ \t]*:)")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_MANY_HOPS = 999
_IDENTITY = frozenset(
    b"from sender reply-to to cc date subject message-id content-type received".split()
)


@dataclass(frozen=True, slots=True, init=False)
class Header:
    """One raw header field: the value has no leading space, and LF where it is folded."""

    name: bytes
    value: bytes
    key: bytes = field(init=False, repr=False, compare=False)

    def __init__(self, name: bytes, value: bytes) -> None:
        """Keep the name in lower case, too: every rule asks for it."""
        _set(self, "name", name)
        _set(self, "value", value)
        _set(self, "key", name.lower())

    def change(self, value: bytes) -> "Header":
        """Return the field with another value; the same object where it is the same one."""
        return self if value is self.value else Header(self.name, value)


@dataclass(frozen=True, slots=True)
class Recipient:
    """One envelope recipient.

    Attributes:
        raw: the exact text of RCPT TO, with its angle brackets; DELRCPT must repeat it.
        address: what it says, None if that is no address.
        order: id of the order whose alias it is, None if it is no alias.
        token: the participant's token there.
        bounce: token of the bounce address it is, None if it is none.
        original: the client named an original recipient (ORCPT, RFC 3461), which would travel on.
        postmaster: it is an alias domain's postmaster, who takes part in no order.
    """

    raw: bytes
    address: Address | None
    order: int | None = None
    token: str | None = None
    bounce: str | None = None
    original: bool = False
    postmaster: bool = False

    @property
    def is_outsider(self) -> bool:
        """Whether it is a plain address, neither alias nor bounce address nor postmaster."""
        return self.token is None and self.bounce is None and not self.postmaster


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a message came from.

    Attributes:
        queue_id: Postfix's queue id.
        trusted: the client authenticated, or is in a trusted network.
        split: it came over the splitter's listener, where nobody is trusted.
        first_pass: what the first pass found out, on the splitter's listener.
        client: the client's IP address, "" where it is not known.
        helo: what the client called itself, "" if it did not.
        user: the name it authenticated as, "" if it did not.
        local: the client is on this host.
    """

    queue_id: str = ""
    trusted: bool = False
    split: bool = False
    first_pass: FirstPass | None = None
    client: str = ""
    helo: str = ""
    user: str = ""
    local: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One message, frozen at its end.

    Attributes:
        sender: the envelope sender, None for the null sender and for one that is no address.
        recipients: the envelope recipients that were not refused.
        headers: all header fields, in order.
        body: the raw body, with the line ends it came with.
        arrival: where it came from.
        null: the envelope sender is the null sender, `<>` (RFC 5321 section 4.5.5).
        cut: it had more header fields, or longer ones, than are kept.
        limits: what deciding on it may use.
        part_cache: what is known of it already; a changed message has one of its own.
    """

    sender: Address | None
    recipients: tuple[Recipient, ...]
    headers: tuple[Header, ...]
    body: Octets = field(repr=False)
    arrival: Arrival = Arrival()
    null: bool = False
    cut: bool = False
    limits: Limits = field(default=UNLIMITED, repr=False, compare=False)
    part_cache: PartCache = field(default_factory=PartCache, init=False, repr=False, compare=False)
    _first: Mapping[bytes, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Keep the first value of each field: every rule asks for some."""
        object.__setattr__(self, "_first", {h.key: h.value for h in reversed(self.headers)})

    def values(self, name: bytes) -> Iterator[bytes]:
        """Go through the values of all fields of one name, given in lower case."""
        return (h.value for h in self.headers if h.key == name)

    def first(self, name: bytes) -> bytes | None:
        """Return the first field of a name, given in lower case, or None."""
        return self._first.get(name)

    def lacks(self, names: Iterable[bytes]) -> bool:
        """Whether no field has one of these names, given in lower case."""
        return self._first.keys().isdisjoint(names)

    @property
    def author(self) -> Address | None:
        """Return who wrote it: the first address of From, else of Sender, else the envelope's.

        RFC 5322 section 3.6.2. What is no address there is passed over: no copy shows it.
        """
        found = self.part_cache.author  # asked for some twenty times
        if found is None:
            found = self.part_cache.author = (self._find_author(),)
        author: Address | None = found[0]
        return author

    def _find_author(self) -> Address | None:
        for name in (b"from", b"sender"):
            for mailbox in find_mailboxes(self.first(name) or b"", self.limits.check):
                if mailbox.address is not None:
                    return mailbox.address
        return self.sender

    @property
    def authors(self) -> list[Address]:
        """Return each address that a reader may take for the author: all in From, else `author`."""
        found = [
            m.address
            for value in self.values(b"from")
            for m in find_mailboxes(value, self.limits.check)
        ]
        named = [address for address in found if address is not None]
        return named or ([self.author] if self.author is not None else [])

    @property
    def hops(self) -> int:
        """Count how often it went through a tracker; a value that is no number counts as many."""
        digits = [value.strip() for value in self.values(HOPS.lower())]
        counts = [int(d) if re.fullmatch(rb"[0-9]{1,3}", d) else _MANY_HOPS for d in digits]
        return max(counts, default=0)

    @property
    def is_brief(self) -> bool:
        """Whether nothing but its client tells it from another one with the same text.

        It has no Message-ID of its own and came straight from who wrote it; what is the same again
        is a retry for a short while only. The splitter's copies are identified by the first pass.
        """
        if self.arrival.first_pass is not None or self.first(b"received") is not None:
            return False
        return self.first(b"message-id") is None or self._has_postfix_id

    @property
    def _has_postfix_id(self) -> bool:
        """Whether Postfix itself gave it the Message-ID it has, and with it the Date."""
        queue_id = self.arrival.queue_id.encode("utf-8")
        identifier = self.first(b"message-id")
        return bool(queue_id) and identifier is not None and queue_id in identifier

    @property
    def digest(self) -> bytes:
        """Identify the message by what its sender wrote, and by the way it took to this host.

        A client that tries again, or the splitter's copies, give the same 32 bytes: what this host
        adds is left out, and its own Received (RFC 5321 section 4.4) is not shown to a milter. What
        took another way, as earlier Received fields tell, is another message. Where nothing else
        can tell it from another one, the client does.
        """
        if self.arrival.first_pass is not None:
            return self.arrival.first_pass.digest
        state = hashlib.blake2b(digest_size=32)
        # What Postfix itself added to a message without is another one at the next try. A Date may
        # be Postfix's, and tells nothing more where there is a Message-ID.
        added = set() if self.first(b"message-id") is None else {b"date"}
        if self._has_postfix_id:
            added.add(b"message-id")
        for header in self.headers:
            if header.key in _IDENTITY and header.key not in added:
                state.update(header.key + b":" + b"".join(header.value.split()) + b"\n")
        if self.is_brief:
            state.update(b"client:" + self.arrival.client.encode("utf-8") + b"\n")
        state.update(b"\n")
        for piece in iter_windows(self.body, 0, len(self.body)):
            state.update(piece)
        return state.digest()

    @property
    def size(self) -> int:
        """Return the size in octets, headers and body."""
        return sum(len(h.name) + len(h.value) + 4 for h in self.headers) + 2 + len(self.body)


def parse(raw: bytes) -> tuple[tuple[Header, ...], bytes]:
    """Read a stored message into header fields and body.

    As in Postfix, the header block ends at the first empty line, or before the first line that is
    no header field. A leading mbox "From " line is passed over.

    Args:
        raw: a message with any line ends.

    Returns:
        The header fields, folded with LF, and the body as it stands.
    """
    headers: list[Header] = []
    position = 0
    while position < len(raw):
        end, after = _find_field_end(raw, position)
        line = raw[position:end]
        if not line.strip(b"\r\n"):
            return tuple(headers), raw[after:]
        if position == 0 and _MBOX.match(line):
            position = after
            continue
        match = _FIELD.fullmatch(line)
        if match is None:
            return tuple(headers), raw[position:]
        headers.append(Header(match[1], _LINE_END.sub(b"\n", match[2])))
        position = after
    return tuple(headers), b""


def render(headers: tuple[Header, ...], body: Octets, limits: Limits = UNLIMITED) -> Octets:
    """Write header fields and body as one message, with CRLF in and after the header block."""
    block = b"".join(h.name + b": " + h.value.replace(b"\n", b"\r\n") + b"\r\n" for h in headers)
    return limits.store(chain((block + b"\r\n",), iter_windows(body, 0, len(body))))


def _find_field_end(raw: bytes, start: int) -> tuple[int, int]:
    """Find where the field at `start` ends, and where the next one begins."""
    position = start
    while True:
        match = _LINE_END.search(raw, position)
        if match is None:
            return len(raw), len(raw)
        empty = match.start() == start
        if empty or raw[match.end() : match.end() + 1] not in (b" ", b"\t"):
            return match.start(), match.end()
        position = match.end()
