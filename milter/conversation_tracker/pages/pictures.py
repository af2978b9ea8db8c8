"""A message's own pictures, put into its HTML: nothing is loaded for it from anywhere."""

import base64
import re
from collections.abc import Callable

_PLACE = re.compile(r'src="attachment:([1-9][0-9]{0,8})"')
_TYPES = frozenset(("image/gif", "image/jpeg", "image/png", "image/webp"))
_MOST_OCTETS = 5_000_000  # of all pictures of a message together
_MOST = 50


def put_pictures(html: str, fetch: Callable[[int], tuple[str, bytes] | None]) -> str:
    """Put a message's own pictures where the sanitiser wrote that they belong.

    Args:
        html: sanitised.
        fetch: gives type and content of a file of the message by its number; None if there is none.

    Returns:
        The HTML; what is no picture, or too much, stays an empty place.
    """
    room = _MOST_OCTETS
    written: dict[str, str] = {}
    for number in list(dict.fromkeys(_PLACE.findall(html)))[:_MOST]:
        type, content = fetch(int(number)) or ("", b"")
        if type.lower() in _TYPES and len(content) <= room:
            room -= len(content)
            octets = base64.b64encode(content).decode("ascii")
            written[number] = f'src="data:{type.lower()};base64,{octets}"'
    return _PLACE.sub(lambda found: written.get(found[1], 'src=""'), html)
