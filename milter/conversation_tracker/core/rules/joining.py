"""Who joins an order by a message, as whom, and who is left out.

The author always takes part. The people a message names join: introduced, if its author may
introduce, else as guests while there is room; further ones are left out. Reply-To addresses and the
return path take part in this message only. On the second pass nobody joins.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, islice

from conversation_tracker.core.base.header_names import ADDRESS_HEADERS
from conversation_tracker.core.masking.part import text_addresses
from conversation_tracker.core.model.address import Address, AddressError, find_mailboxes
from conversation_tracker.core.model.alias import find_domain
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.first_pass import Verdict
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.model.variant import base_identity, is_single_label
from conversation_tracker.core.rules import claims
from conversation_tracker.core.syntax import unsubscribing
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.views.calendar_ids import read_invited
from conversation_tracker.core.views.view import read_structure

_NAMING = (b"from", b"sender", b"to", b"cc")
_ANSWERS = 10
"""Reply-To addresses of one message that take part; no honest message has more."""
_ORGANIZERS = 10
"""Organisers of one message who are never left out; an invitation has one."""


def gather(
    message: Message,
    conversation: Conversation,
    outsiders: Sequence[Address],
    make_token: Callable[[], str],
    found: Verdict,
    own: Store | None,
    alias_domains: Collection[str],
) -> Conversation:
    """Add everybody who takes part in a message to the conversation.

    Args:
        message: the message; it has an author.
        conversation: an order it is for.
        outsiders: the recipients that are no aliases, where they belong to this order.
        make_token: gives a fresh random token, 32 hexadecimal digits.
        found: what is known of the author.
        own: the store whose own mail it is.
        alias_domains: all alias domains; nobody joins with an address in one.

    Returns:
        The conversation with all of them, and with those who are left out noted.

    Raises:
        TooManyParticipants: somebody would be introduced over the store's limit.
        TooComplex: the body's structure is over the limits.
    """
    assert message.author is not None
    ours = own is not None and own.name == conversation.store.name
    introducing = _is_introducing(message, conversation, found, ours=ours)
    claimed = message.author in claims.find_false_store_authors(message, conversation, found)
    add_author = partial(
        Conversation.join,
        address=message.author,
        role="partner",
        make_token=make_token,
        introduced=ours,
        claimed=claimed,
    )
    conversation = add_author(conversation)
    conversation = _add_recipients(
        message, conversation, outsiders, make_token, introducing, ours=ours
    )
    for recipient in message.recipients:
        if recipient.order == conversation.order.id and recipient.token is not None:
            conversation = conversation.admit_return_address(recipient.token)
    conversation, left = _add_named(
        message, conversation, make_token, alias_domains, introducing=introducing
    )
    # Of two who are introduced by now, the author's address may be a variant of either.
    conversation = add_author(conversation)
    conversation = _note_claims(message, conversation, found)
    conversation = _add_return_addresses(message, conversation, make_token, alias_domains, left)
    # Somebody left out of Cc may be in Reply-To: an answer must reach them.
    present = {each.address.key for each in conversation if each.address is not None}
    return conversation.leave_out(left - present)


def find_mentions(message: Message, conversation: Conversation) -> Iterator[str]:
    """Yield the people a message names whom the database may know though they were not read.

    Args:
        message: the message.
        conversation: the conversation with everybody who takes part.

    Returns:
        Identities (`Address.key`); some more than once.
    """
    known = {each.address.key for each in conversation.apart if each.address is not None}
    present = known.union(each.address.key for each in conversation if each.address is not None)
    for participant in conversation.new_participants:
        if participant.address is None:
            continue
        yield participant.address.key
        # The database may know somebody not read so far by the form without a tag.
        # Where that form is somebody's here already, the two stay apart.
        base = base_identity(participant.address)
        if participant.role != "return" and base not in present:
            yield base
    yield from conversation.left_out
    for address in _find_addresses(message, everywhere=conversation.is_full):
        if address.key not in known and conversation.find_exact(address) is None:
            yield address.key


def _find_addresses(message: Message, *, everywhere: bool) -> Iterator[Address]:
    """Yield the addresses in address headers; in texts as well where not all guests were read.

    Only the newest guests are read with an order. If there may be more, a text may name one of
    these, who must be masked in it.
    """
    for header in message.headers:
        if header.key in ADDRESS_HEADERS:
            message.limits.check()
            found = (
                mailbox.address for mailbox in find_mailboxes(header.value, message.limits.check)
            )
            yield from (address for address in found if address is not None)
    if everywhere:
        texts = (
            h
            for h in message.headers
            if h.key not in ADDRESS_HEADERS and _may_hold_address(h.value)
        )
        in_headers = (
            a
            for h in texts
            for a in text_addresses.find_in_text(
                decode_words(h.value, message.limits.check), message.limits
            )
        )
        in_body = text_addresses.find_addresses(
            read_structure(message), message.body, message.limits
        )
        yield from islice(chain(in_headers, in_body), text_addresses.MOST)


def _may_hold_address(value: bytes) -> bool:
    """Return, cheaply, whether an address may stand in a header's value."""
    return b"@" in value or b"=?" in value or b"%40" in value


