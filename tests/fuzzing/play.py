"""Several messages of one order by any senders, held against a small model of who brings whom in.

No database: what would be recorded is put into the conversation here, as the next message would
find it.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from builders import BUYER, CARRIER, SHOP, person

import oracle
from choices import Choices
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import NotAnAlias, decode
from conversation_tracker.core.model.alias import encode_soft as softly
from conversation_tracker.core.model.conversation import Conversation, Order, Participant
from conversation_tracker.core.model.message import Arrival, Message, Recipient, parse, render
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.rules.own_mail import find_own_store
from conversation_tracker.core.rules.planning import plan
from conversation_tracker.core.views import copies
from limits import Broken, bounded
from model import Model, Person, Sent

DOMAIN, REF = oracle.tool.DOMAIN, oracle.tool.REF
SERVER = "mx.example"
SHOP_DOMAIN = "shop.example"

POOL = (
    BUYER, SHOP, CARRIER, "refunds@shop.example", "john+x@doe.example", "JOHN@Doe.Example",
    "anna.lee@gmail.com", "an.nalee@googlemail.com", "annalee+a@gmail.com", "x@y",
    "victim@v.example", "eve@evil.example", "eve+1@evil.example", "bob@friends.example",
    "zoe@elsewhere.example", "desk+2@carrier.example",
)  # fmt: skip
_LINE = "{}: {}\n"


def game(choices: Choices) -> None:
    """Play an order from its beginning."""
    store = _store(choices)
    people = [replace(person(BUYER), handed_out=store.mask == "soft"), person(SHOP)]
    people = people[choices.of((0, 0, 1)) :]  # the store's mail may be what names the buyer
    conversation = Conversation(store, Order(7, "1001", REF, DOMAIN), tuple(people))
    model = Model(
        store.sender_domains,
        store.participant_limit,
        store.guest_limit,
        store.unknown_senders == "reject",
        store.spoofed_senders == "reject",
        {
            str(each.address): Person(str(each.address), each.role, True, each.handed_out)
            for each in people
        },
    )
    tokens = itertools.count(1)
    for _ in range(1 + choices.number(7)):
        conversation = _turn(choices, conversation, model, tokens)
        if choices.over:
            break


def _store(choices: Choices) -> Store:
    kinds = choices.of((("hard", "soft"), ("soft", "soft"), ("hard", "hard")))
    return Store(
        "shop",
        mask=kinds[0],  # type: ignore[arg-type]
        issuer_mask=kinds[1],  # type: ignore[arg-type]
        sender_domains=frozenset({SHOP_DOMAIN}),
        unknown_senders="reject" if choices.chance(8) else "accept",
        spoofed_senders="reject" if choices.chance(8) else "flag",
        participant_limit=choices.of((100, 4, 2)),
        guest_limit=choices.of((20, 2, 0)),
        attachments_with_address="remove",
    )


def _turn(
    choices: Choices, conversation: Conversation, model: Model, tokens: Iterator[int]
) -> Conversation:
    """Send one message, and compare what becomes of the order."""
    sent, raw, sender, guessed = _written(choices)
    if model.own(sent) and choices.chance(2):
        outside = dict.fromkeys(choices.of(POOL) for _ in range(1 + choices.number(1)))
        to = tuple(Recipient(f"<{each}>".encode(), Address.parse(each)) for each in outside)
        sent = replace(sent, outsiders=tuple(map(_key, outside)))
    elif (one := _recipient(choices, conversation, model)) is not None:
        to = (one,)
    else:
        return conversation
    headers, body = parse(raw)
    message = Message(sender, to, headers, body, Arrival("fuzz", trusted=sent.trusted))
    own = find_own_store(message, {SHOP_DOMAIN: conversation.store})
    if (own is not None) != model.own(sent):
        raise Broken(f"the store's own mail: {raw!r}")
    found: list[Plan] = []

    def work() -> None:
        found.append(
            plan(
                message,
                [conversation],
                lambda: f"{next(tokens):032x}",
                own,
                authserv_id="" if sent.verdict == "unverified" else SERVER,
                alias_domains=[DOMAIN],
            )
        )

    bounded(work, len(raw), len(conversation.participants))
    return _compared(message, conversation, model, sent, found[0], guessed)


def _written(choices: Choices) -> tuple[Sent, bytes, Address | None, str]:
    """Write a message; give what it is to the rules, and whose soft alias its text guesses."""
    author = choices.of(POOL)
    authors = [author, choices.of(POOL)] if choices.chance(8) else [author]
    to, cc = (choices.some(lambda: choices.of(POOL), 3) for _ in range(2))
    other = choices.some(lambda: choices.of(POOL), 1)
    attendees = choices.some(lambda: choices.of(POOL), 2) if choices.chance(3) else []
    organizers = choices.some(lambda: choices.of(POOL), 1) if choices.chance(3) else []
    guessed = choices.of(POOL[:3]) if choices.chance(3) else ""
    trusted = choices.chance(3)
    verdict = "trusted" if trusted else choices.of(("unverified", "verified", "failed"))
    if len(authors) > 1 and verdict == "verified":
        verdict = "failed"
    text = _LINE.format("From", ", ".join(authors))
    text += "".join(_LINE.format("Sender", each) for each in other)
    for each in (to, cc):
        text += _LINE.format("To" if each is to else "Cc", ", ".join(each)) if each else ""
    answers = choices.some(lambda: choices.of(("answers@elsewhere.example", *POOL)), 1)
    text += "".join(_LINE.format("Reply-To", each) for each in answers)
    if verdict == "verified":
        result = f"{SERVER}; dkim=pass header.d={author.rpartition('@')[2]}"
        text += _LINE.format("Authentication-Results", result)
    sender = choices.of((author, "return+1@esp.example"))
    said = f"See {guessed}-{REF}b.{DOMAIN}\n" if guessed else "Hello\n"
    if attendees or organizers:
        said = choices.of(("BEGIN:VCALENDAR\n", "BEGIN:VCALENDAR\nMETHOD:REQUEST\n"))
        method = choices.of(("", "; method=COUNTER"))
        invites = "METHOD" in said or bool(method)
        said += "BEGIN:VEVENT\n"
        said += "".join(f"ATTENDEE:mailto:{each}\n" for each in attendees)
        said += "".join(f"ORGANIZER:mailto:{each}\n" for each in organizers)
        text += f"Content-Type: text/calendar{method}\n"
        said += "END:VEVENT\nEND:VCALENDAR\n"
        if not invites:  # what has no method is text
            attendees, organizers = [], []
    # In the order in which the program looks at them: Sender before To and Cc.
    sent = Sent(
        tuple(map(_key, authors)),
        tuple(map(_key, (*other, *to, *cc, *attendees))),
        tuple(map(_key, organizers)),
        (*(_key(each) for each in answers if each != "x@y"), _key(sender)),
        tuple(map(_key, to)),
        (),
        trusted,
        verdict,
    )
    return sent, f"{text}\n{said}".encode(), Address.parse(sender), guessed


def _recipient(choices: Choices, conversation: Conversation, model: Model) -> Recipient | None:
    """Choose whom a message goes to, by an alias of either form; None if it stands for nobody."""
    known = [each for each in conversation if each.role != "return"]
    if choices.chance(3):
        key = _key(choices.of(POOL))
        carried = softly(Address.parse(key), REF, DOMAIN)
        if carried is None:
            return None
        address = Address.parse(str(carried))
    else:
        key, address = "", Address.parse(conversation.hard(choices.of(known)))
    try:
        found = conversation.find_by_alias(decode(address, (DOMAIN,)))
    except NotAnAlias:
        found = None
    if key and (found is not None) != model.resolves(key):
        raise Broken(f"the soft alias of {key} resolves: {found is not None}")
    if key and found is not None and (found.address is None or found.address.key != key):
        raise Broken(f"the soft alias of {key} is {found}'s")
    if found is None:
        return None
    return Recipient(f"<{address}>".encode(), address, 7, found.token)


def _compared(
    message: Message,
    before: Conversation,
    model: Model,
    sent: Sent,
    done: Plan,
    guessed: str,
) -> Conversation:
    """Compare what was decided with the model; give the conversation that comes of it."""
    stranger, flagged = model.stranger(sent), model.flagged(sent)
    if model.refuses(sent) != (done.reply is not None and str(done.reply).startswith("550 5.7.1")):
        left = None if model.refuses(sent) else model.play(sent)
        if left is not None or model.refuses(sent):
            raise Broken(f"{sent}: {done.reply}")
        return before
    if done.reply is not None and model.refuses(sent):
        return before
    left = model.play(sent)
    if left is None or done.reply is not None:
        raise Broken(f"{sent}: {done.reply}, left out: {left}")
    after = _after(before, done)
    _same_people(after, model, sent)
    _same_tokens(before, after)
    [record] = done.records
    author = model.whose(sent.authors[0])
    writer = after.find_by_token(record.sender)
    if writer is None or author is None or writer.address is None:
        raise Broken(f"{sent}: nobody wrote it")
    if writer.address.key != author.key:
        raise Broken(f"{sent}: counted for {writer}")
    if record.own != model.own(Sent(sent.authors, trusted=sent.trusted)):
        raise Broken(f"{sent}: own is {record.own}")
    told = before.find_by_token(record.sender)
    known = told is not None and told.introduced and told.role != "return"
    # Nobody knew the author yet whose variants are two people's only now.
    stranger = stranger or (told is None and not record.own)
    if stranger != (not record.own and (record.verdict == "flagged" or not known)):
        raise Broken(f"{sent}: whose share? {record.verdict}, {told}")
    if flagged != (record.verdict == "flagged"):
        raise Broken(f"{sent}: {record.verdict}")
    note = next((each for each in record.notes if each.startswith("left out")), "left out: 0")
    if note != f"left out: {len(left)}":
        raise Broken(f"{sent}: {note}, and {sorted(left)} are")
    if done.split:
        return after  # the splitter's copies show aliases
    return _shown(message, after, model, done, left, false=model.false_claims(sent))


def _after(before: Conversation, done: Plan) -> Conversation:
    """Do what the record says, as the database does."""
    [record] = done.records
    everybody = {each.token: each for each in (*before.participants, *before.apart)}
    for each in record.joined:
        everybody[each.token] = replace(each, recorded=True)
    for token in record.shown:
        everybody[token] = replace(everybody[token], handed_out=True)
    return replace(
        before,
        participants=tuple(each for each in everybody.values() if each.role != "return"),
        apart=tuple(each for each in everybody.values() if each.role == "return"),
    )


def _same_people(after: Conversation, model: Model, sent: Sent) -> None:
    found = {
        each.address.key: (each.role, each.introduced) for each in after if each.address is not None
    }
    wanted = {each.key: (each.role, each.introduced) for each in model.people.values()}
    if found != wanted:
        raise Broken(f"{sent}: {found} take part, and not {wanted}")


def _same_tokens(before: Conversation, after: Conversation) -> None:
    """Nobody's hard alias ever changes, and no two people share one."""
    now = {each.address.key: each.token for each in _all(after) if each.address is not None}
    was = {each.address.key: each.token for each in _all(before) if each.address is not None}
    if len(set(now.values())) != len(now) or not was.items() <= now.items():
        raise Broken(f"aliases: {was} became {now}")


