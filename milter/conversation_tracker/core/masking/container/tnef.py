"""What Outlook sends as winmail.dat (MS-OXTNEF): attachments, and text that is compressed.

Nothing here raises.
"""

from collections.abc import Iterator

from conversation_tracker.core.base.limits import EVERY
from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container.budget import Unpacking

MAGIC = b"\x78\x9f\x3e\x22"

_HEAD, _ATTRIBUTE = 6, 9
_CONTENT = b"\x0f\x80\x06\x00"  # attAttachData
_COMPRESSED = (b"LZFu", b"MELA")
_BEFORE = 8  # octets of sizes before the mark


def open_tnef(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Yield the attachments in TNEF, and the compressed text of its message."""
    at = _HEAD
    steps = 0
    while at + _ATTRIBUTE <= len(data):
        if not (steps := steps + 1) % EVERY:
            unpacking.limits.check()
        head = data[at : at + _ATTRIBUTE]
        start = at + _ATTRIBUTE
        end = min(start + int.from_bytes(head[5:], "little"), len(data))
        if head[1:5] == _CONTENT:
            if not unpacking.allows_another():
                return
            yield unpacking.limits.store(iter_windows(data, start, end))
        at = end + 2  # its check sum
    for mark in _COMPRESSED:
        place = data.find(mark)
        while place >= 0 and unpacking.allows_another():
            start = max(0, place - _BEFORE)
            end = min(start + 4 + int.from_bytes(data[start : start + 4], "little"), len(data))
            yield unpacking.limits.store(iter_windows(data, start, end))
            place = data.find(mark, max(end, place + 1))
