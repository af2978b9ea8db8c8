"""Verifies a signature (DKIM, RFC 6376) on a message that we made up, by the key published.

So it is seen that the key in the name system belongs to the signer's private one, which nobody but
the signer can read. RSA alone is known here, the one that every receiver must know (RFC 8301).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_INTEGER, _BITS, _SEQUENCE = 0x02, 0x03, 0x30
# DER of DigestInfo for SHA-256, before the digest (RFC 8017 section 9.2).
_SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")
_LENGTH = re.compile(r"[0-9]{1,76}")  # RFC 6376 section 3.5
_BLANKS = re.compile(rb"[ \t]+")
_LARGEST = 16_384  # bits


class BadKeyError(Exception):
    """A key record or a signature is none; the message says why."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key for RSA."""

    modulus: int
    exponent: int

    @property
    def bits(self) -> int:
        """Its size."""
        return self.modulus.bit_length()


def read_tags(text: str) -> dict[str, str]:
    """Read a list of tags (RFC 6376 section 3.2); a name that comes again is as its first one."""
    pairs = (each.partition("=") for each in text.split(";"))
    found: dict[str, str] = {}
    for name, equals, value in pairs:
        if equals:
            found.setdefault(name.strip(), value.strip())
    return found


def read_key(record: str) -> PublicKey:
    """Read a key record.

    Args:
        record: its text.

    Raises:
        BadKeyError: there is no key for RSA in it.
    """
    tags = read_tags(record)
    if tags.get("v", "DKIM1") != "DKIM1":
        raise BadKeyError(f"its version is {tags['v']}")
    if "p" not in tags:
        raise BadKeyError("it has no key (p=)")
    if not tags["p"]:
        raise BadKeyError("it says that the key is revoked (p= is empty)")
    if tags.get("k", "rsa") != "rsa":
        raise BadKeyError(f"its kind is {tags['k']}, which not all receivers know")
    data = _decode(tags["p"])
    try:
        outer = _Der(_Der(data).take(_SEQUENCE))
        if outer.peek() == _SEQUENCE:
            outer.take(_SEQUENCE)
            outer = _Der(_Der(outer.take(_BITS)[1:]).take(_SEQUENCE))
        numbers = [int.from_bytes(outer.take(_INTEGER), "big") for _ in range(2)]
    except IndexError:
        raise BadKeyError("its key (p=) cannot be read") from None
    if not 0 < numbers[0].bit_length() <= _LARGEST or not 1 < numbers[1] < 1 << 32:
        raise BadKeyError("its key (p=) is none for RSA")
    return PublicKey(*numbers)


class _Der:
    """Octets of DER, taken one value after the other; IndexError at what is none."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def peek(self) -> int:
        return self._data[0]

    def take(self, kind: int) -> bytes:
        if self._data[0] != kind:
            raise IndexError
        length, start = self._data[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(self._data[2:start], "big")
        if start + length > len(self._data):
            raise IndexError
        value, self._data = self._data[start : start + length], self._data[start + length :]
        return value


def verify(signature: str, fields: Iterable[tuple[str, str]], body: bytes, key: PublicKey) -> bool:
    """Return whether a signature holds.

    Args:
        signature: the value of DKIM-Signature.
        fields: the header fields that were signed, names and values, from the top.
        body: the body, its lines ended by CR LF, none of them empty at the end.
        key: the public key.

    Raises:
        BadKeyError: it is signed in a way that is not known here.
    """
    tags = read_tags(signature)
    if tags.get("a") != "rsa-sha256":
        raise BadKeyError(f"it signs by {tags.get('a')}")
    how, _, how_body = tags.get("c", "simple/simple").partition("/")
    if _hash_body(body, how_body or "simple", tags.get("l")) != _decode(tags.get("bh", "")):
        return False
    signed = hashlib.sha256(_join(signature, fields, tags, how)).digest()
    size = (key.bits + 7) // 8
    proof = int.from_bytes(_decode(tags.get("b", "")), "big")
    padding = b"\0\1" + b"\xff" * (size - 3 - len(_SHA256) - 32) + b"\0"
    return pow(proof, key.exponent, key.modulus).to_bytes(size, "big") == padding + _SHA256 + signed


def _hash_body(body: bytes, how: str, length: str | None) -> bytes:
    text = body
    if how == "relaxed":
        text = b"\r\n".join(_BLANKS.sub(b" ", line).rstrip() for line in body.split(b"\r\n"))
    if length is not None and not _LENGTH.fullmatch(length):
        raise BadKeyError("how much of the body it signs (l=) is no number")
    return hashlib.sha256(text[: int(length)] if length else text).digest()


def _join(
    signature: str, fields: Iterable[tuple[str, str]], tags: Mapping[str, str], how: str
) -> bytes:
    """Put together what was signed (RFC 6376 section 3.7)."""
    write = _relax if how == "relaxed" else _keep
    left = list(fields)
    signed = []
    for name in tags.get("h", "").split(":"):
        place = next((n for n in reversed(range(len(left))) if _same(left[n][0], name)), None)
        if place is not None:
            signed.append(write(*left.pop(place)))
    emptied = re.sub(r"(^|;)(\s*b\s*=)[^;]*", r"\1\2", signature)
    return b"\r\n".join([*signed, write("DKIM-Signature", emptied)])


def _same(one: str, other: str) -> bool:
    return one.strip().lower() == other.strip().lower()


def _relax(name: str, value: str) -> bytes:
    return f"{name.strip().lower()}:{' '.join(value.split())}".encode()


def _keep(name: str, value: str) -> bytes:
    space = "" if value.startswith((" ", "\t")) else " "
    return re.sub(r"\r?\n", "\r\n", f"{name}:{space}{value}").encode()


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadKeyError("what should be base64 is not") from None
