"""HTML text: masked through character references, and stripped to readable text.

References are decoded to look for an address, and only where one is found is the source replaced.
Tags between the characters of an address are not looked through. Nothing here raises.
"""

import html
import re
from collections.abc import Callable

# A piece of text or of an attribute's value that an address with references can stand in.
_TOKEN = re.compile(r"[^\s<>\"]+")
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]{0,31};?)")

_UNSEEN = re.compile(
    r"<(script|style|title)\b[^<>]*>.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)",
    re.DOTALL | re.IGNORECASE,
)
# html.parser reads more exactly, but some broken markup costs it minutes for 200 kB.
_TAG = re.compile(r"<(?:(/?)([A-Za-z][^\s<>/]*+)|[!?/])[^<>]*+>?")
_BLOCK = re.compile(
    "address|article|aside|blockquote|br|caption|center|d[dlt]|div|figure|footer|form|h[1-6r]"
    "|header|li|main|nav|[ou]l|p|pre|section|table|t[dhr]",
    re.IGNORECASE,
)


def masked(source: str, mask: Callable[[str], str]) -> str:
    """Mask HTML source, its attributes and comments included.

    Args:
        source: the decoded source.
        mask: gives the text with addresses replaced.

    Returns:
        The source with only the addresses replaced; the same object if nothing changed.
    """
    if "&" not in source:
        return mask(source)
    decoded = html.unescape(source)
    if mask(decoded) == decoded:
        return source
    pieces: list[str] = []
    done = 0
    for match in _TOKEN.finditer(source):
        if "&" in match[0]:
            pieces += mask(source[done : match.start()]), _masked_token(match[0], mask)
            done = match.end()
    result = "".join(pieces) + mask(source[done:])
    return source if result == source else result


def stripped(source: str) -> str:
    """Give the text a reader sees: no script or style, references decoded, blocks on new lines."""
    seen = _UNSEEN.sub(" ", source)
    pieces: list[str] = []
    at = 0
    for tag in _TAG.finditer(seen):
        pieces += _words(seen[at : tag.start()]), _break(tag)
        at = tag.end()
    whole = "".join(pieces) + _words(seen[at:])
    lines = (" ".join(line.split()) for line in whole.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(text))


def _break(tag: re.Match[str]) -> str:
    """Give a new line for the start or end of a block, nothing for any other tag."""
    name = tag[2] or ""
    ends_nothing = tag[1] == "/" and name.lower() == "br"
    return "\n" if _BLOCK.fullmatch(name) and not ends_nothing else ""


def _masked_token(token: str, mask: Callable[[str], str]) -> str:
    """Mask a token with references, replacing only the source of what differs."""
    text, spans = _decoded(token)
    new = mask(text)
    if new == text:
        return token
    shortest = min(len(text), len(new))
    head = next((i for i in range(shortest) if text[i] != new[i]), shortest)
    tail = next((i for i in range(shortest - head) if text[-1 - i] != new[-1 - i]), shortest - head)
    # A reference that gives several characters is replaced as a whole.
    while 0 < head < len(text) and spans[head] == spans[head - 1]:
        head -= 1
    last = len(text) - tail
    while 0 < last < len(text) and spans[last] == spans[last - 1]:
        last += 1
    middle = html.escape(new[head : len(new) - (len(text) - last)])
    start = spans[head][0] if head < len(text) else len(token)
    end = spans[last][0] if last < len(text) else len(token)
    return token[:start] + middle + token[end:]


def _decoded(token: str) -> tuple[str, list[tuple[int, int]]]:
    """Decode references; give with each character the span of its source."""
    text: list[str] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for match in _REFERENCE.finditer(token):
        meant = html.unescape(match[0])
        if meant != match[0]:
            text += token[at : match.start()], meant
            spans += ((i, i + 1) for i in range(at, match.start()))
            spans += [match.span()] * len(meant)
            at = match.end()
    spans += ((i, i + 1) for i in range(at, len(token)))
    return "".join(text) + token[at:], spans