def _is_introducing(
    message: Message, conversation: Conversation, found: Verdict, *, ours: bool
) -> bool:
    """Return whether the people that the author names are introduced.

    The splitter's copies name nobody that the first pass has not seen.
    """
    if message.arrival.split or message.author is None:
        return False
    author = conversation.find_owner(message.author)
    by_name = author is not None and author.introduced and author.role != "return"
    return ours or (by_name and found in ("trusted", "verified"))


def _add_recipients(
    message: Message,
    conversation: Conversation,
    outsiders: Sequence[Address],
    make_token: Callable[[], str],
    introducing: bool,
    *,
    ours: bool,
) -> Conversation:
    """Add the recipients; of the store's own mail, one is the buyer if there is none."""
    buyer = _choose_buyer(message, conversation, outsiders) if ours else None
    if buyer is not None:
        conversation = conversation.join(buyer, "buyer", make_token)
    for address in outsiders:
        conversation = conversation.join(address, "partner", make_token, introduced=introducing)
    return conversation


def _add_named(
    message: Message,
    conversation: Conversation,
    make_token: Callable[[], str],
    alias_domains: Collection[str],
    *,
    introducing: bool,
) -> tuple[Conversation, set[str]]:
    """Add the people a message names; give the identities of those who are left out, too."""
    left: set[str] = set()
    for address, kept in _find_people(message, alias_domains):
        if introducing:
            conversation = conversation.join(address, "partner", make_token)
        elif (known := conversation.find_any(address)) is not None:
            conversation = conversation.admit_return_address(known.token)
        elif message.arrival.first_pass is None and (kept or not conversation.is_full):
            conversation = conversation.join(
                address, "partner", make_token, introduced=False, named=not kept
            )
        else:
            left.add(address.key)
    return conversation, left


def _choose_buyer(
    message: Message, conversation: Conversation, outsiders: Sequence[Address]
) -> Address | None:
    """Choose the buyer: the first in To that is a real recipient, else the first recipient."""
    if conversation.has_role("buyer"):
        return None
    possible = [each for each in outsiders if _is_nobody_yet(each, conversation)]
    keys = {each.key for each in possible}
    to = (
        m.address
        for value in message.values(b"to")
        for m in find_mailboxes(value, message.limits.check)
    )
    named = (address for address in to if address is not None and address.key in keys)
    return next(named, possible[0] if possible else None)


def _is_nobody_yet(address: Address, conversation: Conversation) -> bool:
    known = conversation.find_owner(address)
    return address.domain not in conversation.store.sender_domains and (
        known is None or not known.introduced
    )


def _find_people(
    message: Message, alias_domains: Collection[str]
) -> Iterator[tuple[Address, bool]]:
    """Yield the people a message names, and whether they must not be left out, as an organiser."""
    invited = read_invited(message, read_structure(message)).people
    named = (p.address for p in invited if p.organizer and not is_single_label(p.address))
    real = (a.key for a in named if find_domain(a.domain, alias_domains) is None)
    organizers = list(dict.fromkeys(real))[:_ORGANIZERS]
    met: set[str] = set()
    for address in (*_find_in_text(message), *(person.address for person in invited)):
        message.limits.check()
        if address.key in met or is_single_label(address):
            continue
        met.add(address.key)
        if find_domain(address.domain, alias_domains) is None:
            yield address, address.key in organizers


def _find_in_text(message: Message) -> Iterator[Address]:
    for name in _NAMING:
        for value in message.values(name):
            for mailbox in find_mailboxes(value, message.limits.check):
                if mailbox.address is not None:
                    yield mailbox.address


def _note_claims(message: Message, conversation: Conversation, found: Verdict) -> Conversation:
    """Note false claims to be the store: a soft alias would make them look genuine."""
    authors = claims.find_false_store_authors(message, conversation, found)
    known = (conversation.find_owner(author) for author in authors)
    return conversation.only_hard(each.token for each in known if each is not None)


def _add_return_addresses(
    message: Message,
    conversation: Conversation,
    make_token: Callable[[], str],
    alias_domains: Collection[str],
    left: set[str],
) -> Conversation:
    """Add the message's own Reply-To addresses and return path to the conversation.

    Also the addresses for unsubscribing that the store's mail gives its readers.
    """
    author = message.author
    assert author is not None
    owner = conversation.find_owner(author)
    assert owner is not None
    found = [
        m.address
        for value in message.values(b"reply-to")
        for m in find_mailboxes(value, message.limits.check)
    ]
    if owner.role == "store" and owner.token not in conversation.hard_only:
        found += _unsubscribing(message)
    wanted = {a.key: a for a in found if a is not None and not is_single_label(a)}
    wanted.pop(author.key, None)
    real = [a for a in wanted.values() if find_domain(a.domain, alias_domains) is None]
    for number, address in enumerate(real):
        if number < _ANSWERS:
            conversation = conversation.add_return_address(address, owner, make_token)
        elif (known := conversation.find_any(address)) is None:
            left.add(address.key)
        else:
            conversation = conversation.admit_return_address(known.token)
    sender = message.sender
    if sender is None or sender.key == author.key:
        return conversation
    if find_domain(sender.domain, alias_domains) is None:
        conversation = conversation.add_return_address(sender, owner, make_token)
    return conversation


def _unsubscribing(message: Message) -> Iterator[Address]:
    for value in message.values(unsubscribing.FIELD):
        message.limits.check()
        for text in unsubscribing.find_addresses(value):
            with suppress(AddressError):
                yield Address.parse(text)
