"""One base64 token of a link: decoded and encoded as it was; what is compressed, packed again.

Which of them hold an address is found in `links`. Nothing here raises.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

from conversation_tracker.core.syntax import charset

_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
TEXT = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]*")
"""What comes out of a token that is text throughout."""
_USUAL_OCTETS = bytes.maketrans(b"-_", b"+/")
_GROUPS = ("AAAA", "AAAAAAA", "AAAAAA", "AAAAA")  # what fills the last group, and one more
PADDING = ("", "", "==", "=")
"""What ends a token, by what is left of four characters; one alone is no byte."""
BEGINS_PACKED = r"(?:eJ[w-z]|eA[E-H]|eF[4-7]|eN[o-r]|H4sI)"
"""How zlib and gzip begin in base64."""
BASE32 = re.compile(r"[A-Z2-7]{24,}|[a-z2-7]{24,}")
"""What may be base32, without its padding."""
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
    if BASE32.fullmatch(code) and (new32 := _mask_base32(old, code, change, deep)) is not None:
        return new32
    last = len(code) - (len(code) % 4 == 1)
    data = binascii.a2b_base64(code[:last] + PADDING[len(code) % 4])
    if (codec := _find_wide(data)) is not None:
        decoded = data.decode(codec)
        if (new := change(decoded, deep - 1)) == decoded:
            return None
        return _encode_octets(old, new.encode(codec))
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


def _find_wide(data: bytes) -> str | None:
    """Name the encoding of text in UTF-16; None for any other."""
    if b"\0" not in data:
        return None
    codec = charset.find_codec(data, "")
    return codec if codec.startswith("utf-16") else None


def _mask_base32(old: str, code: str, change: Callable[[str, int], str], deep: int) -> str | None:
    """Mask what a token holds in base32 (RFC 4648 section 6); None where it stays."""
    last = len(code) - (len(code) % 8 in (1, 3, 6))
    try:
        data = base64.b32decode(code[:last].upper() + "=" * (-last % 8))
    except binascii.Error:
        return None
    decoded = data.decode("utf-8", "replace")
    if not TEXT.fullmatch(decoded) or (new := change(decoded, deep - 1)) == decoded:
        return None
    written = base64.b32encode(new.encode("utf-8")).decode("ascii")
    if not old.endswith(("=", "%3D", "%3d")):
        written = written.rstrip("=")
    written = written.lower() if code.islower() else written
    return quote(written, safe="") if "%" in old else written


def _pack(old: str, new: str, *, by_gzip: bool) -> str:
    """Pack a text as a token was; whatever did that before, what unpacks it reads it."""
    packer = zlib.compressobj(wbits=_GZIP if by_gzip else zlib.MAX_WBITS)
    again = packer.compress(new.encode("utf-8")) + packer.flush()
    return _encode_octets(old, again)


def _encode_octets(old: str, data: bytes) -> str:
    """Encode octets as a token was."""
    written = binascii.b2a_base64(data, newline=False).decode("ascii")
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
