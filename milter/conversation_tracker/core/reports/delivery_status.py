"""The machine-readable part of a delivery status notification (RFC 3464, RFC 6533), read leniently.

Its fields come folded wrongly, in any case, without the blank lines between recipients, with codes
in the wrong field. What running text says about a failure is the business of
`bounce_text`. Nothing here raises on any input, and time is linear in its size.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from conversation_tracker.core.model.address import Address, find_mailboxes
from conversation_tracker.core.syntax.encoded_words import decode_words

Outcome = Literal["failed", "delayed", "delivered"]

MAX_RECIPIENTS = 100
"""How many recipients are read; a report may name more."""
MAX_CONTENT = 512 * 1024
"""Octets of a report that are read."""
MAX_DIAGNOSTIC = 500
"""Characters of a diagnostic text that are kept."""

_MAX_BLOCKS = 5_000
_MAX_VALUE = 4_096
_RECIPIENT = (b"original-recipient", b"final-recipient")
_KNOWN = frozenset({*_RECIPIENT, b"action", b"status", b"diagnostic-code"})
_OUTCOMES: dict[str, Outcome] = {"2": "delivered", "4": "delayed", "5": "failed"}
# RFC 3464 section 2.3.3, and words that some servers use instead.
_ACTIONS: tuple[tuple[str, Outcome], ...] = (
    ("fail", "failed"),
    ("error", "failed"),
    ("expire", "failed"),
    ("bounce", "failed"),
    ("reject", "failed"),
    ("undeliver", "failed"),
    ("delay", "delayed"),
    ("defer", "delayed"),
    ("deliver", "delivered"),
    ("relay", "delivered"),
    ("expand", "delivered"),
    ("success", "delivered"),
)
_SEVERITY = {"failed": 3, "delayed": 2, "delivered": 1, None: 0}

_LINE_END = re.compile(rb"\r+\n?|\n")
_FIELD = re.compile(rb"[ \t]*([A-Za-z][A-Za-z0-9-]{0,40})[ \t]*:[ \t]*(.*)", re.DOTALL)
_TYPE = re.compile(r"\s*[A-Za-z][A-Za-z0-9.-]{0,30}\s*;")
_ENHANCED = re.compile(r"(?<![\w.])([245]\.[0-7]\.[0-9]{1,3})(?!\.?\w)")
_REPLY = re.compile(r"(?<![\w.])([45])[0-5][0-9](?![\w.])")
_EMBEDDED = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
# Beside controls, what makes text read otherwise than it stands there, or cannot be stored.
_UNWANTED = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufffe\uffff]+"
)


@dataclass(frozen=True, slots=True)
class Block:
    """What a report says about one recipient.

    Attributes:
        outcome: None if the report does not say.
        status: enhanced status code (RFC 3463), "" if unknown.
        diagnostic: the remote's text on one line, "" if there is none.
        recipients: the original and the final recipient, those that are addresses.
    """

    outcome: Outcome | None
    status: str
    diagnostic: str
    recipients: tuple[Address, ...]


def parse(content: bytes) -> list[Block]:
    """Read a message/delivery-status or message/global-delivery-status.

    Args:
        content: without its transfer encoding.

    Returns:
        One block for each recipient, in order; the fields about the message itself are none.
    """
    found: list[Block] = []
    fields: dict[bytes, bytes] = {}
    for name, value in _iter_fields(content):
        again = name in fields and name != b"diagnostic-code"
        if again or (not name and _is_whole(fields)):
            found.append(_read_block(fields))
            fields = {}
            if len(found) >= _MAX_BLOCKS:
                return found
        if name in _KNOWN:
            fields.setdefault(name, value)
    return [*found, _read_block(fields)] if fields else found


def find_worst(blocks: Iterable[Block]) -> Block | None:
    """Find the block that says most: a failure before a delay, one with reasons before others.

    Args:
        blocks: any blocks.

    Returns:
        The first of those that say most, or None if no block has an outcome.
    """
    known = [block for block in blocks if block.outcome is not None]
    return max(known, key=_weight, default=None)


def find_status(text: str, like: str = "") -> str:
    """Find a status code in a remote's text.

    Args:
        text: a diagnostic text.
        like: the class wanted, "2", "4" or "5"; "" for a failure of either kind.

    Returns:
        The first enhanced status code, else that of the first SMTP reply code's class (`550` gives
        "5.0.0"), else "".
    """
    wanted = like or "45"
    for match in _ENHANCED.finditer(text):
        if match[1][0] in wanted:
            return match[1]
    for match in _REPLY.finditer(text):
        if match[1] in wanted:
            return f"{match[1]}.0.0"
    return ""


def one_line(text: str, limit: int = MAX_DIAGNOSTIC) -> str:
    """Put text on one line, without control characters and what else does not show."""
    return " ".join(_UNWANTED.sub(" ", text).split())[:limit].rstrip()


def distinct(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Return the first of the addresses, each once."""
    found: dict[str, Address] = {}
    for address in addresses:
        found.setdefault(address.key, address)
        if len(found) >= MAX_RECIPIENTS:
            break
    return tuple(found.values())


