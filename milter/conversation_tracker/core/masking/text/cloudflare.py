"""Addresses that Cloudflare hides in pages: `data-cfemail`, and links to `email-protection#`.

Each octet is combined with the first one by XOR, and all are written in hexadecimal digits. What
reads so as text with an address is written anew with the same key. Nothing here raises.
"""

import re

from conversation_tracker.core.masking.address.mask import Mask

SIGNS = ("cfemail", "email-protection")
"""What stands before each, in lower case."""

_HIDDEN = re.compile(
    r"((?:cfemail|email-protection)(?:&#?[a-z0-9]{1,8};|[=%][23][0-9a-f]|[^0-9a-f<>&]){1,12}?)"
    r"((?:[0-9a-f]{2}){4,1000})(?![0-9a-f])",
    re.IGNORECASE,
)


def mask_cfemail(text: str, mask: Mask) -> str:
    """Mask what is hidden in a text; the same object if nothing changed."""
    low = text.lower()
    if not any(sign in low for sign in SIGNS):
        return text
    return _HIDDEN.sub(lambda found: _mask_match(found, mask), text)


def _mask_match(found: re.Match[str], mask: Mask) -> str:
    key, *octets = bytes.fromhex(found[2])
    old = bytes(each ^ key for each in octets).decode("utf-8", "replace")
    new = mask(old)
    if new == old or "\ufffd" in old:
        return found[0] if new == old else found[1]
    return found[1] + bytes((key, *(each ^ key for each in new.encode("utf-8", "replace")))).hex()
