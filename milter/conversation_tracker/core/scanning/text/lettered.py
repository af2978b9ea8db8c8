"""Files written in letters of a text, for the final scan: yEnc, BinHex, and objects of RTF.

Written apart from the masking code. Nothing here raises.
"""

import re
from binascii import Error, a2b_base64, unhexlify
from collections.abc import Iterator
from itertools import islice

_YENC = re.compile(rb"=ybegin .{0,400}\n")
_HEX = re.compile(rb"\\objdata\s*+([0-9a-fA-F\s]++)")
_HEXBIN = re.compile(rb"BinHex.{0,40}\n\s{0,99}:")
_CODE = bytes(range(0x21, 0x2E)) + b"012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_TO_BASE64 = bytes.maketrans(_CODE, _BASE64)
_BACK = bytes((n + 214) % 256 for n in range(256))
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MOST = 8 * 1024 * 1024  # octets that come out of a file
_MOST_FILES = 100  # that are looked at one by one; of the others, so many together

MARKS = (b"=ybegin ", b"BinHex", b"\\objdata")
"""What stands before or in such files."""


def decode_files(data: bytes) -> Iterator[bytes]:
    """Yield the files in a text, decoded; where names stand before a compound file, that too."""
    for content in _decode(data):
        yield content
        if (at := content.find(_COMPOUND)) > 0:
            yield content[at:]


def _decode(data: bytes) -> Iterator[bytes]:
    if b"=ybegin " in data:
        yield from _join(map(_decode_yenc, _take(data, _YENC, b"\n=yend")))
    if b"BinHex" in data:
        yield from _join(map(_decode_binhex, _take(data, _HEXBIN, b":")))
    if b"\\objdata" in data:
        yield from _join(map(_decode_digits, _HEX.finditer(data)))


def _join(files: Iterator[bytes]) -> Iterator[bytes]:
    yield from islice(files, _MOST_FILES)
    while many := list(islice(files, _MOST_FILES)):
        yield b"\n".join(many)


def _decode_digits(found: re.Match[bytes]) -> bytes:
    digits = b"".join(found[1].split())
    return unhexlify(digits[: len(digits) // 2 * 2])


def _take(data: bytes, first: re.Pattern[bytes], last: bytes) -> Iterator[bytes]:
    """Take what stands between the first and the last words of files."""
    begin = first.search(data)
    while begin is not None:
        end = data.find(last, begin.end())
        end = end if end >= 0 else len(data)
        yield data[begin.end() : end]
        begin = first.search(data, end)


def _decode_yenc(lines: bytes) -> bytes:
    if lines.startswith(b"=ypart "):
        lines = lines.partition(b"\n")[2]
    first, *rest = lines.translate(None, b"\r\n").split(b"=")
    plain = [first, *(bytes(((each[0] + 192) % 256,)) + each[1:] for each in rest if each)]
    return b"".join(plain).translate(_BACK)


def _decode_binhex(code: bytes) -> bytes:
    code = code.translate(_TO_BASE64, b" \t\r\n")
    try:
        octets = a2b_base64(code[: len(code) // 4 * 4])
    except Error:
        return b""
    first, *rest = octets.split(b"\x90")
    out = bytearray(first)
    for each in rest:
        if len(out) > _MOST:
            break
        times = each[0] if each else 0
        out += bytes(out[-1:]) * (times - 1) if times else b"\x90"
        out += each[1:]
    return bytes(out)
