r"""Whether a text has escapes, or tags, behind which an address may show: told cheaply.

What is passed over here is never read deep, so each test lets pass whatever `escape_edits` may
find, where nothing does that stands in clear. Nothing here raises.
"""

import re
from collections.abc import Iterator, Mapping

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.address.munged_places import Places
from conversation_tracker.core.masking.address.reading import Reading
from conversation_tracker.core.masking.text import (
    cloudflare,
    composed_characters,
    escape_edits,
    escape_syntaxes,
    gateway_links,
)

Labels = Mapping[str, tuple[str, ...]]

_ESCAPED_DOT = re.compile(r"%(?:25)*2e|=2e|\\(?:x|u00|u\{0*)?2e")
_ESCAPED_LETTER = re.compile(  # or what is not seen
    r"%(?:25)*(?:[46][1-9a-f]|[57][0-9a])|&(?:#(?:x0*[4-7a]|0*(?:1[0-2]|[4-9])\d;|0*173)|shy|zwn?j)"
)
# RTF begins with `{\rtf`, which is one of these, too.
_BACKSLASHED = re.compile(
    r"\\(?:x[0-9a-f]{2}|u(?:[0-9{-]|[a-f][0-9a-f])|'[0-9a-f]|[0-9a-f]{2}|[@._+\-]|[nrt\r\n]|e\[)"
)
# What one reading does not show: an escape of an escape.
_NAMES = "commat|period|lowbar|percnt|bsol|lt|gt|quot|nbsp|lpar|rpar|shy|zwnj|plus|hyphen|dash"
# Each sign with what tells that it is an escape, and of such as were not looked behind. A sign of
# one character is found at many times the speed of a longer one.
_Signs = tuple[tuple[str, re.Pattern[str] | None], ...]
# Those that bear on what is far behind them.
_FAR_SIGNS: _Signs = (
    ("\x1b", None),
    ("\x9b", None),
    ("^", re.compile(r"\^\[\[")),
    ("[", re.compile(r"\[(?<=\#033\[)")),
    *((sign, None) for sign in (*cloudflare.SIGNS, "srcdoc")),
    *escape_edits.TURNING,
)
_NEAR_SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = (
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
    ("=", re.compile(r"=(?:2(?:5[0-9a-f]{2}|6)|3d[2-7][0-9a-f]|5c(?:u00|u\{|x[2-7]|[01][0-7]))")),
    ("+", re.compile(r"\+aea")),
    ("imcea", re.compile("imcea")),
    ("=", escape_syntaxes.SOFT_BREAK),
)
_SIGNS_OF_MORE: _Signs = (*_FAR_SIGNS, *_NEAR_SIGNS)
_TAGGED = re.compile(
    r"<(?<=[\w@;+-.]<)[/a-z!][^<>]{0,80}>(?>(?:<[/a-z!][^<>]{0,80}>){0,8})[\w@&+-.]"
)
_AT_SIGNS = ("@", "&#", "&commat", "\uff20", "\ufe6b")
_SIGN_AT_END = re.compile(rf"(?:{escape_edits.ESCAPED_SIGN.pattern})\Z", re.IGNORECASE)
_BESIDE_SIGNS = " \t\r\n\"'`+*()[]{}<>\u00a0"
_NEAR = 40  # characters before a label
_PERCENT_UTF_8 = re.compile(r"%(?:25)*[c-f][0-9a-f]%(?:25)*[89ab][0-9a-f]")
_ENDS_OF_ESCAPES = (";", "\\n")
_SIGNS_OF_ESCAPES = (";", "\\", "%", "=")
_SIGN_OF_ESCAPE = re.compile(r"[;\\%=]")
_AROUND = 100  # characters around a label in which the address is
_SHARE = 2  # of a text, of which no more than one is read in stretches

REACH = 3072
"""Characters on either side of an escape in which it may bear on an address."""


def is_tagged(low: str) -> bool:
    """Return, cheaply, whether a lower-cased text has tags that touch what may be an address."""
    signs = "<" in low and any(sign in low for sign in _AT_SIGNS)
    return signs and _TAGGED.search(low) is not None


def is_deep(low: str, finder: Masker, places: Places | None = None) -> bool:
    """Return, cheaply, whether a lower-cased text has escapes that were not looked behind.

    Args:
        low: the text.
        finder: knows whom to look for.
        places: what is known of the places in this text; more is, afterwards.
    """
    return composed_characters.holds_composed(low) or is_escaped(low, finder, places)


