"""Whole messages with one hostile text in one place: a header field, a parameter, a part, a body.

Nothing here knows what becomes of them.
"""

import base64
import binascii
import quopri
from collections.abc import Callable

from builders import BUYER, CARRIER

Place = Callable[[bytes], bytes]

_FIELDS = (
    "Subject", "From", "To", "Cc", "Reply-To", "Sender", "References", "In-Reply-To", "Message-ID",
    "Received", "X-Custom", "List-Unsubscribe", "Authentication-Results", "DKIM-Signature",
    "Content-Disposition", "Content-ID", "Resent-From", "Disposition-Notification-To", "Bcc",
)  # fmt: skip
_TYPES = (
    "text/plain", "text/plain; format=flowed; delsp=yes", "text/html", "text/calendar",
    "text/x-vcard", "application/json", "application/xml", "text/rfc822-headers", "text/rtf",
    "message/delivery-status", "message/rfc822", "application/octet-stream", "application/pdf",
    "image/png", "application/pgp-keys", "application/pkcs7-mime", "application/ms-tnef",
    "text/plain; charset=utf-7", "text/plain; charset=iso-2022-jp", "text/html; charset=utf-16",
    "multipart/mixed; boundary=b", "multipart/alternative; boundary=lost", "multipart/digest",
    'multipart/signed; boundary="--b"', "multipart/report; report-type=delivery-status",
)  # fmt: skip
_CODES: dict[str, Callable[[bytes], bytes]] = {
    "8bit": bytes,
    "base64": base64.encodebytes,
    "quoted-printable": quopri.encodestring,
    "x-uuencode": lambda data: b"begin 644 x\n%s`\nend\n" % _uuencoded(data),
}
_PARAMETERS = (
    'Content-Type: text/plain; name="%s"',
    "Content-Disposition: attachment; filename=%s",
    "Content-Disposition: attachment%s",
    "Content-Type: text/plain; name*0*=utf-8''%s",
    "Content-Description: %s",
    "Content-ID: <%s@x>",
    "X-%s",
    "%s",
)


def _uuencoded(data: bytes) -> bytes:
    return b"".join(binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45))


def _folded(text: bytes) -> bytes:
    """Write what may stand in a header field: each line begins with a blank."""
    return text.replace(b"\0", b"0").replace(b"\r", b"").replace(b"\n", b"\n ")


def _field(name: str) -> Place:
    author = b"" if name == "From" else b"From: %s\n" % CARRIER.encode()
    head = name.encode() + b": "
    return lambda text: author + head + _folded(text) + b"\n\nHello\n"


def _typed(type_: str, code: str) -> Place:
    fields = f"From: {CARRIER}\nContent-Type: {type_}\nContent-Transfer-Encoding: {code}\n\n"
    return lambda text: fields.encode() + _CODES[code](text)


def _part(field: str) -> Place:
    before, after = (each.encode() for each in field.split("%s"))
    head = f"From: {CARRIER}\nContent-Type: multipart/mixed; boundary=b\n\n--b\n".encode()

    def place(text: bytes) -> bytes:
        return head + before + _folded(text) + after + b"\n\nI am " + BUYER.encode() + b"\n--b--\n"

    return place


def _between(text: bytes) -> bytes:
    head = f"From: {CARRIER}\nContent-Type: multipart/mixed; boundary=bb\n\n".encode()
    return head + text + b"\n--bb\n\n" + text + b"\n--bb--\n" + text


def _fields(text: bytes) -> bytes:
    """Make a header block of what is meant as such."""
    return b"From: %s\n" % CARRIER.encode() + text + b"\n\nHello\n"


PLACES: dict[str, Place] = {
    **{f"in {name}": _field(name) for name in _FIELDS},
    **{f"as {type_} in {code}": _typed(type_, code) for type_ in _TYPES for code in _CODES},
    **{f"in a part's {field}": _part(field) for field in _PARAMETERS},
    "around parts": _between,
    "as header fields": _fields,
}
"""What makes a message from a text, by the place where the text stands in it."""
