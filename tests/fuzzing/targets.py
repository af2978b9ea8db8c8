"""What is fuzzed: each target takes bytes, does something with them, and raises if it is wrong.

A message over the limits may be refused; nothing may raise anything but what its module documents.
"""

import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import oracle
import spelling
import trees
from choices import Choices
from conversation_tracker.core.address import Address, AddressError, mailboxes
from conversation_tracker.core.alias import NotAnAlias, decode, soft
from conversation_tracker.core.copies import applied
from conversation_tracker.core.masking import body as mime
from conversation_tracker.core.masking import calendar, flowed, markup, uncovered
from conversation_tracker.core.masking.headers import masked_mailboxes, masked_text
from conversation_tracker.core.masking.mask import Masker
from conversation_tracker.core.message import Header, Message, Recipient, parse, render
from conversation_tracker.core.reports import bounce, report
from conversation_tracker.core.scanning.scan import scan
from conversation_tracker.core.syntax import words
from conversation_tracker.core.syntax.words import decoded
from conversation_tracker.core.view import structure as tree
from oracle import Broken

SECONDS = 2.0
"""What one input may cost of CPU time; a few kilobytes take milliseconds."""

outcomes: Counter[str] = Counter()
"""How often a message passed, and what others were refused with."""

_STORE = oracle.tool_store()
_ALIASES = {p.address.key: f"{p.token}@ct.example" for p in spelling.PEOPLE if p.address}
_MASK = Masker(_ALIASES)


def message(data: bytes) -> None:
    """A message with addresses everywhere shows its reader nobody, and is else as it was."""
    choices = Choices(data)
    own = _STORE if choices.chance(3) else None
    reader = choices.of(spelling.PEOPLE)
    others = [
        p for p in spelling.PEOPLE if p.token != reader.token and (not own or p.role == "store")
    ]
    author = choices.of(others).address if others else None
    if author is None:
        return
    conversation = oracle.order(*spelling.PEOPLE)
    raw = trees.message(choices, author.key)
    _timed(lambda: outcomes.update([oracle.sent(raw, conversation, reader.token, own)]))


def clean(data: bytes) -> None:
    """A message that names nobody of the order has its body byte for byte."""
    choices = Choices(data)
    choices.strangers_only = True
    reader = choices.of(spelling.PEOPLE[:2])
    conversation = oracle.order(*spelling.PEOPLE)
    raw = trees.message(choices, spelling.CARRIER)
    _timed(lambda: oracle.sent(raw, conversation, reader.token, None, clean=True))


def raw(data: bytes) -> None:
    """Any bytes are a message, and are refused or masked."""
    conversation = oracle.order(*spelling.PEOPLE)
    _timed(lambda: oracle.sent(data, conversation, spelling.PEOPLE[1].token, None))


def header(data: bytes) -> None:
    """Addresses are found in order and apart, and masked once; what is masked stays so."""
    choices = Choices(data)
    value = ", ".join(choices.some(lambda: spelling.mailbox(choices), 3)).encode()
    value += b" " + choices.bytes(60)
    end = 0
    for box in mailboxes(value):
        if not end <= box.start <= box.end <= len(value):
            raise Broken(f"spans of {value!r}")
        end = box.end
    for masked in (masked_mailboxes(value, _alias, _MASK), masked_text(value, _MASK)):
        field = Header(b"X", masked)
        if scan([field], b"", {key: key for key in _ALIASES}):
            raise Broken(f"{value!r} became {masked!r}")
        if b"\r" in masked.replace(b"\r\n", b"") and b"\r" not in value:
            raise Broken("a line end of its own")
    decoded(value)
    words.units(value, 0, len(value))


