"""Compressed RTF, in which Outlook keeps a message's text (MS-OXRTFCP). Nothing here raises."""

from collections.abc import Iterator

from conversation_tracker.core.base.limits import EVERY
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.container.budget import MAX_TEXT, Unpacking

_HEAD = 16
_COMPRESSED, _STORED = b"LZFu", b"MELA"
_WINDOW = 4096
_KNOWN = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern "
    rb"\fscript \fdecor MS Sans SerifSymbolArialTimes New RomanCourier"
    b"{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def is_compressed_rtf(data: Octets) -> bool:
    """Whether data is compressed RTF: its sizes, and then a mark."""
    return data[8:12] in (_COMPRESSED, _STORED)


def open_compressed_rtf(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Decompress RTF."""
    size = int.from_bytes(data[4:8], "little")
    limit = min(size, MAX_TEXT, unpacking.limit_for(len(data)))
    if data[8:12] == _STORED:
        yield data[_HEAD : _HEAD + limit]
    elif unpacking.allows_another() and unpacking.allows_text(limit):
        yield unpacking.keep(iter([decompress(data[_HEAD:], limit, unpacking)]))


def decompress(data: bytes, limit: int, unpacking: Unpacking) -> bytes:
    """Decompress what follows the header (section 3.1.3).

    Args:
        data: the compressed octets.
        limit: octets that may come out.
        unpacking: whose time is asked for.

    Returns:
        At most so many octets, and what comes out of broken ones.
    """
    out = bytearray(_KNOWN)
    most = len(_KNOWN) + limit
    at = steps = 0
    while at < len(data) and len(out) < most:
        control, at = data[at], at + 1
        steps += 1
        if not steps % EVERY:
            unpacking.limits.check()
        for bit in range(8):
            if not control >> bit & 1:
                out += data[at : at + 1]
                at += 1
                continue
            token, at = int.from_bytes(data[at : at + 2], "big"), at + 2
            offset, length = token >> 4, (token & 15) + 2
            # The window is a ring, in which the known text stands first.
            back = (len(out) - offset) % _WINDOW
            if at > len(data) or back == 0 or back > len(out):
                return bytes(out[len(_KNOWN) : most])
            for _ in range(length):
                out.append(out[-back])
    return bytes(out[len(_KNOWN) : most])
