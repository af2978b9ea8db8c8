"""Pictures, sound and film: an address in what they say about themselves is written over.

Their descriptions (Exif, XMP, ID3 and the like) count on lengths, so each address gives way to as
many letters; everything else stays, byte for byte, and the part shows as before. A PNG's check sums
are computed anew. Nothing here raises.
"""

import re
import zlib

from conversation_tracker.core.masking.address.address_finder import People

_TYPES = ("image/", "audio/", "video/")
_MAGIC = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|GIF8[79]a|RIFF....(?:WEBP|WAVE|AVI )|II\*\0|MM\0\*|ID3[\2-\4]"
    rb"|....ftyp|OggS|fLaC",
    re.DOTALL,
)
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 100_000


def is_media(type: str, data: bytes) -> bool:
    """Return whether a part of this media type, with this content, is a picture, sound or film."""
    return type.startswith(_TYPES) or _MAGIC.match(data) is not None


def overwrite_addresses(data: bytes, people: People) -> bytes:
    """Write over the addresses of people.

    Args:
        data: the content, without its transfer encoding.
        people: whose addresses must not be seen.

    Returns:
        As many bytes; the same object if there is none. What is spelled in other ways stays.
    """
    new = people.overwrite(data)
    return _fix_checksums(new) if new is not data and new.startswith(_PNG) else new


def _fix_checksums(png: bytes) -> bytes:
    """Compute the check sum of each chunk (PNG section 5.3)."""
    pieces = [_PNG]
    at = len(_PNG)
    while at + 12 <= len(png) and len(pieces) < _MOST_CHUNKS:
        end = at + 8 + int.from_bytes(png[at : at + 4], "big")
        if end + 4 > len(png):
            break
        pieces += png[at:end], zlib.crc32(png[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return b"".join([*pieces, png[at:]])
