"""What is to happen to one message: a reply or edits, and what is to be recorded.

Plans are values: they compare, and each edit prints as one line. `planning` makes them, the
database writes their records, the session applies their edits, in that order. An edit here is
exactly one action of the milter protocol.
"""

from dataclasses import dataclass, field
from typing import Literal

from conversation_tracker.core.base.octets import Octets, Slices
from conversation_tracker.core.model.conversation import Direction, MappedId, Participant
from conversation_tracker.core.model.first_pass import Verdict
from conversation_tracker.core.model.replies import Reply


@dataclass(frozen=True, slots=True)
class ChangeHeader:
    """Replace the value of the `index`th field of this name (from 1); None deletes it."""

    name: bytes
    index: int
    value: bytes | None

    def __str__(self) -> str:
        """Show the edit on one line."""
        what = "delete" if self.value is None else "change"
        return f"{what} header {_display(self.name)} {self.index}{_display_value(self.value)}"


@dataclass(frozen=True, slots=True)
class AddHeader:
    """Add a field after all others."""

    name: bytes
    value: bytes

    def __str__(self) -> str:
        """Show the edit on one line."""
        return f"add header {_display(self.name)}{_display_value(self.value)}"


@dataclass(frozen=True, slots=True)
class AddRecipient:
    """Add an envelope recipient: an address without angle brackets."""

    address: str

    def __str__(self) -> str:
        """Show the edit on one line."""
        return f"add recipient <{self.address}>"


@dataclass(frozen=True, slots=True)
class DeleteRecipient:
    """Remove an envelope recipient: the exact text RCPT TO gave."""

    raw: bytes

    def __str__(self) -> str:
        """Show the edit on one line."""
        return f"delete recipient {_display(self.raw)}"


@dataclass(frozen=True, slots=True)
class ReplaceBody:
    """Replace the body."""

    body: Octets = field(repr=False)

    def __str__(self) -> str:
        """Show the edit on one line."""
        return f"replace body ({len(self.body)} octets)"


Edit = ChangeHeader | AddHeader | AddRecipient | DeleteRecipient | ReplaceBody


@dataclass(frozen=True, slots=True)
class Record:
    """One message of one order, as it is to be recorded. All text is masked, in hard form.

    Attributes:
        order: the order's database id.
        joined: participants and return addresses the database does not know yet, or otherwise.
        digest: what identifies the message within the order, 32 octets.
        queue_id: Postfix's queue id.
        direction: outbound (to the buyer), inbound (from the buyer) or internal.
        sender: token of the participant who wrote it.
        return_path: token of the envelope sender, None for the null sender.
        recipients: tokens of the participants it goes to, each with a fresh bounce token.
        sender_name: the display name, "" if there is none.
        message_id: Message-ID as it leaves, "" if there is none.
        subject: the subject, decoded.
        first_words: the beginning of the text, on one line.
        size: octets as it came.
        attachment_names: file names of the attachments.
        automatic: no person wrote it (RFC 3834).
        auto_reply: a machine answered.
        raw: the whole masked message.
        identifiers: the message identifiers that were replaced.
        verdict: whether the author is who they claim to be; "flagged" where somebody claims to be
            a participant or the store, and is not.
        notes: the parts that held an address and could not be masked, "NUMBER TYPE KIND" each, and
            how many people were left out.
        first_pass: a client handed it in, it is no copy of the splitter's.
        own: it is the store's own mail, which has its own share of the hour.
        brief: nothing but its client tells it from another one with the same text.
        mentioned: identities (`Address.key`) of people it names who were not known when it was
            planned; if the database knows one, it must be planned again.
        shown: tokens of those whose soft alias a copy shows and nobody was given before.
        again: the first pass has recorded the message: its texts, names, identifiers, notes and
            `raw` are left out here, and only a delivery is added to what stands there.
    """

    order: int
    joined: tuple[Participant, ...]
    digest: bytes
    queue_id: str
    direction: Direction
    sender: str
    return_path: str | None
    recipients: tuple[tuple[str, str], ...]
    sender_name: str
    message_id: str
    subject: str
    first_words: str
    size: int
    attachment_names: tuple[str, ...]
    automatic: bool
    auto_reply: bool
    raw: Slices = field(repr=False)
    identifiers: tuple[MappedId, ...] = ()
    verdict: Verdict | Literal["flagged"] = "unverified"
    first_pass: bool = True
    notes: tuple[str, ...] = ()
    own: bool = False
    brief: bool = False
    mentioned: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the timeline says of a refused message. All text is masked, in hard form.

    Attributes:
        order: the order's database id.
        digest: what identifies the message within the order, 32 octets.
        author: token of the participant who wrote it, None if nobody who takes part did.
        recipient: token of the participant it was for.
        subject: the subject, decoded.
        reply: what it was refused with.
    """

    order: int
    digest: bytes
    author: str | None
    recipient: str | None
    subject: str
    reply: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to happen to one message.

    Attributes:
        reply: what to refuse it with; None accepts. With a reply there is nothing else.
        edits: what to change, in the order to apply it.
        records: what to record before anything is applied, one for each order.
        bounces_to: token of the participant whose delivery names the envelope sender to set; None
            leaves the envelope sender as it is.
        split: the splitter makes the copies; aliases stay in the envelope.
        discard: nobody gets it; all there was to do is done.
    """

    reply: Reply | None = None
    edits: tuple[Edit, ...] = ()
    records: tuple[Record, ...] = ()
    bounces_to: str | None = None
    split: bool = False
    discard: bool = False


UNTOUCHED = Plan()
"""The plan for mail that is none of our business."""


def _display(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _display_value(value: bytes | None) -> str:
    return "" if value is None else ": " + " ".join(_display(value).split())
