"""PDF files that are encrypted though anybody can open them, for the final scan.

Written apart from the masking code. No word is needed where only printing or copying is restricted,
as in many a bank's statements. Nothing here raises but what asking for the time raises.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import md5, sha256, sha384, sha512
from itertools import islice
from typing import NamedTuple

from conversation_tracker.core.base.ciphers import apply_rc4, decrypt_cbc, encrypt_cbc
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.scanning.pdf import pages

_PLAIN = rb"(?>(?>[^()\\]+|\\.)*)"
_TEXT = rb"\((?<!\\\()((?>(?>[^()\\]+|\\.|\(%s\))*))\)|(?<!<)<([0-9a-fA-F\s]*)>" % _PLAIN
_STRING = re.compile(_TEXT, re.DOTALL)
_REFERENCE = re.compile(rb"/Encrypt\s*+(?:(\d{1,9})\s++(\d{1,5})\s++R|<<)")
_IDENTIFIER = re.compile(rb"/ID\s*+\[\s*+(?:" + _TEXT + rb")", re.DOTALL)
_ENTRY = re.compile(rb"/(\w++)\s*+(?:" + _TEXT + rb"|/(\w++)|(-?\d{1,10})|(true|false))", re.DOTALL)
_OBJECT = re.compile(rb"(?<!\d)(\d{1,9})\s++(\d{1,5})\s++obj\b")
_NEAR = 4096
_MOST_REFERENCES = 32
_NO_PASSWORD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")
_OPEN = (b"/XRef", b"/Crypt")
_MOST_STEPS = 4 * 1024 * 1024  # octets of RC4
_MOST = 8 * 1024 * 1024  # of a stream
_MOST_OF_PICTURE = 4096
_MOST_KEYS = 10_000


class _Lock(NamedTuple):
    """How a file is locked: its key, the names of the ciphers, and whether its metadata are."""

    key: bytes
    streams: bytes
    strings: bytes
    metadata: bool


def unlock(data: Octets, check: Callable[[], None]) -> Iterator[bytes] | None:
    """Return the pieces of a file without its encryption; None where it has none, or a password.

    Args:
        data: the file.
        check: asks for the time.
    """
    if data.find(b"/Encrypt") < 0:
        return None
    lock = _find_lock(data)
    return _Unlocker(lock).iter_objects(data, check) if lock is not None else None


def _find_lock(data: Octets) -> _Lock | None:
    for reference in islice(_REFERENCE.finditer(data), _MOST_REFERENCES):
        start = reference.end()
        if reference[1]:
            number, generation = int(reference[1]), int(reference[2])
            start = data.find(b"\n%d %d obj" % (number, generation))
            start = start if start >= 0 else data.find(b"%d %d obj" % (number, generation))
        near = data[max(0, reference.start() - _NEAR) : reference.end() + _NEAR]
        identifier = _IDENTIFIER.search(near)
        name = _decode(identifier[1], identifier[2]) if identifier is not None else b""
        lock = _make_lock(data[start : start + _NEAR].partition(b"endobj")[0], name)
        if start >= 0 and lock is not None:
            return lock
    return None


def _make_lock(text: bytes, name: bytes) -> _Lock | None:
    strings: dict[bytes, bytes] = {}
    numbers: dict[bytes, int] = {}
    for key, plain, digits, word, number, truth in _ENTRY.findall(text):
        if number:
            numbers[key] = int(number)
        else:
            strings[key] = word or truth or _decode(plain, digits)
    revision = numbers.get(b"R", 0)
    cipher = strings.get(b"CFM", b"V2")
    if cipher not in (b"V2", b"AESV2", b"AESV3"):
        return None
    metadata = strings.get(b"EncryptMetadata") != b"false"
    user = strings.get(b"U", b"")
    if cipher == b"AESV3":
        harden = _harden if revision > 5 else lambda salt: sha256(salt).digest()
        fits = len(user) >= 48 and harden(user[32:40]) == user[:32]
        key = decrypt_cbc(harden(user[40:48]), bytes(16), strings.get(b"UE", b"")[:32])
        fits = fits and len(key) == 32
    else:
        hashed = _NO_PASSWORD + strings.get(b"O", b"")[:32]
        hashed += (numbers.get(b"P", 0) % 2**32).to_bytes(4, "little") + name
        size = numbers.get(b"Length", 40) // 8 if b"CFM" not in strings else 16
        size = 5 if numbers.get(b"V") == 1 and cipher == b"V2" else max(5, min(size, 16))
        key = _md5(hashed if metadata or revision < 4 else hashed + b"\xff\xff\xff\xff")
        for _ in range(50 if revision > 2 else 0):
            key = _md5(key[:size])
        key = key[:size]
        fits = _fits(key, user, name, revision)
    if not fits:
        return None
    if b"CFM" not in strings:
        return _Lock(key, cipher, cipher, metadata)
    streams, texts = (
        cipher if strings.get(each, b"Identity") != b"Identity" else b""
        for each in (b"StmF", b"StrF")
    )
    return _Lock(key, streams, texts, metadata)


def _fits(key: bytes, user: bytes, name: bytes, revision: int) -> bool:
    """Return whether a key without a password is the file's."""
    if revision < 3:
        return apply_rc4(key, user[:32]) == _NO_PASSWORD
    shown = user[:16]
    for turn in reversed(range(20)):
        shown = apply_rc4(bytes(octet ^ turn for octet in key), shown)
    return shown == _md5(_NO_PASSWORD + name)


