r"""Addresses inside base64 and hexadecimal digits in running text: ids, JSON, blocks of lines.

What a link holds is read in `links`. A token is looked at only where one of the mask's words
stands encoded in it, so a text without one costs a few searches. One that decodes and encodes
cleanly is written anew in the same form; any other is cut out. Nothing here raises.
"""

import binascii
import re
from collections.abc import Callable, Iterator

from conversation_tracker.core.masking.address.encoded_needles import Needles
from conversation_tracker.core.masking.address.mask import FunctionMask, Mask
from conversation_tracker.core.masking.address.reading import apply_edits
from conversation_tracker.core.masking.text import links
from conversation_tracker.core.masking.text.link_tokens import BEGINS_PACKED, mask_inside

Edit = tuple[int, int, str]

MAX_TOKEN = 64 * 1024
"""Characters on either side of a place that are taken for its token."""

_BEFORE = re.compile(r"[A-Za-z0-9+/_%\-]*")
_AFTER = re.compile(r"[A-Za-z0-9+/_%\-]*={0,2}")
_DIGITS = re.compile(r"[0-9A-Fa-f]*")
_SHORT_DIGITS = re.compile(r"[0-9A-Fa-f]{6,}")  # those of `x@y`
_BLOCK = re.compile(
    # In HTML the last line of a picture stands before the end of an attribute.
    r"^(?>(?:[A-Za-z0-9+/]{48,100}\r?\n)+)(?:[A-Za-z0-9+/]{1,100}={0,2}(?=\r?$|[\"']|&quot;))?",
    re.MULTILINE,
)
# What begins with one character is found at many times the speed.
_NEXT_BLOCK = re.compile(r"\n[A-Za-z0-9+/]{48}")
_WRAPPED = re.compile(r";base64,\s*+((?>[A-Za-z0-9+/]++)(?>(?:\s++[A-Za-z0-9+/]++)+))={0,2}")
# Of running text, only lines of nothing else: its words are letters of base64, too.
_IN_LINES = re.compile(
    r";base64,\s*+((?>[A-Za-z0-9+/]++)(?>(?:[ \t]*+\r?\n[ \t]*+[A-Za-z0-9+/]++"
    r"(?=={0,2}[ \t]*+(?:\r?\n|\Z)))+))"
)
_SHORTEST_BLOCK = 49  # octets
# What may be compressed, or UTF-16: how these begin, or a letter amid others.
_RARE_SIGN = re.compile(
    rf"(?<![A-Za-z0-9+/_-]){BEGINS_PACKED}"
    r"|A[C-H][AEIMQUYcgkosw048]A[A-Za-z0-9+/_-][AQgw][AB][A-Za-z0-9+/_-]A[C-H]"
)
_RARE = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}={0,2}")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TEXT = re.compile(r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]*")


def possible(data: bytes, mask: Mask) -> bool:
    """Return whether `mask_encodings` might change text with these bytes as its ASCII."""
    if (needles := _needles_of(mask)) is None:
        return False
    return may_hold_block(data) or needles.stand_in(data.decode("latin-1"))


def may_hold_block(data: bytes) -> bool:
    """Return, cheaply, whether there may be a block of base64 in text with this ASCII in it."""
    if b";base64," in data and _WRAPPED.search(data.decode("latin-1")) is not None:
        return True
    return len(data) >= _SHORTEST_BLOCK and _has_block(data.decode("latin-1"))


def mask_encodings(text: str, mask: Mask, deep: Callable[[str], str] | None = None) -> str:
    """Mask what stands in base64 or hexadecimal digits.

    Args:
        text: decoded text, or HTML source, with what stands in clear masked already.
        mask: gives a text with addresses replaced. Without an attribute `finder` that has
            `needles`, as `Masker` and `View` have, nothing is looked for. Its attribute `amid` is
            used where it has one.
        deep: masks the text in a block of lines, however addresses are written in it; None: `mask`
            does. So it does in tokens, where the final scan found somebody.

    Returns:
        The text; the same object if nothing changed.
    """
    if (needles := _needles_of(mask)) is None:
        return text
    if links.knows_short(mask) and "://" in text:
        text = apply_edits(text, list(_find_link_edits(text, mask)))
    # What is decoded may be anything.
    mask = mask.amid
    if ";base64," in text:
        text = apply_edits(text, list(_find_wrapped_edits(text, mask)))
    if _has_block(text):
        text = apply_edits(text, list(_find_block_edits(text, mask, deep or mask)))
    if deep is not None and mask.thorough:
        text = apply_edits(text, list(_find_rare_edits(text, mask, deep)))
    if not needles.stand_in(text):
        return text
    text = _mask_tokens(text, needles, mask)
    if deep is not None and mask.thorough and needles.stand_in(text):
        text = _mask_tokens(text, needles, mask, deep)
    return text


def _find_rare_edits(text: str, mask: Mask, deep: Callable[[str], str]) -> Iterator[Edit]:
    """Find base64 in which an address is compressed, or UTF-16."""
    for token in _RARE.finditer(text) if _RARE_SIGN.search(text) is not None else ():
        mask.limits.check()
        if _RARE_SIGN.search(token[0]) is None:
            continue
        new = mask_inside(token[0], lambda old, _: deep(mask(old)), 2)
        if new is not None:
            yield *token.span(), new


