"""What a signature names: who signs (RFC 6376 sections 2.11 and 3.2 to 3.5, RFC 8617 section 4.1).

Nothing is verified here. Nothing here raises.
"""

import re

_TAG = re.compile(rb"(?:\A|;)\s*+([A-Za-z][A-Za-z0-9_]*+)\s*+=([^;]*+)")
_BLANK = re.compile(rb"\s++")
_ENCODED = re.compile(rb"=([0-9A-Fa-f]{2})")
_REPEATED = frozenset({b"a", b"d", b"s", b"i"})  # verifiers repeat these
_PLAIN = re.compile(rb"[A-Za-z0-9._+@-]*+")


def is_plain(value: bytes) -> bool:
    """Return whether a signature's algorithm, domain, selector and identity are plain words.

    Some verifiers decode them and write them into their results without quotes.

    Args:
        value: the raw value of a field such as DKIM-Signature, folded or not.

    Returns:
        Whether each of its tags `a=`, `d=`, `s=` and `i=`, however often it comes, decodes to
        letters, digits and `._+@-` alone.
    """
    return all(
        _PLAIN.fullmatch(_decode(match[2])) is not None
        for match in _TAG.finditer(value)
        if match[1].lower() in _REPEATED
    )


def find_tags(value: bytes) -> list[tuple[bytes, bytes]]:
    """Return a signature's tags in order, in lower case, each with its decoded value.

    Args:
        value: the raw value of a field such as DKIM-Signature, folded or not.
    """
    return [(match[1].lower(), _decode(match[2])) for match in _TAG.finditer(value)]


def _decode(value: bytes) -> bytes:
    """Decode DKIM's own quoted-printable, in which blanks mean nothing."""
    return _ENCODED.sub(
        lambda match: bytes.fromhex(match[1].decode("ascii")), _BLANK.sub(b"", value)
    )
