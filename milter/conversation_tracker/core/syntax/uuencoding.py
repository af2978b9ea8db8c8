"""Uuencoded parts (POSIX.1-2017, uuencode): older than MIME, and still sent.

What stands around the lines from "begin" to "end" is not content, and stays. Nothing here raises.
"""

import binascii
import re

NAMES = frozenset({"x-uuencode", "uuencode", "x-uue", "uue"})
"""What Content-Transfer-Encoding calls it, in lower case."""

_BLOCK = re.compile(
    rb"^(begin [0-7]{3,4} [^\r\n]*\r?\n)(.*?)^(`?\r?\n?end\b)", re.DOTALL | re.MULTILINE
)
_OCTETS = 45  # of a whole line


def decoded(raw: bytes) -> bytes:
    """Decode a part's content; the same object where there is none to be found."""
    block = _BLOCK.search(raw)
    return raw if block is None else b"".join(map(_of_line, block[2].splitlines()))


def encoded(raw: bytes, new: bytes) -> bytes:
    """Encode changed content.

    Args:
        raw: the content as it stands in the message.
        new: what it shall decode to.

    Returns:
        The content anew, with the first and last line and the line ends of `raw`; `new` where
        `raw` was not decoded either.
    """
    block = _BLOCK.search(raw)
    if block is None:
        return new
    line_end = b"\r\n" if block[1].endswith(b"\r\n") else b"\n"
    lines = (
        binascii.b2a_uu(new[at : at + _OCTETS], backtick=True).rstrip(b"\n") + line_end
        for at in range(0, len(new), _OCTETS)
    )
    return raw[: block.start(2)] + b"".join(lines) + raw[block.end(2) :]


def _of_line(line: bytes) -> bytes:
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        # Some encoders pad with what means nothing: the count alone is to be believed.
        count = (line[0] - 32) & 63 if line else 0
        try:
            return binascii.a2b_uu(line[: 1 + (count + 2) // 3 * 4])
        except binascii.Error:
            return b""
