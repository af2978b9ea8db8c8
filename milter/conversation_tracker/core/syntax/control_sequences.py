r"""What follows ESC in a text: colours of terminals, and the character sets of ISO-2022-JP.

ECMA-48 and ECMA-35; RFC 1468. Japanese mail has that encoding under many labels, and more
characters in it than the standard has (NEC row 13), so it is read here as programs do. Nothing here
raises.
"""

import re

SEQUENCE = re.compile(
    r"\x1b(?:((?:\$(?:[@AB]|\([@-F])|\(I)[^\x1b\r\n]++)|\[[0-?]*+[ -/]*+[@-~]?"
    r"|\]([^\x07\x1b\r\n]{0,256}+)(?:\x07|\x1b\\)?|[ -/]*+[0-~]?)|\x9b[0-?]*+[ -/]*+[@-~]"
    r"|\x0e|\x0f|\^\[\[[0-9;]*+[A-Za-z]|#033\[[0-9;]*+[A-Za-z]"
)
"""A sequence; its first group is double bytes, or katakana, with what calls for them.

The second is what a terminal is told and does not show, as where a link goes.
"""

OTHER_SCRIPT = "\u4e00"
"""A letter that stands for what double bytes and katakana say."""

_UNFINISHED = re.compile(
    r"\x1b(?:(?:\$(?:[@AB]|\([@-F])|\(I)[^\x1b\r\n]*+|\[[0-?]*+[ -/]*+|\][^\x07\x1b\r\n]*+"
    r"|[ -/]*+)|\x9b[0-?]*+[ -/]*+"
)
_LONGEST = 256  # characters of a sequence that is looked for over more than one text
_SETS = re.compile(rb"\x1b(\$[@B]|\$\(D|\([BJHI])")
_FIRST, _LAST = 0x21, 0x7E


def drop(text: str) -> str:
    """Return a text without the sequences; the same object if there are none.

    What a terminal is told stays where it may hold an address.
    """
    if "\x1b" not in text and "\x9b" not in text:
        return text
    return SEQUENCE.sub(_show, text)


def find_unfinished(text: str) -> str:
    """Return the sequence that a text ends in, if it may go on in the next; "" if there is none."""
    if "\x1b" not in text and "\x9b" not in text:
        return ""
    at = max(text.rfind("\x1b"), text.rfind("\x9b"))
    ends = len(text) - at > _LONGEST or _UNFINISHED.fullmatch(text, at) is None
    return "" if ends else text[at:]


def _show(match: re.Match[str]) -> str:
    if match[1]:
        return OTHER_SCRIPT
    told = match[2]
    if told is None:
        return ""
    return f" {told} " if "@" in told or "%40" in told else " "


def decode_japanese(data: bytes) -> str | None:
    """Decode ISO-2022-JP with the characters of Windows in it.

    Args:
        data: octets.

    Returns:
        The text; None where nothing calls for a character set.
    """
    if _SETS.search(data) is None:
        return None
    parts = _SETS.split(data)
    pieces = [parts[0].decode("latin-1")]
    for called, octets in zip(parts[1::2], parts[2::2], strict=True):
        if called in (b"$@", b"$B"):
            pieces.append(_double(octets))
        elif called == b"(I":
            pieces.append(
                bytes(each | 0x80 if each > 0x20 else each for each in octets).decode(
                    "cp932", "replace"
                )
            )
        else:
            pieces.append(octets.decode("latin-1"))
    return "".join(pieces)


def _double(octets: bytes) -> str:
    """Decode characters of two octets, by way of Shift JIS; others are as they are."""
    found = bytearray()
    at = 0
    while at < len(octets):
        pair = octets[at : at + 2]
        if len(pair) < 2 or not all(_FIRST <= each <= _LAST for each in pair):
            found += pair[:1] if pair[0] < 0x80 else b"?"
            at += 1
            continue
        first, second = pair
        lead = ((first - _FIRST) >> 1) + 0x81
        trail = second + (0x7E if first % 2 == 0 else 0x1F if second < 0x60 else 0x20)
        found += bytes((lead + 0x40 if lead > 0x9F else lead, trail))
        at += 2
    return bytes(found).decode("cp932", "replace")
