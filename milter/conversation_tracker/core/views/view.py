"""How one conversation's messages show to one participant, or to the record.

Mask everyone, then show each recipient only themselves: every participant's address becomes their
alias, wherever it stands, and the recipient's own alias becomes their own address where they read
it; links, attributes and the like reach other machines. The record sees everybody in hard form.
Nothing here decides whether a message may pass; `rewrite` does. Raises what `body.read` raises,
`TooComplex`, for a structure over the limits.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from copy import copy
from functools import partial

from conversation_tracker.core.base.header_names import ANSWERED, IDENTIFYING, NEVER_KEPT, THREADING
from conversation_tracker.core.base.means import ENDLESS, Means, Octets
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.header.headers import (
    ADDRESS_HEADERS,
    KEPT_FROM_PROTECTED,
    masked_mailboxes,
    without,
)
from conversation_tracker.core.masking.header.phrases import quote_names
from conversation_tracker.core.masking.header.raw_sequences import mask_field
from conversation_tracker.core.masking.part import body as mime
from conversation_tracker.core.masking.part import opaque
from conversation_tracker.core.masking.text import obfuscated
from conversation_tracker.core.masking.text.eyes import Eyes
from conversation_tracker.core.masking.text.mask import Masker
from conversation_tracker.core.model.address import Address, mailboxes
from conversation_tracker.core.model.alias import NotAnAlias, decode
from conversation_tracker.core.model.conversation import Conversation, Mapped, Participant
from conversation_tracker.core.model.message import HOPS, INTERNAL, Header, Message
from conversation_tracker.core.model.part_cache import Quiet
from conversation_tracker.core.model.variant import single_label
from conversation_tracker.core.views import calendar_ids
from conversation_tracker.core.views.content_ids import References
from conversation_tracker.core.views.foreign import Foreign
from conversation_tracker.core.views.handing import Handing
from conversation_tracker.core.views.message_ids import find_author, shown


class View:
    """A conversation as one participant sees it; with no participant, as it is recorded."""

    def __init__(
        self,
        conversation: Conversation,
        to: Participant | None,
        known: Mapping[str, Mapped] | None = None,
        alias_domains: Collection[str] = (),
        means: Means = ENDLESS,
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
        self.means = means
        kept = [to.address.key] if to is not None and to.address is not None else []
        others = (
            participant.address.key
            for participant in conversation
            if participant.address and (to is None or participant.token != to.token)
        )
        self.others = mime.People(others, kept, means.check)
        self.conversation = conversation
        self.to = to
        self._handing = Handing()
        self._order_header = conversation.store.order_header.encode("ascii").lower()
        self.quiet = Quiet()
        self.condemned: frozenset[int] = frozenset()
        # What the record looks for is all that any view does.
        watched = (conversation.order.alias_domain,) if to is None else ()
        self.eyes = self._eyes()
        self._masker = Masker(
            dict(self._replacements()), kept, watched, self._notice, self._handing.note, means.check
        )
        self._references = References(conversation, to, self._known, self._notice, means.check)
        # Where the text stays as it is, so must what it refers to.
        self._in_body = to is None or conversation.store.mask_body
        self._foreign = None
        if to is None:
            own = conversation.order.alias_domain  # do not copy thousands of them
            domains = alias_domains if own in alias_domains else {own, *alias_domains}
            self._foreign = Foreign(domains, means.check)

    def blind(self) -> "View":
        """Give a view in whose text the recipient's own alias stays; address headers show them."""
        view = copy(self)
        view.eyes = None
        return view

    def _eyes(self) -> Eyes | None:
        """Make what lets the recipient see their own address where they read it."""
        conversation, to = self.conversation, self.to
        if to is None:
            return None
        aliases, marks = [conversation.hard(to)], [to.token]
        # Whoever wrote one that was never handed out guesses, and must not learn that it is right.
        if to.handed_out and (soft := conversation.soft(to)):
            aliases.append(soft)
            marks.append(f"{conversation.order.ref}b.")
        return Eyes(aliases, marks, str(to.address), self.means.check)

    def _replacements(self) -> Iterator[tuple[str, str]]:
        conversation, to = self.conversation, self.to
        for participant in conversation:
            if to is not None and participant.token == to.token:
                continue
            if participant.address is not None:
                alias = self.shown(participant)
                yield participant.address.key, alias
                # Nobody has a guest's: if one stands there, it goes as one of another order does.
                if not participant.introduced:
                    continue
                soft = conversation.soft(participant)
                if alias == soft and not participant.handed_out:
                    self._handing.may(alias, participant.token)
                if to is None and soft is not None:
                    yield soft, alias

    def _written(self, participant: Participant) -> str:
        """Give what stands for a participant, and note that the view shows it."""
        alias = self.shown(participant)
        self._handing.note(alias)
        return alias

    def _gone(self, address: Address) -> bool:
        """Tell whether an address is removed from address headers and attendees.

        Whom a message names who is left out; and a domain of a single label, whose address works on
        one host at most, unless its owner wrote in this order.
        """
        if address.key in self.conversation.left_out:
            return True
        return single_label(address) and self.conversation.whose(address) is None

    @property
    def shown_softly(self) -> frozenset[str]:
        """Give the tokens of whose soft aliases were shown so far that nobody was given before."""
        return frozenset(self._handing.shown)

    @property
    def attendee_goes(self) -> Callable[[Address], bool] | None:
        """Tell which attendees a calendar loses; None where none does."""
        return self._gone if self.conversation.left_out else None

    def shown(self, participant: Participant) -> str:
        """Give what stands for a participant in this view."""
        if self.to is None:
            return self.conversation.hard(participant)
        if participant.token == self.to.token:
            return str(participant.address)
        return self.conversation.alias(participant)

    def address(self, address: Address) -> str | None:
        """Give what an address in a header becomes, or None where it stays as it is."""
        participant = self.conversation.whose(address)
        if participant is not None:
            own = self.to is not None and participant.token == self.to.token
            return None if own else self._written(participant)
        try:
            alias = decode(address, (self.conversation.order.alias_domain,))
            participant = self.conversation.named(alias)
        except NotAnAlias:
            participant = None
        if participant is None or participant.address is None:
            return self._foreign.address(address) if self._foreign is not None else None
        own = self.to is not None and participant.token == self.to.token
        return self.shown(participant) if own or self.to is None else None

    def text(self, text: str) -> str:
        """Give running text as it is read; the same object when nothing is to change.

        Everybody is masked but the recipient, whose own alias is their address here.
        """
        masked = self(text)
        return masked if self.eyes is None else self.eyes(masked)

    def __call__(self, text: str) -> str:
        """Mask a text that stands anywhere; the same object when nothing is to change.

        The recipient's own alias stays as it is.
        """
        return self._by(self._masker, text)

    def _by(self, masker: Masker, text: str) -> str:
        self.means.check()
        masked = masker(self._references.text(text) if self._in_body else text)
        return masked if self._foreign is None else self._foreign(masked)

    def identifiers(self, value: bytes) -> bytes:
        """Mask the identifiers in a field of a part; the same object when nothing is to change."""
        return self._references.header(value) if self._in_body else value

    def calendar_id(self, value: str) -> str:
        """Give what stands for an identifier of an invitation; the same object where it stays."""
        self.means.check()
        self._notice()
        return calendar_ids.stands_for(value, self.conversation, self.to, self._known)

    def possible(self, raw: bytes) -> bool:
        """Tell cheaply whether masking could change what these bytes say in ASCII."""
        self.means.check()
        return self._masker.possible(raw) or (
            self._foreign is not None and self._foreign.possible(raw)
        )

    @property
    def amid(self) -> Callable[[str], str]:
        """What masks a text that may be made of random octets, as `Masker.amid`."""
        masker = self._masker.amid
        return self if masker is self._masker else partial(self._by, masker)

    @property
    def finder(self) -> Masker:
        """What finds addresses in other readings of a text."""
        return self._masker

    def headers(self, message: Message, *, protected: bool) -> list[bytes | None]:
        """Give each header field's value in this view.

        Args:
            message: the message.
            protected: its sender is a person to protect, so only what a reader needs is kept.

        Returns:
            One item per field: the same object if it stays, other bytes, or None if it goes.
        """
        values: list[bytes | None] = []
        seen: set[bytes] = set()
        known = self._known_of(message)
        # Whether one may hold what does not stand in clear is told for all at once.
        block = b"\n".join([each.value for each in message.headers])
        hidden = known.hides(lambda: obfuscated.possible(block, self))
        self._references.author = find_author(message, self.conversation)
        for place, header in enumerate(message.headers):
            self.means.check()
            key = header.key
            first = key not in seen
            seen.add(key)
            # The first pass's Received tells who handed the message in; on the splitter's
            # listener it is the topmost one, since Postfix shows nobody the one it adds now.
            handed_in = key == b"received" and first and message.arrival.split
            again = key == b"from" and not first
            named = b"@" in key and self(key.decode("latin-1")) != key.decode("latin-1")
            if handed_in or again or named or not self._kept(key, protected=protected):
                values.append(None)
            elif place in known.fields:
                values.append(header.value)
            else:
                values.append(self._shown_value(place, header, message, hidden=hidden))
        return values

    def _shown_value(
        self, place: int, header: Header, message: Message, *, hidden: bool
    ) -> bytes | None:
        self.quiet.met = False
        value = self._value(mask_field(header, self), message, hidden=hidden)
        if value is not header.value:
            return value
        # Addresses and identifiers are looked up, and not found in a text.
        looked_up = header.key in ADDRESS_HEADERS or header.key in IDENTIFYING
        if self.quiet.learns and not (self.quiet.met or looked_up):
            self.quiet.fields.add(place)
        return value

    def _kept(self, key: bytes, *, protected: bool) -> bool:
        if (
            key in INTERNAL
            or key in NEVER_KEPT
            or key == self._order_header
            or key.startswith(b"arc-")
        ):
            return False
        return not protected or key in KEPT_FROM_PROTECTED or key.startswith(b"content-")

    def _value(self, header: Header, message: Message, *, hidden: bool) -> bytes | None:
        if header.key in ANSWERED:
            found = mailboxes(header.value, self.means.check)
            # An answer must never go to what cannot be read, and so cannot be masked; and of
            # several authors a reader might see another one than was verified.
            unclear = not found or any(mailbox.address is None for mailbox in found)
            if unclear or (header.key == b"from" and len(found) > 1):
                return self._author(message) if header.key == b"from" else None
        if header.key in ADDRESS_HEADERS:
            left = without(header.value, self._gone, self.means.check)
            if left is None:
                return self._author(message) if header.key == b"from" else None
            become = self._author_address if header.key == b"from" else self.address
            value = masked_mailboxes(left, become, self.text, self.means.check)
            value = quote_names(value, self.means.check)
            if not part_header.may_hide(value, self, hidden=hidden):
                return value
            return masked_mailboxes(
                value, lambda _: None, partial(obfuscated.masked, mask=self), self.means.check
            )
        value = header.value
        if header.key in THREADING:
            known, author = self._known, self._references.author
            value = shown(value, self.conversation, self.to, known, author, self.means.check)
        return part_header.value_masked(header.key, value, self, hidden=hidden)

    def _author(self, message: Message) -> bytes:
        author = message.author
        alias = self._author_address(author) if author is not None else None
        return alias.encode() if alias is not None else b""

    def _author_address(self, address: Address) -> str | None:
        """Give what an address in From becomes: an alias in a copy to oneself, too.

        Our signer signs for the alias domain alone, so that DMARC passes (RFC 7489 section 3.1).
        """
        participant = self.conversation.whose(address)
        if participant is None or self.to is None or participant.token != self.to.token:
            return self.address(address)
        alias = self.conversation.alias(participant)
        if not participant.handed_out and alias == self.conversation.soft(participant):
            self._handing.may(alias, participant.token)
        self._handing.note(alias)
        return alias

    def added(self, message: Message) -> list[Header]:
        """Give the header fields that a copy gets: hop count, order, and From where it has none."""
        added = [Header(HOPS, str(message.hops + 1).encode("ascii"))]
        if self.to is not None and self._is_stores(self.to):
            name = self.conversation.store.order_header.encode("ascii")
            added.append(Header(name, self.conversation.order.number.encode("utf-8")))
        if message.first(b"from") is None:
            added.append(Header(b"From", self._author(message)))
        return added

    def _is_stores(self, to: Participant) -> bool:
        """Tell whether a copy goes to the store, whoever may have claimed that address first."""
        domains = self.conversation.store.sender_domains
        mine = to.address is not None and to.address.domain in domains
        return mine or self.conversation.role(to) == "store"

    def opened(self, message: Message) -> Message:
        """Give a message without a signature around all of it, if that holds an address."""
        if not opaque.possible(message):
            return message
        return opaque.opened(message, structure(message), self.others)

    def _notice(self) -> None:
        self.quiet.met = True

    def without(self, condemned: frozenset[int]) -> "View":
        """Give a view in which some parts, told by their identities, are removed."""
        view = copy(self)
        view.condemned = condemned
        return view

    def body(self, message: Message) -> Octets:
        """Give the body in this view; the same object where nothing is to change.

        What is recorded holds no file and no text with an address, whatever the store passes on.

        Raises:
            Unmaskable: the store wants no such attachment to leave.
        """
        store, recorded = self.conversation.store, self.to is None
        self._references.author = find_author(message, self.conversation)
        return mime.masked(
            structure(message),
            message.body,
            self,
            people=self.others,
            attachments="remove" if recorded else store.attachments_with_address,
            condemned=self.condemned,
            keep_text=not (recorded or store.mask_body),
            means=message.means,
            quiet=self._known_of(message),
        )

    def _known_of(self, message: Message) -> Quiet:
        """Give what is known of a message already, and let this view add to it."""
        people = frozenset(p.address.key for p in self.conversation if p.address is not None)
        self.quiet = message.memo.quiet((self.conversation.order.id, people))
        self.quiet.learns = self.to is None
        return self.quiet


def structure(message: Message) -> mime.Part:
    """Read a message's MIME structure; raises TooComplex."""

    def read() -> mime.Part:
        content = [(h.name, h.value) for h in message.headers if h.key.startswith(b"content-")]
        return mime.read(content, message.body, message.means)

    return message.memo.structure(read)