def running(data: bytes) -> None:
    """Text of any kind is masked once, and what was masked stays so; without people it stays."""
    choices = Choices(data)
    kind = choices.of((_plain, _html, _flowed, _calendar))
    text = spelling.text(choices, markup=kind is _html) + choices.bytes(60).decode(
        "utf-8", "replace"
    )
    once = kind(text)
    if kind(once) != once:
        raise Broken(f"{text!r} became {once!r}, and then {kind(once)!r}")
    if scan([], once.encode("utf-8", "replace"), {key: key for key in _ALIASES}) and kind is _plain:
        raise Broken(f"{text!r} became {once!r}")


def delivery(data: bytes) -> None:
    """Any report is understood in some way; our own notice about it names nobody."""
    choices = Choices(data)
    headers, body = parse(trees.report(choices) if choices.chance(2) else data)
    to = f"bounce-{'0' * 32}@{oracle.tool.DOMAIN}"
    recipient = Recipient(f"<{to}>".encode(), Address.parse(to), bounce="0" * 32)
    message = Message(None, (recipient,), headers, body, null=True)
    buyer, shop = spelling.PEOPLE[0], spelling.PEOPLE[1]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    it = bounce.Delivery(
        "0" * 32,
        oracle.order(*spelling.PEOPLE),
        buyer.token,
        shop.token,
        shop.token,
        now,
        "Hello",
        "<1@x>",
        "sent",
    )
    read = report.read(message)
    marked = bounce.mark(it, read)
    if marked is not None and any(
        key in f"{marked.status} {marked.reason}".lower() for key in _ALIASES
    ):
        raise Broken(f"{read!r} marks {marked!r}")
    if read.kind == "failed":
        plan = bounce.notified(message, it, read, now, "1" * 32)
        left = render(*_of(applied(message, plan.edits)))
        shown = left.replace(str(shop.address).encode(), b"")
        if any(key.encode() in shown.lower() for key in _ALIASES):
            raise Broken(f"the notice is {left!r}")


def alias(data: bytes) -> None:
    """What is encoded softly is decoded again; whatever is no alias says so."""
    choices = Choices(data)
    domain = "ct.example.com"
    try:
        address = Address.parse(
            choices.bytes(80) if choices.chance(2) else spelling.address(choices).encode()
        )
    except AddressError:
        return
    made = soft(address, "207700027841", domain)
    if made is not None and decode(Address.parse(str(made)), (domain,)) != made:
        raise Broken(f"{address.key!r} became {made}")
    try:
        decode(Address(address.local, f"{address.domain}.{domain}"), (domain,))
    except (NotAnAlias, AddressError):
        return


def structure(data: bytes) -> None:
    """Any structure is read within its limits; leaves of any type take any bytes."""
    choices = Choices(data)
    headers, body = parse(trees.message(choices, "zoe@elsewhere.example"))
    try:
        part = tree(Message(None, (), headers, body))
    except mime.TooComplex:
        return
    mime.text(part, body)
    mime.attachment_names(part, body)


def _plain(text: str) -> str:
    return uncovered.masked(_MASK(text), _MASK)


def _html(text: str) -> str:
    return uncovered.masked(markup.masked(text, _MASK), _MASK)


def _flowed(text: str) -> str:
    # Only what soft breaks part is its affair.
    return flowed.masked(_plain(text), _MASK, delsp="\t" in text)


def _calendar(text: str) -> str:
    return calendar.masked(text.encode("utf-8", "replace"), "utf-8", _MASK)[0].decode(
        "utf-8", "replace"
    )


def _alias(address: Address) -> str | None:
    return _ALIASES.get(address.key)


def _of(pair: tuple[list[Header], bytes]) -> tuple[tuple[Header, ...], bytes]:
    return tuple(pair[0]), pair[1]


def _timed(work: Callable[[], object]) -> None:
    start = time.process_time()
    work()
    if time.process_time() - start > SECONDS:
        raise Broken("too slow")


TARGETS: dict[str, Callable[[bytes], None]] = {
    each.__name__: each
    for each in (message, clean, raw, header, running, delivery, alias, structure)
}
