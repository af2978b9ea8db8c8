"""A conversation: one order of one store, and the people and systems who take part in it.

Everything is a value. A conversation is read from the database, grows by `join` while a message is
planned, and what joined is written back with the record. Real addresses are here, in memory, and
in two columns of the database; nowhere else.

A participant is introduced if named by mask(), by the store's own mail, or by an introduced and
verified participant. Everybody else is a guest. The addresses of Reply-To fields and return paths
are kept apart: in a message only its own take part, and those it goes to.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import Alias, Bounce, Hard, Soft, encode_soft
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.model.variant import base_identity, mailbox_identity

Role = Literal["buyer", "store", "partner", "return"]
Direction = Literal["outbound", "inbound", "internal"]


class TooManyParticipants(ValueError):
    """The order has as many introduced participants as the store allows."""


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
        role: buyer, store or partner; "return" is a Reply-To address or return path, which is kept
            apart from the participants.
        address: the real address; None once expiry has emptied it.
        recorded: whether the database already knows this participant as they are.
        introduced: see above; else a guest, who is shown in hard form only.
        handed_out: their soft alias was given or shown as such; no other soft alias resolves.
        owner: of a return address, the token of the author whose message brought it.
        named: a guest who joins by being named, and did not write: there is a limit to these.
    """

    token: str
    role: Role
    address: Address | None
    recorded: bool = True
    introduced: bool = True
    handed_out: bool = True
    owner: str | None = None
    named: bool = False

    @property
    def is_guest(self) -> bool:
        """Whether this is a guest that can be reached."""
        return not self.introduced and self.role != "return" and self.address is not None


