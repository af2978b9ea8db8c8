r"""Addresses that show only once a text is read in another way, masked: the last of all looks.

A text is read as its escapes mean it, also escaped ones (`escape_syntaxes`, `rich_text`), as links
of gateways mean it (`gateway_links`), as people speak (`munged`), and as pages hide
addresses (`cloudflare`).
What is found is replaced in the source, in plain form or with the at sign as it was escaped, so
that links and programs still work. Most texts show by a few signs that there is nothing to read so.
Nothing here raises.
"""

import re
from collections.abc import Iterator, Mapping
from functools import partial

from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.masking.address import munged, munged_places
from conversation_tracker.core.masking.address.leave_out import leave_out_clear
from conversation_tracker.core.masking.address.mask import FunctionMask, Mask, Masker
from conversation_tracker.core.masking.address.reading import Piece, Reading
from conversation_tracker.core.masking.text import (
    cloudflare,
    escape_syntaxes,
    gateway_links,
    rich_text,
)

Labels = Mapping[str, tuple[str, ...]]
_Edit = tuple[int, int, str]

_TURNS = 3  # in which all is found that overlaps
_DEEP = 4  # readings of readings

_TELLING = b"\\\x1b%&;+<[=#"  # one of these is in whatever is escaped
_ORDINARY = bytes(each for each in range(0x80) if each not in _TELLING)
_FEWEST = 7  # octets of an address that is spelled
_SHORT = 256  # characters of a word or a field
_TELLS = re.compile(r"[\\\x1b%&;+<\[=#\x80-\U0010ffff]")
# Each sign with what tells, behind one, that text is shown from its end.
_TURNING: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("<", re.compile("<bdo")),
    ("&", re.compile("&#(?:8238|x202e)")),
    ("-", re.compile("bidi-override")),
)
_ESCAPED_DOT = re.compile(r"%(?:25)*2e|=2e|\\(?:x|u00|u\{0*)?2e")
_ESCAPED_LETTER = re.compile(  # or what is not seen
    r"%(?:25)*(?:[46][1-9a-f]|[57][0-9a])|&(?:#(?:x0*[4-7a]|0*(?:1[0-2]|[4-9])\d;|0*173)|shy|zwn?j)"
)
_CARETS = ("^[[", "#033[")
_TERMINAL = ("\x1b", "\x9b", *_CARETS)
# RTF begins with `{\rtf`, which is one of these, too.
_BACKSLASHED = re.compile(
    r"\\(?:x[0-9a-f]{2}|u(?:[0-9{-]|[a-f][0-9a-f])|'[0-9a-f]|[0-9a-f]{2}|[@._+\-]|[nrt\r\n]|e\[)"
)
_STYLED = re.compile(r"(?:\\|&\#0*92;?|&\#x0*5c;?|&bsol;?)[0-9a-f]{2}|\\\r?\n")
_RICH = re.compile(r"\{\\rtf|\\'[0-9a-f]{2}|\\u-?[1-9][0-9]{1,4}(?![0-9a-f])")
# What one reading does not show: an escape of an escape.
_NAMES = "commat|period|lowbar|percnt|bsol|lt|gt|quot|nbsp|lpar|rpar|shy|zwnj|plus|hyphen|dash"
# Each sign with what tells that it is an escape, and of such as were not looked behind. A sign of
# one character is found at many times the speed of a longer one.
_SIGNS_OF_MORE: tuple[tuple[str, re.Pattern[str] | None], ...] = (
    ("\x1b", None),
    ("\x9b", None),
    ("^", re.compile(r"\^\[\[")),
    ("[", re.compile(r"\[(?<=\#033\[)")),
    *((sign, None) for sign in (*cloudflare.SIGNS, "srcdoc")),
    *_TURNING,
    ("\\", _BACKSLASHED),
    (
        "&",
        re.compile(
            rf"&(?:(?:amp;)+(?:\#[0-9x]|amp;|(?:{_NAMES});)"
            r"|#0*(?:4[01]|60|62|91|93|12[35]);|#x0*(?:2[89]|3[ce]|[57][bd]);"
            r"|tab;|newline;|#0*(?:9|10|13|27);|#x0*(?:[9ad]|1b);|[lr](?:par|sqb|cub|brac[ek]);|#0*(?:3[78]|65[0-9]{3})|#x0*(?:2[56]|ff)|#0*92|#x0*5c|percnt|bsol)"
        ),
    ),
    ("%", re.compile(r"%(?:u00|25%[2-7]|(?:25)*(?:1b|(?:26|5c|5e)[^\s<>]|3d[2-7][0-9a-f]))")),
    ("=", re.compile(r"=(?:2(?:5[0-9a-f]{2}|6)|3d[2-7][0-9a-f])")),
    ("+", re.compile(r"\+aea")),
    ("imcea", None),
    ("=", escape_syntaxes.SOFT_BREAK),
)
_TAGGED = re.compile(
    r"<(?<=[\w@;+-.]<)[/a-z!][^<>]{0,80}>(?>(?:<[/a-z!][^<>]{0,80}>){0,8})[\w@&+-.]"
)
_AT_SIGNS = ("@", "&#", "&commat", "\uff20", "\ufe6b")
_ESCAPED_SIGN = re.compile(
    r"%(?:25)*40|-(?:25)*40|\*(?:25)*40|\\x40|\\u0040|\\u\{0*40\}|\\U00000040|\\100|\\'40"
    r"|\\u64 ?\??|&(?:amp;)*(?:#0*64|#x0*40|commat);?|=40|\+AEA-|%u0040|\\@",
    re.IGNORECASE,
)
_SIGN_AT_END = re.compile(rf"(?:{_ESCAPED_SIGN.pattern})\Z", re.IGNORECASE)
_BESIDE_SIGNS = " \t\r\n\"'`+*()[]{}<>\u00a0"
_NEAR = 40  # characters before a label
_SIGN = re.compile(r"@|%(?:25)*40|[=+]40|\\(?:u00|x)40", re.IGNORECASE)
_STYLED_SIGN = re.compile(r"\\0{0,4}40(?:\r\n|\s)?")
_PERCENT_UTF_8 = re.compile(r"%(?:25)*[c-f][0-9a-f]%(?:25)*[89ab][0-9a-f]")
_PERCENT = re.compile(r"%((?:25)*)[0-9a-f]{2}", re.IGNORECASE)
_ENDS_OF_ESCAPES = (";", "\\n")
_SIGNS_OF_ESCAPES = (";", "\\", "%", "=")
_AROUND = 100  # characters around a label in which the address is


