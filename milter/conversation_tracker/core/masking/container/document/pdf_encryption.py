"""PDF files that are encrypted and open without a password (ISO 32000-2 section 7.6).

So banks send statements, and shops invoices: only what a reader may do with them is restricted.
What needs a password shows nothing; what is over a limit stays as it is. Nothing here raises but
what asking for the time raises.
"""

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from conversation_tracker.core.base import ciphers
from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container.document import pdf_page

_ENCRYPT = re.compile(rb"/Encrypt\s{0,99}(?:([0-9]{1,9})\s{1,99}([0-9]{1,5})\s{1,99}R|(?=<<))")
_ID = re.compile(rb"/ID\s{0,99}\[\s{0,99}(?:%s)" % pdf_page.STRING)
_NEAR = 4096  # octets around, in which the rest of a dictionary is
_MOST_TOLD = 32  # places: what only looks like one may stand behind
_MOST_TRIED = 1_000  # objects whose numbers end alike
_WORD = re.compile(
    rb"(/[^\s()<>\[\]{}/%%]*)|(-?[0-9]{1,12}|true|false)|%s|(<<|>>)" % pdf_page.STRING
)
_TOKEN = re.compile(
    rb"(?<![0-9])([0-9]{1,9})\s{1,99}([0-9]{1,5})\s{1,99}obj\b|%s"
    rb"|\bstream[ \t]{0,9}(?:\r\n?|\n)" % pdf_page.STRING
)
_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_PLAIN = re.compile(rb"/Type\s{0,99}/XRef\b|/Crypt\b")
_METADATA = re.compile(rb"/Type\s{0,99}/Metadata\b")
_PICTURE = re.compile(rb"/Subtype\s{0,99}/Image\b")
_MAX_PICTURE = 4096  # octets: nobody reads its dots
_MAX_STREAM = 8 * 1024 * 1024
_MAX_RC4 = 4 * 1024 * 1024  # octets of all, each of which is a step
_MAX_PIECES = 10_000  # streams and strings, each of which has a key of its own
_AES_START = 16
_MARKS = re.compile(rb"[()\\]")

_RC4, _AES, _AES_256 = b"/V2", b"/AESV2", b"/AESV3"


@dataclass(slots=True)
class Key:
    """What opens a file.

    Attributes:
        octets: the file's key.
        streams: the cipher of its streams; empty if they are not encrypted.
        strings: that of its strings.
        metadata: whether its metadata are encrypted too.
        pieces: how many more may be decrypted.
        rc4: how many octets of them with RC4.
    """

    octets: bytes
    streams: bytes
    strings: bytes
    metadata: bool
    pieces: int = field(default=_MAX_PIECES)
    rc4: int = field(default=_MAX_RC4)


def find_key(data: Octets) -> Key | None:
    """Return what opens a file; None where it is not encrypted, or with a password."""
    if data.find(b"/Encrypt") < 0:
        return None
    keys = (_read_key(data, each) for each in reversed(_find_last(data)))
    return next(filter(None, keys), None)


def _find_last(data: Octets) -> deque[re.Match[bytes]]:
    """Find what tells of the encryption: of what a file says twice, the last counts."""
    return deque(_ENCRYPT.finditer(data), maxlen=_MOST_TOLD)


def _read_key(data: Octets, found: re.Match[bytes]) -> Key | None:
    """Return what opens a file, by one place that tells of it."""
    at = found.end()
    if found[1] is not None:
        mark, at = b"%d %d obj" % (int(found[1]), int(found[2])), len(data)
        for _ in range(_MOST_TRIED):
            if (at := data.rfind(mark, 0, at)) <= 0 or not data[at - 1 : at].isdigit():
                break
    told = _read_dictionary(data[at : at + _NEAR]) if at >= 0 else {}
    named = _ID.search(data, max(0, found.start() - _NEAR), found.end() + _NEAR)
    return _make_key(told, pdf_page.decode(*named.groups()) if named is not None else b"")


def decrypt(data: Octets, key: Key, check: Callable[[], None]) -> Iterator[bytes]:
    """Yield a file with its strings and streams as they were before they were encrypted.

    Args:
        data: the file.
        key: what opens it.
        check: asks for the time.
    """
    at = begin = 0
    name = b""  # of the object, as it is part of its key
    while key.pieces > 0 and (token := _TOKEN.search(data, at)) is not None:
        yield from iter_windows(data, at, token.start())
        at = token.end()
        if token[1] is not None:
            name = int(token[1]).to_bytes(4, "little")[:3] + int(token[2]).to_bytes(3, "little")[:2]
            begin = at
            yield token[0]
            continue
        check()
        if not token[0].startswith(b"stream"):
            shown = _open(key, key.strings, name, pdf_page.decode(token[3], token[4]))
            yield b"(%s)" % _MARKS.sub(rb"\\\g<0>", shown)
            continue
        yield token[0]
        end = data.find(b"endstream", at)
        end = end if end >= 0 else len(data)
        head = data[max(begin, token.start() - _NEAR) : token.start()]
        most = _MAX_PICTURE if _PICTURE.search(head) is not None else _MAX_STREAM
        plain = _PLAIN.search(head) or (not key.metadata and _METADATA.search(head))
        cipher = b"" if plain else key.streams
        yield _open(key, cipher, name, data[at : min(end, at + most)])
        at = end
    yield from iter_windows(data, at, len(data))


