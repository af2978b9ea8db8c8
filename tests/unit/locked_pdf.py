"""PDF files that are encrypted and open without a password, as banks and shops send them.

Written by the standard (ISO 32000-2 section 7.6), apart from the code that reads them.
"""

import hashlib
import zlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_OWNER, _NAME, _RIGHTS = b"\1)o\\(" * 6 + b"xy", b"name of file", -3904


def rc4(key: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt."""
    box, j, out = [*range(256)], 0, []
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    i = j = 0
    for octet in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        out.append(octet ^ box[(box[i] + box[j]) % 256])
    return bytes(out)


def cbc(key: bytes, start: bytes, data: bytes) -> bytes:
    """Encrypt whole blocks."""
    tool = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    return tool.update(data)


def md5(data: bytes) -> bytes:
    """Hash."""
    return hashlib.md5(data).digest()


def hash_hard(password: bytes, salt: bytes) -> bytes:
    """Hash as revision 6 wants it."""
    key = hashlib.sha256(password + salt).digest()
    n = 0
    while True:
        made = cbc(key[:16], key[16:32], (password + key) * 64)
        rest = int.from_bytes(made[:16], "big") % 3
        key = [hashlib.sha256, hashlib.sha384, hashlib.sha512][rest](made).digest()
        n += 1
        if n >= 64 and made[-1] <= n - 32:
            return key[:32]


@dataclass
class Locked:
    """How one file is encrypted.

    Attributes:
        revision: of the standard's way, 2 to 6.
        aes: whether with AES, in revision 4.
        password: what opens it.
        metadata: whether metadata are encrypted too.
    """

    revision: int
    aes: bool = True
    password: bytes = b""
    metadata: bool = True

    def __post_init__(self) -> None:
        """Make the key, and the entries that tell of it."""
        if self.revision >= 5:
            hard = hash_hard if self.revision == 6 else lambda p, s: hashlib.sha256(p + s).digest()
            self.key = bytes(range(32))
            self.user = hard(self.password, b"checking") + b"checking" + b"key salt"
            self.wrapped = cbc(hard(self.password, b"key salt"), bytes(16), self.key)
            return
        size = 5 if self.revision == 2 else 16
        password = (self.password + _PAD)[:32]
        told = password + _OWNER + (_RIGHTS % 2**32).to_bytes(4, "little") + _NAME
        key = md5(told + (b"" if self.metadata or self.revision < 4 else b"\xff" * 4))
        for _ in range(50 if self.revision > 2 else 0):
            key = md5(key[:size])
        self.key = key[:size]
        if self.revision == 2:
            self.user = rc4(self.key, _PAD)
            return
        shown = md5(_PAD + _NAME)
        for n in range(20):
            shown = rc4(bytes(each ^ n for each in self.key), shown)
        self.user = shown + bytes(16)

    def close(self, data: bytes, number: int) -> bytes:
        """Encrypt a string or stream of an object."""
        padded = data + bytes((16 - len(data) % 16,)) * (16 - len(data) % 16)
        start = b"sixteen of start"
        if self.revision >= 5:
            return start + cbc(self.key, start, padded)
        aes = self.revision == 4 and self.aes
        named = self.key + number.to_bytes(3, "little") + bytes(2) + (b"sAlT" if aes else b"")
        key = md5(named)[: len(self.key) + 5]
        return start + cbc(key, start, padded) if aes else rc4(key, data)

    def tell(self) -> bytes:
        """Write the dictionary of the encryption."""
        version = {2: 1, 3: 2, 4: 4}.get(self.revision, 5)
        told = b"<</Filter/Standard/V %d/R %d/P %d" % (version, self.revision, _RIGHTS)
        told += b"/O(%s)/U<%s>" % (_escape(_OWNER), self.user.hex().upper().encode())
        if self.revision == 3:
            told += b"/Length 128"
        if self.revision >= 4:
            method = b"AESV3" if self.revision > 4 else b"AESV2" if self.aes else b"V2"
            told += b"/CF<</StdCF<</AuthEvent/DocOpen/CFM/%s/Length 16>>>>" % method
            told += b"/StmF/StdCF/StrF/StdCF"
        if self.revision >= 5:
            told += b"/OE<%s>/UE(%s)" % (b"00" * 32, _escape(self.wrapped))
        return told + (b">>" if self.metadata else b"/EncryptMetadata false>>")


def _escape(string: bytes) -> bytes:
    for mark in (b"\\", b"(", b")"):
        string = string.replace(mark, b"\\" + mark)
    return string.replace(b"\r", b"\\r").replace(b"\n", b"\\012")


def lock(page: bytes, how: Locked, *, author: bytes = b"A", objects: bytes = b"") -> bytes:
    """Make a file of one page.

    Args:
        page: what it shows.
        how: how it is encrypted.
        author: who wrote it.
        objects: what an object stream holds.
    """
    out = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/Lang(x)>>\nendobj\n"
    for number, content, more in ((4, page, b""), (17, objects, b"/Type/ObjStm/N 1/First 4")):
        packed = how.close(zlib.compress(content), number)
        told = b"<</Length %d/Filter/FlateDecode%s>>" % (len(packed), more)
        out += b"%d 0 obj\n%s\nstream\r\n%s\nendstream\nendobj\n" % (number, told, packed)
    out += b"14 0 obj\n%s\nendobj\n" % how.tell()
    out += b"4 0 obj\n<</Author(%s)>>\nendobj\n" % _escape(how.close(author, 4))
    return out + b"trailer\n<</Encrypt 14 0 R/ID[(%s)(x)]>>\n%%%%EOF\n" % _NAME


WAYS = {
    "RC4, 40 bits": Locked(2),
    "RC4, 128 bits": Locked(3),
    "RC4 by name": Locked(4, aes=False),
    "AES, 128 bits": Locked(4),
    "AES, 128 bits, metadata in clear": Locked(4, metadata=False),
    "AES, 256 bits, old": Locked(5),
    "AES, 256 bits": Locked(6),
}
