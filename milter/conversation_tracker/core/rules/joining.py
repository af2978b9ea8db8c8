"""Who joins an order by a message, as whom, and who is left out.

The author always takes part. Whom a message names joins: introduced, if the word of whoever wrote
it counts, else as a guest while there is room; further ones are left out. Reply-To addresses and
the return path take part in the message alone. A message that went through the first pass brings
nobody in any more.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice

from conversation_tracker.core.masking.header.headers import ADDRESS_HEADERS
from conversation_tracker.core.masking.part import invitation, written
from conversation_tracker.core.model.address import Address, AddressError, mailboxes
from conversation_tracker.core.model.alias import in_domains
from conversation_tracker.core.model.conversation import Conversation, Store
from conversation_tracker.core.model.first_pass import Verdict
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.variant import base, single_label
from conversation_tracker.core.rules import claims
from conversation_tracker.core.syntax import unsubscribing
from conversation_tracker.core.syntax.encoded_words import decoded
from conversation_tracker.core.views.view import structure

_NAMING = (b"from", b"sender", b"to", b"cc")
_ANSWERS = 10
"""Reply-To addresses of one message that take part; who writes more of them means nobody."""


def gathered(
    message: Message,
    conversation: Conversation,
    outsiders: Sequence[Address],
    mint: Callable[[], str],
    found: Verdict,
    own: Store | None,
    alias_domains: Collection[str],
) -> Conversation:
    """Let everybody take part who does in a message.

    Args:
        message: the message; it has an author.
        conversation: an order it is for.
        outsiders: the recipients that are no aliases, where they belong to this order.
        mint: gives a fresh random token, 32 hexadecimal digits.
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
    introducing = _introducing(message, conversation, found, ours=ours)
    claimed = message.author in claims.falsely_store(message, conversation, found)
    conversation = conversation.join(
        message.author, "partner", mint, introduced=ours, claimed=claimed
    )
    conversation = _recipients(message, conversation, outsiders, mint, introducing, ours=ours)
    for recipient in message.recipients:
        if recipient.order == conversation.order.id and recipient.token is not None:
            conversation = conversation.with_part(recipient.token)
    left: set[str] = set()
    for address, kept in _named(message, alias_domains):
        if introducing:
            conversation = conversation.join(address, "partner", mint)
        elif (known := conversation.known(address)) is not None:
            conversation = conversation.with_part(known.token)
        elif message.arrival.passage is None and (kept or not conversation.full):
            conversation = conversation.join(
                address, "partner", mint, introduced=False, named=not kept
            )
        else:
            left.add(address.key)
    conversation = _claimed(message, conversation, found)
    conversation = _answers(message, conversation, mint, alias_domains, left)
    # Who is left out of Cc may be whom to answer: an answer must reach them.
    present = {each.address.key for each in conversation if each.address is not None}
    return conversation.without(left - present)


def mentioned(message: Message, conversation: Conversation) -> Iterator[str]:
    """Go through whom a message names that the database may know and did not give.

    Args:
        message: the message.
        conversation: the conversation with everybody who takes part.

    Returns:
        Identities (`Address.key`); some more than once.
    """
    for participant in conversation.joined:
        if participant.address is not None:
            yield participant.address.key
        if participant.address is not None and participant.role != "return":
            # Whom the database did not give may be known by the address without a tag.
            yield base(participant.address)
    yield from conversation.left_out
    known = {each.address.key for each in conversation.apart if each.address is not None}
    for address in _addresses(message, everywhere=conversation.full):
        if address.key not in known and conversation.of(address) is None:
            yield address.key


def _addresses(message: Message, *, everywhere: bool) -> Iterator[Address]:
    """Go through the addresses in address headers, or, of so many at most, everywhere.

    Of an order's guests the newest are read with it. Only where there may be more, a text may name
    one who is masked in it and was not read.
    """
    for header in message.headers:
        if header.key in ADDRESS_HEADERS:
            message.means.check()
            found = (mailbox.address for mailbox in mailboxes(header.value, message.means.check))
            yield from (address for address in found if address is not None)
    if everywhere:
        texts = (h for h in message.headers if h.key not in ADDRESS_HEADERS and _may(h.value))
        in_headers = (
            a
            for h in texts
            for a in written.in_text(decoded(h.value, message.means.check), message.means)
        )
        in_body = written.addresses(structure(message), message.body, message.means)
        yield from islice(chain(in_headers, in_body), written.MOST)