def _iter_fields(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each field's name, in lower case, and unfolded value; two empty ones at blank lines."""
    name, pieces = b"", [b""]
    for line in _LINE_END.split(content[:MAX_CONTENT].replace(b"\0", b"")):
        match = None if name and line.startswith((b" ", b"\t")) else _FIELD.fullmatch(line)
        if match is None and line.strip():
            pieces.append(line.strip())  # folded, with or without the white space for it
            continue
        if name:
            yield name, b" ".join(pieces)[:_MAX_VALUE]
        if match is None:
            yield b"", b""
        name, pieces = (match[1].lower(), [match[2].strip()]) if match else (b"", [b""])
    if name:
        yield name, b" ".join(pieces)[:_MAX_VALUE]


def _is_whole(fields: dict[bytes, bytes]) -> bool:
    return any(name in fields for name in _RECIPIENT) and (
        b"action" in fields or b"status" in fields
    )


def _read_block(fields: dict[bytes, bytes]) -> Block:
    action = decode_words(fields.get(b"action", b"")).strip(" \"'<(").lower()
    outcome = next((outcome for word, outcome in _ACTIONS if action.startswith(word)), None)
    diagnostic = one_line(_strip_type(decode_words(fields.get(b"diagnostic-code", b""))))
    status = _choose_status(decode_words(fields.get(b"status", b"")), diagnostic, outcome)
    if outcome is None and status:
        outcome = _OUTCOMES[status[0]]
    named = (_read_recipient(fields[name]) for name in _RECIPIENT if name in fields)
    return Block(outcome, status, diagnostic, tuple(a for a in named if a is not None))


def _choose_status(written: str, diagnostic: str, outcome: Outcome | None) -> str:
    """Return the written code; the remote's own where that is missing or only a class."""
    match = _ENHANCED.search(written)
    if match is None:
        return find_status(written) or find_status(
            diagnostic, "2" if outcome == "delivered" else ""
        )
    if match[1].endswith(".0.0"):
        return find_status(diagnostic, match[1][0]) or match[1]
    return match[1]


def _weight(block: Block) -> tuple[int, bool, bool]:
    return _SEVERITY[block.outcome], bool(block.status), bool(block.diagnostic)


def _strip_type(value: str) -> str:
    """Take off the type that stands before a semicolon, `smtp;` or `rfc822;`."""
    match = _TYPE.match(value)
    return value[match.end() :] if match else value


def _read_recipient(value: bytes) -> Address | None:
    """Read an address with its type; RFC 6533 section 3 has ASCII forms of other characters."""
    text = _EMBEDDED.sub(
        lambda match: _read_character(int(match[1], 16)), _strip_type(decode_words(value))
    )
    return next((box.address for box in find_mailboxes(text.strip().encode()) if box.address), None)


def _read_character(code: int) -> str:
    return chr(code) if code < 0xD800 or 0xDFFF < code <= 0x10FFFF else "\ufffd"
