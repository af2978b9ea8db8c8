"""What is promised of every copy, as tests/corpus checks it: a reader apart from our own code."""

import base64
import email
import email.policy
import importlib.util
import itertools
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import files
import places
from conversation_tracker.core.model.address import Address
from conversation_tracker.core.model.alias import find_domain
from conversation_tracker.core.model.conversation import Conversation, Order
from conversation_tracker.core.model.first_pass import FirstPass
from conversation_tracker.core.model.message import Arrival, Message, Recipient, parse, render
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.rules.planning import plan
from conversation_tracker.core.views import copies
from limits import Broken, bounded

# Encoded words, folds and soft line breaks may cut a soft alias in its reference; and a domain goes
# on behind a soft line break, where nobody undid it.
_CUT_ALIAS = (
    r"(?!(?:\r?\n[ \t]|=\r?\n)?(?:-|=2d)(?:\r?\n[ \t]|=\r?\n)?[0-9]{1,12}(?:b\.?)?(?:[^a-z0-9]|\Z)"
    r"|-(?:[?=]|\Z)|\?=?\s*=\?utf-8\?[bq]\?-|=\r?\n\.[a-z0-9])"
)
_BLOCK = re.compile(rb"(?:^[A-Za-z0-9+/]{16,}={0,2}\r?\n)+(?:[A-Za-z0-9+/]+={0,2})?", re.MULTILINE)
_FOLDED = re.compile(rb"[A-Za-z0-9+/]+(?:\r?\n[ \t][A-Za-z0-9+/]+)+")
_WORD = rb"=\?[^?\s]+\?[bB]\?([A-Za-z0-9+/]*)=*\?="
_WORDS = re.compile(rb"%s(?:\s+%s)+" % (_WORD, _WORD))
_TOOL = Path(__file__).parents[1] / "corpus"


