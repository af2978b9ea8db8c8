"""What is fuzzed: each target takes bytes, does something with them, and raises if it is wrong.

A message over the limits may be refused; nothing may raise anything but what its module documents,
and nothing may take more time or memory than its size allows.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from builders import CARRIER

import carriers
import hostile as costly
import oracle
import places
import play
import seeds
import spelling
import trees
from choices import Choices
from conversation_tracker.core.masking.address.mask import FunctionMask, Masker
from conversation_tracker.core.masking.header.headers import mask_mailboxes, mask_text
from conversation_tracker.core.masking.header.raw_sequences import mask_sequences
from conversation_tracker.core.masking.part import calendar, message_body
from conversation_tracker.core.masking.text import flowed, obfuscated
from conversation_tracker.core.masking.text.html import mask_html
from conversation_tracker.core.model.address import Address, AddressError, find_mailboxes
from conversation_tracker.core.model.alias import NotAnAlias, decode, encode_soft
from conversation_tracker.core.model.conversation import Participant
from conversation_tracker.core.model.message import Header, Message, Recipient, parse, render
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.reading import files, text
from conversation_tracker.core.reports import bounce, report
from conversation_tracker.core.scanning.scan import scan
from conversation_tracker.core.syntax import encoded_words as words
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.views.copies import apply_edits
from conversation_tracker.core.views.view import read_structure as tree
from limits import Broken, bounded
from people import USUAL, address, cast

outcomes: Counter[str] = Counter()
"""How often a message passed, and what others were refused with."""

_ESCAPE_AT_END = re.compile(r"=[0-9a-f]{2}@")
_REF = oracle.tool.REF
_DOMAIN = oracle.tool.DOMAIN


def message(data: bytes) -> None:
    """A message with addresses everywhere shows its reader nobody, and is else as it was."""
    choices = Choices(data)
    people, reader, author, own = _roles(choices)
    conversation = oracle.order(*people, store=own or _store(choices))
    choices.own = (*_aliases(reader), str(reader.address))
    raw = _whole(choices, author)
    done = oracle.sent(raw, conversation, reader.token, own, attached=choices.files)
    outcomes.update([done.outcome])
    if done.copy is not None and reader.address is not None:
        oracle.unseen(raw, done.copy, reader.address.key)


def clean(data: bytes) -> None:
    """A message that names nobody of the order has its body byte for byte."""
    choices = Choices(data)
    choices.strangers_only = True
    people = cast(choices)
    reader = choices.of(USUAL[:2])
    raw = trees.message(choices, CARRIER)
    oracle.sent(raw, oracle.order(*people), reader.token, None, clean=True)


def rare(data: bytes) -> None:
    """What few write and anybody reads is masked in text of any type, and nothing is refused."""
    choices = Choices(data)
    reader = USUAL[1]
    seen = [p.address.key for p in USUAL[:3] if p.address is not None and p != reader]
    raw, planted = carriers.write(choices, seen)
    done = oracle.sent(raw, oracle.order(*USUAL), reader.token, None)
    if done.copy is None or done.record is None:
        raise Broken(f"{raw!r} was refused: {done.outcome}")
    for kept in (done.copy, done.record):
        left = carriers.read(kept)
        if found := [each for each in planted if each in left]:
            raise Broken(f"{found} of {raw!r} stands in {kept!r}")


def raw(data: bytes) -> None:
    """Any bytes are a message, and are refused or masked."""
    oracle.sent(data, oracle.order(*USUAL), USUAL[1].token, None)


def reader(data: bytes) -> None:
    """The reader's own address stands where a person reads it, and nowhere else."""
    choices = Choices(data)
    people, reader, author, own = _roles(choices)
    conversation = oracle.order(*people, store=own or _store(choices))
    writer = places.Writer(
        choices, _aliases(reader), str(reader.address), sent_by_store=own is not None
    )
    raw = writer.message(author)
    done = oracle.sent(raw, conversation, reader.token, own)
    if done.copy is None:
        raise Broken(f"{raw!r} was refused: {done.outcome}")
    places.check(writer.placed, done.copy)


def order(data: bytes) -> None:
    """Messages of one order bring in whom a small model of the rules says, and show no more."""
    play.game(Choices(data))


def hostile(data: bytes) -> None:
    """What costs most to read costs time and memory by its size, wherever it stands."""
    choices = Choices(data)
    people = cast(choices)
    raw = costly.message(choices)
    headers, body = parse(raw)
    to = Recipient(b"<x@y.example>", Address("x", "y.example"), 7, people[0].token)
    own = None if choices.chance(2) else oracle.tool_store()
    written = Message(Address("return", "mailer.example"), (to,), headers, body)
    outcomes.update([str(oracle.planned(written, oracle.order(*people), own).reply)])


