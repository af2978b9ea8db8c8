"""What is promised of every copy, as tests/corpus checks it: a reader apart from our own code."""

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from conversation_tracker.core.address import Address
from conversation_tracker.core.alias import in_domains
from conversation_tracker.core.conversation import Conversation, Order, Store
from conversation_tracker.core.message import Arrival, Message, Recipient, parse

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


class Broken(AssertionError):
    """A promise was not kept."""


def sent(
    raw: bytes, conversation: Conversation, reader: str, own: Store | None, *, clean: bool = False
) -> str:
    """Send a message to one participant.

    Args:
        raw: the message.
        conversation: what it belongs to.
        reader: token of whom it goes to.
        own: the store whose own mail it is.
        clean: it names nobody but its author, so that its body must stay as it is. Otherwise a
            change is not asked for its reason: addresses are written in ways that the oracle
            does not read.

    Returns:
        "passed", or the status it was refused with.

    Raises:
        Broken: a promise was not kept.
    """
    headers, body = parse(raw)
    alias = f"{reader}@{conversation.order.alias_domain}"
    order = conversation.order.id
    to = Recipient(f"<{alias}>".encode(), Address.parse(alias), order, reader)
    arrival = Arrival("fuzz", trusted=own is not None)
    message = Message(Address("return", "mailer.example"), (to,), headers, body, arrival)
    authors = message.authors
    if not authors or any(
        in_domains(a.domain, (conversation.order.alias_domain,)) for a in authors
    ):
        return "no author"
    tally = tool.Tally()
    leg = tool.Leg("fuzz", message, conversation, reader, own)
    tool._check_leg("message", leg, tally)
    broken = [
        f"{each.kind}: {each.where}"
        for each in tally.findings
        if each.kind in tool.PROMISES and clean == (each.kind == "changed without reason")
    ]
    if broken:
        raise Broken("; ".join(broken))
    return str(tally.findings[0].where) if tally.findings else "passed"


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
        participant_limit=1000,
    )
