"""The files of a recorded message: what each is called, and where its content stands.

A file is a part that is attached or has a name, and one that is neither text nor a container. What
the database can decode stays where it is, in the recorded message; of the rest the content is given
here. Places count from the end of the message, since names may be taken out of its header later.
Nothing here raises.
"""

import re
from dataclasses import dataclass

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.part.readable_text import clean_file_name
from conversation_tracker.core.syntax import transfer
from conversation_tracker.core.syntax.fields import iter_fields
from conversation_tracker.core.syntax.mime import Part

_MAX_NAME = 255
_MEDIA = ("application/", "audio/", "image/", "video/", "font/", "model/")
_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+\-]{0,60}/[a-z0-9][a-z0-9!#$&^_.+\-]{0,60}")
_ANY = "application/octet-stream"
_BLANKS = b" \t\r\n"
# What every decoder reads alike.
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*+={0,2}")
_CODED = transfer.ENCODINGS


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """One file of a message.

    Attributes:
        number: counts the files of the message from 1.
        name: without directories and control characters; "part-N" if it has none.
        type: media type; application/octet-stream if the declared one is none.
        size: octets, decoded.
        encoding: what the octets below are in: "base64", or "" if they are the content.
        from_end: octets from the beginning of its content to the end of the message.
        length: octets of its content as it stands there.
        content: the decoded content, where it is in another encoding or broken; else None.
        content_id: without angle brackets, "" if there is none.
    """

    number: int
    name: str
    type: str
    size: int
    encoding: str
    from_end: int
    length: int
    content: bytes | None
    content_id: str


def list_files(part: Part, body: Octets) -> list[AttachedFile]:
    """Return the files of a message, in order.

    Args:
        part: the structure that `read_structure` gave for this body.
        body: the raw body, to its end.
    """
    leaves = enumerate(part.walk_leaves(), 1)
    found = [(place, each) for place, each in leaves if _is_file(each)]
    return [_read_file(number, place, each, body) for number, (place, each) in enumerate(found, 1)]


def _is_file(part: Part) -> bool:
    if part.disposition == "attachment" or clean_file_name(part.name):
        return True
    return part.type.startswith(_MEDIA) and not part.type.endswith("-signature")


def _read_file(number: int, place: int, part: Part, body: Octets) -> AttachedFile:
    start, end = part.content
    raw = body[start:end]
    size, encoding, content = len(raw), "", None
    if part.encoding in _CODED:
        packed = raw.translate(None, _BLANKS) if part.encoding == transfer.BASE64 else b""
        if packed and len(packed) % 4 == 0 and _BASE64.fullmatch(packed):
            size, encoding = len(packed) // 4 * 3 - packed.count(b"=", -2), transfer.BASE64
        else:
            content = transfer.decode(raw, part.encoding)
            size = len(content)
    name = clean_file_name(part.name)[:_MAX_NAME] or (
        "message.eml" if part.is_message else f"part-{place}"
    )
    return AttachedFile(
        number, name, part.type if _TYPE.fullmatch(part.type) else _ANY, size, encoding,
        len(body) - start, end - start, content, _find_content_id(part, body),
    )  # fmt: skip


def _find_content_id(part: Part, body: Octets) -> str:
    for field in iter_fields(body[slice(*part.header)]):
        if field.name == b"content-id":
            return field.value.decode("latin-1").strip().strip("<>")
    return ""
