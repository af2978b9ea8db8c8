"""One base64 token of a link: decoded and encoded as it was; what is compressed, packed again.

Which of them hold an address is found in `links`. Nothing here raises.
"""

import binascii
import re
import zlib
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
TEXT = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]*")
"""What comes out of a token that is text throughout."""
_USUAL_OCTETS = bytes.maketrans(b"-_", b"+/")
_GROUPS = ("AAAA", "AAAAAAA", "AAAAAA", "AAAAA")  # what fills the last group, and one more
PADDING = ("", "", "==", "=")
"""What ends a token, by what is left of four characters; one alone is no byte."""
BEGINS_PACKED = r"(?:eJ[w-z]|eA[E-H]|eF[4-7]|eN[o-r]|H4sI)"
"""How zlib and gzip begin in base64."""
_BEGINS_PACKED = re.compile(BEGINS_PACKED)
# One of these begins with one character: so it is found at many times the speed.
PACKED = (
    re.compile(r"e(?:J[w-z]|A[E-H]|F[4-7]|N[o-r])(?<![^\n/=]...)"),
    re.compile(r"H4sI(?<![^\n/=]....)"),
)
"""How tokens begin that are packed with zlib or gzip, in several of them with line ends between."""
_ANY_FORMAT, _GZIP = 47, 31
_MOST_UNPACKED = 16  # octets that are read of what is unpacked, for each packed one
_FEWEST = 12  # characters of what holds an address in base64, or that is packed


class Token(NamedTuple):
    """A candidate: its place in the text, and how it is to be read."""

    start: int
    end: int
    text: str
    offset: int
    data: bytes


def decode_all(tokens: list[re.Match[str]]) -> bytes:
    """Decode tokens together: laid out in groups of four, from each place at which one may begin.

    What is decoded from where a token, or what slashes part in it, does not begin is noise.
    """
    if not tokens:
        return b""
    codes = [decode_escapes(each[0]).rstrip("=") for each in tokens]
    row = "".join([code + _GROUPS[len(code) % 4] for code in codes])
    data = row.encode("ascii").translate(_USUAL_OCTETS)
    return b"\n".join([binascii.a2b_base64(data[at : at - 4]) for at in range(4)])


def decode_escapes(token: str) -> str:
    """Return a token without percent escapes."""
    if "%" not in token:
        return token
    return _ESCAPED.sub(lambda match: chr(int(match[0][1:], 16)), token)


def encode(old: str, token: Token, new: str) -> str:
    """Encode a token as it was, or cut it where that cannot be done."""
    if token.offset or not TEXT.fullmatch(token.text):
        return ""
    plain = decode_escapes(old)
    written = binascii.b2a_base64(new.encode("utf-8"), newline=False).decode("ascii")
    again = binascii.b2a_base64(token.text.encode("utf-8"), newline=False).decode("ascii")
    if "-" in plain or "_" in plain or not ("+" in plain or "/" in plain):
        written, again = (s.replace("+", "-").replace("/", "_") for s in (written, again))
    if again.rstrip("=") != plain.rstrip("="):
        return ""
    if len(plain) % 4 and not plain.endswith("="):
        written = written.rstrip("=")
    return quote(written, safe="-_") if "%" in old else written


def mask_inside(old: str, change: Callable[[str, int], str], deep: int) -> str | None:
    """Mask what a token holds, or what is compressed in it, in which nothing is unpacked again.

    Args:
        old: the token.
        change: gives its text with addresses replaced, if tokens so deep in it are read.
        deep: how deep that is around it.

    Returns:
        The token written anew, "" where that cannot be done; None where it stays.
    """
    code = decode_escapes(old).rstrip("=").replace("-", "+").replace("_", "/")
    last = len(code) - (len(code) % 4 == 1)
    data = binascii.a2b_base64(code[:last] + PADDING[len(code) % 4])
    packed = _BEGINS_PACKED.match(code) is not None
    shown, whole = _unpack(data) if packed and deep > 1 else (data, True)
    decoded = shown.decode("utf-8", "replace")
    if len(decoded) < _FEWEST or not TEXT.fullmatch(decoded):
        return None
    if (new := change(decoded, min(deep - 1, 1) if packed else deep - 1)) == decoded:
        return None
    if not packed:
        return encode(old, Token(0, 0, decoded, 0, data), new)
    return _pack(old, new, by_gzip=code.startswith("H4sI")) if whole else ""


def _pack(old: str, new: str, *, by_gzip: bool) -> str:
    """Pack a text as a token was; whatever did that before, what unpacks it reads it."""
    packer = zlib.compressobj(wbits=_GZIP if by_gzip else zlib.MAX_WBITS)
    again = packer.compress(new.encode("utf-8")) + packer.flush()
    written = binascii.b2a_base64(again, newline=False).decode("ascii")
    if not ("+" in old or "/" in old):
        written = written.replace("+", "-").replace("/", "_")
    if not old.endswith(("=", "%3D", "%3d")):
        written = written.rstrip("=")
    return quote(written, safe="-_+/") if "%" in old else written


def _unpack(data: bytes) -> tuple[bytes, bool]:
    """Unpack text, as far as it goes, and say whether that was all."""
    unpacker = zlib.decompressobj(_ANY_FORMAT)
    try:
        shown = unpacker.decompress(data, _MOST_UNPACKED * len(data))
    except zlib.error:
        return b"", False
    return shown, unpacker.eof
