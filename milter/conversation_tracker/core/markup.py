"""HTML text: masked through character references, and stripped to readable text.

References are decoded to look for an address, and only where one is found is the source replaced.
Tags between the characters of an address are not looked through. Nothing here raises.
"""

import html
import re
from collections.abc import Callable
from html.parser import HTMLParser

# A piece of text or of an attribute's value that an address with references can stand in.
_TOKEN = re.compile(r"[^\s<>\"'`]+")
_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]{0,31};?)")

# What the parser is given at most, in characters: some broken markup costs it quadratic time.
_MAX_READ = 200_000
_UNSEEN = re.compile(
    r"<(script|style|title)\b[^<>]*>.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]*>?")
_BLOCK = re.compile(
    "address|article|aside|blockquote|br|caption|center|d[dlt]|div|figure|footer|form|h[1-6r]"
    "|header|li|main|nav|[ou]l|p|pre|section|table|t[dhr]"
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
    seen = _UNSEEN.sub(" ", source)[:_MAX_READ]
    reader = _Reader()
    try:
        reader.feed(seen)
        reader.close()
    except (AssertionError, ValueError):  # what html.parser has for markup it cannot read
        return html.unescape(_TAG.sub(" ", seen))
    return reader.text()


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


class _Reader(HTMLParser):
    """Collects text, with a new line at the start and end of each block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if _BLOCK.fullmatch(tag):
            self._pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag != "br" and _BLOCK.fullmatch(tag):
            self._pieces.append("\n")

    def handle_data(self, data: str) -> None:
        self._pieces.append(re.sub(r"\s+", " ", data))

    def text(self) -> str:
        lines = (" ".join(line.split()) for line in "".join(self._pieces).split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
