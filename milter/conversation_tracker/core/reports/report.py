"""What a message says of another: delivered or not, read, complained of, answered automatically.

RFC 3464 comes first, then the words of servers that do not know it. Words count only in what a
mail system sent, by its null sender or its name, so that a person who quotes a bounce is not taken
for one. Structure is read in `mime`, fields in `delivery_status`, words in `bounce_text`.

`read_report` raises nothing. A report that cannot be understood is a failure without a reason; its
`diagnostic` may hold addresses, which the caller masks.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.text.html import strip_tags
from conversation_tracker.core.model import automatic
from conversation_tracker.core.model.address import Address, find_mailboxes
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.reports import bounce_text, delivery_status
from conversation_tracker.core.reports.bounce_text import BounceReason
from conversation_tracker.core.reports.delivery_status import Block
from conversation_tracker.core.syntax import charset, transfer
from conversation_tracker.core.syntax.encoded_words import decode_words
from conversation_tracker.core.syntax.mime import Part, TooComplex, read_structure
from conversation_tracker.core.syntax.parameters import get_value

Kind = Literal["failed", "delayed", "delivered", "automatic", "receipt", "abuse", "other"]

_MAX_TEXT = 65_536
_MAX_VALUE = 2_000
_MAX_SHOWN = 4

_STATUS = ("delivery-status", "global-delivery-status")
_STATUS_TYPES = frozenset(f"message/{name}" for name in _STATUS)
_RECEIPT = ("disposition-notification", "global-disposition-notification")
_ABUSE = ("feedback-report",)
_COPIES = ("message/", "text/rfc822-headers")
_FIELDS_IN_TEXT = re.compile(r"^(?:Reporting-MTA|Final-Recipient) ?:", re.IGNORECASE | re.MULTILINE)

_MAILER = re.compile(
    r"mailer[-_ ]?daemon|mail[-_]daemon|mdaemon|mail delivery (?:sub)?system", re.IGNORECASE
)
_POSTMASTER = re.compile(
    r"postmaster|post[-_.]master@|post ?office@|(?:mail|system) administrator"
    r"|internet mail service|<>",
    re.IGNORECASE,
)
_NOBODY = re.compile(r"\b(?:no|do[-_.]?not)[-_.]?reply\b[^@]{0,40}@", re.IGNORECASE)
_AWAY = re.compile(
    r"\W{0,10}(?:re: )?"
    r"(?:auto:|automatic[ -]re|auto[- ]?(?:re(?:ply|spon)|matic re(?:ply|sponse))"
    r"|auto-?svar|out of (?:the )?office|ooo\b|away from|(?:on )?vacation|on (?:holiday|leave)"
    r"|(?:annual|maternity) leave|i am (?:currently )?(?:away|out|on)|currently (?:away|out)"
    r"|automatische (?:antwort|nachricht)|abwesen|außer haus|automatisch antwoord|afwezig"
    r"|réponse automatique|absence|absent|respuesta automática|fuera de (?:la )?oficina"
    r"|resposta automática|fora do escrit|risposta automatica|fuori (?:ufficio|sede)|frånvaro"
    r"|automatiskt? svar|automaattinen|odpowiedź automatyczna|автоответ|автоматический ответ"
    r"|自動(?:返信|応答)|不在|自动(?:回复|答复))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a message says of another one.

    Attributes:
        kind: "failed", "delayed" or "delivered" (relayed and expanded too) for a report of
            delivery; "automatic" for an answer that no person wrote (RFC 3834), "receipt" for a
            disposition notification (RFC 8098), "abuse" for a complaint (RFC 5965); "other" for
            anything else, such as the mail of a person.
        status: enhanced status code like "5.1.1", "" if unknown.
        diagnostic: the remote's text on one line, decoded, at most 500 characters; "" if unknown.
            May hold addresses.
        recipients: the recipients it names, at most 100.
        in_words: only its wording says so, and no mail system's name: where nothing else speaks for
            a report, it may be mail, "Delivery failed: nobody was at home".
    """

    kind: Kind
    status: str = ""
    diagnostic: str = ""
    recipients: tuple[Address, ...] = ()
    in_words: bool = False


