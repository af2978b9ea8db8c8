"""Conversations and messages in few words, and what becomes of a message when a plan is done.

Tokens are easy to read: the buyer's are all `b`, the store's all `5`, a partner's all `a`; fresh
ones count from 1. Nothing here knows a rule of the tracker.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.model.alias import NotAnAlias, decode
from conversation_tracker.core.model.conversation import Conversation, Order, Participant, Role
from conversation_tracker.core.model.message import Arrival, Header, Message, Recipient, parse
from conversation_tracker.core.model.plan import (
    AddHeader,
    AddRecipient,
    ChangeHeader,
    DeleteRecipient,
    Plan,
    ReplaceBody,
)
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.rules.planning import plan

DOMAIN = "ct.example.com"
REF = "207700027841"

BUYER = "john@doe.example"
SHOP = "sales@shop.example"
CARRIER = "desk@carrier.example"
TOKENS = {BUYER: "b" * 32, SHOP: "5" * 32, CARRIER: "a" * 32}
ROLES: dict[str, Role] = {BUYER: "buyer", SHOP: "store", CARRIER: "partner"}

ANN = "ann@friends.example"
TWO = "alias.example.net"

OUR_STORE = Store("shop", sender_domains=frozenset({"shop.example"}))


def hard(token: str, domain: str = DOMAIN) -> str:
    """Write the hard alias of a token; a single character stands for 32 of it."""
    return f"{token * 32 if len(token) == 1 else token}@{domain}"


def soft(address: str, ref: str = REF, domain: str = DOMAIN) -> str:
    """Write the soft alias of an address."""
    return f"{address}-{ref}b.{domain}"


def fresh(number: int) -> str:
    """Return the token that `counter` makes as this one, from 1."""
    return f"{number:032x}"


B, S, A = hard("b"), hard("5"), hard("a")


def counter() -> Callable[[], str]:
    """Return what makes tokens that count from 1."""
    numbers = itertools.count(1)
    return lambda: fresh(next(numbers))


def person(address: str | None, role: Role | None = None, token: str = "") -> Participant:
    """Make a participant whom the database knows."""
    return Participant(
        token or TOKENS[address or ""],
        role or ROLES[address or ""],
        Address.parse(address) if address is not None else None,
    )


def order(
    *people: str | Participant,
    id: int = 7,
    number: str = "1001",
    ref: str = REF,
    domain: str = DOMAIN,
    store: Store = OUR_STORE,
    **settings: Any,
) -> Conversation:
    """Make a conversation: people by address, if they are the usual ones; settings of the store."""
    participants = tuple(person(each) if isinstance(each, str) else each for each in people)
    return Conversation(replace(store, **settings), Order(id, number, ref, domain), participants)


def recipient(text: str, conversations: Iterable[Conversation] = ()) -> Recipient:
    """Read one RCPT TO as the filter does, with what these conversations know."""
    raw = f"<{text}>".encode("utf-8", "surrogateescape")
    try:
        address = Address.parse(raw[1:-1])
    except AddressError:
        return Recipient(raw, None)
    for conversation in conversations:
        try:
            alias = decode(address, (conversation.order.alias_domain,))
        except NotAnAlias:
            continue
        found = conversation.find_by_alias(alias)
        if found is not None:
            return Recipient(raw, address, conversation.order.id, found.token)
    return Recipient(raw, address)


@dataclass(frozen=True)
class Mail:
    """A message and the conversations that its recipients name."""

    message: Message
    conversations: tuple[Conversation, ...]
    own: Store | None = None

    def plan(self, make_token: Callable[[], str] | None = None, *, again: bool = False) -> Plan:
        """Plan it, with fresh tokens that count from 1; `again` if it was recorded before."""
        tokens = make_token or counter()
        return plan(self.message, self.conversations, tokens, self.own, again=again)

    def sent(self, done: Plan | None = None) -> Message:
        """Return the message as it leaves; to plan costs most, so a plan there is may be given."""
        done = done or self.plan()
        assert done.reply is None, done.reply
        return applied(self.message, done)


def mail(
    text: str | bytes,
    *conversations: Conversation,
    to: str | Sequence[str],
    sender: str | None = "return@partner.example",
    trusted: bool = False,
    split: bool = False,
    own: Store | None = None,
    queue_id: str = "4ZJXYz0abcz1",
) -> Mail:
    """Make a message: header block and body as text with LF, the sender None for `<>`."""
    headers, body = parse(text.encode() if isinstance(text, str) else text)
    wanted = [to] if isinstance(to, str) else to
    message = Message(
        Address.parse(sender) if sender is not None else None,
        tuple(recipient(each, conversations) for each in wanted),
        headers,
        body,
        Arrival(queue_id, trusted=trusted, split=split),
        null=sender is None,
    )
    return Mail(message, conversations, own)


def applied(message: Message, done: Plan) -> Message:
    """Do a plan's edits one after the other, as a milter's actions are done.

    A header's index counts those of its name as they stand then; an empty value deletes; a
    recipient's deletion takes every recipient of that text.
    """
    headers, recipients, body = list(message.headers), list(message.recipients), message.body
    for edit in done.edits:
        match edit:
            case ChangeHeader(name, index, value):
                places = [n for n, h in enumerate(headers) if h.key == name.lower()]
                at = places[index - 1]
                headers[at : at + 1] = [Header(name, value)] if value else []
            case AddHeader(name, value):
                headers.append(Header(name, value))
            case AddRecipient(address):
                recipients.append(recipient(address))
            case DeleteRecipient(raw):
                recipients = [each for each in recipients if each.raw != raw]
            case ReplaceBody(new):
                body = new
    return replace(message, headers=tuple(headers), recipients=tuple(recipients), body=body)


def envelope(message: Message) -> list[str]:
    """Show the recipients, without angle brackets."""
    return [each.raw[1:-1].decode() for each in message.recipients]


def written(author: str, *fields: str, body: str = "Hello\n") -> str:
    """Write a message from somebody."""
    return "\n".join([f"From: {author}", *fields, "", body])


EVERYBODY = order(BUYER, SHOP, CARRIER)


def own(text: str, *conversations: Conversation, to: str | Sequence[str] = BUYER) -> Mail:
    """Make the store's own mail; without conversations it is of a new order."""
    known = conversations or (order(),)
    return mail(text, *known, to=to, sender=SHOP, trusted=True, own=OUR_STORE)


def edits(done: Plan) -> list[str]:
    """Show a plan's edits, the body's without its size."""
    return ["replace body" if isinstance(each, ReplaceBody) else str(each) for each in done.edits]
