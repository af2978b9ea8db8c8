"""Spans of a short value replaced: a header field, a parameter. `limits` does so in bodies."""

from collections.abc import Sequence


def splice(value: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Replace spans of a value.

    Args:
        value: any bytes.
        edits: start, end and new bytes of each span, ascending and not overlapping.

    Returns:
        The new value; the same object if there is nothing to replace.
    """
    if not edits:
        return value
    pieces: list[bytes] = []
    position = 0
    for start, end, new in edits:
        pieces += (value[position:start], new)
        position = end
    pieces.append(value[position:])
    return b"".join(pieces)
