"""Message identifiers: which of them reveal a person, and what replaces these.

An identifier with a person's address in it, or made under their own domain, is replaced by one of
ours and mapped back for that person, so that a thread holds on both sides. A public mail
provider's domain reveals nobody. Ours is computed from the order's reference and the original, so
it is the same wherever the original turns up; mapping it back needs the map in the database.

RFC 5322 section 3.6.4. Nothing here raises.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from conversation_tracker.core.base.header_names import THREADING
from conversation_tracker.core.base.limits import UNLIMITED
from conversation_tracker.core.base.octets import LARGE
from conversation_tracker.core.masking.address import short_addresses
from conversation_tracker.core.masking.address.spellings import spellings_of
from conversation_tracker.core.masking.header.ascii_fields import quote_raw
from conversation_tracker.core.model.conversation import Conversation, MappedId, Order, Participant
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.providers import PUBLIC
from conversation_tracker.core.syntax.folding import make_safe
from conversation_tracker.core.syntax.splicing import splice

# What stands between angle brackets, whatever it is, or else a word: an identifier that is written
# wrongly reveals as much as a right one.
_IDENTIFIER = re.compile(rb"<[^<>]*>|[^\s<>]+")
_LOOKED_UP = 100  # identifiers of others; a sender may write thousands
_REMEMBERED = 256  # identifiers of which it is remembered whose they are
_GOES_ON = re.compile(r"[a-z0-9_-]|\.[a-z0-9]")


def find_references(message: Message) -> list[str]:
    """Return the identifiers a message answers, the nearest first, each once.

    Args:
        message: the message.

    Returns:
        Identifiers with their angle brackets: In-Reply-To, then References from the last on.
    """
    values = [*message.values(b"in-reply-to")]
    values += [b" ".join(reversed(_IDENTIFIER.findall(v))) for v in message.values(b"references")]
    found = [match.decode("utf-8", "replace") for v in values for match in _IDENTIFIER.findall(v)]
    return list(dict.fromkeys(each for each in found if each.startswith("<")))


def make_identifier(identifier: bytes, order: Order) -> str:
    """Return the identifier that stands for one that reveals somebody.

    Args:
        identifier: the original, with its angle brackets.
        order: the order.

    Returns:
        An identifier in the alias domain, with its angle brackets.
    """
    key = f"{order.ref}:{order.id}".encode()
    # Postfix's splitter quotes raw octets; both passes must make the same identifier.
    written = quote_raw(identifier)
    digest = hashlib.blake2b(written, key=key, digest_size=16).hexdigest()
    return f"<m-{digest}@{order.alias_domain}>"


def find_person(
    identifier: bytes, conversation: Conversation, author: Participant | None = None
) -> Participant | None:
    """Return the person that an identifier reveals.

    Args:
        identifier: it, with its angle brackets.
        conversation: the conversation.
        author: who wrote the message that it stands in, and so most likely made it.

    Returns:
        The person to protect whose address is in it, else whose own domain it was made under: of
        several in one domain the author, else the first; None if there is none. The store's domains
        are no secret, and its addresses are only where they are masked hard.
    """
    return _protected(conversation).find_once(identifier, author)


def named_in(
    identifier: bytes, conversation: Conversation, but: str | None = None
) -> Participant | None:
    """Return whose address stands in an identifier, the store's among them.

    Args:
        identifier: it, with its angle brackets.
        conversation: the conversation.
        but: the token of somebody who is passed over, with whatever else is theirs.

    Returns:
        The first of them who joined; None if there is none.
    """
    return _protected(conversation, stores=True).named(_plain(identifier), but)


def is_made_under(identifier: bytes, domain: str) -> bool:
    """Return whether an identifier was made under somebody's own domain, or one inside it.

    Args:
        identifier: it, with its angle brackets.
        domain: the domain of their address, in lower case.
    """
    host = _host(_plain(identifier))
    inside = host == domain or ("." in domain and host.endswith(f".{domain}"))
    return inside and domain not in PUBLIC


def _protected(conversation: Conversation, *, stores: bool = False) -> "_Protected":
    key = f"{__name__} with stores" if stores else __name__
    found = conversation.part_cache.get(key)
    if not isinstance(found, _Protected):
        found = conversation.part_cache[key] = _Protected(conversation, stores=stores)
    return found


def _plain(identifier: bytes) -> str:
    return "".join(identifier.decode("utf-8", "replace").lower().split()).strip("<>")


def _host(text: str) -> str:
    return text.rpartition("@")[2].strip("\"'.,;()")


class _Protected:
    """The people an identifier may reveal, by their domains: there may be many of both."""

    def __init__(self, conversation: Conversation, *, stores: bool = False) -> None:
        self._found: dict[tuple[bytes, str | None], Participant | None] = {}
        self._ours = f".{conversation.order.alias_domain}"
        stores = stores or conversation.store.issuer_mask == "hard"
        known = (p for p in conversation if p.address is not None)
        self._people = [p for p in known if stores or p.role != "store"]
        self._domains: dict[str, dict[str, int]] = {}
        self._owned: dict[str, int] = {}  # domains of their own, and whose each is
        for number, participant in enumerate(self._people):
            assert participant.address is not None
            local, _, domain = participant.address.key.rpartition("@")
            for each in spellings_of(local):
                self._domains.setdefault(domain, {}).setdefault(each, number)
            # A false claim to be the store does not make its domain one's own.
            if participant.role != "store" and domain not in conversation.store.sender_domains:
                self._owned.setdefault(domain, number)
        self._lengths = sorted({len(domain) for domain in self._domains})
        self._locals = {
            domain: sorted({len(local) for local in known})
            for domain, known in self._domains.items()
        }

    def find_once(self, identifier: bytes, author: Participant | None) -> Participant | None:
        """Return what `owner` does; a message has the same few identifiers over and over."""
        key = identifier, author.token if author is not None else None
        if key not in self._found:
            found = self.owner(_plain(identifier), author)
            if len(self._found) >= _REMEMBERED:
                return found
            self._found[key] = found
        return self._found[key]

    def owner(self, text: str, author: Participant | None) -> Participant | None:
        """Return whose identifier it is most likely, without its angle brackets."""
        named = min(self._find_by_address(text), default=None)
        if named is not None:
            return self._people[named]
        found = sorted(self._find_by_domain(text))
        if not found:
            return None
        wrote = author.address if author is not None and author.role != "store" else None
        shared = wrote is not None and wrote.domain in map(self._domain, found)
        return author if shared else self._people[found[0]]

    def named(self, text: str, but: str | None) -> Participant | None:
        """Return the first whose address is in an identifier, but one's own."""
        found = (
            n
            for n in self._find_by_address(text)
            if but is None or _owner_token(self._people[n]) != but
        )
        number = min(found, default=None)
        return None if number is None else self._people[number]

    def _domain(self, number: int) -> str:
        address = self._people[number].address
        return address.domain if address is not None else ""

    def _find_by_domain(self, text: str) -> Iterator[int]:
        """Yield whose own domain the identifier was made under, or one inside it.

        The alias domain is nobody's, though it may be inside somebody's domain: if one of our own
        identifiers were replaced again, it could not be mapped back.
        """
        host = name = _host(text)
        if f".{host}".endswith(self._ours):
            return
        longest = self._lengths[-1] if self._lengths else 0
        if len(host) > longest:  # there may be any number of labels in front of the longest one
            name = host[-longest - 1 :].partition(".")[2]
        while name:
            # Under one label, such as "com", is no domain of one's own.
            own = (name == host or "." in name) and name not in PUBLIC
            if own and name in self._owned:
                yield self._owned[name]
            name = name.partition(".")[2]

    def _find_by_address(self, text: str) -> Iterator[int]:
        """Yield whose address is in the identifier; a very short one must stand whole."""
        at = text.find("@")
        while at >= 0:
            for length in self._lengths:
                domain = text[at + 1 : at + 1 + length]
                for size in self._locals.get(domain, ()):
                    number = self._domains[domain].get(text[max(0, at - size) : at])
                    if number is None or not _stands(text, at - size, at + 1 + length):
                        continue
                    # A store's domain is in many an identifier: its address must begin there.
                    store = self._people[number].role == "store"
                    if not (store and text[max(0, at - size - 1) : at - size].isalnum()):
                        yield number
            at = text.find("@", at + 1)


