r"""Addresses that show once a text is read as its escapes mean it, and what becomes of them.

Each family of escapes (`escape_syntaxes`, `rich_text`), what links of gateways mean
(`gateway_links`), text that is shown from its end, and in each of these readings what people say
(`munged`), and what has quotation marks inside (`quote_marks`). Whether a text is worth all that is
told by `escape_signs`. Nothing here raises.
"""

import re
from collections.abc import Iterator
from itertools import chain

from conversation_tracker.core.masking.address import munged, quote_marks
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.address.reading import Piece, Reading
from conversation_tracker.core.masking.text import escape_syntaxes, gateway_links, rich_text

Edit = tuple[int, int, str]
"""Start and end of what is replaced, and what stands there then."""

_DEEP = 4  # readings of readings

TURNING: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("<", re.compile("<bdo")),
    ("&", re.compile("&#(?:8238|x202e)")),
    ("-", re.compile("bidi-override")),
)
"""Each sign with what tells, behind one, that text is shown from its end."""
_CARETS = ("^[[", "#033[")
_TERMINAL = ("\x1b", "\x9b", *_CARETS)
_STYLED = re.compile(r"(?:\\|&\#0*92;?|&\#x0*5c;?|&bsol;?)[0-9a-f]{2}|\\\r?\n")
_RICH = re.compile(r"\{\\rtf|\\'[0-9a-f]{2}|\\u-?[1-9][0-9]{1,4}(?![0-9a-f])")
ESCAPED_SIGN = re.compile(
    r"%(?:25)*40|-(?:25)*40|\*(?:25)*40|\\x40|\\u0040|\\u\{0*40\}|\\U00000040|\\100|\\'40"
    r"|\\u64 ?\??|&(?:amp;)*(?:#0*64|#x0*40|commat);?|=40|\+AEA-|%u0040|\\@",
    re.IGNORECASE,
)
_SIGN = re.compile(r"@|%(?:25)*40|[=+]40|\\(?:u00|x)40", re.IGNORECASE)
_STYLED_SIGN = re.compile(r"\\0{0,4}40(?:\r\n|\s)?")
_PERCENT = re.compile(r"%((?:25)*)[0-9a-f]{2}", re.IGNORECASE)


def find_edits(
    whole: Reading, finder: Masker, *, deep: bool, tagged: bool, thorough: bool
) -> Iterator[Edit]:
    """Find what is to be replaced in a text; of what overlaps, all.

    Args:
        whole: decoded text, or HTML source, with what stands in clear masked already, as it stands.
        finder: knows whom to look for.
        deep: it has escapes that were not looked behind, as `escape_signs.is_deep` tells.
        tagged: it has tags that nobody looked behind before.
        thorough: escapes that few programs write are read, too.
    """
    low = whole.low
    yield from _find_munged_edits(whole, finder)
    families = []
    if deep:
        if _is_turned(low):
            yield from _find_turned_edits(whole, finder)
        families.append(escape_syntaxes.UNUSUAL if thorough else escape_syntaxes.COMMON)
        # A sign of one character is found at many times the speed of a pattern.
        backslashes = "\\" in low
        if (backslashes or "&" in low) and (thorough or _STYLED.search(low)):
            families.append(escape_syntaxes.UNUSUAL_STYLE if thorough else escape_syntaxes.STYLE)
        if is_rich(low):
            families += rich_text.RICH, rich_text.RICH_LINES
            if rich_text.counts_instead(low):
                families += rich_text.RICH_COUNTED
            if rich_text.holds_hidden(low):
                families += rich_text.RICH_SHOWN
    if thorough:
        families += escape_syntaxes.UNSEEN, *escape_syntaxes.UNJOINED, escape_syntaxes.WRITTEN_TAGS
    if tagged:
        families += [escape_syntaxes.TAGGED, *escape_syntaxes.UNUSUAL_TAGGED * thorough]
    for family in families:
        yield from find_behind(whole, family, finder)


def is_rich(low: str) -> bool:
    """Return whether a lower-case text may be RTF, whose braces bear on what is between them."""
    return "\\" in low and _RICH.search(low) is not None


