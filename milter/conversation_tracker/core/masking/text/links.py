r"""Addresses inside links in running text: base64 tokens and percent-encoded pieces, JSON as well.

A mask finds what stands in clear. Here the pieces of a URL are decoded first. A piece that decodes
and encodes cleanly is written anew with the same alphabet and padding; one that holds an address
among other bytes is cut out of the link. What comes out whole, as text, is not there by chance:
even the shortest address is masked in it. A token may hold another one, as where a gateway wraps
the link of a newsletter, or text that is compressed. Nothing here raises.
"""

import binascii
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from urllib.parse import quote, unquote, unquote_to_bytes

from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.address.mask import FunctionMask, Mask
from conversation_tracker.core.masking.address.reading import apply_edits
from conversation_tracker.core.masking.text import link_tokens
from conversation_tracker.core.masking.text.composed_characters import show_composed
from conversation_tracker.core.masking.text.link_tokens import (
    BASE32,
    BEGINS_PACKED,
    PACKED,
    PADDING,
    TEXT,
    Token,
    decode_all,
    decode_escapes,
    mask_inside,
)
from conversation_tracker.core.syntax.references import unescape

MAX_LINK = 16 * 1024
"""Characters of one link that are looked at; browsers and servers take fewer."""

_LINK = re.compile(rf"://[^\s<>\"'\\]{{8,{MAX_LINK}}}")
_LINK_OF_ANY = re.compile(rf"://[^\s<>\"']{{8,{MAX_LINK}}}")
_CODE = r"(?>[A-Za-z0-9+/_\-]*+(?:%2[BbFf][A-Za-z0-9+/_\-]*+)*)(?:=|%3[Dd]){0,2}"
_TOKEN = re.compile(rf"(?=(?:[A-Za-z0-9+/_\-]|%2[BbFf]){{8}}){_CODE}")
# Four characters are `x@y`.
_SHORT_TOKEN = re.compile(rf"(?=(?:[A-Za-z0-9+/_\-]|%2[BbFf]){{4}}){_CODE}")
_SEGMENT = re.compile(r"[^/]{8,}")
_SHORT_SEGMENT = re.compile(r"[^/]{4,}")
_PACKED_IN_PATH = re.compile(rf"(?:/|%2[Ff])(?={BEGINS_PACKED})")
_MOST_PACKED = 4  # of one token, each of which is read to the token's end
_PIECE = re.compile(r"[^/?&=#;]+")
_ESCAPED_LINK = re.compile(r"%(?:25)*3[aA]%(?:25)*2[fF]%(?:25)*2[fF]")
_SAFE = "-._~!$'()*,:@"
_NESTED = 3  # tokens inside each other
_SEPARATOR = re.compile(rb"@|%(?:25)?40|0040|=40|\xef\xbc\xa0")


def mask_links(
    text: str, mask: Mask, inside: Callable[[str, Mask], str] | None = None, deep: int = _NESTED
) -> str:
    """Mask what the links in a text hold in encoded form.

    Args:
        text: running text or HTML source, with what stands in clear masked already.
        mask: gives the text with addresses replaced.
        inside: masks tokens outside of links, in what was a token itself; None: nobody does.
        deep: tokens inside each other that are read.

    Returns:
        The text; the same object if nothing changed.
    """
    if "://" not in text:
        return text
    tokens = _find_tokens(text, find_spans(text, mask), mask)
    octets = decode_all(tokens) if mask.finder is not None else b""
    if edits := list(_find_token_edits(text, tokens, octets, mask)):
        text = apply_edits(text, edits)
        tokens = _find_tokens(text, find_spans(text, mask), mask)
    if inside is not None and deep and _may_nest(tokens, octets, mask):
        change = partial(_mask_nested, mask=mask, inside=inside)
        text = apply_edits(text, list(_find_nested_edits(text, tokens, mask, change, deep)))
    text = apply_edits(text, list(_find_piece_edits(text, mask)))
    if inside is not None and deep and _may_nest_escaped(text, mask):
        text = apply_edits(text, list(_find_escaped_edits(text, mask, inside, deep)))
    return text