def _may(value: bytes) -> bool:
    """Tell cheaply whether an address may stand in a header's value."""
    return b"@" in value or b"=?" in value or b"%40" in value


def _introducing(
    message: Message, conversation: Conversation, found: Verdict, *, ours: bool
) -> bool:
    """Tell whether whom the author names is introduced.

    The splitter's copies say nothing that the first pass did not hear.
    """
    if message.arrival.split or message.author is None:
        return False
    author = conversation.whose(message.author)
    by_name = author is not None and author.introduced and author.role != "return"
    return ours or (by_name and found in ("trusted", "verified"))


def _recipients(
    message: Message,
    conversation: Conversation,
    outsiders: Sequence[Address],
    mint: Callable[[], str],
    introducing: bool,
    *,
    ours: bool,
) -> Conversation:
    """Let the recipients take part; of the store's own mail, one is the buyer if there is none."""
    buyer = _buyer(message, conversation, outsiders) if ours else None
    if buyer is not None:
        conversation = conversation.join(buyer, "buyer", mint)
    for address in outsiders:
        conversation = conversation.join(address, "partner", mint, introduced=introducing)
    return conversation


def _buyer(
    message: Message, conversation: Conversation, outsiders: Sequence[Address]
) -> Address | None:
    """Choose the buyer: the first in To that is a real recipient, else the first recipient."""
    if conversation.has("buyer"):
        return None
    possible = [each for each in outsiders if _nobody_yet(each, conversation)]
    keys = {each.key for each in possible}
    to = (
        m.address for value in message.values(b"to") for m in mailboxes(value, message.means.check)
    )
    named = (address for address in to if address is not None and address.key in keys)
    return next(named, possible[0] if possible else None)


def _nobody_yet(address: Address, conversation: Conversation) -> bool:
    known = conversation.whose(address)
    return address.domain not in conversation.store.sender_domains and (
        known is None or not known.introduced
    )


def _named(message: Message, alias_domains: Collection[str]) -> Iterator[tuple[Address, bool]]:
    """Go through whom a message names, and whether they must not be left out: an organiser."""
    invited = list(invitation.people(structure(message), message.body, message.means))
    organizers = {person.address.key for person in invited if person.organizer}
    met: set[str] = set()
    for address in (*_written(message), *(person.address for person in invited)):
        message.means.check()
        if address.key in met or single_label(address):
            continue
        met.add(address.key)
        if in_domains(address.domain, alias_domains) is None:
            yield address, address.key in organizers


def _written(message: Message) -> Iterator[Address]:
    for name in _NAMING:
        for value in message.values(name):
            for mailbox in mailboxes(value, message.means.check):
                if mailbox.address is not None:
                    yield mailbox.address


def _claimed(message: Message, conversation: Conversation, found: Verdict) -> Conversation:
    """Note who is only claimed to be the store: their soft alias would look like its word."""
    authors = claims.falsely_store(message, conversation, found)
    known = (conversation.whose(author) for author in authors)
    return conversation.only_hard(each.token for each in known if each is not None)


def _answers(
    message: Message,
    conversation: Conversation,
    mint: Callable[[], str],
    alias_domains: Collection[str],
    left: set[str],
) -> Conversation:
    """Let the message's own Reply-To addresses and return path take part in it.

    So do the addresses that the store's mail tells its readers to write to in order to get no more.
    """
    author = message.author
    assert author is not None
    owner = conversation.whose(author)
    assert owner is not None
    found = [
        m.address
        for value in message.values(b"reply-to")
        for m in mailboxes(value, message.means.check)
    ]
    if owner.role == "store" and owner.token not in conversation.hard_only:
        found += _unsubscribing(message)
    wanted = {a.key: a for a in found if a is not None and not single_label(a)}
    wanted.pop(author.key, None)
    real = [a for a in wanted.values() if in_domains(a.domain, alias_domains) is None]
    for number, address in enumerate(real):
        if number < _ANSWERS:
            conversation = conversation.answering(address, owner, mint)
        elif conversation.whose(address) is None:
            left.add(address.key)
    sender = message.sender
    if sender is None or sender.key == author.key:
        return conversation
    if in_domains(sender.domain, alias_domains) is None:
        conversation = conversation.answering(sender, owner, mint)
    return conversation


def _unsubscribing(message: Message) -> Iterator[Address]:
    for value in message.values(unsubscribing.FIELD):
        message.means.check()
        for text in unsubscribing.find_addresses(value):
            with suppress(AddressError):
                yield Address.parse(text)