def header(data: bytes) -> None:
    """Addresses are found in order and apart, and masked once; what is masked stays so."""
    choices = Choices(data)
    aliases = _masked_people(choices)
    mask = Masker(aliases)
    value = ", ".join(choices.some(lambda: spelling.mailbox(choices), 3)).encode()
    value += b" " + choices.bytes(60)
    if choices.chance(8):
        value += costly.shape(choices, 5_000).encode("utf-8", "surrogateescape")
    bounded(lambda: _header(value, aliases, mask), len(value), len(aliases))


def _header(value: bytes, aliases: dict[str, str], mask: Masker) -> None:
    end = 0
    for box in find_mailboxes(value):
        if not end <= box.start <= box.end <= len(value):
            raise Broken(f"spans of {value!r}")
        end = box.end
    known = _watched(aliases)
    hidden = FunctionMask(partial(obfuscated.mask_obfuscations, mask=mask))
    value = mask_sequences(value, mask)
    listed = mask_mailboxes(value, lambda one: aliases.get(one.key), mask)
    for masked in (
        mask_mailboxes(listed, lambda _: None, hidden),
        mask_text(mask_text(value, mask), hidden),
    ):
        if scan([Header(b"X", masked)], b"", known):
            raise Broken(f"{value!r} became {masked!r}")
        if b"\r" in masked.replace(b"\r\n", b"") and b"\r" not in value:
            raise Broken("a line end of its own")
    decode_words(value)
    words.cut_units(value, 0, len(value))


def running(data: bytes) -> None:
    """Text of any kind is masked once, and what was masked stays so; without people it stays."""
    choices = Choices(data)
    kind = choices.of((_plain, _html, _flowed, _calendar))
    aliases = _masked_people(choices)
    mask = Masker(aliases)
    text = spelling.text(choices, markup=kind is _html) + choices.bytes(60).decode(
        "utf-8", "replace"
    )
    if choices.chance(8):
        text += costly.shape(choices)
    known = _watched(aliases)
    bounded(lambda: _running(text, kind, mask, known), len(text), len(aliases))


def _running(
    text: str, kind: Callable[[str, Masker], str], mask: Masker, known: dict[str, str]
) -> None:
    once = kind(text, mask)
    if _shows(kind, once, known):  # as of a copy, all is read at length then
        mask.thorough = True
        once = kind(once, mask)
    if kind(once, mask) != once:
        raise Broken(f"{text!r} became {once!r}, and then {kind(once, mask)!r}")
    if _shows(kind, once, known):
        raise Broken(f"{text!r} became {once!r}")


def _shows(kind: Callable[[str, Masker], str], text: str, known: dict[str, str]) -> bool:
    hits = scan([], text.encode("utf-8", "replace"), known) if kind is _plain else ()
    return not all(hit.binary for hit in hits)  # of what is no text, other rooms think


def delivery(data: bytes) -> None:
    """Any report is understood in some way; our own notice about it names nobody."""
    choices = Choices(data)
    people = cast(choices)
    raw = trees.report(choices) if choices.chance(2) else data
    if choices.chance(8):
        raw += costly.shape(choices).encode("utf-8", "surrogateescape")
    bounded(lambda: _delivery(raw, people), len(raw), len(people))


def _delivery(raw: bytes, people: Sequence[Participant]) -> None:
    headers, body = parse(raw)
    to = f"bounce-{'0' * 32}@{_DOMAIN}"
    recipient = Recipient(f"<{to}>".encode(), Address.parse(to), bounce="0" * 32)
    message = Message(None, (recipient,), headers, body, null=True)
    buyer, shop = USUAL[0], USUAL[1]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    it = bounce.Delivery(
        "0" * 32,
        oracle.order(*people),
        buyer.token,
        shop.token,
        shop.token,
        now,
        "Hello",
        "<1@x>",
        "sent",
    )
    known = [p.address.key for p in people if p.address and len(p.address.key) >= oracle.SHORT]
    read = report.read_report(message)
    marked = bounce.mark(it, read)
    told = f"{marked.status} {marked.reason}".lower() if marked is not None else ""
    if any(key in told for key in known):
        raise Broken(f"{read!r} marks {marked!r}")
    if read.kind == "failed":
        plan = bounce.notify_sender(message, it, read, now, "1" * 32)
        left = render(*_of(apply_edits(message, plan.edits)))
        shown = left.replace(str(shop.address).encode(), b"").lower()
        if any(key.encode() in shown for key in known):
            raise Broken(f"the notice is {left!r}")