def may_hide(text: str, mask: Mask) -> bool:
    """Return, cheaply, whether there may be something to mask in what links hold.

    Args:
        text: running text or HTML source, with nothing to mask in clear.
        mask: gives the text with addresses replaced.
    """
    if knows_short(mask):
        return True
    found = list(_LINK.finditer(text))
    tokens = _find_tokens(text, [link.span() for link in found], mask)
    octets = decode_all(tokens) if mask.finder is not None else b""
    if tokens and _may_hold_tokens(octets, mask):
        return True
    shown = "\n".join([link[0] for link in found if "%" in link[0]])
    # A broken charset leaves lone surrogates.
    return bool(shown) and mask.may_change(unquote_to_bytes(shown.encode("utf-8", "replace")))


def knows_short(mask: Mask) -> bool:
    """Return whether a mask knows addresses that are masked only where they are no chance."""
    return mask.amid is not mask


def find_spans(text: str, mask: Mask) -> list[tuple[int, int]]:
    """Return where the links are whose tokens are looked at."""
    # A short address is not found in them again by what `encoded` looks for.
    link = _LINK_OF_ANY if knows_short(mask) else _LINK
    return [match.span() for match in link.finditer(text)]


def strict_mask(mask: Mask) -> Mask:
    """Return what masks a decoded token: short addresses too, but only if it is text throughout."""
    amid = mask.amid
    if amid is mask:
        return mask
    return FunctionMask(lambda text: mask(text) if TEXT.fullmatch(text) else amid(text))


def find_token_edits(
    text: str, links: list[tuple[int, int]], mask: Mask
) -> Iterator[tuple[int, int, str]]:
    """Find the base64 tokens that hold an address; all of them are asked for at once.

    Args:
        text: running text or HTML source.
        links: the spans to look for tokens in.
        mask: gives a text with addresses replaced.
    """
    tokens = _find_tokens(text, links, mask)
    octets = decode_all(tokens) if mask.finder is not None else b""
    yield from _find_token_edits(text, tokens, octets, mask)


def _find_tokens(text: str, links: list[tuple[int, int]], mask: Mask) -> list[re.Match[str]]:
    token = _SHORT_TOKEN if knows_short(mask) else _TOKEN
    return [each for start, end in links for each in token.finditer(text, start, end)]


def _find_token_edits(
    text: str, tokens: list[re.Match[str]], together: bytes, mask: Mask
) -> Iterator[tuple[int, int, str]]:
    if not (tokens and _may_hold_tokens(together, mask)):
        return
    segment = _SHORT_SEGMENT if knows_short(mask) else _SEGMENT
    candidates = [list(_decode_candidates(each, segment)) for each in tokens]
    whole = "\n".join([each.text for group in candidates for each in group])
    if not whole:
        return
    octets = b"\n".join([each.data for group in candidates for each in group])
    if mask(whole) == whole and not may_hold(octets, mask):
        return
    # A link's words are decoded whether they are base64 or not: what comes out may be anything.
    strict = strict_mask(mask)
    for group in candidates:
        found = [
            (each.start, each.end, new)
            for each in group
            if (new := _mask_token(text[each.start : each.end], each, strict, mask)) is not None
        ]
        yield from _drop_overlaps(sorted(found, key=lambda edit: not edit[2]))


def find_spelled_edits(
    text: str, spans: list[tuple[int, int]], mask: Mask, inside: Callable[[str], str]
) -> Iterator[tuple[int, int, str]]:
    """Find the base64 tokens that hold an address however it is written.

    Args:
        text: running text or HTML source.
        spans: where the tokens are.
        mask: knows how long it may take.
        inside: gives the text of one with addresses replaced.
    """

    def change(old: str, _: int) -> str:
        return inside(old)

    for start, end in spans:
        tokens = list(_TOKEN.finditer(text, start, end))
        edits = list(_find_nested_edits(text, tokens, mask, change, 1))
        yield from edits
        for each in tokens if not edits else ():  # something else may stand before
            more = (mask_inside(each[0][offset:], change, 1) for offset in (1, 2, 3))
            if any(new is not None for new in more):
                yield *each.span(), ""