def _stands(text: str, start: int, end: int) -> bool:
    return short_addresses.is_long_enough(text[start:end]) or not _GOES_ON.match(text, end)


def map_ids(message: Message, conversation: Conversation) -> Iterator[MappedId]:
    """Yield the identifiers of a message that reveal somebody, each once.

    Args:
        message: the message.
        conversation: the conversation with everybody who takes part.
    """
    seen: set[bytes] = set()
    author = find_author(message, conversation)
    for header in message.headers:
        if header.key not in THREADING:
            continue
        for identifier in _IDENTIFIER.findall(header.value):
            message.limits.check()
            if identifier in seen:
                continue
            seen.add(identifier)
            if person := find_person(identifier, conversation, author):
                text = identifier.decode("utf-8", "replace")
                yield MappedId(
                    make_identifier(identifier, conversation.order), text, _owner_token(person)
                )


def show_ids(
    value: bytes,
    conversation: Conversation,
    to: Participant | None,
    known: Mapping[str, MappedId],
    author: Participant | None = None,
    check: Callable[[], None] = UNLIMITED.check,
) -> bytes:
    """Return a header's identifiers as one participant, or the record, is to see them.

    Args:
        value: the header's raw value.
        conversation: the conversation.
        to: the recipient, None for the record.
        known: the identifiers of ours that the database knows, by themselves.
        author: who wrote the message, if somebody of the conversation.
        check: raises when the time for looking is over; asked for each identifier.

    Returns:
        The value; the same object when nothing is to change.
    """
    edits = []
    for match in _IDENTIFIER.finditer(value):
        check()
        new = find_stand_in(match[0], conversation, to, known, author)
        if new is not None:
            edits.append((match.start(), match.end(), new.encode("utf-8")))
    return make_safe(splice(value, edits)) if edits else value


