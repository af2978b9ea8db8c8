"""A conversation: one order of one store, and the people and systems who take part in it.

Everything is a value. A conversation is read from the database, grows by `join` while a message is
planned, and what joined is written back with the record. Real addresses are here, in memory, and
in one column of the database; nowhere else.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from conversation_tracker.core.address import Address
from conversation_tracker.core.alias import Alias, Bounce, Hard, Soft, soft

Role = Literal["buyer", "store", "partner", "return"]
Kind = Literal["hard", "soft"]
Direction = Literal["outbound", "inbound", "internal"]


class TooManyParticipants(ValueError):
    """The order has as many participants as the store allows."""


@dataclass(frozen=True, slots=True)
class Store:
    """One row of the stores table, as far as mail needs it.

    `submitters` is what the directory alone knows: who may write as the store, where not everybody
    trusted may.
    """

    name: str
    mask: Kind = "hard"
    issuer_mask: Kind = "soft"
    sender_domains: frozenset[str] = frozenset()
    order_header: str = "X-Order-Id"
    mask_body: bool = True
    attachments_with_address: Literal["flag", "remove"] = "flag"
    unknown_senders: Literal["accept", "reject"] = "accept"
    spoofed_senders: Literal["flag", "reject"] = "flag"
    participant_limit: int = 100
    submitters: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Order:
    """One order: `id` is the database's, `ref` its 12 random digits."""

    id: int
    number: str
    ref: str
    alias_domain: str


@dataclass(frozen=True, slots=True)
class Participant:
    """One address of an order.

    Attributes:
        token: local part of the hard alias, 32 lower-case hexadecimal digits.
        role: buyer, store or partner; "return" is an envelope sender that nobody wrote from.
        address: the real address; None once expiry has emptied it.
        recorded: whether the database already knows this participant.
        vouched: somebody known named them; else their soft alias, which anybody could write down
            who knows the order's reference, stands for nobody.
    """

    token: str
    role: Role
    address: Address | None
    recorded: bool = True
    vouched: bool = True


@dataclass(frozen=True, slots=True)
class Mapped:
    """One message identifier of ours: what it stands for, and whose that is, by their token."""

    ours: str
    original: str
    token: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """An order with its store and its participants.

    Attributes:
        store: the store.
        order: the order.
        participants: in the order they joined.
        identifiers: all message identifiers of ours there are; None where they are too many to be
            read with the rest.
    """

    store: Store
    order: Order
    participants: tuple[Participant, ...] = ()
    identifiers: tuple[Mapped, ...] | None = ()
    _by_key: Mapping[str, Participant] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the participants by address."""
        index = {p.address.key: p for p in self.participants if p.address is not None}
        object.__setattr__(self, "_by_key", index)

    def __iter__(self) -> Iterator[Participant]:
        """Go through the participants in the order they joined."""
        return iter(self.participants)

    def of(self, address: Address) -> Participant | None:
        """Find the participant with this real address."""
        return self._by_key.get(address.key)

    def named(self, alias: Alias) -> Participant | None:
        """Find the participant that an alias of this order stands for.

        Both forms resolve whatever the store's setting is. A bounce address names no participant.
        """
        match alias:
            case Hard(token=token, domain=self.order.alias_domain):
                return self.with_token(token)
            case Soft(key=key, ref=self.order.ref, domain=self.order.alias_domain):
                return self._by_key.get(key)
        return None

    def with_token(self, token: str) -> Participant | None:
        """Find the participant with this token."""
        return next((p for p in self.participants if p.token == token), None)

    def has(self, role: Role) -> bool:
        """Tell whether somebody with this role can still be reached."""
        return any(p.role == role and p.address is not None for p in self.participants)

    def alias(self, participant: Participant) -> str:
        """Give a participant's alias in the form the store wants today."""
        kind = self.store.issuer_mask if participant.role == "store" else self.store.mask
        carried = self.soft(participant) if kind == "soft" and participant.vouched else None
        return carried or self.hard(participant)

    def hard(self, participant: Participant) -> str:
        """Give a participant's hard alias, the only form that is ever recorded."""
        return str(Hard(participant.token, self.order.alias_domain))

    def soft(self, participant: Participant) -> str | None:
        """Give a participant's soft alias, or None where the address cannot be carried."""
        if participant.address is None:
            return None
        carried = soft(participant.address, self.order.ref, self.order.alias_domain)
        return str(carried) if carried else None

    def bounce(self, token: str) -> str:
        """Give the bounce address with this token."""
        return str(Bounce(token, self.order.alias_domain))

    def join(
        self, address: Address, role: Role, mint: Callable[[], str], *, vouched: bool = True
    ) -> "Conversation":
        """Add an address that is not yet known; one that is known changes nothing.

        An address that so far was only an envelope sender becomes a participant, with the alias it
        has.

        Args:
            address: a real address, not in an alias domain.
            role: the role to give; an address in the store's own domains is always "store".
            mint: gives a fresh random token, 32 hexadecimal digits.
            vouched: somebody known names the address.

        Returns:
            The conversation with the address in it.

        Raises:
            TooManyParticipants: the store's participant_limit is reached.
        """
        if role != "return" and address.domain in self.store.sender_domains:
            role = "store"
        known = self.of(address)
        if known is not None and (known.role != "return" or role == "return"):
            return self._vouch(known) if vouched else self
        if role != "return" and self.size >= self.store.participant_limit:
            raise TooManyParticipants
        if known is not None:
            promoted = replace(known, role=role, recorded=False, vouched=vouched)
            return self._with(known, promoted)
        fresh = Participant(mint(), role, address, recorded=False, vouched=vouched)
        return replace(self, participants=(*self.participants, fresh))

    def _vouch(self, known: Participant) -> "Conversation":
        if known.vouched:
            return self
        return self._with(known, replace(known, recorded=False, vouched=True))

    def _with(self, old: Participant, new: Participant) -> "Conversation":
        people = tuple(new if participant is old else participant for participant in self)
        return replace(self, participants=people)

    @property
    def size(self) -> int:
        """Count the participants that can be reached, envelope senders apart."""
        return sum(p.role != "return" and p.address is not None for p in self.participants)

    @property
    def joined(self) -> tuple[Participant, ...]:
        """Give those the database does not know yet, or knows otherwise."""
        return tuple(p for p in self.participants if not p.recorded)
