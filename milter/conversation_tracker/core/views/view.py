"""How one conversation's messages look to one participant, or in the record.

`reader_mask` has what stands for each address; here are header fields and body of a whole message.
Raises `TooComplex` for a structure over the limits. `planning` decides if a message may pass.
"""

from collections.abc import Iterable, Iterator
from copy import copy
from functools import partial
from itertools import compress
from typing import Self

from conversation_tracker.core.base.header_names import (
    ADDRESS_HEADERS,
    ANSWERED,
    IDENTIFYING,
    NEVER_KEPT,
    THREADING,
    is_needed,
)
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.header.headers import mask_mailboxes, remove_people
from conversation_tracker.core.masking.header.phrases import make_mailbox, quote_names
from conversation_tracker.core.masking.header.raw_sequences import (
    mask_field,
    may_hold_sequences,
)
from conversation_tracker.core.masking.part import message_body, opaque_signature
from conversation_tracker.core.masking.text import obfuscated
from conversation_tracker.core.model.address import Address, find_mailboxes
from conversation_tracker.core.model.conversation import Participant
from conversation_tracker.core.model.message import HOPS, INTERNAL, Header, Message
from conversation_tracker.core.model.part_cache import CleanParts
from conversation_tracker.core.views.absence import learn_body, learn_fields
from conversation_tracker.core.views.message_ids import find_author, show_ids
from conversation_tracker.core.views.reader_mask import ReaderMask

_GONE = INTERNAL | NEVER_KEPT
_Placed = tuple[int, Header]  # a field with its place


