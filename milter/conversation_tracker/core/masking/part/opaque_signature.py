"""Messages that are signed as a whole, so that the text lies inside the signature (opaque S/MIME).

Nothing in there can be masked where it is, and without it there would be no message. So it is taken
out: the copy is a multipart of what was signed and a note in the place of the signature. This is
done only where an address must be hidden; elsewhere the signature stays, and valid.

RFC 8551 section 3.5, RFC 5652 section 5, X.690. Nothing here raises but what `read` raises,
`TooComplex`.
"""

import hashlib
from dataclasses import replace

from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.container.budget import Unpacking
from conversation_tracker.core.masking.container.message_file import make_letter
from conversation_tracker.core.masking.container.search import holds_address
from conversation_tracker.core.masking.part import certificates, leaf
from conversation_tracker.core.masking.part.unmasked_parts import UNSIGNED
from conversation_tracker.core.model.message import Header, Message
from conversation_tracker.core.syntax.mime import Part

_TYPES = ("application/pkcs7-mime", "application/x-pkcs7-mime", "application/octet-stream")
_SUBTYPES = (b"pkcs7-mime", b"octet-stream")
_SIGNED = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
_DATA = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
_SEQUENCE, _EXPLICIT, _OCTETS, _CONSTRUCTED_OCTETS = 0x30, 0xA0, 0x04, 0x24
_FIELDS = {b"content-transfer-encoding": b"8bit", b"content-disposition": b"inline"}


def may_be_signed(message: Message) -> bool:
    """Return, cheaply, whether a message may be signed as a whole."""
    declared = message.first(b"content-type")
    return declared is not None and any(map(declared.lower().__contains__, _SUBTYPES))


def open_signature(message: Message, part: Part, people: People) -> Message:
    """Take a message out of its signature, if this holds an address.

    Args:
        message: the message.
        part: its structure.
        people: whose addresses must not be seen.

    Returns:
        A message with the same fields, whose content is what was signed; the same object where
        there is no need to.
    """
    if part.type not in _TYPES or part.children:
        return message
    data = leaf.decode_content(part, message.body)
    inner = extract_content(data)
    if inner is None:
        return message
    if not certificates.holds_address(data, people):
        unpacking = Unpacking(message.limits)
        if not holds_address(make_letter(inner), people, unpacking):
            return message
    boundary = f"signed-{hashlib.blake2b(inner, digest_size=16).hexdigest()}"
    fields = {**_FIELDS, b"content-type": f'multipart/mixed; boundary="{boundary}"'.encode()}
    headers = tuple(
        Header(header.name, fields[header.key]) if header.key in fields else header
        for header in message.headers
    )
    line = b"--" + boundary.encode("ascii")
    note = b"Content-Type: text/plain; charset=us-ascii\r\n\r\n" + UNSIGNED.encode("ascii")
    body = b"\r\n".join([line, inner, line, note, line + b"--", b""])
    return replace(message, headers=headers, body=body)


def extract_content(data: bytes) -> bytes | None:
    """Return what signed data holds, with the header fields of the entity that was signed.

    Args:
        data: DER or BER of a ContentInfo (RFC 5652 section 3).

    Returns:
        The content; None if it is something else, or not signed data with its content.
    """
    try:
        at = _skip(data, _enter(data, 0, _SEQUENCE), _SIGNED)
        at = _enter(data, _enter(data, at, _EXPLICIT), _SEQUENCE)
        at = _skip_value(data, _skip_value(data, at))  # its version, and the algorithms
        at = _skip(data, _enter(data, at, _SEQUENCE), _DATA)
        return _read_octets(data, _enter(data, at, _EXPLICIT))
    except (_OtherError, IndexError):
        return None


class _OtherError(ValueError):
    """It is something else."""


def _read_head(data: bytes, at: int) -> tuple[int, int, int | None]:
    """Read a value's tag, and where its content begins and ends; None: where it says so."""
    tag, length, at = data[at], data[at + 1], at + 2
    if length == 0x80:
        return tag, at, None
    if length > 0x80:
        size = length & 0x7F
        length, at = int.from_bytes(data[at : at + size], "big"), at + size
    if at + length > len(data):
        raise _OtherError
    return tag, at, at + length


def _enter(data: bytes, at: int, wanted: int) -> int:
    tag, start, _ = _read_head(data, at)
    if tag != wanted:
        raise _OtherError
    return start


def _skip(data: bytes, at: int, wanted: bytes) -> int:
    if not data.startswith(wanted, at):
        raise _OtherError
    return at + len(wanted)


def _skip_value(data: bytes, at: int) -> int:
    """Go past a value of definite length."""
    _, _, end = _read_head(data, at)
    if end is None:
        raise _OtherError
    return end


def _read_octets(data: bytes, at: int) -> bytes:
    """Read an octet string, in one piece or in many."""
    tag, start, end = _read_head(data, at)
    if tag == _OCTETS and end is not None:
        return data[start:end]
    if tag != _CONSTRUCTED_OCTETS:
        raise _OtherError
    pieces = []
    while start < (len(data) if end is None else end) and data[start] == _OCTETS:
        _, first, last = _read_head(data, start)
        if last is None:
            raise _OtherError
        pieces.append(data[first:last])
        start = last
    return b"".join(pieces)
