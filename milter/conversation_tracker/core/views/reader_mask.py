"""What one reader of a conversation sees in the place of each address and identifier.

Everybody's address becomes their alias, wherever it stands, and the reader's own alias becomes
their own address where they read it; links, attributes and the like reach other machines. The
record sees everybody in hard form. `view` takes whole messages through this.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import partial
from typing import Self

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.base.limits import UNLIMITED, Limits
from conversation_tracker.core.masking.address.apart import stands_apart
from conversation_tracker.core.masking.address.invisible import drop_invisible
from conversation_tracker.core.masking.address.mask import FunctionMask, Mask, Masker
from conversation_tracker.core.masking.address.unmask import Unmasker
from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import NotAnAlias, decode
from conversation_tracker.core.model.conversation import Conversation, MappedId, Participant
from conversation_tracker.core.model.part_cache import CleanParts
from conversation_tracker.core.model.variant import is_single_label
from conversation_tracker.core.views import calendar_ids
from conversation_tracker.core.views.content_ids import ContentIds
from conversation_tracker.core.views.disclosure import Disclosure
from conversation_tracker.core.views.notes import Notes
from conversation_tracker.core.views.other_orders import OtherOrders

_ESCAPED = re.compile(r"[%=\\][0-9a-f]{32}")


class ReaderMask(Mask):
    """What masks for one participant; with no participant, for the record."""

    def __init__(
        self,
        conversation: Conversation,
        to: Participant | None,
        known: Mapping[str, MappedId] | None = None,
        alias_domains: Collection[str] = (),
        limits: Limits = UNLIMITED,
    ) -> None:
        """Prepare the replacements.

        Args:
            conversation: the conversation with everybody who takes part in this message.
            to: the recipient, who must have an address; None for the record.
            known: the message identifiers of ours that may be mapped back, by themselves.
            alias_domains: all alias domains, to find other orders' soft aliases by.
            limits: what masking may use.
        """
        self._known = known or {}
        self.limits = limits
        kept = [to.address.key] if to is not None and to.address is not None else []
        people = [(each, each.address) for each in conversation if each.address is not None]
        others = [address.key for p, address in people if to is None or p.token != to.token]
        self._everybody = (conversation.order.id, frozenset(each.key for _, each in people))
        self.others = message_body.People(others, kept, limits.check)
        self._kept, self._masked = kept, others
        self.conversation, self.to = conversation, to
        self._disclosure = Disclosure()
        self._notes = Notes(self._disclosure)
        self._order_header = conversation.store.order_header.encode("ascii").lower()
        self.condemned: frozenset[int] = frozenset()
        self.thorough = self.drops_fields = False
        # The record's view looks for all that any view does: what is clean there is clean in all.
        watched = (conversation.order.alias_domain,) if to is None else ()
        self.unmasker = self._make_unmasker()
        self._masker = Masker(
            dict(self._map_aliases()),
            kept,
            watched,
            self._notes.note_met,
            self._notes.note_written,
            limits.check,
        )
        self._references = ContentIds(
            conversation, to, self._known, self._notes.note_link, limits.check
        )
        # Where the text stays as it is, so must what it refers to.
        self._in_body = to is None or conversation.store.mask_body
        self._foreign = None
        if to is None:
            own = conversation.order.alias_domain  # do not copy thousands of them
            domains = alias_domains if own in alias_domains else {own, *alias_domains}
            self._foreign = OtherOrders(domains, limits.check)

    @cached_property
    def clean_parts(self) -> CleanParts:
        """What is known of the message."""
        return self._notes.clean_parts

    def blind(self) -> Self:
        """Return a view whose text keeps the recipient's own alias; address headers show them."""
        view = copy(self)
        view.unmasker = None
        return view

    def _make_unmasker(self) -> Unmasker | None:
        """Make what lets the recipient see their own address where they read it."""
        conversation, to = self.conversation, self.to
        if to is None:
            return None
        aliases, marks = [conversation.hard(to)], [to.token]
        # One that was never handed out is a guess, and its author must not learn that it is right.
        if to.handed_out and (soft := conversation.soft(to)):
            aliases.append(soft)
            marks.append(f"{conversation.order.ref}b.")
        return Unmasker(aliases, marks, str(to.address), self.limits.check)

    def _map_aliases(self) -> Iterator[tuple[str, str]]:
        conversation, to = self.conversation, self.to
        for participant in conversation:
            if to is not None and participant.token == to.token:
                continue
            if participant.address is not None:
                alias = self.stand_in(participant)
                yield participant.address.key, alias
                # A guest's soft alias was given to nobody; one in a message is treated as one of
                # another order.
                if not participant.introduced:
                    continue
                soft = conversation.soft(participant)
                if alias == soft and not participant.handed_out:
                    self._disclosure.expect(alias, participant.token)
                if to is None and soft is not None:
                    yield soft, alias

    def _write_alias(self, participant: Participant) -> str:
        """Return what stands for a participant, and note that the view shows it."""
        alias = self.stand_in(participant)
        self._disclosure.note(alias)
        return alias

    def _must_go(self, address: Address) -> bool:
        """Return whether an address is removed from address headers and attendees.

        That is one of somebody who is left out; or one at a domain of a single label, which works
        on one host at most, unless its owner wrote in this order.
        """
        if address.key in self.conversation.left_out:
            return True
        return is_single_label(address) and self.conversation.find_owner(address) is None

    @property
    def stands_apart(self) -> Callable[[], bool]:
        """What tells whether the recipient's own address can be no part of anybody else's."""
        return partial(_stand_apart, self._kept, self._masked)

    @property
    def disclosures(self) -> frozenset[str]:
        """The tokens of those whose soft alias this view showed first, so far."""
        return frozenset(self._disclosure.shown)

    @property
    def attendee_goes(self) -> Callable[[Address], bool] | None:
        """Return which attendees a calendar loses; None where none does."""
        return self._must_go if self.conversation.left_out else None

    def stand_in(self, participant: Participant) -> str:
        """Return what stands for a participant in this view."""
        if self.to is None:
            return self.conversation.hard(participant)
        if participant.token == self.to.token:
            return str(participant.address)
        return self.conversation.alias(participant)

    def address(self, address: Address) -> str | None:
        """Return what an address in a header becomes, or None where it stays as it is."""
        participant = self.conversation.find_owner(address)
        if participant is not None:
            own = self.to is not None and participant.token == self.to.token
            return None if own else self._write_alias(participant)
        try:
            alias = decode(address, (self.conversation.order.alias_domain,))
            participant = self.conversation.find_by_alias(alias)
        except NotAnAlias:
            participant = None
        if participant is None or participant.address is None:
            return self._foreign.address(address) if self._foreign is not None else None
        own = self.to is not None and participant.token == self.to.token
        return self.stand_in(participant) if own or self.to is None else None

    def text(self, text: str) -> str:
        """Return running text as it is read; the same object when nothing is to change.

        Everybody is masked but the recipient, whose own alias is their address here.
        """
        masked = self(text)
        return masked if self.unmasker is None else self.unmasker(masked)

    def __call__(self, text: str) -> str:
        """Mask a text that stands anywhere; the same object when nothing is to change.

        The recipient's own alias stays as it is.
        """
        return self._mask_by(self._masker, text)

    def _mask_by(self, masker: Masker, text: str) -> str:
        self.limits.check()
        masked = masker(self._references.mask_text(text) if self._in_body else text)
        if self._foreign is None:
            return masked
        whole = self._foreign(masked)
        if whole is not text:
            # Copies keep soft aliases, and other signs may stand where a hard one looks escaped.
            ours = self.conversation.order.ref in drop_invisible(text)
            differs = whole is not masked or ours or _ESCAPED.search(whole) is not None
            self.clean_parts.hid = self.clean_parts.hid or differs
        return whole

    def identifiers(self, value: bytes) -> bytes:
        """Mask the identifiers in a field of a part; the same object when nothing is to change."""
        return self._references.mask_header(value) if self._in_body else value

    def calendar_id(self, value: str) -> str:
        """Return what stands for an identifier of an invitation; the same object where it stays."""
        self.limits.check()
        self._notes.note_met()
        return calendar_ids.find_stand_in(value, self.conversation, self.to, self._known)

    def possible(self, raw: bytes) -> bool:
        """Return, cheaply, whether masking could change what these bytes say in ASCII."""
        self.limits.check()
        return self._masker.possible(raw) or (
            self._foreign is not None and self._foreign.possible(raw)
        )

    def may_name(self, low: bytes, bare: bytes) -> bool:
        """Return, cheaply, whether masking could change ASCII text in which nothing is escaped."""
        self.limits.check()
        return self._masker.may_name(low, bare) or (
            self._foreign is not None and self._foreign.possible(bare)
        )

    def may_change(self, octets: bytes) -> bool:
        """Return, cheaply, whether masking could change what octets say, decoded as UTF-8."""
        self.limits.check()
        return (
            self._masker.may_change(octets)
            or self._references.may_change(octets)
            or (self._foreign is not None and self._foreign.possible(octets))
        )

    @property
    def amid(self) -> Mask:
        """What masks a text that may be made of random octets, as `Masker.amid`."""
        masker = self._masker.amid
        return self if masker is self._masker else FunctionMask(partial(self._mask_by, masker))

    @property
    def finder(self) -> Masker:
        """What finds addresses in other readings of a text."""
        return self._masker


def _stand_apart(some: Iterable[str], others: Sequence[str]) -> bool:
    return all(stands_apart(each, others) for each in some)