def may_hide(data: bytes, mask: Mask) -> bool:
    """Return, cheaply, whether `mask_readings` might change text with this ASCII in it."""
    if len(data) < _FEWEST:
        return False
    finder = mask.finder
    if finder is None or not finder.labels:
        return False
    if mask.thorough:
        return True
    low = leave_out_clear(lower_case(data.decode("utf-8", "replace")), finder.keys)
    if data.translate(None, _ORDINARY) and (_is_deep(low, finder) or _is_tagged(low)):
        return True
    return munged.may_hold_munged(low, finder)


def is_escaped(data: bytes, mask: Mask, *, tagged: bool) -> bool:
    """Return, cheaply, whether ASCII text has escapes or tags that `mask_readings` looks behind."""
    if mask.finder is None or not data.translate(None, _ORDINARY):
        return False
    if mask.thorough:
        return True
    return may_be_escaped(data.decode("ascii").lower(), mask.finder, tagged=tagged)


def may_be_escaped(low: str, finder: Masker, *, tagged: bool) -> bool:
    """Return the same of a lower-cased text of any script.

    What characters beyond ASCII mean is not asked here: `escape_syntaxes.holds_composed` tells it.
    """
    return _is_escaped(low, finder) or (tagged and _is_tagged(low))


def mask_readings(text: str, mask: Mask, *, tagged: bool = True) -> str:
    """Mask what only shows in other readings of a text.

    Args:
        text: decoded text, or HTML source, with what stands in clear masked already.
        mask: gives a text with addresses replaced. Without an attribute `finder`, as
            `Masker` and `View` have, nothing is looked for.
        tagged: tags are looked behind here; nobody did before.

    Returns:
        The text; the same object if nothing changed.
    """
    finder = mask.finder
    if finder is None or not finder.labels:
        return text
    low = lower_case(text)
    plain = not mask.thorough and len(low) < _SHORT and _TELLS.search(low) is None
    if plain and not any(label in low for label in finder.labels):
        return text
    again = FunctionMask(partial(_mask_whole, mask=mask, finder=finder))
    if gateway_links.SIGN in low or any(sign in low for sign in cloudflare.SIGNS):
        text = cloudflare.mask_cfemail(gateway_links.mask_version_3(text, again), again)
        low = lower_case(text)
    if mask.thorough:
        return _mask_readings(text, finder, tagged=tagged, thorough=True)
    deep = _is_deep(low, finder)
    if not (deep or (tagged and _is_tagged(low)) or munged.may_hold_munged(low, finder)):
        return text
    return _mask_readings(text, finder, deep=deep, tagged=tagged)