def _is_turned(low: str) -> bool:
    """Return whether something in a lower-case text may have it shown from its end."""
    signs = any(sign in low and pattern.search(low) is not None for sign, pattern in TURNING)
    return signs or "\u202e" in low


def _find_turned_edits(whole: Reading, finder: Masker) -> Iterator[Edit]:
    """Find what is written from its end to its beginning, as where a direction is overridden.

    UAX #9, CSS `unicode-bidi`: such text is shown the other way, wherever that ends.
    """
    for family in ((), escape_syntaxes.TAGGED):
        reading = Reading(whole, _find_pieces(whole, family))
        size = len(reading.text)
        for start, end, new in finder.hits(reading.text[::-1]):
            first, last = reading.span(size - end, size - start)
            yield first, last, new[::-1] + _find_rest(whole.source[first:last])


def find_behind(whole: Reading, family: escape_syntaxes.Family, finder: Masker) -> Iterator[Edit]:
    """Read a text as one family of escapes means it, as often as that shows more."""
    text, reading = whole.source, whole
    pieces = _find_pieces(reading, family)
    for _ in range(_DEEP):
        reading = Reading(reading, pieces)
        if not reading:
            return
        pieces = _find_pieces(reading, family)
        # The next reading shows what an escape touches.
        begins, ends = {start for start, _, _ in pieces}, {end for _, end, _ in pieces}
        for start, end, new in finder.hits(reading.text):
            if end not in begins and start not in ends:
                sign = _sign_of(reading.text, start, end)
                shown = reading.text[slice(*sign)] if sign else "@"
                yield _edit(text, reading, start, end, sign, new.replace(shown.lower(), "@"))
        yield from _find_munged_edits(reading, finder)


def _find_pieces(reading: Reading, family: escape_syntaxes.Family) -> list[Piece]:
    found = escape_syntaxes.find_pieces(reading.text, family)
    if gateway_links.SIGN in reading.low:
        found = escape_syntaxes.sort_pieces([*found, *gateway_links.find_pieces(reading.text)])
    return found


def _find_munged_edits(reading: Reading, finder: Masker) -> Iterator[Edit]:
    spelled = munged.find_munged(reading.low, finder)
    for each in chain(spelled, quote_marks.find_marked(reading.low, finder)):
        yield _edit(reading.source, reading, each.start, each.end, each.sign, each.new)


def _sign_of(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Find the only at sign, or escape of one, in an address."""
    found = [match.span() for match in _SIGN.finditer(text, start, end)]
    return found[0] if len(found) == 1 else None


def _edit(
    source: str, reading: Reading, start: int, end: int, sign: tuple[int, int] | None, new: str
) -> Edit:
    """Write an address that was found in a reading into its source."""
    first, last = reading.span(start, end)
    written = source[slice(*reading.span(*sign))] if sign is not None else ""
    new = _put_sign(new, written) + _find_rest(source[first:last])
    return first, last, _call_ascii(source, first, last, new)


def _call_ascii(source: str, first: int, last: int, new: str) -> str:
    """Call for ASCII before what is written amid double bytes, and for these behind it."""
    before, behind = (escape_syntaxes.find_double(source, place) for place in (first, last))
    return ("\x1b(B" if before else "") + new + behind


def _put_sign(new: str, written: str) -> str:
    """Write an alias with its at sign as the source had it, if that was one escape."""
    local, at, domain = new.rpartition("@")
    if not at or written == "@":
        return new
    if ESCAPED_SIGN.fullmatch(written):
        if written.startswith("-"):  # where a hyphen is the sign of an escape
            local, domain = (
                each.replace("-", "-2D").replace("_", "-5F") for each in (local, domain)
            )
        return local + written + domain
    if _STYLED_SIGN.fullmatch(written):
        return f"{local}\\40 {domain}"
    if percent := _PERCENT.match(written):
        return f"{local}%{percent[1]}40{domain}"
    return new


def _find_rest(source: str) -> str:
    """Return what stays behind an alias of what was inside the address: tags, changes of state."""
    if "<" not in source and not any(sign in source for sign in _TERMINAL):
        return ""
    return "".join(escape_syntaxes.iter_kept(source))
