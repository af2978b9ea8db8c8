"""Cabinet files, as Windows packs them: what is stored in their folders, or packed by MSZIP.

Folders in other codes (Quantum, LZX) stay shut. Nothing here raises.
"""

import zlib
from collections.abc import Iterator

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.masking.container.budget import Unpacking

MAGIC = b"MSCF\0\0\0\0"

_HEAD, _FOLDER, _BLOCK = 36, 8, 8
_HAS_PREVIOUS, _HAS_NEXT, _HAS_RESERVE = 1, 2, 4
_STORED, _MSZIP = 0, 1
_SIGN = b"CK"
_MOST = 32 * 1024  # octets that a block holds, and that the next one may repeat


def open_cabinet(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack the folders of a cabinet file."""
    head = data[: _HEAD + 4]
    count, flags = _number(head, 26, 2), _number(head, 30, 2)
    at, folder_reserve, block_reserve = _HEAD, 0, 0
    if flags & _HAS_RESERVE and len(head) == _HEAD + 4:
        at += 4 + _number(head, 36, 2)
        folder_reserve, block_reserve = head[38], head[39]
    for flag in (_HAS_PREVIOUS, _HAS_NEXT):
        for _ in range(2 if flags & flag else 0):  # the names of a file and of its disk
            at = max(data.find(b"\0", at), at) + 1
    for _ in range(count):
        if len(folder := data[at : at + _FOLDER]) < _FOLDER or not unpacking.allows_another():
            return
        at += _FOLDER + folder_reserve
        start, blocks, code = _number(folder, 0, 4), _number(folder, 4, 2), folder[6] & 15
        if code in (_STORED, _MSZIP):
            yield unpacking.keep(_unpack(data, start, blocks, block_reserve, code, unpacking))


def _unpack(
    data: Octets, at: int, blocks: int, reserve: int, code: int, unpacking: Unpacking
) -> Iterator[bytes]:
    left, before = unpacking.limit_for(len(data)), b""
    for _ in range(blocks):
        size = _number(data[at : at + _BLOCK], 4, 2)
        at += _BLOCK + reserve
        block = data[at : at + size]
        at += size
        unpacking.limits.check()
        if not block or left <= 0:
            return
        if code == _MSZIP:
            if not block.startswith(_SIGN):
                return
            try:
                block = zlib.decompressobj(-zlib.MAX_WBITS, before).decompress(block[2:], _MOST)
            except zlib.error:
                return
            before = block
        left -= len(block)
        yield block


def _number(data: bytes, at: int, octets: int) -> int:
    return int.from_bytes(data[at : at + octets], "little")
