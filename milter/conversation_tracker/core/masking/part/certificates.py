"""Keys, certificates and signatures: they say who somebody is, and cannot be masked.

An address in one of these is covered by a signature or a length, so it is only looked for; the
message can be read without such a part. They are also found where they stand in running text,
between BEGIN and END lines. Data that is really encrypted shows nothing and is no hit. Nothing here
raises.
"""

import re
from collections.abc import Callable, Iterator

from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.part.envelope import read_form
from conversation_tracker.core.syntax import transfer
from conversation_tracker.core.syntax.mime import Part, TooComplex, read_structure
from conversation_tracker.core.syntax.parameters import get_value

TYPES = frozenset(
    """
    application/pgp-keys application/pgp-signature
    application/pkcs7-signature application/x-pkcs7-signature
    application/pkcs7-mime application/x-pkcs7-mime
    application/pkix-cert application/pkix-attr-cert application/pkix-crl
    application/x-x509-ca-cert application/x-x509-user-cert application/x-pkcs7-certificates
    application/pem-certificate-chain application/x-pem-file application/pkcs10
    application/ms-tnef application/vnd.ms-tnef
    """.split()
)
"""Media types of parts that a message is readable without."""

NAMES = frozenset(
    """
    p7s p7m p7c p7b p7r spc asc sig pgp gpg key pem crt cer der crl csr p8 p10 p12 pfx
    """.split()
)
"""How the names of such files end, where the type says only that it is a file."""

NOTE = b"[A key or certificate was removed: it held an address.]"
"""What stands in running text for a block that was removed."""

_BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ,/]{1,40})-----")
_END = b"-----END "
_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_LAST = re.compile(rb"[A-Z0-9 ,/]{1,40}-----")
_EMPTY = re.compile(rb"\n[> \t]*\r?\n")
_MOST_VALUES = 100_000  # of a certificate or signature, one inside another

_OCTETS, _CONSTRUCTED, _LONG_TAG = 0x04, 0x20, 0x1F
_TNEF, _TNEF_NAMES = b"\x78\x9f\x3e\x22", ("winmail.dat", "win.dat")
# A public or secret key of OpenPGP, whose packet has its length and version (RFC 9580 section 4).
_KEY = re.compile(
    rb"(?:[\x94\x98].|[\x95\x99]..|[\xc5\xc6](?:[\0-\xbf]|[\xc0-\xdf].))[\3-\6]", re.DOTALL
)
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def is_one(part: Part, data: bytes) -> bool:
    """Return whether a part is one of these, by its type, its octets, or else its name.

    Args:
        part: the part.
        data: its content, without its transfer encoding.
    """
    if part.type in TYPES:
        return True
    if data.startswith(_TNEF) or (data.startswith(b"\x30") and read_form(data) is not None):
        return True
    name = (part.name or get_value(part.parameters, "name")).lower()
    if name in _TNEF_NAMES or _KEY.match(data) is not None:
        return _BINARY.search(data) is not None
    if name.rpartition(".")[2] not in NAMES or "." not in name:
        return False
    # Text of such a name is masked as other text, where there is no block in it.
    return _BINARY.search(data) is not None or (b"-----BEGIN " in data and _SIGNED not in data)


def _holds_nothing(_packed: bytes) -> bool:
    return False


def holds_address(
    data: bytes, people: People, packed: Callable[[bytes], bool] = _holds_nothing
) -> bool:
    """Return whether a key, certificate or signature holds one of the people's addresses.

    Args:
        data: the part's content, without its transfer encoding.
        people: whom to look for.
        packed: says of a message that is only packed, not encrypted, whether it holds one.
    """
    if people.in_bytes(data):
        return True
    if any(_holds(inner, people) or packed(inner) for _, _, inner in _find_blocks(data)):
        return True
    return data.startswith(b"\x30") and _signed_data_holds(octets(data), people)


def octets(data: bytes) -> bytes:
    """Return the octet strings in a file of CMS, joined: what it holds in pieces."""
    return b"".join(_iter_octet_strings(data))


def remove_blocks(
    text: bytes, people: People, packed: Callable[[bytes], bool] = _holds_nothing
) -> bytes:
    """Remove the blocks from a text that hold one of the people's addresses.

    Args:
        text: text in any charset that leaves ASCII as it is.
        people: whom to look for.
        packed: as for `holds_address`.

    Returns:
        The text with a note in the place of each; the same object if there is none.
    """
    pieces: list[bytes] = []
    done = 0
    for start, end, inner in _find_blocks(text):
        if _holds(inner, people) or packed(inner):
            pieces += text[done:start], NOTE
            done = end
    return b"".join([*pieces, text[done:]]) if pieces else text


def _holds(inner: bytes, people: People) -> bool:
    return people.in_bytes(inner) or (
        inner.startswith(b"\x30")
        and _signed_data_holds(b"".join(_iter_octet_strings(inner)), people)
    )


def _find_blocks(text: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the blocks of OpenPGP (RFC 9580 section 6) and PEM (RFC 7468): start, end, content."""
    at = 0
    while (begin := _BEGIN.search(text, at)) is not None:
        at = begin.end()
        if begin[1] == b"PGP SIGNED MESSAGE":
            continue
        close = text.find(_END, at)
        last = _LAST.match(text, close + len(_END)) if close >= 0 else None
        end = last.end() if last else len(text) if close < 0 else close + len(_END)
        armoured = text[at : close if close >= 0 else end]
        empty = _EMPTY.search(armoured)
        yield begin.start(), end, _decode(armoured[empty.end() if empty else 0 :])
        at = end


def _decode(armoured: bytes) -> bytes:
    return transfer.decode(armoured, transfer.BASE64)


def _signed_data_holds(signed: bytes, people: People) -> bool:
    """Return whether the message inside signed data holds an address, in whatever encoding."""
    if not signed:
        return False
    try:
        message = read_structure([(b"Content-Type", b"message/rfc822")], signed)
    except TooComplex:
        return people.in_bytes(signed)
    contents = (
        transfer.decode(signed[slice(*part.content)], part.encoding)
        for part in message.walk()
        if not part.children
    )
    return people.in_bytes(signed) or any(people.in_bytes(content) for content in contents)


def _iter_octet_strings(data: bytes) -> Iterator[bytes]:
    """Yield the octet strings of BER, which signed content is cut into (X.690)."""
    at = count = 0
    while at + 2 <= len(data) and count < _MOST_VALUES:
        count += 1
        tag, length, at = data[at], data[at + 1], at + 2
        if tag & _LONG_TAG == _LONG_TAG:
            return  # not used by what is looked for
        if length > 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        elif length == 0x80:
            length = 0
        if tag & _CONSTRUCTED:
            continue  # its values follow
        if tag == _OCTETS:
            yield data[at : at + length]
        at += length
