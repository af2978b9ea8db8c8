r"""Links that mail gateways rewrite: Proofpoint's URL Defense, versions 2 and 3.

Most gateways (Safe Links, Barracuda, Cisco, Trend Micro, FireEye, Libraesva, Symantec, version 1 of
URL Defense) escape the link by percent, Sophos in base64: `links` and `escape_syntaxes`
read those. Version 2 has `-` for `%` and `_` for `/`; version 3 has `*` for each character
that it takes out, `**` and a letter for several, and these characters in base64 behind the link.
Nothing here raises.
"""

import binascii
import re
import string
from collections.abc import Iterator
from urllib.parse import quote, unquote, unquote_to_bytes

from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.address.reading import Piece

SIGN = "urldefense"
"""What stands in every such link, in lower case."""

_SECOND = re.compile(
    r"urldefense[a-z.\-]{0,40}/v2/url\?(?:u=|[^\s<>\"'&]{0,60}&(?:amp;)?u=)", re.IGNORECASE
)
# Once it is decoded, what looks like an escape is none.
_VALUE = re.compile(r"(?>[^&\s<>\"';/%:]{1,8192})(?![/%:])")
# A link ends before the next one: else each of many would be looked through to the end.
_THIRD = re.compile(
    r"(urldefense[a-z.\-]{0,40}/v3/__)((?:(?!/v3/__)[^\s<>\"']){1,4096}?)(__;)"
    r"([a-z0-9_\-]{0,4096}={0,2})(?=!!|[!\s<>\"'&]|\Z)",
    re.IGNORECASE,
)
_SIGN_OF_THIRD = "/v3/__"
# One that another gateway has escaped by percent, up to the end of its parameter.
_ESCAPED_THIRD = re.compile(
    r"urldefense[a-z.\-]{0,40}%((?:25){0,4})2fv3%(?:25){0,4}2f__[^\s<>\"'&]{1,8192}", re.IGNORECASE
)
_SIGN_OF_ESCAPED = "2fv3%"
_NESTED = 3  # links inside each other
_SAFE = "-._~!$'()*,:@"
# The next parameter, in which no address goes on.
_NEXT = re.compile(r"&(?:amp;)?[a-z]=")
# With one of these in it, a link may mean more than it says once it is decoded.
_MORE = re.compile(r"[%<;^\x80-\xff]|&(?:#|shy|lt)|=[2-7][0-9a-f]|imcea")
# What means something else in another letter case, which text in lower case does not tell.
_BY_CASE = re.compile(r"2ba|26(?:-(?:25)*23|plus)|-(?:25)*[01]")
_TAKEN_OUT = re.compile(r"\*(?:\*([A-Za-z0-9_\-]))?")
_LENGTHS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
_FEWEST = 2  # characters that `**` and a letter stand for
_MEANT = {"-": "%", "_": "/", "*": "%"}
_SIGNS_OF_VALUES = str.maketrans("-_", "%/")
_SIGNS_OF_THIRD = re.compile(r"\*(?=[0-9A-Fa-f]{2})")
_SIGNS_OF_SECOND = re.compile(r"-(?=[0-9A-Fa-f]{2})|_")


def find_pieces(text: str) -> Iterator[Piece]:
    """Yield the pieces of a text that mean something else in such links."""
    done = 0
    for head in _iter_matches(_SECOND, text):
        if head.start() >= done and (value := _VALUE.match(text, head.end())):
            done = value.end()
            for sign in _SIGNS_OF_SECOND.finditer(text, *value.span()):
                yield *sign.span(), _MEANT[sign[0]]
    for link in _iter_matches(_THIRD, text) if _SIGN_OF_THIRD in text.lower() else ():
        for sign in _SIGNS_OF_THIRD.finditer(text, *link.span(2)):
            yield *sign.span(), _MEANT[sign[0]]


