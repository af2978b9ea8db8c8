"""What OpenPGP compresses and does not encrypt, for the final scan (RFC 9580 section 5.6).

Written apart from the masking code. Nothing here raises.
"""

from conversation_tracker.core.base.octets import Octets

_FIRST = (0xA0, 0xA1, 0xA2, 0xA3, 0xC8)
_MOST = 4 * 1024 * 1024


def unpack(data: Octets) -> tuple[int, bytes]:
    """Return how a compressed packet at the beginning is compressed, and its octets.

    Args:
        data: the octets.

    Returns:
        1 or 2, for Deflate without and with a header; 0 where there is no such packet.
    """
    head = data[:2]
    if len(head) < 2 or head[0] not in _FIRST:
        return 0, b""
    if head[0] != 0xC8:
        behind = {0xA0: 2, 0xA1: 3, 0xA2: 5}.get(head[0], 1)
        whole = data[behind : behind + _MOST]
    elif not 0xE0 <= head[1] < 0xFF:
        behind = 2 if head[1] < 0xC0 else 6 if head[1] == 0xFF else 3
        whole = data[behind : behind + _MOST]
    else:
        whole = _join(data[1 : 1 + _MOST])
    return (whole[0], whole[1:]) if whole[:1] in (b"\1", b"\2") else (0, b"")


def _join(rest: bytes) -> bytes:
    """Join pieces, each of which has its length before it."""
    pieces, at = [], 0
    while at < len(rest) and 0xE0 <= rest[at] < 0xFF:
        size = 1 << (rest[at] & 0x1F)
        pieces.append(rest[at + 1 : at + 1 + size])
        at += 1 + size
    behind = 5 if rest[at : at + 1] == b"\xff" else 1
    return b"".join([*pieces, rest[at + behind :]])