def read_report(message: Message) -> Report:
    """Find out what a message says of another one.

    Args:
        message: any message.

    Returns:
        The report; time is linear in the message's size.
    """
    letter = _Letter(message)
    if letter.has(_ABUSE):
        return Report("abuse")
    if (found := _read_standard(letter)) is not None:
        return found
    if letter.has(_RECEIPT):
        refused = letter.by_system and "was automatically rejected" in letter.text
        return _read_by_text(letter, "failed") if refused else Report("receipt")
    if letter.is_away:
        return Report("automatic")
    if (found := _read_words(letter)) is not None:
        return replace(found, in_words=not letter.by_mailer)
    return Report("automatic" if letter.is_automatic else "other")


class _Letter:
    """A message with what is asked of it more than once."""

    def __init__(self, message: Message) -> None:
        content = [(h.name, h.value) for h in message.headers if h.key.startswith(b"content-")]
        try:
            self.part = read_structure(content, message.body, message.limits)
        except TooComplex:
            self.part = Part((0, 0), (0, len(message.body)))
        self.message = message
        self.parts = list(_iter_outside(self.part))
        self.subject = decode_words((message.first(b"subject") or b"")[:_MAX_VALUE]).strip()
        author = decode_words((message.first(b"from") or b"<>")[:_MAX_VALUE])
        if message.sender is not None:
            author += f" {message.sender.local}@"
        self.by_mailer = _MAILER.search(author) is not None
        self.by_person = not (
            self.by_mailer or _POSTMASTER.search(author) or self._returned_by_nobody(author)
        )
        self.by_system = message.null or not self.by_person

    def _returned_by_nobody(self, author: str) -> bool:
        """Return whether mail came back from an address that takes no answers, and says so.

        Robots that confirm what they got write from such addresses, and return it, too.
        """
        if not self.message.null or not self.returned or _NOBODY.search(author) is None:
            return False
        if automatic.is_marked_answer(self.message):
            return False
        return bounce_text.read_bounce(self.text, self.subject, loosely=True).outcome is not None

    @cached_property
    def returned(self) -> bool:
        """Whether it holds another message, or its header, in a part of its own."""
        return any(part.type.startswith(_COPIES) for part, _ in self.parts)

    def has(self, names: tuple[str, ...]) -> bool:
        """Return whether it is a report of a type (RFC 6522 section 3)."""
        types = {f"message/{name}" for name in names}
        return any(
            part.type in types
            or (part.type == "multipart/report" and _find_type(part).startswith(names))
            for part, _ in self.parts
        ) or (self.part.type == "multipart/report" and _find_type(self.part).startswith(names))

    def blocks(self, parts: Iterable[tuple[Part, Octets]]) -> list[Block]:
        """Read those of the parts, given with their bodies, that are delivery-status parts."""
        found: list[Block] = []
        left = delivery_status.MAX_CONTENT
        for part, body in parts:
            if part.type in _STATUS_TYPES and left > 0:
                content = _decode_content(part, body, left)
                left -= len(content)
                found += delivery_status.parse(content)
        return found

    @cached_property
    def is_automatic(self) -> bool:
        """Whether it says, or its sender does, that no person wrote it (RFC 3834)."""
        return self.message.null or self.has_mark or automatic.is_generated(self.message)

    @cached_property
    def has_mark(self) -> bool:
        """Whether it bears a mark that only automatic answers bear."""
        old = automatic.is_bulk(self.message) and _AWAY.match(self.subject) is not None
        return old or automatic.is_marked_answer(self.message)

    @property
    def is_away(self) -> bool:
        """Whether it is an automatic answer, whatever words are in it."""
        if self.is_automatic and _AWAY.match(self.subject):
            return True
        return (
            self.has_mark and self.by_person and self.message.first(b"x-failed-recipients") is None
        )

    @cached_property
    def text(self) -> str:
        """Return its own readable text, not that of a message it returns."""
        own = [
            part
            for part, _ in self.parts
            if part.is_multipart
            or (part.type.startswith("text/") and part.disposition != "attachment")
        ]
        plain = [part for part in own if part.type != "text/html"]
        shown = [p for p in plain or own if p.type != "text/rfc822-headers"][:_MAX_SHOWN]
        return "\n\n".join(self._read_text(part) for part in shown)

    def _read_text(self, part: Part) -> str:
        text = charset.decode_text(
            _decode_content(part, self.message.body, _MAX_TEXT), part.charset
        )
        return strip_tags(text) if part.type == "text/html" else text


