"""How one conversation's messages show to one participant, or to the record.

Mask everyone, then show each recipient only themselves: every participant's address becomes their
alias, wherever it stands, and the recipient's own alias becomes their own address where they read
it; links, attributes and the like reach other machines. The record sees everybody in hard form.
Raises `TooComplex` for a structure over the limits. `planning` decides if a message may pass.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from functools import partial

from conversation_tracker.core.base.header_names import (
    ADDRESS_HEADERS,
    ANSWERED,
    IDENTIFYING,
    KEPT_FROM_PROTECTED,
    NEVER_KEPT,
    THREADING,
)
from conversation_tracker.core.base.limits import UNLIMITED, Limits
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.header.headers import mask_mailboxes, remove_people
from conversation_tracker.core.masking.header.phrases import quote_names
from conversation_tracker.core.masking.header.raw_sequences import mask_field
from conversation_tracker.core.masking.part import message_body, opaque_signature
from conversation_tracker.core.masking.text import obfuscated
from conversation_tracker.core.masking.text.mask import FunctionMask, Mask, Masker
from conversation_tracker.core.masking.text.unmask import Unmasker
from conversation_tracker.core.model.address import Address, find_mailboxes
from conversation_tracker.core.model.alias import NotAnAlias, decode
from conversation_tracker.core.model.conversation import Conversation, MappedId, Participant
from conversation_tracker.core.model.message import HOPS, INTERNAL, Header, Message
from conversation_tracker.core.model.part_cache import CleanParts
from conversation_tracker.core.model.variant import is_single_label
from conversation_tracker.core.views import calendar_ids
from conversation_tracker.core.views.content_ids import ContentIds
from conversation_tracker.core.views.disclosure import Disclosure
from conversation_tracker.core.views.message_ids import find_author, show_ids
from conversation_tracker.core.views.other_orders import OtherOrders


class View(Mask):
    """A conversation as one participant sees it; with no participant, as it is recorded."""

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
            means: what masking may use.
        """
        self._known = known or {}
        self.limits = limits
        kept = [to.address.key] if to is not None and to.address is not None else []
        others = (
            participant.address.key
            for participant in conversation
            if participant.address and (to is None or participant.token != to.token)
        )
        self.others = message_body.People(others, kept, limits.check)
        self.conversation, self.to = conversation, to
        self._handing = Disclosure()
        self._order_header = conversation.store.order_header.encode("ascii").lower()
        self.quiet: CleanParts = CleanParts()
        self.condemned: frozenset[int] = frozenset()
        # What the record looks for is all that any view does.
        watched = (conversation.order.alias_domain,) if to is None else ()
        self.unmasker = self._make_unmasker()
        self._masker = Masker(
            dict(self._map_aliases()), kept, watched, self._notice, self._handing.note, limits.check
        )
        self._references = ContentIds(conversation, to, self._known, self._notice, limits.check)
        # Where the text stays as it is, so must what it refers to.
        self._in_body = to is None or conversation.store.mask_body
        self._foreign = None
        if to is None:
            own = conversation.order.alias_domain  # do not copy thousands of them
            domains = alias_domains if own in alias_domains else {own, *alias_domains}
            self._foreign = OtherOrders(domains, limits.check)

    def blind(self) -> "View":
        """Give a view in whose text the recipient's own alias stays; address headers show them."""
        view = copy(self)
        view.unmasker = None
        return view

    def _make_unmasker(self) -> Unmasker | None:
        """Make what lets the recipient see their own address where they read it."""
        conversation, to = self.conversation, self.to
        if to is None:
            return None
        aliases, marks = [conversation.hard(to)], [to.token]
        # Whoever wrote one that was never handed out guesses, and must not learn that it is right.
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
                # Nobody has a guest's: if one stands there, it goes as one of another order does.
                if not participant.introduced:
                    continue
                soft = conversation.soft(participant)
                if alias == soft and not participant.handed_out:
                    self._handing.expect(alias, participant.token)
                if to is None and soft is not None:
                    yield soft, alias

    def _write_alias(self, participant: Participant) -> str:
        """Return what stands for a participant, and note that the view shows it."""
        alias = self.stand_in(participant)
        self._handing.note(alias)
        return alias

    def _must_go(self, address: Address) -> bool:
        """Return whether an address is removed from address headers and attendees.

        Whom a message names who is left out; and a domain of a single label, whose address works on
        one host at most, unless its owner wrote in this order.
        """
        if address.key in self.conversation.left_out:
            return True
        return is_single_label(address) and self.conversation.find_owner(address) is None

    @property
    def disclosures(self) -> frozenset[str]:
        """Give the tokens of whose soft aliases were shown so far that nobody was given before."""
        return frozenset(self._handing.shown)

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
        return masked if self._foreign is None else self._foreign(masked)

    def identifiers(self, value: bytes) -> bytes:
        """Mask the identifiers in a field of a part; the same object when nothing is to change."""
        return self._references.mask_header(value) if self._in_body else value

    def calendar_id(self, value: str) -> str:
        """Return what stands for an identifier of an invitation; the same object where it stays."""
        self.limits.check()
        self._notice()
        return calendar_ids.find_stand_in(value, self.conversation, self.to, self._known)

    def possible(self, raw: bytes) -> bool:
        """Return, cheaply, whether masking could change what these bytes say in ASCII."""
        self.limits.check()
        return self._masker.possible(raw) or (
            self._foreign is not None and self._foreign.possible(raw)
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

    def headers(self, message: Message, *, protected: bool) -> list[bytes | None]:
        """Return each header field's value in this view.

        Args:
            message: the message.
            protected: its sender is a person to protect, so only what a reader needs is kept.

        Returns:
            One item per field: the same object if it stays, other bytes, or None if it goes.
        """
        values: list[bytes | None] = []
        seen: set[bytes] = set()
        known = self._find_clean_parts(message)
        # Whether one may hold what does not stand in clear is told for all at once.
        block = b"\n".join([each.value for each in message.headers])
        hidden = known.hides(lambda: obfuscated.possible(block, self))
        self._references.author = find_author(message, self.conversation)
        for place, header in enumerate(message.headers):
            self.limits.check()
            key = header.key
            first = key not in seen
            seen.add(key)
            # The first pass's Received tells who handed the message in; on the splitter's
            # listener it is the topmost one, since Postfix shows nobody the one it adds now.
            handed_in = key == b"received" and first and message.arrival.split
            again = key == b"from" and not first
            named = b"@" in key and self(key.decode("latin-1")) != key.decode("latin-1")
            if handed_in or again or named or not self._keeps(key, protected=protected):
                values.append(None)
            elif place in known.fields:
                values.append(header.value)
            else:
                values.append(self._show_value(place, header, message, hidden=hidden))
        return values

    def _show_value(
        self, place: int, header: Header, message: Message, *, hidden: bool
    ) -> bytes | None:
        self.quiet.met = False
        value = self._mask_value(mask_field(header, self), message, hidden=hidden)
        if value is not header.value:
            return value
        # Addresses and identifiers are looked up, and not found in a text.
        looked_up = header.key in ADDRESS_HEADERS or header.key in IDENTIFYING
        if self.quiet.learns and not (self.quiet.met or looked_up):
            self.quiet.fields.add(place)
        return value

    def _keeps(self, key: bytes, *, protected: bool) -> bool:
        if (
            key in INTERNAL
            or key in NEVER_KEPT
            or key == self._order_header
            or key.startswith(b"arc-")
        ):
            return False
        return not protected or key in KEPT_FROM_PROTECTED or key.startswith(b"content-")

    def _mask_value(self, header: Header, message: Message, *, hidden: bool) -> bytes | None:
        if header.key in ANSWERED:
            found = find_mailboxes(header.value, self.limits.check)
            # An answer must never go to what cannot be read, and so cannot be masked; and of
            # several authors a reader might see another one than was verified.
            unclear = not found or any(mailbox.address is None for mailbox in found)
            if unclear or (header.key == b"from" and len(found) > 1):
                return self._mask_author(message) if header.key == b"from" else None
        if header.key in ADDRESS_HEADERS:
            left = remove_people(header.value, self._must_go, self.limits.check)
            if left is None:
                return self._mask_author(message) if header.key == b"from" else None
            become = self._find_author_address if header.key == b"from" else self.address
            value = mask_mailboxes(left, become, self.text, self.limits.check)
            value = quote_names(value, self.limits.check)
            if not part_header.may_hide(value, self, hidden=hidden):
                return value
            return mask_mailboxes(
                value,
                lambda _: None,
                partial(obfuscated.mask_obfuscations, mask=self),
                self.limits.check,
            )
        value = header.value
        if header.key in THREADING:
            known, author = self._known, self._references.author
            value = show_ids(value, self.conversation, self.to, known, author, self.limits.check)
        return part_header.mask_value(header.key, value, self, hidden=hidden)

    def _mask_author(self, message: Message) -> bytes:
        author = message.author
        alias = self._find_author_address(author) if author is not None else None
        return alias.encode() if alias is not None else b""

    def _find_author_address(self, address: Address) -> str | None:
        """Return what an address in From becomes: an alias in a copy to oneself, too.

        Our signer signs for the alias domain alone, so that DMARC passes (RFC 7489 section 3.1).
        """
        participant = self.conversation.find_owner(address)
        if participant is None or self.to is None or participant.token != self.to.token:
            return self.address(address)
        alias = self.conversation.alias(participant)
        if not participant.handed_out and alias == self.conversation.soft(participant):
            self._handing.expect(alias, participant.token)
        self._handing.note(alias)
        return alias

    def make_headers(self, message: Message) -> list[Header]:
        """Give the header fields that a copy gets: hop count, order, and From where it has none."""
        added = [Header(HOPS, str(message.hops + 1).encode("ascii"))]
        if self.to is not None and self._is_stores(self.to):
            name = self.conversation.store.order_header.encode("ascii")
            added.append(Header(name, self.conversation.order.number.encode("utf-8")))
        if message.first(b"from") is None:
            added.append(Header(b"From", self._mask_author(message)))
        return added

    def _is_stores(self, to: Participant) -> bool:
        """Return whether a copy goes to the store, whoever may have claimed that address first."""
        domains = self.conversation.store.sender_domains
        mine = to.address is not None and to.address.domain in domains
        return mine or self.conversation.role(to) == "store"

    def open_signature(self, message: Message) -> Message:
        """Return a message without a signature around all of it, if that holds an address."""
        if not opaque_signature.may_be_signed(message):
            return message
        return opaque_signature.open_signature(message, read_structure(message), self.others)

    def _notice(self) -> None:
        self.quiet.met = True

    def without(self, condemned: frozenset[int]) -> "View":
        """Return a view in which some parts, told by their identities, are removed."""
        view = copy(self)
        view.condemned = condemned
        return view

    def body(self, message: Message) -> Octets:
        """Return the body in this view; the same object where nothing is to change.

        What is recorded holds no file and no text with an address, whatever the store passes on.

        Raises:
            Unmaskable: the store wants no such attachment to leave.
        """
        store, recorded = self.conversation.store, self.to is None
        self._references.author = find_author(message, self.conversation)
        return message_body.mask_body(
            read_structure(message),
            message.body,
            self,
            people=self.others,
            attachments="remove" if recorded else store.attachments_with_address,
            condemned=self.condemned,
            keep_text=not (recorded or store.mask_body),
            limits=message.limits,
            quiet=self._find_clean_parts(message),
        )

    def _find_clean_parts(self, message: Message) -> CleanParts:
        """Return what is known of a message already, and let this view add to it."""
        people = frozenset(p.address.key for p in self.conversation if p.address is not None)
        self.quiet = message.part_cache.clean_parts((self.conversation.order.id, people))
        self.quiet.learns = self.to is None
        return self.quiet


def read_structure(message: Message) -> message_body.Part:
    """Read a message's MIME structure; raises TooComplex."""

    def read() -> message_body.Part:
        content = [(h.name, h.value) for h in message.headers if h.key.startswith(b"content-")]
        return message_body.read_structure(content, message.body, message.limits)

    return message.part_cache.structure(read)