def find_stand_in(
    identifier: bytes,
    conversation: Conversation,
    to: Participant | None,
    known: Mapping[str, MappedId],
    author: Participant | None = None,
) -> str | None:
    """Return what stands for one identifier, with its angle brackets, or None where it stays.

    Arguments as for `show_ids`.
    """
    mine = known.get(identifier.decode("utf-8", "replace"))
    if mine is not None:
        return mine.original if to is not None and _owner_token(to) == mine.token else None
    person = find_person(identifier, conversation, author)
    if person is None:
        return None
    stand_in = make_identifier(identifier, conversation.order)
    # Several people may share a domain: what was mapped once stays its owner's.
    owner = known[stand_in].token if stand_in in known else _owner_token(person)
    return None if to is not None and owner == _owner_token(to) else stand_in


def to_look_up(message: Message, order: Order) -> list[str]:
    """Return our identifiers in a message, and those that replace others in its header.

    Args:
        message: the message; of its body, the beginning is looked at, in which a receipt names what
            it is for (RFC 8098 section 3.2.5).
        order: the order they are looked up in.
    """
    end = f"@{order.alias_domain}>"
    named = find_references(message)
    others = [each for each in named if not each.endswith(end)][:_LOOKED_UP]
    stand_ins = [make_identifier(each.encode("utf-8"), order) for each in others]
    ours = re.compile(rb"<m-[0-9a-f]{32}" + re.escape(end.encode("ascii")))
    inside = islice(ours.finditer(message.body, 0, LARGE), _LOOKED_UP)
    found = [each for each in named if each.endswith(end)] + stand_ins
    return list(dict.fromkeys([*found, *(each[0].decode("ascii") for each in inside)]))


def find_author(message: Message, conversation: Conversation) -> Participant | None:
    """Find who wrote a message among those who take part."""
    return conversation.find_owner(message.author) if message.author is not None else None


def _owner_token(person: Participant) -> str:
    """Return the token of the owner of a participant's identifiers: a return path has one."""
    return person.owner or person.token