def _all(conversation: Conversation) -> tuple[Participant, ...]:
    return (*conversation.participants, *conversation.apart)


def _shown(
    message: Message,
    after: Conversation,
    model: Model,
    done: Plan,
    left: frozenset[str],
    *,
    false: Sequence[str],
) -> Conversation:
    """Compare whose soft alias a copy shows, and that nobody who is left out is named there."""
    headers, body = copies.apply_edits(message, done.edits)
    copy = _flat(render(tuple(headers), body))
    raw = _flat(render(message.headers, message.body))
    [record] = done.records
    more = {
        person.key
        for person in model.people.values()
        if _count(copy, person.key) > _count(raw, person.key)
    }
    if strangers := [key for key in more if not model.people[key].introduced]:
        raise Broken(f"soft aliases of guests: {strangers} in {copy}")
    if any(model.whose(each) in [model.people[key] for key in more] for each in false):
        raise Broken(f"a false claim shows softly: {copy}")
    keys = {each.token: each.address.key for each in after if each.address is not None}
    shown = {keys[token] for token in record.shown}
    if shown != {key for key in more if not model.people[key].handed_out}:
        raise Broken(f"{shown} are handed out, and {more} shown in {copy}")
    model.hand_out(shown)
    head = copy.partition("\n\n")[0]
    if named := [
        key for key in left if re.search(rf"(?<![\w.+-]){re.escape(key)}(?![\w.-])", head)
    ]:
        raise Broken(f"{named} are left out, and named in {head}")
    return after


def _flat(raw: bytes) -> str:
    return re.sub(r"\n[ \t]", "", raw.decode("utf-8", "replace").replace("\r\n", "\n")).lower()


def _count(text: str, key: str) -> int:
    return len(re.findall(rf"(?<![\w.+-]){re.escape(f'{key}-{REF}b.{DOMAIN}')}", text))


def _key(text: str) -> str:
    return Address.parse(text).key