def _open(key: Key, cipher: bytes, name: bytes, data: bytes) -> bytes:
    """Decrypt a string or stream of the object of that name (sections 7.6.3.2 and 7.6.3.3)."""
    if not cipher or not data:
        return data
    key.pieces -= 1
    if cipher == _AES_256:
        return ciphers.decrypt_cbc(key.octets, data[:_AES_START].ljust(16), data[_AES_START:])
    salt = b"sAlT" if cipher == _AES else b""
    own = _md5(key.octets + name + salt)[: len(key.octets) + 5]
    if cipher == _AES:
        return ciphers.decrypt_cbc(own, data[:_AES_START].ljust(16), data[_AES_START:])
    data = data[: key.rc4]
    key.rc4 -= len(data)
    return ciphers.apply_rc4(own, data)


_Told = dict[bytes, bytes | int]


def _read_dictionary(text: bytes) -> _Told:
    """Read what a dictionary and those inside it say: strings, numbers, names with their stroke."""
    told: _Told = {}
    name, depth = b"", 0
    for word in _WORD.finditer(text):
        if word[5]:
            depth += 1 if word[5] == b"<<" else -1
            name = b""
            if depth <= 0:
                break
        elif word[1] and not name:
            name = word[1]
        elif name:
            value = word[1] or word[2]
            number = word[2] and word[2][-1:].isdigit()
            told[name] = int(value) if number else value or pdf_page.decode(word[3], word[4])
            name = b""
    return told


def _make_key(told: _Told, name: bytes) -> Key | None:
    numbers = {each: value for each, value in told.items() if isinstance(value, int)}
    words = {each: value for each, value in told.items() if isinstance(value, bytes)}
    version, revision = numbers.get(b"/V", 0), numbers.get(b"/R", 0)
    cipher = words.get(b"/CFM", b"") if version >= 4 else _RC4
    if words.get(b"/Filter") != b"/Standard" or cipher not in (_RC4, _AES, _AES_256):
        return None
    metadata = words.get(b"/EncryptMetadata") != b"false"
    if cipher == _AES_256:
        octets = _find_long_key(words, revision)
    else:
        bits = numbers.get(b"/Length", 40)
        size = 5 if version == 1 else 16 if version >= 4 else min(max(bits // 8, 5), 16)
        given = words.get(b"/O", b"")[:32] + (numbers.get(b"/P", 0) & 0xFFFFFFFF).to_bytes(
            4, "little"
        )
        more = b"" if metadata or revision < 4 else b"\xff" * 4
        octets = _find_short_key(given + name + more, size, revision)
        if not _opens(octets, words.get(b"/U", b""), name, revision):
            return None
    streams, strings = (
        b"" if version >= 4 and words.get(each, b"/Identity") == b"/Identity" else cipher
        for each in (b"/StmF", b"/StrF")
    )
    return Key(octets, streams, strings, metadata) if octets else None


def _find_short_key(given: bytes, size: int, revision: int) -> bytes:
    """Compute the key of a file without a password (algorithm 2)."""
    digest = _md5(_PADDING + given)
    for _ in range(50 if revision >= 3 else 0):
        digest = _md5(digest[:size])
    return digest[:size]


def _opens(key: bytes, shown: bytes, name: bytes, revision: int) -> bool:
    """Whether a key is the one that the file says it is opened by (algorithms 4 to 6)."""
    if revision < 3:
        return ciphers.apply_rc4(key, _PADDING) == shown[:32]
    made = _md5(_PADDING + name)
    for step in range(20):
        made = ciphers.apply_rc4(bytes(each ^ step for each in key), made)
    return made == shown[:16]


def _find_long_key(words: dict[bytes, bytes], revision: int) -> bytes:
    """Compute the key of a file with AES of 256 bits (algorithm 2.A); empty if it needs a word."""
    user, wrapped = words.get(b"/U", b"")[:48], words.get(b"/UE", b"")[:32]
    digest = _digest if revision == 5 else _harden
    if len(user) < 48 or len(wrapped) < 32 or digest(user[32:40]) != user[:32]:
        return b""
    return ciphers.decrypt_cbc(digest(user[40:48]), bytes(16), wrapped)


def _digest(salt: bytes) -> bytes:
    return hashlib.sha256(salt).digest()


def _harden(salt: bytes) -> bytes:
    """Make the digest of no password with a salt (algorithm 2.B)."""
    key = hashlib.sha256(salt).digest()
    step, last = 0, 0
    while step < 64 or last > step - 32:
        made = ciphers.encrypt_cbc(key[:16], key[16:32], key * 64)
        key = hashlib.new(("sha256", "sha384", "sha512")[sum(made[:16]) % 3], made).digest()
        step, last = step + 1, made[-1]
    return key[:32]


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
