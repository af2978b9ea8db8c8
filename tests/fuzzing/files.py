"""Attachments with an address inside that no one can mask: in every format, and in each other."""

import base64
import email
import email.policy
from collections.abc import Iterator

from builders import BUYER, CARRIER, SHOP
from containers import INNER, WRAPS

from choices import Choices

_TYPES = (
    "application/octet-stream", "application/x-any", "application/zip", "image/png", "text/plain",
    "text/html", "application/pdf", "text/calendar", "application/msword",
)  # fmt: skip
_FORMATS = tuple(WRAPS)
_SHORT = 12  # characters of an address that octets may hold by chance
_STRANGER = "nobody.here@elsewhere.example"


def leaf(choices: Choices) -> bytes:
    """Write a part with a file in it, and note in `choices` what it is and whom it names."""
    people = [each for each in choices.people or (BUYER, CARRIER, SHOP) if len(each) >= _SHORT]
    plain = [each for each in people if each.isascii() and not set(each) & set("\"'()<>\\")]
    named = _STRANGER if choices.strangers_only or not plain else choices.of(plain)
    data = f"write to {named} now".encode()
    for number in range(1 + choices.number(2)):
        data = WRAPS[choices.of(_FORMATS if not number else INNER)](data)
    if choices.chance(4):  # what is broken shows what it shows
        at = choices.number(len(data) - 1)
        data = data[:at] + choices.bytes(9) + (data[at:] if choices.chance(2) else b"")
    elif named != _STRANGER:
        choices.files.append((data, named))
    fields = (
        f"Content-Type: {choices.of(_TYPES)}; name=a.bin\nContent-Transfer-Encoding: base64\n\n"
    )
    return fields.encode() + base64.encodebytes(data)


def left(raw: bytes, files: list[tuple[bytes, str]], *, but: str = "") -> Iterator[str]:
    """Tell which files are still in a message that names somebody but one.

    Args:
        raw: the message.
        files: the files, with whom each names.
        but: whose address may stand in one.
    """
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    contents = {part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()}
    for data, named in files:
        if named != but and data in contents:
            yield f"a file that begins with {data[:12]!r}"
