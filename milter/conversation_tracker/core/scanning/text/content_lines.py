"""The lines of calendars and cards, which are folded anywhere (RFC 5545 section 3.1), made whole.

Written apart from the masking code. Nothing here raises.
"""

import re
from collections.abc import Iterator

_TYPES = frozenset(
    """
    text/calendar text/vcard text/x-vcard text/directory text/x-vcalendar
    application/ics application/calendar application/vcard
    """.split()
)
_BEGIN = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,64}BEGIN:V", re.IGNORECASE)
_FOLD = re.compile(r"(?:\r\r\n|\r\n|\n)[ \t]")
_SOFT = re.compile(r"=\r{0,2}\n[ \t]")
_BREAK = re.compile(r"=\r{0,2}\n")
_CARETS = ("^n", "\n"), ("^N", "\n"), ("^'", '"'), ("^^", "^")
_TORN = re.compile(rb"(?<=[\x80-\xff])\r{0,2}\n[ \t](?=[\x80-\xbf])")


def is_content_lines(type: str, data: bytes) -> bool:
    """Return whether content is content lines: by its media type, or by how it begins."""
    return type in _TYPES or _BEGIN.match(data) is not None


def mend(data: bytes) -> bytes:
    """Join the lines that are folded inside a character of several octets."""
    return data if data.isascii() or b"\0" in data else _TORN.sub(b"", data)


def unfold(text: str) -> str:
    """Join the lines that are folded, with semicolons and commas as programs show them."""
    whole = _FOLD.sub("", text) if "\n " in text or "\n\t" in text else text
    return whole.replace("\\;", ";").replace("\\,", ",")  # RFC 5545 section 3.3.11


def read_otherwise(text: str) -> Iterator[str]:
    """Yield a text as read where quoted-printable values go on, and parameters are escaped."""
    if _BREAK.search(text) is not None:
        yield _FOLD.sub("", _BREAK.sub("", text))
        if _SOFT.search(text) is not None:
            yield _FOLD.sub("", _SOFT.sub("", text))
    if "^" in text:
        whole = read = unfold(text)
        for escape, meant in _CARETS:  # RFC 6868
            read = read.replace(escape, meant)
        if read != whole:
            yield read
