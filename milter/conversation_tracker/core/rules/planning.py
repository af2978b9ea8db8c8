"""What is to happen to a message: the rules, as one pure function from values to a plan.

`plan` is asked once the conversations are known; `classification` has decided before what the
message is. No clock, no randomness of its own, no I/O: fresh tokens come from the caller. A message
that cannot be masked is refused with 554 5.6.0; nothing here raises over what a message holds.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from conversation_tracker.core.base.delta import make_delta
from conversation_tracker.core.base.limits import Overdue
from conversation_tracker.core.base.octets import LARGE
from conversation_tracker.core.masking.part import message_body
from conversation_tracker.core.model import replies
from conversation_tracker.core.model.address import needs_smtputf8
from conversation_tracker.core.model.conversation import (
    Conversation,
    MappedId,
    Participant,
    TooManyParticipants,
)
from conversation_tracker.core.model.first_pass import Verdict
from conversation_tracker.core.model.message import INTERNAL, Message
from conversation_tracker.core.model.plan import UNTOUCHED, Plan, Record
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.rules import claims, joining
from conversation_tracker.core.rules.authentication import find_verdict
from conversation_tracker.core.rules.recording import make_record, make_repeat
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.views import copies
from conversation_tracker.core.views.view import View

MakeToken = Callable[[], str]


def pass_through(message: Message, stores: Mapping[str, Store] | None = None) -> Plan:
    """Plan for mail that is none of our business: it stays, but for fields that only we write.

    Args:
        message: the message.
        stores: the stores by each of their sender domains: from a stranger's mail to a store, its
            order header goes, since the store's systems sort by it.
    """
    gone = set() if message.arrival.split else set(INTERNAL)
    if stores and not message.arrival.trusted:
        to = {r.address.domain for r in message.recipients if r.address is not None}
        gone |= {stores[each].order_header.lower().encode("ascii") for each in to & stores.keys()}
    if not any(header.key in gone for header in message.headers):
        return UNTOUCHED
    values = [None if header.key in gone else header.value for header in message.headers]
    return Plan(edits=tuple(copies.edit_headers(message, values)))


def plan(
    message: Message,
    conversations: Sequence[Conversation],
    make_token: MakeToken,
    own: Store | None = None,
    known: Mapping[str, MappedId] | None = None,
    authserv_id: str = "",
    alias_domains: Collection[str] = (),
    secret: bytes = b"",
    *,
    again: bool = False,
) -> Plan:
    """Decide what happens to a message.

    Args:
        message: the message; its recipients name the conversations they belong to.
        conversations: the conversations of its recipients, or the one a store's own mail names.
        make_token: gives a fresh random token, 32 hexadecimal digits.
        own: the store whose own mail it is.
        known: our own message identifiers in it, each with what it stands for.
        authserv_id: whose Authentication-Results to believe, "" for nobody's.
        alias_domains: all alias domains; nobody joins with an address in one.
        secret: what the first pass signs its findings with.
        again: it is a copy of the splitter's, and the first pass has recorded the message.

    Returns:
        The plan.
    """
    if not conversations:
        return pass_through(message)
    if message.author is None:
        return Plan(reply=replies.NO_SENDER)
    if message.arrival.split and len(message.recipients) > 1:
        # The splitter's transport does not split; passing this on would go round for ever.
        return Plan(reply=replies.TRY_LATER)
    try:
        found = find_verdict(message, authserv_id)
        if any(claims.is_unwelcome(message, conversation, found) for conversation in conversations):
            return Plan(reply=replies.SENDER_REFUSED)
        domains = frozenset(alias_domains)  # itself, where it is one
        # There may be thousands: no copy of them is made for a message.
        if lacking := {each.order.alias_domain for each in conversations} - domains:
            domains |= lacking
        case = _Case(message, make_token, own, known or {}, found, domains, secret, again)
        return _plan(case, conversations)
    except _Gone:
        return Plan(reply=replies.EXPIRED_ALIAS)
    except _Unknown:
        return Plan(reply=replies.TRY_LATER)
    except TooManyParticipants:
        return Plan(reply=replies.TOO_MANY_PARTICIPANTS)
    except Overdue as over:
        return Plan(reply=replies.TOO_SLOW if over.hopeless else replies.TRY_LATER)
    except (message_body.TooComplex, message_body.Unmaskable, copies.AddressLeak, _Unreadable):
        return Plan(reply=replies.CANNOT_MASK)


class _Gone(ValueError):
    """A recipient's address has been erased meanwhile."""


class _Unknown(ValueError):
    """A recipient is not in the conversation any more; no recipient may be skipped."""


class _Unreadable(ValueError):
    """A recipient or the author has no address that can be read."""


@dataclass(frozen=True, slots=True)
class _Case:
    """A message with all that the rules need to know about it."""

    message: Message
    make_token: MakeToken
    own: Store | None
    known: Mapping[str, MappedId]
    verdict: Verdict
    alias_domains: frozenset[str]
    secret: bytes
    again: bool


