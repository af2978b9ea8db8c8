"""What a milter may ask for at end of message, as values, and a message with it done.

`applied` follows Postfix: a header's index counts the headers of that name as they stand after the
actions before it, a header that is not there is added, an empty value deletes. tests/postfix holds
it against a real Postfix. Actions that cannot be read raise ValueError.
"""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

# Stands for the header that Postfix has put on top.
_OWN_RECEIVED = b"(own Received)"
# A field name may be followed by blanks, and holds neither blanks nor colons nor 8-bit bytes.
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")


@dataclass(frozen=True, slots=True)
class AddHeader:
    """Append a header; LF folds `value`."""

    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class InsertHeader:
    """Insert a header so that `index` others, the server's own Received too, stand before it."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class ChangeHeader:
    """Replace the value of the `index`-th header of this name, from 1; b"" deletes it."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class ChangeFrom:
    """Set the envelope sender, with ESMTP parameters in one string."""

    address: bytes
    parameters: bytes = b""


@dataclass(frozen=True, slots=True)
class AddRecipient:
    """Add an envelope recipient, with ESMTP parameters in one string."""

    address: bytes
    parameters: bytes = b""


@dataclass(frozen=True, slots=True)
class DeleteRecipient:
    """Delete an envelope recipient."""

    address: bytes


@dataclass(frozen=True, slots=True)
class ReplaceBody:
    """One chunk of a new body; chunks follow one another."""

    chunk: bytes


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Hold the message."""

    reason: bytes


Action = (
    AddHeader
    | InsertHeader
    | ChangeHeader
    | ChangeFrom
    | AddRecipient
    | DeleteRecipient
    | ReplaceBody
    | Quarantine
)


@dataclass(frozen=True, slots=True)
class Message:
    """A message and its envelope: addresses without angle brackets, lines that end with CR LF."""

    sender: bytes
    recipients: tuple[bytes, ...]
    data: bytes
    sender_parameters: bytes = b""
    recipient_parameters: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def fields(self) -> list[bytes]:
        """The header fields as they stand, each with its final CR LF."""
        return split(self.data)[0]

    @property
    def body(self) -> bytes:
        """What follows the empty line."""
        return split(self.data)[1]

    def header(self, name: str) -> list[bytes]:
        """Return the values of every header of this name as a milter would see them."""
        return [value for field, value in map(parted, self.fields) if same(field, name.encode())]


def read(kind: bytes, data: bytes) -> Action | None:
    """Read one packet of a milter; None when it is no action."""
    words = data.rstrip(b"\0").split(b"\0") if kind != b"b" else [data]
    match kind:
        case b"h":
            return AddHeader(*data.split(b"\0")[:2])
        case b"i" | b"m":
            name, value = data[4:].split(b"\0")[:2]
            index = struct.unpack("!I", data[:4])[0]
            return (InsertHeader if kind == b"i" else ChangeHeader)(index, name, value)
        case b"e":
            return ChangeFrom(*words)
        case b"+" | b"2":
            return AddRecipient(*words)
        case b"-":
            return DeleteRecipient(words[0])
        case b"b":
            return ReplaceBody(data)
        case b"q":
            return Quarantine(words[0])
    return None


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """Split a message into header fields and body, where Postfix would.

    A line that is no header ends the header block without an empty line too. Blanks before a
    colon are dropped.
    """
    fields: list[bytes] = []
    position = 0
    for line in _lines(data):
        if line == b"\r\n":
            return fields, data[position + 2 :]
        if fields and line[:1] in (b" ", b"\t"):
            fields[-1] += line
        elif _FIELD.match(line):
            # Postfix drops blanks before the colon.
            fields.append(_FIELD.sub(rb"\1:", line, count=1))
        else:
            break
        position += len(line)
    return fields, data[position:]


def parted(field: bytes) -> tuple[bytes, bytes]:
    """Return name and value of a field as Postfix gives them to a milter."""
    name, _, value = field.partition(b":")
    value = value.removesuffix(b"\r\n").replace(b"\r\n", b"\n")
    return name.rstrip(b" \t"), value.removeprefix(b" ")


def same(name: bytes, other: bytes) -> bool:
    """Return whether two header names are the same."""
    return name.lower() == other.lower()


def applied(message: Message, actions: Sequence[Action]) -> Message:
    """Return the message as it leaves when all actions are done in their order."""
    fields, body = split(message.data)
    # Hidden from milters, yet counted when they insert.
    fields.insert(0, _OWN_RECEIVED)
    chunks: list[bytes] = []
    for action in actions:
        match action:
            case ReplaceBody(chunk):
                chunks.append(chunk)
            case AddHeader() | InsertHeader() | ChangeHeader():
                _edit(fields, action)
            case ChangeFrom() | AddRecipient() | DeleteRecipient():
                message = _readdressed(message, action)
    if chunks:
        body = b"".join(chunks)
    fields.remove(_OWN_RECEIVED)
    return replace(message, data=b"".join(fields) + b"\r\n" + body)


def _edit(fields: list[bytes], action: AddHeader | InsertHeader | ChangeHeader) -> None:
    new = action.name + b": " + action.value.replace(b"\n", b"\r\n") + b"\r\n"
    match action:
        case AddHeader():
            fields.append(new)
        case InsertHeader(index):
            fields.insert(index, new)
        case ChangeHeader(index, name, value):
            found = [n for n, field in enumerate(fields) if same(parted(field)[0], name)]
            if len(found) < index:
                fields.extend([new] if value else [])
            else:
                place = found[max(index, 1) - 1]
                fields[place : place + 1] = [new] if value else []


def _readdressed(message: Message, action: ChangeFrom | AddRecipient | DeleteRecipient) -> Message:
    address = action.address.removeprefix(b"<").removesuffix(b">")
    match action:
        case ChangeFrom(_, parameters):
            return replace(message, sender=address, sender_parameters=parameters)
        case AddRecipient(_, parameters):
            known = (*message.recipient_parameters, (address, parameters))
            recipients = (*message.recipients, address)
            return replace(message, recipients=recipients, recipient_parameters=known)
        case DeleteRecipient():
            rest = tuple(recipient for recipient in message.recipients if recipient != address)
            return replace(message, recipients=rest)


def _lines(data: bytes) -> list[bytes]:
    """Return lines that end with CR LF, the last one perhaps with nothing."""
    return [line for line in re.split(rb"(?<=\r\n)", data) if line]
