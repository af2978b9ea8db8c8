"""Values of calendars and cards in base64: keys, certificates, pictures, attached files.

Such a value cannot be masked; the object can be read without the property (RFC 5545 section
3.8.1.1, RFC 6350 sections 6.2.4 and 6.8.1). Nothing here raises.
"""

import binascii
import re
from collections.abc import Callable, Iterator

from conversation_tracker.core.syntax import transfer

_FOLD = re.compile(rb"(?:\r\n|\n)[ \t]")
_HEAD = re.compile(
    rb"^[^:;\n]*+(;[^:\n]*+):|:data:[^,\n]{0,200};base64,", re.IGNORECASE | re.MULTILINE
)
_BASE64 = re.compile(rb";\s*+(?:ENCODING=\"?)?(?:B|BASE64)\b", re.IGNORECASE)
_ENCODED = re.compile(rb"[A-Za-z0-9+/=\s\\]*")
_MORE = re.compile(rb"[A-Za-z0-9+/=\s]*")
_LINE = re.compile(rb"[^\n]*+(?>(?:\n[ \t][^\n]*+)*)\n?")


def may_stand_in(data: bytes) -> bool:
    """Return, cheaply, whether there may be such a value in content lines."""
    low = data.lower()
    return b"base64" in low or b"=b" in low


def decode_values(data: bytes) -> Iterator[bytes]:
    """Yield the values that are in base64, decoded.

    Args:
        data: content lines, without their transfer encoding.
    """
    if not may_stand_in(data):
        return
    whole = _FOLD.sub(b"", data)
    at = 0
    while (head := _HEAD.search(whole, at)) is not None:
        if head[1] is not None and _BASE64.search(head[1]) is None:
            at = head.end() - 1  # its value may begin there with "data:"
            continue
        value = _take_value(whole, head.end())
        at = max(head.end() + len(value), head.end())
        try:
            yield transfer.decode(value, transfer.BASE64)
        except binascii.Error:
            continue


def _take_value(whole: bytes, start: int) -> bytes:
    """Take a base64 value; vCard 2.1 lets it go on over lines without a colon."""
    found = _ENCODED.match(whole, start)
    value = whole[start : found.end()] if found else b""
    if start + len(value) < len(whole):  # what matched last is the name of the next property
        value = value[: value.rfind(b"\n") + 1] or value
    return value


def remove_properties(data: bytes, goes: Callable[[bytes], bool]) -> bytes:
    """Leave out the properties whose values in base64 are to go.

    Args:
        data: content lines, without their transfer encoding.
        goes: says of a decoded value whether it is to go.

    Returns:
        The content; the same object if none goes.
    """
    if not any(map(goes, decode_values(data))):
        return data
    lines = [match[0] for match in _LINE.finditer(data) if match[0]]
    left: list[bytes] = []
    at = 0
    while at < len(lines):
        after = at + 1
        if _holds_value(lines[at]):
            while after < len(lines) and _MORE.fullmatch(lines[after]):
                after += 1
        whole = b"".join(lines[at:after])
        if not any(map(goes, decode_values(whole))):
            left += lines[at:after]
        at = after
    return b"".join(left)


def _holds_value(line: bytes) -> bool:
    """Return whether a value in base64 begins in a content line."""
    return next(decode_values(line), None) is not None