_Group = tuple[Conversation, list[Participant], Scanner]


def _plan(case: _Case, conversations: Sequence[Conversation]) -> Plan:
    message = case.message
    if any(r.is_outsider and r.address is None for r in message.recipients):
        raise _Unreadable
    outsiders = [r.address for r in message.recipients if r.is_outsider and r.address is not None]
    groups: list[_Group] = []
    for number, conversation in enumerate(conversations):
        gathered = joining.gather(
            message,
            conversation,
            outsiders if number == 0 else [],
            case.make_token,
            case.verdict,
            case.own,
            case.alias_domains,
        )
        to = _find_recipients(message, gathered, outsiders=number == 0)
        if any(participant.address is None for participant in to):
            raise _Gone
        scanner = copies.make_scanner(gathered, to[0] if to else None, message)
        groups.append((gathered, to, scanner))
    records = tuple(
        _make_record(case, before, *group, several=len(groups) > 1)
        for before, group in zip(conversations, groups, strict=True)
    )
    if _needs_splitter(message, groups):
        for group in groups:
            _rehearse(case, *group)
        edits = tuple(
            copies.edit_for_several(
                message, [each for each, *_ in groups], case.verdict, case.secret
            )
        )
        return Plan(edits=edits, records=records, split=True)
    first, to, scanner = groups[0]
    view = View(first, to[0], case.known, case.alias_domains, message.limits)
    protected = _is_protected(case, first)
    make = partial(copies.edit_for_one, message, to=to[0], scanner=scanner, protected=protected)
    edits = copies.make_safe_copy(message, view, scanner, make)
    if view.disclosures:
        records = (replace(records[0], shown=tuple(view.disclosures)), *records[1:])
    return Plan(edits=edits, records=records, bounces_to=None if message.null else to[0].token)


def _needs_splitter(message: Message, groups: Sequence[_Group]) -> bool:
    """Return whether a message must come once more over the splitter's listener.

    Several recipients need a copy each. Mail to an address that is not ASCII needs SMTPUTF8 (RFC
    6531), which no milter can request, but that listener does.
    """
    if len(message.recipients) > 1 or message.arrival.split:
        return len(message.recipients) > 1
    return any(needs_smtputf8(each.address) for _, to, _ in groups for each in to)


def _rehearse(
    case: _Case, conversation: Conversation, people: Sequence[Participant], scanner: Scanner
) -> None:
    """Make copies as the second pass will, and let no message go there that it would refuse."""
    message = case.message
    # What cannot be masked holds somebody's address: it is not that of both of two readers.
    for number, reader in enumerate(people[:2]):
        if number:
            scanner = copies.make_scanner(conversation, reader, message, scanner)
        view = View(conversation, reader, case.known, case.alias_domains, message.limits)
        protected = _is_protected(case, conversation)
        make = partial(copies.edit_content, message, scanner=scanner, protected=protected)
        copies.make_safe_copy(message, view, scanner, make)


def _is_protected(case: _Case, conversation: Conversation) -> bool:
    """Return whether the author is a person to protect, even one who claims to be the store."""
    author = _find_author(case.message, conversation)
    return author.role != "store" or author.token in conversation.hard_only


def _make_record(
    case: _Case,
    before: Conversation,
    after: Conversation,
    to: Sequence[Participant],
    scanner: Scanner,
    *,
    several: bool,
) -> Record:
    flagged = claims.has_false_claim(case.message, before, case.verdict)
    whose = (
        case.message,
        after,
        _find_author(case.message, after),
        [(participant, case.make_token()) for participant in to],
        "flagged" if flagged else case.verdict,
    )
    own = case.own is not None and case.own.name == before.store.name
    if case.again:
        return make_repeat(*whose, own=own)
    found = make_record(*whose, scanner, case.alias_domains, own=own)
    if several and len(found.raw) > LARGE:
        # All are kept until the last one is made: what they share must not be kept several times.
        shared = make_delta(case.message.body, found.raw, case.message.limits.check)
        return found if shared is None else replace(found, raw=shared)
    return found


def _find_recipients(
    message: Message, conversation: Conversation, *, outsiders: bool
) -> list[Participant]:
    """Return the participants of one conversation that a message goes to, each once."""
    found: dict[str, Participant] = {}
    for recipient in message.recipients:
        participant = None
        if recipient.order == conversation.order.id and recipient.token is not None:
            participant = conversation.find_by_token(recipient.token)
        elif recipient.is_outsider and outsiders and recipient.address is not None:
            participant = conversation.find_owner(recipient.address)
        elif recipient.order != conversation.order.id:
            continue
        if participant is None:
            raise _Unknown
        found.setdefault(participant.token, participant)
    return list(found.values())


def _find_author(message: Message, conversation: Conversation) -> Participant:
    participant = conversation.find_owner(message.author) if message.author is not None else None
    if participant is None:
        raise _Unreadable
    return participant