@dataclass(frozen=True, slots=True)
class MappedId:
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
        participants: all introduced people and the newest guests, and whoever else takes part in a
            message that is planned.
        identifiers: all message identifiers of ours there are; None where they are too many to be
            read with the rest.
        apart: return addresses that are known, and take no part so far.
        left_out: identities (`Address.key`) of people whom a message names and who do not join.
        hard_only: tokens of those whom one message must show by their hard alias, since it falsely
            claims to be theirs.
        came_back: where mail came to a bounce address, its token and that of the author whose
            message it was made for, and to whom the mail goes.
        part_cache: what was made of all of this once, by what made it.
    """

    store: Store
    order: Order
    participants: tuple[Participant, ...] = ()
    identifiers: tuple[MappedId, ...] | None = ()
    apart: tuple[Participant, ...] = ()
    left_out: frozenset[str] = frozenset()
    hard_only: frozenset[str] = frozenset()
    came_back: tuple[str, str] | None = None
    part_cache: dict[str, object] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    _by_key: dict[str, Participant] | None = field(
        default=None, init=False, repr=False, compare=False
    )
    _by_base: dict[str, list[Participant]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def __iter__(self) -> Iterator[Participant]:
        """Go through the participants in the order they joined."""
        return iter(self.participants)

    def find_exact(self, address: Address) -> Participant | None:
        """Find the participant with exactly this real address."""
        return self._keys().get(address.key)

    def find_owner(self, address: Address) -> Participant | None:
        """Find the participant whose address this is, or is a variant of.

        An exact address wins, and introduced people before guests; two candidates are none. A
        return address has no variants: what its tag says is why it is there.
        """
        found = self._keys().get(address.key)
        if found is not None:
            return found
        return _choose_only(self._bases().get(base_identity(address), []))

    def _keys(self) -> dict[str, Participant]:
        if self._by_key is not None:
            return self._by_key
        index = {p.address.key: p for p in self.participants if p.address is not None}
        object.__setattr__(self, "_by_key", index)
        return index

    def _bases(self) -> dict[str, list[Participant]]:
        if self._by_base is not None:
            return self._by_base
        index: dict[str, list[Participant]] = {}
        for each in self.participants:
            if each.address is not None and each.role != "return":
                index.setdefault(base_identity(each.address), []).append(each)
        object.__setattr__(self, "_by_base", index)
        return index

    def find_any(self, address: Address) -> Participant | None:
        """Find whose address this is, as `find_owner`; also return addresses that take no part."""
        apart = (p for p in self.apart if p.address is not None and p.address.key == address.key)
        return self.find_owner(address) or next(apart, None)

    def find_by_alias(self, alias: Alias) -> Participant | None:
        """Find the participant that an alias of this order stands for.

        Both forms resolve whatever the store's setting is, the soft one once it was handed out. A
        bounce address names nobody, but where mail came to it.
        """
        match alias:
            case Hard(token=token, domain=self.order.alias_domain):
                return self.find_by_token(token)
            case Soft(key=key, ref=self.order.ref, domain=self.order.alias_domain):
                found = self._keys().get(key)
                return found if found is not None and found.handed_out else None
            case Bounce(token=token) if self.came_back and token == self.came_back[0]:
                return self.find_by_token(self.came_back[1])
        return None

    def find_by_token(self, token: str) -> Participant | None:
        """Find who has this token, return addresses that take no part among them."""
        return next((p for p in (*self.participants, *self.apart) if p.token == token), None)

    def has_role(self, role: Role) -> bool:
        """Return whether somebody with this role can still be reached."""
        return any(p.role == role and p.address is not None for p in self.participants)

    def role(self, participant: Participant) -> Role:
        """Return a participant's role: a return address has its owner's."""
        if participant.role != "return":
            return participant.role
        owner = self.find_by_token(participant.owner) if participant.owner else None
        return "partner" if owner is None or owner.role == "return" else owner.role

    def alias(self, participant: Participant) -> str:
        """Return a participant's alias in the form the store wants today."""
        kind = self.store.issuer_mask if participant.role == "store" else self.store.mask
        softly = participant.introduced and participant.token not in self.hard_only
        carried = self.soft(participant) if kind == "soft" and softly else None
        return carried or self.hard(participant)

    def hard(self, participant: Participant) -> str:
        """Return a participant's hard alias, the only form that is ever recorded."""
        return f"{participant.token}@{self.order.alias_domain}"

    def soft(self, participant: Participant) -> str | None:
        """Return a participant's soft alias, or None where the address cannot be carried."""
        if participant.address is None or participant.role == "return":
            return None
        carried = encode_soft(participant.address, self.order.ref, self.order.alias_domain)
        return str(carried) if carried else None

    def bounce(self, token: str) -> str:
        """Return the bounce address with this token."""
        return str(Bounce(token, self.order.alias_domain))

    def join(
        self,
        address: Address,
        role: Role,
        make_token: Callable[[], str],
        *,
        introduced: bool = True,
        named: bool = False,
        claimed: bool = False,
    ) -> "Conversation":
        """Add an address that is not yet known; one that is known stays, or is introduced now.

        A return address becomes a participant, with the alias it has. Who takes part as a guest,
        and is introduced, gets the role given: nobody's word stood behind the one they had. That
        is a guest of the very mailbox: a stranger's tagged spelling draws nobody's mail to itself.

        Args:
            address: a real address, not in an alias domain.
            role: the role to give; an address in the store's own domains is always "store".
            make_token: gives a fresh random token, 32 hexadecimal digits.
            introduced: somebody names the address whose word counts.
            named: a guest joins by being named.
            claimed: the author only claims to be the store, so the role stays as given.

        Returns:
            The conversation with the address in it.

        Raises:
            TooManyParticipants: the store's participant_limit is reached, which counts introduced
                people only.
        """
        known = self.find_owner(address)
        if introduced and known is not None and known.is_guest and not _is_same(known, address):
            known = None
        if known is not None and known.role != "return" and (known.introduced or not introduced):
            return self
        if introduced and self.size >= self.store.participant_limit:
            raise TooManyParticipants
        if address.domain in self.store.sender_domains and not claimed:
            role = "store"
        if known is None:
            spare = next(
                (p for p in self.apart if p.address and p.address.key == address.key), None
            )
            if spare is None:
                return self._add(
                    Participant(make_token(), role, address, False, introduced, False, named=named)
                )
            left = tuple(each for each in self.apart if each is not spare)
            new = replace(spare, role=role, recorded=False, owner=None, named=named)
            return replace(self, apart=left)._add(replace(new, introduced=introduced))
        new = replace(known, role=role, recorded=False, owner=None, named=named)
        return self._with(known, replace(new, introduced=introduced))

    def add_return_address(
        self, address: Address, owner: Participant, make_token: Callable[[], str]
    ) -> "Conversation":
        """Add a Reply-To address or return path to who takes part; who is known stays.

        Args:
            address: a real address, not in an alias domain.
            owner: whose message names it.
            make_token: gives a fresh random token, 32 hexadecimal digits.
        """
        if self.find_exact(address) is not None:
            return self
        for spare in self.apart:
            if spare.address is not None and spare.address.key == address.key:
                return self.admit_return_address(spare.token)
        fresh = Participant(make_token(), "return", address, False, False, False, owner.token)
        return self._add(fresh)

    def admit_return_address(self, token: str) -> "Conversation":
        """Add the return address with this token to who takes part, unless it is there."""
        part = [each for each in self.apart if each.token == token]
        left = tuple(each for each in self.apart if each.token != token)
        return replace(self, participants=(*self.participants, *part), apart=left) if part else self

    def add_people(self, people: Iterable[Participant]) -> "Conversation":
        """Add participants and return addresses that the database knows and did not give before."""
        met = {each.token for each in (*self.participants, *self.apart)}
        fresh = [each for each in people if each.token not in met]
        return replace(
            self,
            participants=(*self.participants, *(p for p in fresh if p.role != "return")),
            apart=(*self.apart, *(p for p in fresh if p.role == "return")),
        )

    def leave_out(self, keys: Collection[str]) -> "Conversation":
        """Leave some out whom a message names, by their identities (`Address.key`)."""
        return replace(self, left_out=self.left_out.union(keys)) if keys else self

    def only_hard(self, tokens: Iterable[str]) -> "Conversation":
        """Show these by their hard alias, whatever the store wants."""
        wanted = frozenset(tokens)
        return replace(self, hard_only=self.hard_only | wanted) if wanted else self

    def _add(self, new: Participant) -> "Conversation":
        """Add somebody; the indices go along, for thousands may join one after the other."""
        after = replace(self, participants=(*self.participants, new))
        if new.address is None:
            return after
        keys, bases = self._keys(), self._bases()
        object.__setattr__(self, "_by_key", None)
        object.__setattr__(self, "_by_base", None)
        keys[new.address.key] = new
        if new.role != "return":
            bases.setdefault(base_identity(new.address), []).append(new)
        object.__setattr__(after, "_by_key", keys)
        object.__setattr__(after, "_by_base", bases)
        return after

    def _with(self, old: Participant, new: Participant) -> "Conversation":
        people = tuple(new if participant is old else participant for participant in self)
        return replace(self, participants=people)

    @property
    def size(self) -> int:
        """Count the introduced participants that can be reached."""
        known = (p for p in self.participants if p.introduced and p.role != "return")
        return sum(each.address is not None for each in known)

    @property
    def is_full(self) -> bool:
        """Whether no more guests join by being named."""
        return sum(p.is_guest for p in self.participants) >= self.store.guest_limit

    @property
    def new_participants(self) -> tuple[Participant, ...]:
        """Return those the database does not know yet, or knows otherwise."""
        return tuple(p for p in self.participants if not p.recorded)


def _is_same(known: Participant, address: Address) -> bool:
    return known.address is not None and mailbox_identity(known.address) == mailbox_identity(
        address
    )


def _choose_only(alike: list[Participant]) -> Participant | None:
    """Choose who alone is meant: introduced people come before guests."""
    candidates = [each for each in alike if each.introduced] or alike
    return candidates[0] if len(candidates) == 1 else None