def is_escaped(low: str, finder: Masker, places: Places | None = None) -> bool:
    """Return the same of escapes that are written in ASCII."""
    if _holds_one(low, _SIGNS_OF_MORE):
        return True
    if gateway_links.SIGN in low and _hides_in_links(low, finder):
        return True
    return _is_escaped_near(low, finder, places)


def _holds_one(low: str, signs: _Signs) -> bool:
    for sign, pattern in signs:
        if sign in low and (pattern is None or pattern.search(low) is not None):
            return True
    return False


def find_stretches(low: str, finder: Masker) -> list[tuple[int, int]] | None:
    """Return the stretches of a lower-cased text in which what makes it deep may show somebody.

    Around each sign of an escape, whole lines of more than an address takes, however it is spelled.

    Returns:
        Their beginnings and ends, in order, none of which touch; None where they are most of the
        text, or where a sign bears on more than what is around it.
    """
    if composed_characters.holds_composed(low) or _holds_one(low, _FAR_SIGNS):
        return None
    if gateway_links.SIGN in low or escape_edits.is_rich(low) or _may_be_utf_8(low, finder.labels):
        return None
    found: list[tuple[int, int]] = []
    size = done = 0
    for place in sorted([*_iter_signs(low), *_iter_escaped_near(low, finder)]):
        if place + REACH <= done:
            continue
        start = low.rfind("\n", done, max(done, place - REACH)) + 1 or done
        end = low.find("\n", place + REACH) + 1 or len(low)
        if found and start == done:
            start, _ = found.pop()
        size += end - max(start, done)
        if size * _SHARE > len(low):
            return None
        found.append((start, end))
        done = end
    return found


def _iter_signs(low: str) -> Iterator[int]:
    for sign, pattern in _NEAR_SIGNS:
        if sign in low:
            yield from (match.start() for match in pattern.finditer(low))


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
    tagged = is_tagged(links)
    whole = Reading(links)
    found = escape_edits.find_edits(whole, finder, deep=True, tagged=tagged, thorough=False)
    return next(found, None) is not None


def _ends_in_sign(before: str) -> bool:
    """Return whether an at sign that is escaped ends a text, but for blanks, quotes, brackets."""
    return _SIGN_AT_END.search(before.rstrip(_BESIDE_SIGNS)) is not None


def _has_wide_addresses(labels: Labels) -> bool:
    return not all(
        label.isascii() and all(map(str.isascii, names)) for label, names in labels.items()
    )


def _may_be_utf_8(low: str, labels: Labels) -> bool:
    """Return whether letters of an address beyond ASCII may be percent-encoded."""
    return "%" in low and _PERCENT_UTF_8.search(low) is not None and _has_wide_addresses(labels)


def _is_escaped_near(low: str, finder: Masker, places: Places | None) -> bool:
    if _may_be_utf_8(low, finder.labels):
        return True
    return next(_iter_escaped_near(low, finder, places), None) is not None


def _iter_escaped_near(low: str, finder: Masker, places: Places | None = None) -> Iterator[int]:
    """Yield where a label stands with escapes before it, or near to it and an address in words."""
    labels = finder.labels
    if not any(sign in low for sign in _SIGNS_OF_ESCAPES):
        return
    letters, dots = "%" in low or "&" in low, "2e" in low
    places = places or Places(low, finder)
    for label, names in labels.items():
        if label not in low:  # which costs half of what `find` does
            continue
        apart = places.may_hold_end(names)
        at = low.find(label, 1)
        while at >= 0:
            if (
                low.endswith(_ENDS_OF_ESCAPES, 0, at)
                or (low[at - 1] in _BESIDE_SIGNS and _ends_in_sign(low[max(0, at - _NEAR) : at]))
                or ((letters or dots) and _is_escaped_around(low, at))
                or (apart and places.may_be_apart(at, names) and _holds_sign(low, at))
            ):
                yield at
            at = low.find(label, at + 1)


def _is_escaped_around(low: str, at: int) -> bool:
    """Return whether letters or dots beside a label may be escaped."""
    near = low[max(0, at - _AROUND) : at + _AROUND]
    return (
        low[max(0, at - 3) : at - 2] == "%"
        or ("2e" in near and _ESCAPED_DOT.search(near) is not None)
        or (("%" in near or "&" in near) and _ESCAPED_LETTER.search(near) is not None)
    )


def _holds_sign(low: str, at: int) -> bool:
    """Return whether a sign of an escape stands beside a label."""
    return _SIGN_OF_ESCAPE.search(low, max(0, at - _AROUND), at + _AROUND) is not None