def mask_unseen(text: str, mask: Mask) -> str:
    """Mask what shows where control characters do not, and not in clear; arguments as above."""
    finder = mask.finder
    if finder is None or not finder.labels:
        return text
    families = (escape_syntaxes.UNSEEN, escape_syntaxes.UNUSUAL)
    found = [e for family in families for e in _unescape(text, family, finder)]
    return _apply(text, [each for each in found if not finder.hits(text[slice(*each[:2])])])


def _mask_readings(
    text: str,
    finder: Masker,
    *,
    deep: bool | None = None,
    tagged: bool,
    thorough: bool = False,
) -> str:
    """Mask in turns what readings show; `deep` tells what `_is_deep` does, where it was asked."""
    for turn in range(_TURNS):
        known = True if thorough else None if turn else deep
        found = list(_find_edits(text, finder, deep=known, tagged=tagged, thorough=thorough))
        if not found:
            break
        text = _apply(text, found)
    return text


def _mask_whole(text: str, mask: Mask, finder: Masker) -> str:
    """Mask a text that was hidden in another, once more in every reading but those."""
    return _mask_readings(mask(text), finder, tagged=True)


def _find_edits(
    text: str, finder: Masker, *, deep: bool | None, tagged: bool, thorough: bool
) -> Iterator[_Edit]:
    low = lower_case(text)
    yield from _find_munged_edits(Reading(text), finder)
    families = []
    if _is_deep(low, finder) if deep is None else deep:
        if _is_turned(low):
            yield from _find_turned_edits(text, finder)
        families.append(escape_syntaxes.UNUSUAL if thorough else escape_syntaxes.COMMON)
        # A sign of one character is found at many times the speed of a pattern.
        backslashes = "\\" in low
        if (backslashes or "&" in low) and (thorough or _STYLED.search(low)):
            families.append(escape_syntaxes.UNUSUAL_STYLE if thorough else escape_syntaxes.STYLE)
        if backslashes and _RICH.search(low):
            families += rich_text.RICH, rich_text.RICH_LINES
            if rich_text.counts_instead(low):
                families += rich_text.RICH_COUNTED
            if rich_text.holds_hidden(low):
                families.append(rich_text.RICH_SHOWN)
    if thorough:
        families.append(escape_syntaxes.UNSEEN)
    if (tagged and _is_tagged(low)) or (thorough and "<" in low):
        families += [escape_syntaxes.TAGGED, *[escape_syntaxes.UNUSUAL_TAGGED] * thorough]
    for family in families:
        yield from _unescape(text, family, finder)


def _is_turned(low: str) -> bool:
    """Return whether something in a lower-case text may have it shown from its end."""
    signs = any(sign in low and pattern.search(low) is not None for sign, pattern in _TURNING)
    return signs or "\u202e" in low


def _find_turned_edits(text: str, finder: Masker) -> Iterator[_Edit]:
    """Find what is written from its end to its beginning, as where a direction is overridden.

    UAX #9, CSS `unicode-bidi`: such text is shown the other way, wherever that ends.
    """
    for family in ((), escape_syntaxes.TAGGED):
        reading = Reading(text, _find_pieces(Reading(text), family))
        size = len(reading.text)
        for start, end, new in finder.hits(reading.text[::-1]):
            first, last = reading.span(size - end, size - start)
            yield first, last, new[::-1] + _find_rest(text[first:last])


def _unescape(text: str, family: escape_syntaxes.Family, finder: Masker) -> Iterator[_Edit]:
    """Read a text as one family of escapes means it, as often as that shows more."""
    reading = Reading(text)
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


