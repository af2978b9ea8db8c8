"""PNG pictures (ISO 15948): the texts and profiles in them that are compressed.

What is not compressed stands in the file anyway. Nothing here raises.
"""

from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.container import decompressing
from conversation_tracker.core.masking.container.budget import Unpacking

MAGIC = b"\x89PNG\r\n\x1a\n"

_HEAD, _SUM = 8, 4
_TEXT, _ZTEXT, _PROFILE = b"iTXt", b"zTXt", b"iCCP"
_MOST_KEYWORD = 400  # octets before the text: keyword, languages
_MOST_CHUNKS = 100_000
_NUL = b"\0"
_ZLIB = 2  # octets before what is deflated


def open_png(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Decompress the chunks that hold text or a profile (sections 11.3.3 and 11.3.4)."""
    at = len(MAGIC)
    for _ in range(_MOST_CHUNKS):
        head = data[at : at + _HEAD]
        if len(head) < _HEAD:
            return
        end = min(at + _HEAD + int.from_bytes(head[:4], "big"), len(data))
        if head[4:] in (_TEXT, _ZTEXT, _PROFILE):
            if not unpacking.allows_another():
                return
            start = _compressed_at(data, at + _HEAD, end, head[4:])
            limit = unpacking.limit_for(max(0, end - start))
            yield unpacking.keep(decompressing.open_deflate(data, start + _ZLIB, end, limit))
        at = end + _SUM


def _compressed_at(data: Octets, start: int, end: int, kind: bytes) -> int:
    """Find where the compressed octets of a chunk begin, behind its keyword."""
    before = data[start : min(end, start + _MOST_KEYWORD)]
    at = before.find(_NUL) + 2  # behind it stands the method
    if kind == _TEXT:
        at += 1  # a flag stands before the method
        for _ in range(2):  # language, and keyword in it
            at = before.find(_NUL, at) + 1
    return start + at