def _mask_nested(old: str, deep: int, mask: Mask, inside: Callable[[str, Mask], str]) -> str:
    """Mask what a token holds, if tokens so deep in it are read."""
    if not _may_be_read(old, mask):
        return old
    return inside(mask_links(strict_mask(mask)(old), mask, inside, deep), mask)


def _find_nested_edits(
    text: str,
    tokens: list[re.Match[str]],
    mask: Mask,
    change: Callable[[str, int], str],
    deep: int,
) -> Iterator[tuple[int, int, str]]:
    """Find the tokens that hold another one, or what is compressed, with an address in it."""
    for whole in tokens:
        mask.limits.check()
        edits = [
            (start, end, new)
            for start, end in _find_places_of_one(text, whole)
            if (new := mask_inside(text[start:end], change, deep)) is not None
        ]
        # What is read whole goes before what had to be cut.
        yield from _drop_overlaps(sorted(edits, key=lambda edit: not edit[2]))


def _find_places_of_one(text: str, whole: re.Match[str]) -> list[tuple[int, int]]:
    """Return where in a token another may be: slashes are of its alphabet, and of paths."""
    start, end = whole.span()
    if "/" not in whole[0] and "%" not in whole[0]:
        return [(start, end)]
    packed = islice(_PACKED_IN_PATH.finditer(text, start, end), _MOST_PACKED)
    return [
        *(piece.span() for piece in _SEGMENT.finditer(text, start, end)),
        *((each.end(), end) for each in packed),
        (start, end),
    ]


def _may_nest(tokens: list[re.Match[str]], octets: bytes, mask: Mask) -> bool:
    """Return, cheaply, whether tokens may hold others with an address, or what is compressed."""
    if mask.finder is None or not tokens:
        return False
    row = "\n".join([each[0] for each in tokens])
    if _is_packed(row) or BASE32.search(row) is not None:
        return True
    shown = octets.decode("latin-1")
    return _may_be_read(shown, mask) or _may_be_read(octets.decode("utf-8", "ignore"), mask)


def _is_packed(text: str) -> bool:
    return any(pattern.search(text) is not None for pattern in PACKED)


def _may_be_read(shown: str, mask: Mask) -> bool:
    """Return, cheaply, whether what tokens hold may name somebody, however it is written."""
    finder = mask.finder
    if finder is None or "://" in shown or _is_packed(shown):  # a link may hold tokens in turn
        return True
    escaped = "%" in shown or "&" in shown
    low = unescape(unquote(shown)).lower() if escaped else shown.lower()
    if not low.isascii():
        low += show_composed(low)[0]
    return any(label in low for label in finder.labels) or finder.needles.stand_in(shown)


def _may_hold_tokens(octets: bytes, mask: Mask) -> bool:
    """Return, cheaply, whether something to mask may stand in base64 tokens: mostly nothing does.

    Args:
        octets: what `decode_all` gives of them.
        mask: gives a text with addresses replaced.
    """
    if mask.finder is None:
        return True
    return mask.may_change(octets) or mask.finder.stands_wide_in(octets)


def _mask_token(old: str, token: Token, strict: Mask, mask: Mask) -> str | None:
    """Return what a token becomes, "" where it is cut; None where it stays."""
    new = strict(token.text)
    if new != token.text:
        return link_tokens.encode(old, token, new)
    return "" if holds_in_octets(token.data, token.text, mask) else None


def may_hold_wide(data: bytes, mask: Mask) -> bool:
    """Return, cheaply, whether decoded octets may hold an address in UTF-16 or UTF-32."""
    return mask.finder is not None and mask.finder.stands_wide_in(data)


def may_hold(data: bytes, mask: Mask) -> bool:
    """Return, cheaply, whether decoded octets may hold an address as octets alone do."""
    return mask.finder is not None and mask.finder.stands_in(data)