def _find_munged_edits(reading: Reading, finder: Masker) -> Iterator[_Edit]:
    for each in munged.find_munged(reading.low, finder):
        yield _edit(reading.source, reading, each.start, each.end, each.sign, each.new)


def _sign_of(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Find the only at sign, or escape of one, in an address."""
    found = [match.span() for match in _SIGN.finditer(text, start, end)]
    return found[0] if len(found) == 1 else None


def _edit(
    source: str, reading: Reading, start: int, end: int, sign: tuple[int, int] | None, new: str
) -> _Edit:
    """Write an address that was found in a reading into its source."""
    first, last = reading.span(start, end)
    written = source[slice(*reading.span(*sign))] if sign is not None else ""
    return first, last, _put_sign(new, written) + _find_rest(source[first:last])


def _put_sign(new: str, written: str) -> str:
    """Write an alias with its at sign as the source had it, if that was one escape."""
    local, at, domain = new.rpartition("@")
    if not at or written == "@":
        return new
    if _ESCAPED_SIGN.fullmatch(written):
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


def _apply(text: str, edits: list[_Edit]) -> str:
    """Apply edits; of those that overlap, the first and longest."""
    pieces: list[str] = []
    done = 0
    for start, end, new in sorted(edits, key=lambda each: (each[0], -each[1])):
        if start >= done:
            pieces += text[done:start], new
            done = end
    return "".join(pieces) + text[done:]


def _is_tagged(low: str) -> bool:
    signs = "<" in low and any(sign in low for sign in _AT_SIGNS)
    return signs and _TAGGED.search(low) is not None


def _is_deep(low: str, finder: Masker) -> bool:
    """Return, cheaply, whether a lower-cased text has escapes that were not looked behind."""
    return escape_syntaxes.holds_composed(low) or _is_escaped(low, finder)


def _is_escaped(low: str, finder: Masker) -> bool:
    for sign, pattern in _SIGNS_OF_MORE:
        if sign in low and (pattern is None or pattern.search(low) is not None):
            return True
    if gateway_links.SIGN in low and _hides_in_links(low, finder):
        return True
    return _is_escaped_near(low, finder)


def _hides_in_links(low: str, finder: Masker) -> bool:
    """Return whether links of gateways may show somebody: most mail through one has only such."""
    links = gateway_links.cut_links(low)
    if links is None:
        return True
    shown = gateway_links.show_links(links)
    if shown is not None and not _has_wide_addresses(finder.labels):
        names = any(label in shown for label in finder.labels)
        if not names and not finder.possible(shown.encode("ascii")):
            return False
    found = _find_edits(links, finder, deep=True, tagged=True, thorough=False)
    return next(found, None) is not None


def _ends_in_sign(before: str) -> bool:
    """Return whether an at sign that is escaped ends a text, but for blanks, quotes, brackets."""
    return _SIGN_AT_END.search(before.rstrip(_BESIDE_SIGNS)) is not None


def _has_wide_addresses(labels: Labels) -> bool:
    return not all(
        label.isascii() and all(map(str.isascii, names)) for label, names in labels.items()
    )


def _is_escaped_near(low: str, finder: Masker) -> bool:
    """Return whether what stands before a label is escaped, or what is near an address in words."""
    labels = finder.labels
    if "%" in low and _PERCENT_UTF_8.search(low) is not None and _has_wide_addresses(labels):
        return True
    if not any(sign in low for sign in _SIGNS_OF_ESCAPES):
        return False
    dotted = "2e" in low
    places = munged_places.Places(low, finder)
    for label, names in labels.items():
        if label not in low:  # which costs half of what `find` does
            continue
        at = low.find(label, 1)
        while at >= 0:
            if low.endswith(_ENDS_OF_ESCAPES, 0, at) or low[max(0, at - 3) : at - 2] == "%":
                return True
            if low[at - 1] in _BESIDE_SIGNS and _ends_in_sign(low[max(0, at - _NEAR) : at]):
                return True
            near = low[max(0, at - _AROUND) : at + _AROUND]
            if dotted and _ESCAPED_DOT.search(near) is not None:
                return True
            if ("%" in near or "&" in near) and _ESCAPED_LETTER.search(near) is not None:
                return True
            if any(sign in near for sign in _SIGNS_OF_ESCAPES) and places.may_be_apart(at, names):
                return True
            at = low.find(label, at + 1)
    return False