def _loaded() -> ModuleType:
    """Load the command as a module; its name has no ending by which Python would know it."""
    loader = SourceFileLoader("corpus_oracle", str(_TOOL))
    spec = importlib.util.spec_from_loader("corpus_oracle", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["corpus_oracle"] = module
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = written
    return module


tool = _loaded()


SHORT = 12
"""Characters of an address that decoded digits may hold by chance: it is looked for in clear."""


@dataclass(frozen=True)
class Sent:
    """What became of a message.

    Attributes:
        outcome: "passed", "no author", "unreadable" (by the library), or the status it was
            refused with.
        copy: what the reader gets, None if nothing.
        record: what is recorded of it, None if nothing.
    """

    outcome: str
    copy: bytes | None = None
    record: bytes | None = None


def sent(
    raw: bytes,
    conversation: Conversation,
    reader: str,
    own: Store | None,
    *,
    clean: bool = False,
    attached: list[tuple[bytes, str]] | None = None,
) -> Sent:
    """Send a message to one participant.

    Args:
        raw: the message.
        conversation: what it belongs to.
        reader: token of whom it goes to.
        own: the store whose own mail it is.
        clean: it names nobody but its author, so that its body must stay as it is. Otherwise a
            change is not asked for its reason: addresses are written in ways that the oracle
            does not read.
        attached: files in it that cannot be masked, with the address in each.

    Raises:
        Broken: a promise was not kept.
        Endless: it was stopped, as it did not end.
    """
    headers, body = parse(raw)
    alias = f"{reader}@{conversation.order.alias_domain}"
    to = Recipient(f"<{alias}>".encode(), Address.parse(alias), conversation.order.id, reader)
    arrival = Arrival("fuzz", trusted=own is not None)
    message = Message(Address("return", "mailer.example"), (to,), headers, body, arrival)
    authors = message.authors
    if not authors or any(
        find_domain(a.domain, (conversation.order.alias_domain,)) for a in authors
    ):
        return Sent("no author")
    done = planned(message, conversation, own)
    if done.reply is not None:
        return Sent(f"{done.reply.status}")
    if done.split:
        message, conversation = _queued(message, done, conversation)
        done, first = planned(message, conversation, None), done
        if done.reply is not None:
            return Sent(f"{done.reply.status}")
        done = replace(done, records=first.records)
    headers_left, body_left = copies.apply_edits(message, done.edits)
    copy = render(tuple(headers_left), body_left)
    people = (*conversation.participants, *done.records[0].joined)
    everybody = {p.address.key: p.token for p in people if p.address is not None}
    others = [key for key, token in everybody.items() if token != reader]
    if _unreadable(copy):
        return Sent("unreadable", copy, bytes(done.records[0].raw))
    broken = [f"leak: {where}" for where in _leaks(copy, others)]
    broken += [f"leak in the record: {where}" for where in _leaks(done.records[0].raw, everybody)]
    mine = next((key for key, token in everybody.items() if token == reader), "")
    broken += files.left(copy, attached or [], but=mine)
    broken += (f"the record has {file}" for file in files.left(done.records[0].raw, attached or []))
    if clean:
        leg = tool.Leg("fuzz", message, conversation, reader, own)
        found = tool._unreasoned(leg, headers_left, body_left, others)
        broken += [f"changed without reason: {where}" for where in found]
    if broken:
        raise Broken("; ".join(broken))
    return Sent("passed", copy, bytes(done.records[0].raw))


def _unreadable(data: bytes) -> bool:
    """Return whether the library fails over a message: it takes a charset of RFC 2231 for none."""
    message = email.message_from_bytes(data, policy=email.policy.compat32)
    return any(isinstance(part.get_param("charset"), tuple) for part in message.walk())


def unseen(raw: bytes, copy: bytes, key: str) -> None:
    """Check that no copy shows its reader's address where the message did not and nobody reads.

    Args:
        raw: the message.
        copy: what the reader gets.
        key: the reader's address.

    Raises:
        Broken: it does.
    """
    # An encoding that is not allowed for a message/* is undone by some, and what is a field to one
    # is text to the other.
    top = email.message_from_bytes(raw, policy=email.policy.compat32)
    coded = any(
        part.get_content_maintype() == "message" and "Content-Transfer-Encoding" in part
        for part in top.walk()
    )
    if len(key) >= SHORT and not coded:
        more = places.elsewhere(copy, key, tool._forms)
        if more and (more := more - places.elsewhere(raw, key, tool._forms)):
            raise Broken(f"the reader's own address: {', '.join(more)}")


def _queued(
    message: Message, done: Plan, conversation: Conversation
) -> tuple[Message, Conversation]:
    """Return what the splitter's listener gets, and the order with everybody who joined."""
    headers, body = copies.apply_edits(message, done.edits)
    arrival = Arrival("fuzz", split=True, first_pass=FirstPass(message.digest, "trusted"))
    second = replace(message, headers=tuple(headers), body=body, arrival=arrival)
    token = message.recipients[0].token
    met = {each.token for each in done.records[0].joined}
    known = [each for each in conversation if each.token not in met]
    people = (*known, *(replace(each, recorded=True) for each in done.records[0].joined))
    assert token is not None
    return second, replace(conversation, participants=people)


def planned(message: Message, conversation: Conversation, own: Store | None) -> Plan:
    """Plan a message within the bounds of its size."""
    numbers = itertools.count(1)
    done: list[Plan] = []

    def work() -> None:
        done.append(
            plan(
                message,
                [conversation],
                lambda: f"{next(numbers):031x}f",
                own,
                alias_domains=[conversation.order.alias_domain],
            )
        )

    bounded(work, message.size, len(conversation.participants))
    return done[0]


def _leaks(data: bytes, keys: Iterable[str]) -> list[str]:
    """Return where a message shows one of the addresses."""
    patterns = [(key, _pattern(key)) for key in keys]
    long = [(key, each) for key, each in patterns if len(key) >= SHORT]
    short = [(key, each) for key, each in patterns if len(key) < SHORT]
    found = [*_seen(tool._everything(data), long), *_seen(_in_clear(data), short)]
    # Of base64 that nobody decodes as a whole, the tool reads each line alone, cut anywhere.
    blocks = [*_blocks(data)] if found else []
    return [where for where, text, key in found if not _cut(text, key, blocks)]


def _blocks(data: bytes) -> Iterator[str]:
    """Go through what is decoded as a whole: lines of base64, folded tokens, words side by side.

    RFC 2047 section 6.2: the blanks between encoded words are none.
    """
    for words in _WORDS.finditer(data):
        codes = re.findall(_WORD, words[0])
        octets = (
            base64.b64decode(each[: len(each) - (len(each) % 4 == 1)] + b"==") for each in codes
        )
        yield b"".join(octets).decode("latin-1").lower()
    for block in (*_BLOCK.findall(data), *_FOLDED.findall(data)):
        for start in range(4):  # something else may stand before
            digits = re.sub(rb"[^A-Za-z0-9+/]", b"", block)[start:]
            digits = digits[:-1] if len(digits) % 4 == 1 else digits
            yield base64.b64decode(digits + b"==").decode("latin-1").lower()


def _cut(text: str, key: str, blocks: Iterable[str]) -> bool:
    """Return whether a text is a piece of longer ones in which an address does not stand whole."""
    around = [each for each in blocks if text in each]
    return bool(around) and not any(_pattern(key).search(each) for each in around)


def _seen(
    texts: Iterable[tuple[str, str]], patterns: Sequence[tuple[str, re.Pattern[str]]]
) -> Iterator[tuple[str, str, str]]:
    """Yield where addresses stand, in which text, and whose."""
    for where, text in texts if patterns else ():
        low = text.lower()
        for key, pattern in patterns:
            if key in low and pattern.search(low):
                yield where, low, key


@lru_cache(maxsize=10_000)
def _pattern(key: str) -> re.Pattern[str]:
    """Find an address that stands whole."""
    return re.compile(rf"{tool._whole(key).pattern}{_CUT_ALIAS}")


def _in_clear(data: bytes) -> Iterator[tuple[str, str]]:
    """Go through what a message says to a reader who undoes its transfer encodings alone."""
    for part in email.message_from_bytes(data, policy=email.policy.compat32).walk():
        for name, value in part.items():
            yield f"header {name}", str(value)
        content = part.get_payload(decode=True)
        if isinstance(content, bytes) and part.get_content_maintype() == "text":
            text = content.decode("utf-8", "replace")
            # A fold of content lines hides that a domain goes on: no program shows one.
            if part.get_content_type() in tool._FOLDED:
                text = re.sub(r"\r?\n[ \t]", "", text)
            yield f"part {part.get_content_type()}", text


def order(*people: object, store: Store | None = None) -> Conversation:
    """Make the conversation that messages belong to."""
    return Conversation(
        store or tool_store(),
        Order(7, "1001", tool.REF, tool.DOMAIN),
        tuple(people),  # type: ignore[arg-type]
    )


def tool_store() -> Store:
    """Make a store."""
    return Store(
        "shop",
        sender_domains=frozenset({"shop.example"}),
        issuer_mask="hard",
        participant_limit=10_000,
        attachments_with_address="remove",
    )