def _decode_content(part: Part, body: Octets, limit: int) -> bytes:
    """Return a part's content, without transfer encoding, at most `limit` octets of it."""
    start, end = part.content
    # Both encodings make text longer, but not more than threefold.
    raw = body[start : min(end, start + 3 * limit)]
    return transfer.decode(raw, part.encoding)[:limit]


def _iter_outside(part: Part, reported: bool = False) -> Iterator[tuple[Part, bool]]:
    """Yield the parts that hold no others, and messages; with each: is it in a report?"""
    reported = reported or part.type == "multipart/report"
    if part.children and not part.is_message:
        for child in part.children:
            yield from _iter_outside(child, reported)
    else:
        yield part, reported


def _find_type(part: Part) -> str:
    return get_value(part.parameters, "report-type").strip().lower()


def _read_standard(letter: _Letter) -> Report | None:
    """Read a delivery status notification (RFC 3464), also one whose parts lost their types."""
    body = letter.message.body
    believed = ((part, body) for part, reported in letter.parts if reported or letter.by_system)
    blocks = letter.blocks(believed)
    if not blocks and not letter.by_person:
        shown = bounce_text.cut_original(letter.text)
        start = _FIELDS_IN_TEXT.search(shown)
        if start is not None:
            blocks = delivery_status.parse(shown[start.start() :].encode("utf-8", "replace"))
    worst = delivery_status.find_worst(blocks)
    if worst is None or worst.outcome is None:
        return None
    status, diagnostic = worst.status, worst.diagnostic
    if not diagnostic and worst.outcome != "delivered":
        found = bounce_text.read_bounce(letter.text, letter.subject, loosely=True)
        if not status or found.status[:1] == status[:1]:
            status, diagnostic = status or found.status, found.diagnostic
    named = delivery_status.distinct(address for block in blocks for address in block.recipients)
    return Report(worst.outcome, status, diagnostic, named)


def _read_words(letter: _Letter) -> Report | None:
    """Read returned mail that has no part for programs."""
    declared = letter.has(_STATUS) and (letter.by_system or letter.part.type == "multipart/report")
    if not letter.by_system and not declared:
        return None
    loosely = declared or not letter.by_person
    found = bounce_text.read_bounce(letter.text, letter.subject, loosely=loosely)
    inner = None if found.status else _unwrap(letter)
    if found.outcome is not None:
        same = inner is not None and inner.kind == found.outcome
        return inner if same else _make_report(found, found.outcome, letter)
    if letter.message.first(b"x-failed-recipients") is not None or declared:
        return _make_report(found, "failed", letter)
    if inner is not None:
        return inner
    # Nothing is said that we understand; but it came from a mail system.
    if letter.by_mailer and (letter.message.null or letter.returned):
        return _make_report(found, "failed", letter)
    if letter.message.null and letter.returned and not letter.by_person:
        return _make_report(found, "failed", letter)
    return None


def _read_by_text(letter: _Letter, kind: Kind) -> Report:
    return _make_report(
        bounce_text.read_bounce(letter.text, letter.subject, loosely=True), kind, letter
    )


def _make_report(told: BounceReason, kind: Kind, letter: _Letter) -> Report:
    header = letter.message.first(b"x-failed-recipients") or b""
    failed = [box.address for box in find_mailboxes(header[:_MAX_VALUE]) if box.address is not None]
    named = delivery_status.distinct(failed or told.recipients)
    return Report(kind, told.status, told.diagnostic, named)


def _unwrap(letter: _Letter) -> Report | None:
    """Read a delivery status notification that a gateway put into a message of its own."""
    blocks = letter.blocks(_iter_inside(letter.part, letter.message.body))
    worst = delivery_status.find_worst(blocks)
    if worst is None or worst.outcome is None:
        return None
    named = delivery_status.distinct(address for block in blocks for address in block.recipients)
    return Report(worst.outcome, worst.status, worst.diagnostic, named)


def _iter_inside(part: Part, body: Octets) -> Iterator[tuple[Part, Octets]]:
    """Yield all parts, also those of attached messages, with the body that holds each."""
    for inner in part.walk():
        yield inner, body
        if inner.embedded is not None:
            yield from _iter_inside(inner.embedded[1], inner.embedded[0])