def _mask_tokens(
    text: str, needles: Needles, mask: Mask, deep: Callable[[str], str] | None = None
) -> str:
    """Mask what the tokens hold; with `deep`, however an address is written in them."""
    if places := needles.find_base64(text):
        spans = _find_spans(text, places, _BEFORE, _AFTER)
        found = (
            links.find_token_edits(text, spans, mask)
            if deep is None
            else links.find_spelled_edits(text, spans, mask, deep)
        )
        text = apply_edits(text, list(found))
    if places := needles.find_digits(text):
        spans = _find_spans(text, places, _DIGITS, _DIGITS)
        change = mask if deep is None else FunctionMask(deep)
        text = apply_edits(text, list(_find_digit_edits(text, spans, change)))
    return text


def _needles_of(mask: Mask) -> Needles | None:
    return None if mask.finder is None else mask.finder.needles


def _find_spans(
    text: str, places: list[int], before: re.Pattern[str], after: re.Pattern[str]
) -> list[tuple[int, int]]:
    """Return the tokens around places, each once."""
    spans: list[tuple[int, int]] = []
    for place in places:
        if spans and place < spans[-1][1]:
            continue
        # What stands before the last token's end belongs to that one.
        first = max(spans[-1][1] if spans else 0, place - MAX_TOKEN)
        lead = before.match(text[first:place][::-1])
        rest = after.match(text, place, place + MAX_TOKEN)
        spans.append((place - (lead.end() if lead else 0), rest.end() if rest else place))
    return spans


def _find_link_edits(text: str, mask: Mask) -> Iterator[Edit]:
    """Find the digits in links that are an address too short to be looked for elsewhere."""
    digits = (
        each.span()
        for start, end in links.find_spans(text, mask)
        for each in _SHORT_DIGITS.finditer(text, start, end)
        if "40" in each[0]
    )
    return _find_digit_edits(text, list(digits), links.strict_mask(mask))


def _find_digit_edits(text: str, spans: list[tuple[int, int]], mask: Mask) -> Iterator[Edit]:
    for start, end in spans:
        old = text[start:end]
        for offset in (0, 1):
            run = old[offset:]
            data = bytes.fromhex(run[: len(run) & ~1])
            decoded = data.decode("utf-8", "replace")
            new = mask(decoded)
            if new == decoded and not links.holds_in_octets(data, decoded, mask):
                continue
            written = new.encode("utf-8").hex() if _TEXT.fullmatch(decoded) else ""
            if written and run == run.upper():
                written = written.upper()
            yield start, end, written if not offset and not len(run) % 2 else ""
            break


def _has_block(text: str) -> bool:
    """Return whether there may be a block of base64."""
    return _NEXT_BLOCK.search(text) is not None or _BLOCK.match(text) is not None


def _iter_blocks(text: str) -> Iterator[re.Match[str]]:
    """Yield the blocks of base64: tried behind line ends that may begin one, nowhere else."""
    start = 0
    while True:
        if (block := _BLOCK.match(text, start)) is not None:
            yield block
        found = _NEXT_BLOCK.search(text, block.end() - 1 if block is not None else start)
        if found is None:
            return
        start = found.start() + 1


def _find_wrapped_edits(text: str, mask: Mask) -> Iterator[Edit]:
    """Find the files in `data:` URLs (RFC 2397) that are written over several lines."""
    for whole in _WRAPPED.finditer(text):
        quoted = text[whole.end() : whole.end() + 1] in ('"', "'")
        match = whole if quoted else _IN_LINES.match(text, whole.start())
        if match is None:
            continue
        start, end = match.span(1)
        code = "".join(match[1].split())
        data = binascii.a2b_base64(code[: len(code) & ~3])
        decoded = data.decode("utf-8", "replace")
        if mask(decoded) != decoded or links.holds_in_octets(data, decoded, mask):
            yield start, end, ""


def _find_block_edits(text: str, mask: Mask, deep: Callable[[str], str]) -> Iterator[Edit]:
    """Find the blocks of base64 that hold an address; keys have their own rules."""
    for match in _iter_blocks(text):
        old = match[0]
        lines = old.split()
        joined = "".join(lines).rstrip("=")
        run = joined[: len(joined) - (len(joined) % 4 == 1)]
        data = binascii.a2b_base64(run + "=" * (-len(run) % 4))
        # What may change has been looked for as it is; so it is left to look for it in UTF-16.
        clear = not mask.may_change(data) and not links.may_hold_wide(data, mask)
        if clear and _CONTROL.search(data) is not None:  # found before all is decoded
            continue
        decoded = data.decode("utf-8", "replace")
        binary = not _TEXT.fullmatch(decoded)
        if clear and binary:
            continue
        new = mask(decoded) if binary else deep(decoded)
        if new == decoded and not links.holds_in_octets(data, decoded, mask):
            continue
        if binary:
            yield *match.span(), ""
            continue
        code = binascii.b2a_base64(new.encode("utf-8"), newline=False).decode("ascii")
        width = len(lines[0])
        line_end = "\r\n" if "\r\n" in old else "\n"
        written = line_end.join(code[at : at + width] for at in range(0, len(code), width))
        yield *match.span(), written + (line_end if old.endswith("\n") else "")