class View(ReaderMask):
    """A conversation as one participant sees it; with no participant, as it is recorded."""

    def headers(self, message: Message, *, protected: bool) -> list[bytes | None]:
        """Return each header field's value in this view.

        Args:
            message: the message.
            protected: its sender is a person to protect, so only what a reader needs is kept.

        Returns:
            One item per field: the same object if it stays, other bytes, or None if it goes.
        """
        values: list[bytes | None] = []
        known = self._find_clean_parts(message)
        keeps = self._choose_fields(message, protected=protected)
        kept = [*compress(enumerate(message.headers), keeps)]
        hiding = self._find_hiding(kept, known)
        sequences = may_hold_sequences(_join_values(kept))
        if known.learns:
            learn_fields(kept, self, known, hidden=bool(hiding))
        self._references.author = find_author(message, self.conversation)
        for place, header in enumerate(message.headers):
            self.limits.check()
            if not keeps[place] or (b"@" in header.key and self._is_named(header.key)):
                values.append(None)
            elif place in known.fields:
                values.append(header.value)
            else:
                known.met = False
                shown = mask_field(header, self) if sequences else header
                values.append(self._show_value(place, shown, message, hidden=place in hiding))
        return values

    def _is_named(self, key: bytes) -> bool:
        """Return whether a field's name names somebody: it may have any printable character."""
        name = key.decode("latin-1")
        return self(name) != name

    def _choose_fields(self, message: Message, *, protected: bool) -> list[bool]:
        """Return which header fields are kept, as far as their names tell.

        Of several From one is. The first pass's Received shows who handed the message in; on the
        splitter's listener it is the topmost one, since Postfix shows nobody the one it adds now.
        """
        order_header, seen = self._order_header, set[bytes]()
        found: list[bool] = []
        for header in message.headers:
            key = header.key
            keeps = key not in _GONE and key != order_header and not key.startswith(b"arc-")
            keeps = keeps and (not protected or is_needed(key))
            if keeps and key in (b"from", b"received"):
                again = key in seen
                seen.add(key)
                keeps = not again if key == b"from" else again or not message.arrival.split
            found.append(keeps)
        return found

    def _find_hiding(self, kept: list[_Placed], known: CleanParts) -> set[int]:
        """Return the places of fields that may hold what does not stand in clear.

        What the record saw holds here: it keeps what a reader needs, and no more.
        """
        needed = [each for each in kept if is_needed(each[1].key)]
        found = set[int]()
        if known.hides(partial(obfuscated.possible, _join_values(needed), self)):
            found.update(_iter_hiding(needed, self))
        if len(needed) < len(kept):
            others = [each for each in kept if not is_needed(each[1].key)]
            found.update(_iter_hiding(others, self))
        return found

    def _show_value(
        self, place: int, header: Header, message: Message, *, hidden: bool
    ) -> bytes | None:
        value = self._mask_value(header, message, hidden=hidden)
        if value is not message.headers[place].value:
            return value
        # Addresses and identifiers are looked up, and not found in a text.
        looked_up = header.key in ADDRESS_HEADERS or header.key in IDENTIFYING
        if self.clean_parts.learns and not (self.clean_parts.met or looked_up):
            self.clean_parts.fields.add(place)
        return value

    def _mask_value(self, header: Header, message: Message, *, hidden: bool) -> bytes | None:
        if header.key in ANSWERED:
            found = find_mailboxes(header.value, self.limits.check)
            # An answer must never go to what cannot be read, and so cannot be masked; and of
            # several authors a mail program might show another one than was verified.
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
            if header.key == b"from":
                value = make_mailbox(value, self.limits.check)
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
        return part_header.mask_value(header.key, value, self, hidden=hidden, sequences=False)

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
            self._disclosure.expect(alias, participant.token)
        self._disclosure.note(alias)
        return alias

    def make_headers(self, message: Message) -> list[Header]:
        """Return the fields that a copy gets: hop count, order, and From where it has none."""
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

    def without(self, condemned: frozenset[int]) -> Self:
        """Return a view in which some parts, given by their identities, are removed.

        All else is looked at without what tells cheaply that nobody is there; and of fields, what
        still shows somebody is cut.
        """
        view = self.without_leaking_fields()
        view.condemned = condemned
        view.thorough = True
        return view

    def without_leaking_fields(self) -> Self:
        """Return a view that loses the header fields that nobody needs and that show somebody."""
        view = copy(self)
        view.drops_fields = True
        return view

    def body(self, message: Message) -> Octets:
        """Return the body in this view; the same object where nothing is to change.

        What is recorded holds no file and no text with an address, whatever the store passes on.

        Raises:
            Unmaskable: the store wants no such attachment to leave.
        """
        store, recorded = self.conversation.store, self.to is None
        self._references.author = find_author(message, self.conversation)
        structure, clean = read_structure(message), self._find_clean_parts(message)
        if clean.learns and not clean.body:
            learn_body(structure, message.body, self, self.others, clean)
        if clean.body and not self.condemned:
            return message.body
        return message_body.mask_body(
            structure,
            message.body,
            self,
            people=self.others,
            attachments="remove" if recorded else store.attachments_with_address,
            condemned=self.condemned,
            keep_text=not (recorded or store.mask_body),
            limits=message.limits,
            clean_parts=clean,
        )

    def _find_clean_parts(self, message: Message) -> CleanParts:
        """Return what is known of a message already, and let this view add to it.

        Where the scan found somebody after all, nothing is believed.
        """
        known = CleanParts() if self.thorough else message.part_cache.clean_parts(self._everybody)
        self.clean_parts = self._notes.clean_parts = known
        self.clean_parts.learns = self.to is None
        self.clean_parts.own = self.to.token if self.to is not None else ""
        self.clean_parts.apart = self.stands_apart
        return self.clean_parts


def _join_values(fields: Iterable[_Placed]) -> bytes:
    return b"\n".join([header.value for _, header in fields])


def _iter_hiding(fields: list[_Placed], mask: Mask) -> Iterator[int]:
    """Yield the places of those that may hide something: asked together, and then in halves.

    To ask of several costs little more than of one, and mostly there is none.
    """
    if not fields or not obfuscated.possible(_join_values(fields), mask):
        return
    if len(fields) == 1:
        yield fields[0][0]
        return
    half = len(fields) // 2
    yield from _iter_hiding(fields[:half], mask)
    yield from _iter_hiding(fields[half:], mask)


def read_structure(message: Message) -> message_body.Part:
    """Read a message's MIME structure; raises TooComplex."""

    def read() -> message_body.Part:
        content = [(h.name, h.value) for h in message.headers if h.key.startswith(b"content-")]
        return message_body.read_structure(content, message.body, message.limits)

    return message.part_cache.structure(read)