def holds_in_octets(data: bytes, text: str, mask: Mask) -> bool:
    """Return whether decoded octets that are no text hold an address, as pictures do.

    What stands next to one there is no more of it: a letter, a digit, a length.

    Args:
        data: the octets.
        text: the same read as UTF-8, with marks for what is none.
        mask: gives a text with addresses replaced.
    """
    finder = mask.finder
    if finder is None or TEXT.fullmatch(text) or not finder.stands_in(data):
        return False
    wide = data.decode("latin-1")  # no two octets are one character
    amid = mask.amid
    return amid(wide) != wide or People(finder.keys, finder.kept).in_bytes(data)


def _drop_overlaps(edits: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Choose edits that do not overlap, the first ones first; give them in order."""
    chosen: list[tuple[int, int, str]] = []
    for edit in edits:
        place = bisect_left(chosen, edit)
        free_before = not place or chosen[place - 1][1] <= edit[0]
        if free_before and (place == len(chosen) or edit[1] <= chosen[place][0]):
            chosen.insert(place, edit)
    return chosen


def _decode_candidates(token: re.Match[str], segment: re.Pattern[str]) -> Iterator[Token]:
    """Decode a token, and what slashes part in it: they are of the alphabet, and of paths."""
    start, text = token.start(), token[0]
    if "/" in text:
        for piece in segment.finditer(text):
            yield from _decode_readings(start + piece.start(), start + piece.end(), piece[0])
    yield from _decode_readings(start, token.end(), text)


def _decode_readings(start: int, end: int, token: str) -> Iterator[Token]:
    code = decode_escapes(token).rstrip("=").replace("-", "+").replace("_", "/")
    for offset in range(4):  # something else may stand before
        length = len(code) - offset
        last = len(code) - (length % 4 == 1)
        data = binascii.a2b_base64(code[offset:last] + PADDING[length % 4])
        if _SEPARATOR.search(data):
            yield Token(start, end, data.decode("utf-8", "replace"), offset, data)


def _may_nest_escaped(text: str, mask: Mask) -> bool:
    """Return, cheaply, whether links in links, escaped, may hold tokens with others in them."""
    if _ESCAPED_LINK.search(text) is None:
        return False
    shown = "\n".join([link[0] for link in _LINK.finditer(text) if "%" in link[0]])
    for _ in range(_NESTED):
        shown = unquote(shown)
    tokens = _find_tokens(shown, find_spans(shown, mask), mask)
    return _may_nest(tokens, decode_all(tokens), mask)


def _find_escaped_edits(
    text: str, mask: Mask, inside: Callable[[str, Mask], str], deep: int
) -> Iterator[tuple[int, int, str]]:
    """Find the links in links, escaped by percent, that hold tokens with others in them."""
    for link in _LINK.finditer(text):
        for piece in _PIECE.finditer(text, *link.span()) if "%" in link[0] else ():
            decoded, times = unquote(piece[0]), 1
            while "://" not in decoded and "%" in decoded and times < _NESTED:
                decoded, times = unquote(decoded), times + 1
            new = mask_links(decoded, mask, inside, deep - 1)
            if new == decoded:
                continue
            safe = "".join([sign for sign in _SAFE if sign in piece[0]])
            for _ in range(times):
                new = quote(new, safe=safe)
            yield *piece.span(), new


def _find_piece_edits(text: str, mask: Mask) -> Iterator[tuple[int, int, str]]:
    """Find the percent-encoded pieces that hold an address, whichever characters are escaped."""
    links = [match for match in _LINK.finditer(text) if "%" in match[0]]
    # A piece that is not looked at apart may only hold more.
    shown = unquote_to_bytes("\n".join([link[0] for link in links]).encode("utf-8", "replace"))
    if not links or not mask.may_change(shown):
        return
    pieces = [
        # A broken charset leaves lone surrogates.
        (piece, unquote_to_bytes(piece[0].encode("utf-8", "replace")).decode("utf-8", "replace"))
        for link in links
        for piece in _PIECE.finditer(text, *link.span())
        if "%" in piece[0]
    ]
    whole = "\n".join([decoded for _, decoded in pieces])
    if not pieces or mask(whole) == whole:
        return
    for piece, decoded in pieces:
        new = mask(decoded)
        if new != decoded:
            clean = TEXT.fullmatch(decoded)
            yield piece.start(), piece.end(), quote(new, safe=_SAFE) if clean else ""