def cut_links(low: str) -> str | None:
    """Cut the links of version 2 out of a text.

    Args:
        low: the text in lower case.

    Returns:
        The links, each on a line. Whatever is read in the text because of them is read in these.
        None where that is not sure: of version 3, in another link, escaped, or with more behind.
    """
    links: dict[str, None] = {}
    at = low.find(SIGN)
    while at >= 0:
        head = _SECOND.match(low, at)
        value = _VALUE.match(low, head.end()) if head is not None else None
        if value is None or _BY_CASE.search(value[0]) is not None:
            return None
        if (after := _NEXT.match(low, value.end())) is None:
            return None
        links[low[at : after.end()]] = None
        at = low.find(SIGN, value.end())
    return "\n\n".join(links)


def show_links(links: str) -> str | None:
    """Decode links that were cut out; None where what they say may be read in yet another way."""
    if not links.isascii():
        return None
    signs = links.translate(_SIGNS_OF_VALUES).replace("&amp;", "&")
    shown = unquote_to_bytes(signs).decode("latin-1").lower()
    return shown if _MORE.search(shown) is None else None


def _iter_matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Yield what `finditer` does of a pattern that begins with the sign, but sooner."""
    low = lower_case(text)
    at = low.find(SIGN)
    while at >= 0:
        if (found := pattern.match(text, at)) is not None:
            yield found
        at = low.find(SIGN, found.end() if found is not None else at + len(SIGN))


def mask_version_3(text: str, mask: Mask, deep: int = _NESTED) -> str:
    """Mask the links of version 3, and write them anew as such.

    Args:
        text: decoded text, or HTML source.
        mask: masks a link, however the address in it is written.
        deep: links inside each other that are read.

    Returns:
        The text; the same object if nothing changed.
    """
    low = text.lower()
    if deep and _SIGN_OF_ESCAPED in low:
        text = _ESCAPED_THIRD.sub(lambda link: _mask_escaped(link, mask, deep - 1), text)
    if _SIGN_OF_THIRD not in low:
        return text
    return _THIRD.sub(lambda link: _mask_link(link, mask, deep), text)


def _mask_escaped(link: re.Match[str], mask: Mask, deep: int) -> str:
    shown, times = link[0], 1 + len(link[1]) // 2
    for _ in range(times):
        shown = unquote(shown)
    new = mask_version_3(shown, mask, deep)
    if new == shown:
        return link[0]
    safe = "".join([each for each in _SAFE if each in link[0]])
    for _ in range(times):
        new = quote(new, safe=safe)
    return new


def _mask_link(link: re.Match[str], mask: Mask, deep: int) -> str:
    out = _decode(link[4])
    whole, used = _restore(link[2], out)
    if used != len(out):
        return link[0]
    new = mask(whole)
    if deep and SIGN in new.lower():
        new = mask_version_3(new, mask, deep - 1)
    if new == whole:
        return link[0]
    shown, gone = _shorten(new, frozenset(out))
    return f"{link[1]}{shown}{link[3]}{_encode(gone)}"


def _decode(code: str) -> str:
    code = code.rstrip("=").replace("-", "+").replace("_", "/")
    code = code[: len(code) - (len(code) % 4 == 1)]
    return binascii.a2b_base64(code + "=" * (-len(code) % 4)).decode("utf-8", "replace")


def _encode(text: str) -> str:
    code = binascii.b2a_base64(text.encode("utf-8", "replace"), newline=False).decode("ascii")
    return code.rstrip("=").replace("+", "-").replace("/", "_")


def _restore(shown: str, out: str) -> tuple[str, int]:
    """Return a link with the characters that were taken out, and how many it takes."""
    parts: list[str] = []
    done = used = 0
    for sign in _TAKEN_OUT.finditer(shown):
        size = _LENGTHS.index(sign[1]) + _FEWEST if sign[1] else 1
        parts += shown[done : sign.start()], out[used : used + size]
        used += size
        done = sign.end()
    return "".join(parts) + shown[done:], used


def _shorten(link: str, signs: frozenset[str]) -> tuple[str, str]:
    """Take characters out of a link; give it, and them."""
    shown, gone = [], []
    for character in link:
        if character in signs or character == "*":
            gone.append(character)
            character = "*"
        shown.append(character)
    text = "".join(shown)
    return re.sub(r"\*{2,65}", lambda run: f"**{_LENGTHS[len(run[0]) - _FEWEST]}", text), "".join(
        gone
    )
