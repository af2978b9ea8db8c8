"""HTML text: masked through character references and tags, and stripped to readable text.

The whole is decoded once to look for an address, and most texts hold none. Where one is found, the
place is closed in on, and only its source is replaced; tags that stood inside an address stay,
behind what replaces it. Nothing here raises.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator

from conversation_tracker.core.masking.address.mask import Mask
from conversation_tracker.core.masking.text.whole_addresses import mask_clear
from conversation_tracker.core.syntax.references import escape, unescape

# A piece of text or of an attribute's value that an address with references can stand in.
_TOKEN = re.compile(r"[^\s<>\"]+")
# Local parts in quotation marks may hold blanks: for them, a whole text or tag is looked at.
_QUOTED = re.compile(r"(?:\"|&quot;?|&#0*34;?|&#[xX]0*22;?)(?:[@%&\uff20\ufe6b])")
_RUN = re.compile(r"[^<>]+")
_PUNCTUATION = re.compile(r"(\W*+)(?:.*\w)?(\W*)", re.DOTALL)
_BOUNDARY = re.compile(r"[\s<>\"]")
REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]{0,31};?)")

_UNSEEN = re.compile(
    r"<(script|style|title)\b[^<>]*>.*?(?:</\1\s*>|\Z)|<!--.*?(?:-->|\Z)",
    re.DOTALL | re.IGNORECASE,
)
# html.parser reads more exactly, but some broken markup costs it minutes for 200 kB.
_TAG = re.compile(r"<(?:(/?)([A-Za-z][^\s<>/]*+)|[!?/])[^<>]*+>?")
BLOCK = re.compile(
    "address|article|aside|blockquote|br|caption|center|d[dlt]|div|figure|footer|form|h[1-6r]"
    "|header|li|main|nav|[ou]l|p|pre|section|table|t[dhr]",
    re.IGNORECASE,
)
"""Names of elements that end a line."""

# What divides an address without being seen: comments, elements that are not shown, and tags that
# are no block.
_NOT_SHOWN = (
    r"([a-z]{1,10})\s(?=[^<>]*(?:display\s*:\s*none|visibility\s*:\s*hidden))[^<>]*+>[^<>]{0,200}"
    r"</\1\s*>"
)
_NO_INLINE = rf"{BLOCK.pattern}|tbody|thead|tfoot|body|html|head"
_DIVIDING = (
    r"!\[(?:if|endif)[^<>]*+>"
    rf"|(?!/?(?:{_NO_INLINE})\b)[/a-z][^<>]*+>"
    r"|!--.*?(?:-->|\Z)"
)
_INLINE = re.compile(rf"<(?:{_NOT_SHOWN}|{_DIVIDING})", re.DOTALL | re.IGNORECASE)
_PLAIN_INLINE = re.compile(rf"<(?:{_DIVIDING})", re.DOTALL | re.IGNORECASE)
# The same in lower case, which takes half the time; but these letters have ASCII's as other cases.
_LOW_INLINE, _LOW_PLAIN_INLINE = (
    re.compile(each.pattern, re.DOTALL) for each in (_INLINE, _PLAIN_INLINE)
)
_ODD_LETTERS = ("\u0130", "\u0131", "\u017f", "\u212a")
# One is in all that is not shown; of the words there, these letters alone have one other case.
_NOT_SHOWN_SIGNS = ("play", "dden")
_BLANKS = re.compile(r"\s+")
_SEPARATOR = re.compile(r"@")
_ANY_SEPARATOR = re.compile(r"[@\uff20\ufe6b]|&(?:#0*64|#[xX]0*40|commat)(?![0-9a-zA-Z])")

# References that divide words as their characters do, so that nothing is gained by decoding them.
_PARTING = frozenset(
    f"&{name};" for name in "nbsp lt gt #160 euro copy reg middot bull ndash".split()
)
_FEW = 64  # kinds of references; of more, all are decoded in the standard way
_SHORT = 512  # characters that are looked at one by one
_PIECES = 16  # that a longer source is cut into
# What is no part of an address before its separator, nor of a tag, a reference or another escape.
_BEFORE_NONE = frozenset(("", *" \t\r\n"))
_BLOCKS = "p td th tr li div body table tbody blockquote h1 h2 h3".split()  # some
_BRACES = frozenset("{}")  # as in style sheets; but a local part may end with one
# So a tag parts it that ends a block; before it one that begins one. In what is not shown, either
# goes with all that is in it.
_ENDS_BLOCK = rf"</(?:{_NO_INLINE})\b"
_BEGINS_BLOCK = (
    rf">(?:[^<>]{{0,200}}[\s/])?(?:{'|'.join(each[::-1] for each in _BLOCKS)})<"  # reversed
)
_REST = re.compile(rf"@[A-Za-z0-9.\-]++(?=[\s\"'),:?\]{{]|{_ENDS_BLOCK})")
_REST_BEFORE = re.compile(
    rf"@[A-Za-z0-9_.+\-]{{1,79}}+(?=[\s\"'(:,\[]|{_BEGINS_BLOCK})"
)  # reversed
_LOCAL = 80  # characters of a local part and what is before it
_NEAR = 1_000  # characters of an address with all the tags in one half of it
_WIDELY = 64_000  # the same where the final scan found what is not seen so
_LARGE = 64 * 1024  # characters of a page that is first looked at as a whole
_MANY = 32  # separators from which on they are looked at together first
# What begins and ends an address, whatever stands beside it: in the source as in what is shown.
_BEGINS = (*" \t\r\n<>\"'([", "&lt;", '"mailto:', "'mailto:")
_ENDS = (*" \t\r\n<>\"')],;?", "&lt;", "&gt;")


def mask_html(source: str, mask: Mask) -> str:
    """Mask HTML source, its attributes and comments included.

    Args:
        source: the decoded source.
        mask: gives the text with addresses replaced.

    Returns:
        The source with only the addresses replaced; the same object if nothing changed.
    """
    source = mask_clear(source, mask, _BEGINS, _ENDS)
    shown = unescape_source(source)
    if (masked := mask(shown)) != shown:
        source = _mask_pieces(source, mask) if "&" in source else masked
        if _QUOTED.search(source) and not _is_clean(unescape_source(source), mask):
            source = _RUN.sub(lambda run: _mask_token(run[0], mask), source)
    if (clean := mask.clean_parts) is not None and clean.in_plain:
        return source
    new = _mask_across_tags(source, mask)
    if clean is not None and new is not source:
        clean.hid = True
    return new


def parts_address(source: str, mask: Mask) -> bool:
    """Return, cheaply, whether tags or comments may stand in an address that is masked.

    Args:
        source: the decoded source.
        mask: gives the text with addresses replaced.
    """
    return _mask_across_tags(source, mask) is not source


def strip_tags(source: str, enough: int | None = None) -> str:
    """Return the text a reader sees: no script or style, references decoded, blocks on new lines.

    Args:
        source: the decoded source.
        enough: after how many characters that are no blanks no more is read; None for all.
    """
    seen = _UNSEEN.sub(" ", source)
    pieces: list[str] = []
    at = count = 0
    for tag in _TAG.finditer(seen):
        start, end = tag.span()
        if at < start:
            pieces.append(words := _read_words(seen[at:start]))
            count += len(words) - words.count(" ")
        if _ends_line(tag):
            pieces.append("\n")
        at = end
        if enough is not None and count > enough:
            break
    else:
        pieces.append(_read_words(seen[at:]))
    whole = "".join(pieces)
    lines = (" ".join(line.split()) for line in whole.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _is_clean(text: str, mask: Mask) -> bool:
    return mask(text) == text


def unescape_source(source: str) -> str:
    """Return HTML source with the references decoded that may belong to an address.

    Mail has many references of few kinds, so each kind is replaced at once. A reference that
    another one's decoding makes may be decoded as well; this shows more than a reader sees, never
    less.
    """
    if "&" not in source:
        return source
    kinds = set(REFERENCE.findall(source)) - _PARTING
    if len(kinds) > _FEW:
        return unescape(source)
    for kind in sorted(kinds - {"&amp;"}, key=len, reverse=True):
        source = source.replace(kind, unescape(kind))
    return source.replace("&amp;", "&")


def _mask_pieces(source: str, mask: Mask) -> str:
    """Mask a source that holds an address, piece by piece."""
    pieces = list(_cut_pieces(source)) if len(source) > _SHORT else [source]
    clean = [_is_clean(unescape_source(piece), mask) for piece in pieces]
    if len(pieces) == 1 or all(clean):  # all: with what stands far before it, it is an address
        return _mask_tokens(source, mask)
    return "".join(
        piece if is_clean else _mask_pieces(piece, mask)
        for piece, is_clean in zip(pieces, clean, strict=True)
    )


def _cut_pieces(source: str) -> Iterator[str]:
    """Cut a source into a few pieces, never inside a word."""
    at = 0
    while at < len(source):
        boundary = _BOUNDARY.search(source, at + len(source) // _PIECES + 1)
        end = boundary.start() if boundary else len(source)
        yield source[at:end]
        at = end


def _mask_tokens(source: str, mask: Mask) -> str:
    pieces: list[str] = []
    done = 0
    for match in _TOKEN.finditer(source):
        if "&" in match[0]:
            pieces += mask(source[done : match.start()]), _mask_token(match[0], mask)
            done = match.end()
    return "".join(pieces) + mask(source[done:])


def _mask_across_tags(source: str, mask: Mask) -> str:
    """Mask addresses with tags or comments inside, looking around each separator."""
    if "<" not in source:
        return source
    if len(source) > _LARGE and _is_clean_as_a_whole(source, mask):
        return source
    pieces: list[str] = []
    done = 0
    for start, end in _find_surroundings(source, mask):
        near = source[start:end]
        if not _is_clean(_drop_inline(unescape_source(near), mask), mask):
            pieces += source[done:start], _mask_block(near, mask)
            done = end
    result = "".join(pieces) + source[done:]
    return source if result == source else result


def _is_clean_as_a_whole(source: str, mask: Mask) -> bool:
    """Return, at one look at a large source, whether no tag stands in an address that is masked.

    What hides text may do so far behind it, and nobody reads all that has it in one way.
    """
    if mask.thorough or "<!--" in source or _may_hide(source.lower()):
        return False
    return _is_clean(_drop_inline(unescape_source(source), mask), mask)


def _drop_inline(source: str, mask: Mask) -> str:
    """Leave out all that divides an address; perhaps in lower case, where that is all the same.

    Identifiers are looked up in their own case, and so is what an unknown mask replaces.
    """
    low = source.lower()
    if mask.finder is None or "id:" in low or any(each in source for each in _ODD_LETTERS):
        return _choose_inline(source).sub("", source)
    return (_LOW_INLINE if _may_hide(low) else _LOW_PLAIN_INLINE).sub("", low)


def _choose_inline(source: str) -> re.Pattern[str]:
    return _INLINE if _may_hide(source.lower()) else _PLAIN_INLINE


def _may_hide(low: str) -> bool:
    """Return, cheaply, whether there is something that is not shown: most sources have nothing."""
    return any(sign in low for sign in _NOT_SHOWN_SIGNS)


def _find_surroundings(source: str, mask: Mask) -> Iterator[tuple[int, int]]:
    """Yield the spans around separators, those that overlap as one.

    In one span, only the last separator that still belongs to it is looked for: a page may have
    thousands. None is looked at twice.
    """
    places = _find_separators(source, mask)
    wide = _WIDELY if mask.thorough else _NEAR
    number = 0
    while number < len(places):
        if _is_whole(source, places[number][0], mask):
            number += 1
            continue
        start, seen = max(0, places[number][0] - wide), number
        while True:
            reach = places[number][1] + 2 * wide
            last = bisect_right(places, (reach, len(source))) - 1
            known, seen = seen, last
            while last > known and _is_whole(source, places[last][0], mask):
                last -= 1
            if last <= known:
                break
            number = last
        yield start, places[number][1] + wide
        number = seen + 1


def _find_separators(source: str, mask: Mask) -> list[tuple[int, int]]:
    """Return the spans of the separators in a source, in order; of many, only those that matter.

    In a long list of somebody else's addresses none does, and no step is made for each of them.
    """
    plain = not any(sign in source for sign in ("&#", "&commat", "\uff20", "\ufe6b"))
    found = [each.span() for each in (_SEPARATOR if plain else _ANY_SEPARATOR).finditer(source)]
    if len(found) < _MANY:
        return found
    last = len(source) - 1
    behind = {each.start(): each[0] for each in _REST.finditer(source)}
    before = {last - each.start(): each[0] for each in _REST_BEFORE.finditer(source[::-1])}
    known = "\n".join((*behind.values(), *[each[::-1] for each in before.values()]))
    if mask.possible(known.encode()):
        return found
    whole = behind.keys() & before.keys()
    return [span for span in found if span[0] not in whole]


def _is_whole(source: str, at: int, mask: Mask) -> bool:
    """Return, cheaply, whether no address with a tag inside has its separator in a place.

    So it is behind a blank, as in style sheets, and in somebody else's address that stands whole.
    """
    last = source[max(0, at - 1) : at]
    if last in _BEFORE_NONE:
        return True
    if (behind := _REST.match(source, at)) is None:
        return False
    if last in _BRACES:
        return not mask.possible(behind[0].encode())
    before = _REST_BEFORE.match(source[max(0, at - _LOCAL) : at + 1][::-1])
    if before is None:
        return False
    return not mask.possible(source[at + 1 - before.end() : behind.end()].encode())


def _mask_block(source: str, mask: Mask) -> str:
    """Replace each word that is an address once tags are left out; the tags stay behind it."""
    text, spans = _strip_inline_tags(source)
    edits: list[tuple[int, int, str]] = []
    for word in _TOKEN.finditer(text):
        new = mask(word[0])
        if new == word[0]:
            continue
        around = _PUNCTUATION.fullmatch(word[0])
        before, after = (around[1], around[2]) if around else ("", "")
        if not (new.startswith(before) and new.endswith(after)):
            before = after = ""
        new = new[len(before) : len(new) - len(after)]
        places = spans[word.start() + len(before) : word.end() - len(after)]
        for number, (start, end) in enumerate(dict.fromkeys(places)):
            edits.append((start, end, "" if number else escape(new, quote=False)))
    pieces: list[str] = []
    done = 0
    for start, end, new in edits:
        pieces += source[done:start], new
        done = end
    return "".join(pieces) + source[done:]


def _strip_inline_tags(source: str) -> tuple[str, list[tuple[int, int]]]:
    """Return the text without inline tags, and with each character the span of its source."""
    text, spans, at = list[str](), list[tuple[int, int]](), 0
    tags = [tag.span() for tag in _choose_inline(source).finditer(source)]
    for start, end in (*tags, (len(source),) * 2):
        piece, places = _decode(source[at:start])
        text.append(piece)
        spans += ((at + first, at + last) for first, last in places)
        at = end
    return "".join(text), spans


def _read_words(text: str) -> str:
    return _BLANKS.sub(" ", unescape(text))


def _ends_line(tag: re.Match[str]) -> bool:
    """Return whether a tag is the start or end of a block."""
    slash, name = tag.groups()
    block = name is not None and BLOCK.fullmatch(name) is not None
    return block and not (slash and name.lower() == "br")


def _mask_token(token: str, mask: Mask) -> str:
    """Mask a token with references, replacing only the source of what differs."""
    if "&" not in token:
        return mask(token)
    text, spans = _decode(token)
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
    middle = escape(new[head : len(new) - (len(text) - last)])
    start = spans[head][0] if head < len(text) else len(token)
    end = spans[last][0] if last < len(text) else len(token)
    return token[:start] + middle + token[end:]


def _decode(token: str) -> tuple[str, list[tuple[int, int]]]:
    """Decode references; give with each character the span of its source."""
    text, spans, at = list[str](), list[tuple[int, int]](), 0
    for match in REFERENCE.finditer(token):
        meant = unescape(match[0])
        if meant != match[0]:
            text += token[at : match.start()], meant
            spans += ((i, i + 1) for i in range(at, match.start()))
            spans += [match.span()] * len(meant)
            at = match.end()
    spans += ((i, i + 1) for i in range(at, len(token)))
    return "".join(text) + token[at:], spans
