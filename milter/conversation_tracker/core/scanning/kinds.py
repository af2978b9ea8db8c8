"""What the final scan takes a part for: text, which is masked, or a file that cannot be.

Written apart from the masking code. Nothing here raises.
"""

import re

from conversation_tracker.core.scanning import beginnings, packets
from conversation_tracker.core.scanning.parts import Declared
from conversation_tracker.core.scanning.text import charsets

UTF_8, ASCII = "utf-8", "ascii"
CHARSETS = frozenset({UTF_8, ASCII})
"""As text in which octets are looked at, whatever they are."""

_TEXTUAL = ("text/", "message/", "multipart/")
# Keys, certificates and signatures; what is encrypted or compressed is not one of them.
_IDENTITY = re.compile(
    r"application/(?:pgp-keys|pgp-signature|(?:x-)?pkcs7-|pkix-|x-x509-|(?:vnd\.)?ms-tnef)"
)
_ENVELOPED = re.compile(
    rb"\x06\x09\*\x86H\x86\xf7\x0d\x01\x07[\3\4\6]"
    rb"|\x06\x0b\*\x86H\x86\xf7\x0d\x01\x09\x10\x01[\x17\x09]"
)
_NEVER_IN_TEXT = bytes(n for n in (*range(7), *range(14, 32)) if n not in b"\x0e\x0f\x1b")
_BEGINNING, _SOME = 1024, 8
_WIDE = re.compile(r"(?i)utf-?(?:16|32)|ucs-?[24]|unicode")


def is_textual(declared: Declared) -> bool:
    """Whether the type says that content is text."""
    return declared.type.startswith(_TEXTUAL) or declared.type.endswith(("xml", "json", "/ics"))


def name_charset(declared: Declared) -> str:
    """Name one of `CHARSETS`, if content in it is text of this type, and read as it stands.

    Returns:
        UTF_8; ASCII where content is so read that is all ASCII; "" where none is.
    """
    if not declared.type.startswith("text/") or declared.type.startswith("text/rfc822"):
        return ""
    if declared.markup or declared.delsp:
        return ""
    if charsets.is_utf_8(declared.charset):
        return UTF_8
    return ASCII if charsets.keeps_ascii(declared.charset) else ""


def is_file(declared: Declared, data: bytes) -> bool:
    """Whether content cannot be masked, so that it may pass where the store wants that.

    Args:
        declared: what its part says of it.
        data: its beginning at least, without its transfer encoding.
    """
    head = data[:64]
    if b"\x06" in head and _ENVELOPED.search(head) is not None:
        return True
    if declared.type.startswith("application/") and _IDENTITY.match(declared.type) is not None:
        return False
    if is_textual(declared):
        if _is_binary(declared, data):
            return True
        marked = b"\0" in data or b"1AY&SY" in data or data.startswith(beginnings.FILES)
        marked = marked or packets.unpack(data)[0] > 0
        return marked and charsets.has_controls(data) and beginnings.has_file(data)
    if b"%PDF-" in data[:_BEGINNING] and b" obj" in data:
        return True
    if data.startswith((b"%PDF", b"!<arch>\n")) or charsets.is_no_text(data):
        return True
    # The few octets of a short packed file may be characters of UTF-16, too.
    return charsets.has_controls(data) and (
        beginnings.is_file(data) or beginnings.is_deflated(data)
    )


def _is_binary(declared: Declared, data: bytes) -> bool:
    """Whether content is no text by the share of control characters, whatever is said of it."""
    head = data[:_BEGINNING]
    some = len(head) - len(head.translate(None, _NEVER_IN_TEXT))
    if some <= _SOME or some * 20 <= len(head):
        return False
    return _WIDE.search(declared.charset) is None and charsets.read_wide(data) is None
