"""What a List-Unsubscribe field offers: addresses to write to, and pages to ask.

RFC 2369, RFC 8058. Blanks within the angle brackets mean nothing. Nothing here raises on any value.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

FIELD = b"list-unsubscribe"
"""The field, in lower case."""
ONE_CLICK = b"list-unsubscribe-post"
"""The field that offers to leave by one request, in lower case (RFC 8058)."""

_OFFER = re.compile(rb"<([^<>]*)>")
_BLANKS = re.compile(rb"\s++")
_FIELDS = ("to", "cc", "bcc")


def find_addresses(value: bytes) -> Iterator[str]:
    """Yield the addresses that mail to leave goes to, as they read (RFC 6068).

    Args:
        value: a raw value.
    """
    for offer in _find_offers(value):
        if not offer.lower().startswith(b"mailto:"):
            continue
        path, _, query = offer[7:].decode("utf-8", "replace").partition("?")
        fields = (each.partition("=") for each in query.split("&"))
        for named in (path, *(to for name, _, to in fields if name.lower() in _FIELDS)):
            yield from (unquote(each) for each in named.split(",") if each)


def find_pages(value: bytes) -> Iterator[bytes]:
    """Go through the pages that can be asked by one request: those by https.

    Args:
        value: a raw value.
    """
    return (offer for offer in _find_offers(value) if offer.lower().startswith(b"https://"))


def _find_offers(value: bytes) -> Iterator[bytes]:
    return (_BLANKS.sub(b"", match[1]) for match in _OFFER.finditer(value))