def alias(data: bytes) -> None:
    """What is encoded softly is decoded again; whatever is no alias says so."""
    choices = Choices(data)
    domain = "ct.example.com"
    made = address(choices) if choices.chance(2) else _parsed(choices)
    if made is None:
        return
    carried = encode_soft(made, "207700027841", domain)
    if carried is not None and decode(Address.parse(str(carried)), (domain,)) != carried:
        raise Broken(f"{made.key!r} became {carried}")
    try:
        decode(Address(made.local, f"{made.domain}.{domain}"), (domain,))
    except (NotAnAlias, AddressError):
        return


def _parsed(choices: Choices) -> Address | None:
    try:
        return Address.parse(
            choices.bytes(80) if choices.chance(2) else spelling.address(choices).encode()
        )
    except AddressError:
        return None


def structure(data: bytes) -> None:
    """Any structure is read within its limits; leaves of any type take any bytes."""
    choices = Choices(data)
    raw = costly.message(choices) if choices.chance(8) else _whole(choices, CARRIER)
    bounded(lambda: _structure(raw), len(raw))


def _structure(raw: bytes) -> None:
    headers, body = parse(raw)
    try:
        part = tree(Message(None, (), headers, body))
    except message_body.TooComplex:
        return
    message_body.find_text(part, body)
    message_body.find_attachment_names(part, part)
    text.read_text(part, body)
    text.find_pages(part)
    files.list_files(part, body)


def _roles(
    choices: Choices,
) -> tuple[tuple[Participant, ...], Participant, str, Store | None]:
    """Choose who takes part, who reads, who writes, and whether that is the store itself."""
    people = cast(choices)
    own = _store(choices) if choices.chance(3) else None
    writers = [each for each in people if not own or each.role == "store"]
    author = choices.of(writers)
    # A line of a field holds no address near the longest there is, with more beside it.
    short = [each for each in people[:12] if each.address and len(each.address.key) < 200]
    readers = [each for each in short if each.token != author.token and each.role != "return"]
    return people, choices.of(readers), str(author.address), own


def _store(choices: Choices) -> Store:
    """Choose how a store masks."""
    kinds = choices.of((("hard", "hard"), ("hard", "soft"), ("soft", "soft")))
    return replace(oracle.tool_store(), mask=kinds[0], issuer_mask=kinds[1])  # type: ignore[arg-type]


def _aliases(participant: Participant) -> tuple[str, ...]:
    """Return a participant's alias in each form and case."""
    forms = [f"{participant.token}@{_DOMAIN}"]
    carried = encode_soft(participant.address, _REF, _DOMAIN) if participant.address else None
    if carried is not None:
        forms.append(str(carried))
    return (*forms, *(each.upper() for each in forms), *(each.title() for each in forms))


def _whole(choices: Choices, author: str) -> bytes:
    """Write a message, as a real one is built where there are such."""
    if seeds.available() and choices.chance(4):
        return seeds.message(choices, author)
    return trees.message(choices, author)


def _masked_people(choices: Choices) -> dict[str, str]:
    people = cast(choices)
    return {p.address.key: f"{p.token}@ct.example" for p in people if p.address is not None}


def _watched(aliases: dict[str, str]) -> dict[str, str]:
    """Choose whom the scan looks for.

    Not whose local part ends with an escape: of an encoded word that nobody undid, with two of
    them, each program reads another address.
    """
    return {
        key: key for key in aliases if len(key) >= oracle.SHORT and not _ESCAPE_AT_END.search(key)
    }


def _plain(text: str, mask: Masker) -> str:
    return obfuscated.mask_obfuscations(mask(text), mask)


def _html(text: str, mask: Masker) -> str:
    return obfuscated.mask_obfuscations(mask_html(text, mask), mask)


def _flowed(text: str, mask: Masker) -> str:
    # Only what soft breaks part is its affair.
    return flowed.mask_soft_breaks(_plain(text, mask), mask, delsp="\t" in text)


def _calendar(text: str, mask: Masker) -> str:
    return calendar.mask_calendar(text.encode("utf-8", "replace"), "utf-8", mask)[0].decode(
        "utf-8", "replace"
    )


def _of(pair: tuple[list[Header], bytes]) -> tuple[tuple[Header, ...], bytes]:
    return tuple(pair[0]), pair[1]


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (
        message, rare, clean, raw, reader, order, hostile, header, running, delivery, alias,
        structure,
    )
}  # fmt: skip