def _harden(salt: bytes) -> bytes:
    """Hash as the newest files have it: AES and SHA-2 in turns, 64 times or more."""
    digest, turn = sha256(salt).digest(), 0
    while True:
        mixed = encrypt_cbc(digest[:16], digest[16:32], digest * 64)
        digest = (sha256, sha384, sha512)[int.from_bytes(mixed[:16], "big") % 3](mixed).digest()
        turn += 1
        if turn >= 64 and mixed[-1] <= turn - 32:
            return digest[:32]


class _Unlocker:
    """Goes through the objects of one file."""

    def __init__(self, lock: _Lock) -> None:
        self._lock = lock
        self._steps, self._keys = _MOST_STEPS, _MOST_KEYS

    def iter_objects(self, data: Octets, check: Callable[[], None]) -> Iterator[bytes]:
        """Yield the objects one after another."""
        at = 0
        yield b"%PDF-1.7\n"
        while self._keys > 0 and (begin := _OBJECT.search(data, at)) is not None:
            check()
            at = data.find(b"endobj", begin.end())
            at = at if at >= 0 else len(data)
            name = int(begin[1]).to_bytes(4, "little")[:3] + int(begin[2]).to_bytes(4, "little")[:2]
            head, stream, rest = data[begin.end() : at].partition(b"stream")
            yield b"obj" + _STRING.sub(partial(self._show, name), head)
            if stream:
                yield b"stream\n" + self._open_stream(head, rest, name) + b"\nendstream\n"
            yield b"endobj\n"

    def _open_stream(self, head: bytes, rest: bytes, name: bytes) -> bytes:
        begin = pages.skip_line_end(rest, 0)
        most = _MOST_OF_PICTURE if b"/Image" in head else _MOST
        end = rest.rfind(b"endstream")
        packed = rest[begin : min(end if end >= 0 else len(rest), begin + most)]
        is_open = any(each in head for each in _OPEN)
        if is_open or (b"/Metadata" in head and not self._lock.metadata):
            return packed
        return self._open(packed, self._lock.streams, name)

    def _show(self, name: bytes, found: re.Match[bytes]) -> bytes:
        plain = self._open(_decode(found[1], found[2]), self._lock.strings, name)
        return b"(%s)" % plain.translate(pages.NO_MARKS)

    def _open(self, packed: bytes, cipher: bytes, name: bytes) -> bytes:
        """Decrypt what stands in the object of a name."""
        if not cipher or self._keys <= 0 or not packed:
            return packed
        self._keys -= 1
        key = self._lock.key
        if cipher != b"AESV3":
            key = _md5(key + name + (b"sAlT" if cipher == b"AESV2" else b""))[: len(key) + 5]
        if cipher != b"V2":
            plain = decrypt_cbc(key, packed[:16].ljust(16, b"\0"), packed[16:])
            return plain[: -plain[-1]] if plain and 0 < plain[-1] <= 16 else plain
        packed = packed[: self._steps]
        self._steps -= len(packed)
        return apply_rc4(key, packed)


def _decode(plain: bytes | None, digits: bytes | None) -> bytes:
    return pages.from_digits(digits) if digits else pages.unescape(plain or b"")


def _md5(data: bytes) -> bytes:
    return md5(data, usedforsecurity=False).digest()
