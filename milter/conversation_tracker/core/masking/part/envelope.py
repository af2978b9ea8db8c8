"""What kind a file of CMS is (S/MIME, RFC 5652): by the type it declares, not by its name.

Encrypted data names its recipients by issuer and number of their certificates, and an issuer's name
may hold an address. Nothing here raises.
"""

from typing import Literal

_SEQUENCE, _IDENTIFIER = 0x30, 0x06
_PKCS7 = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07"
_CT = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01"

Form = Literal["encrypted", "compressed", "other"]
_FORMS: dict[bytes, Form] = {
    _PKCS7 + b"\x03": "encrypted",  # enveloped
    _PKCS7 + b"\x04": "encrypted",  # signed and enveloped
    _PKCS7 + b"\x06": "encrypted",
    _CT + b"\x17": "encrypted",  # authenticated and enveloped, RFC 5083
    _CT + b"\x09": "compressed",  # RFC 3274
}


def read_form(data: bytes) -> Form | None:
    """Return what a file of CMS or a certificate is.

    Args:
        data: the whole file, in DER or BER.

    Returns:
        What it is; None where it is no such file: what it begins with does not end where it ends.
    """
    start, length = _read_head(data, 0)
    if data[:1] != bytes((_SEQUENCE,)) or start is None:
        return None
    whole = length is None or abs(start + length - len(data)) <= 2  # a line end may follow
    if not whole or data[start : start + 1] not in (b"\x30", b"\x06", b"\x02"):
        return None
    if data[start] != _IDENTIFIER:
        return "other"
    inner, size = _read_head(data, start)
    if inner is None or size is None:
        return None
    return _FORMS.get(data[inner : inner + size], "other")


def _read_head(data: bytes, at: int) -> tuple[int | None, int | None]:
    """Find where a value begins, and its length; None where that is not given."""
    sign = data[at + 1 : at + 2]
    if not sign:
        return None, None
    if sign[0] == 0x80:
        return at + 2, None
    if sign[0] < 0x80:
        return at + 2, sign[0]
    size = sign[0] & 0x7F
    return at + 2 + size, int.from_bytes(data[at + 2 : at + 2 + size], "big")
