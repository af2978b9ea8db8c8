"""Characters of another width, without any, and those that several make, read as what they mean.

Wide and mathematical letters, circled ones and small ones, what Unicode's NFKC makes of them;
letters in two characters (NFD); and what has no width. Time is linear. Nothing here raises.
"""

import re
import unicodedata
from collections.abc import Iterator

from conversation_tracker.core.masking.address.invisible import INVISIBLE
from conversation_tracker.core.masking.address.reading import Piece
from conversation_tracker.core.syntax.charset import keep_non_ascii

WIDE = re.compile(
    r"[\u3002\uff01-\uff5e\uff61\ufe50-\ufe6b\ufb00-\ufb06\u249c-\u24e9\u2070-\u209c"
    r"\u00aa\u00b2\u00b3\u00b9\u00ba\u017f\u02b0-\u02b8\u02e1-\u02e3\u1d2c-\u1d65\u1d9c-\u1dbb"
    r"\u2024\u2100-\u214f\u2160-\u217f\u2460-\u2473\ua7f2-\ua7f4"
    r"\U0001d400-\U0001d7ff\U0001f100-\U0001f14f\U0001fbf0-\U0001fbf9]"
)
"""A character that means another one."""
# Signs of ASCII by other numbers, as which they are read beside a mark.
_ASCII_ALONE = re.compile("[\u037e\u1fef]")
# Characters that stand for themselves, whatever is beside them: most of those in text.
_PLAIN = re.compile(
    r"[\x80-\xa9\xab\xac\xae-\xb1\xb4-\xb8\xbb-\u017e\u0180-\u02af\u0388-\u0482\u048a-\u052f"
    r"\u05d0-\u05ea\u0620-\u064a\u1e00-\u1eff\u2010-\u2023\u2025-\u2029\u2030-\u205e\u20a0-\u20bf"
    r"\u2190-\u2328\u2500-\u27bf\u3000\u3001\u3003-\u3020\u3041-\u3096\u30a1-\u30fe\u3400-\u4dbf"
    r"\u4e00-\u9fff\uac00-\ud7a3\udc80-\udcff\U0001f300-\U0001f64f\U0001f680-\U0001f6ff]+"
)
# Ideographs, and octets that are no text, make nothing together with their neighbours.
_ALONE = r"\u3400-\u4dbf\u4e00-\u9fff\udc80-\udcff"
_RUN = re.compile(rf"(?:[\x00-\x7f](?=[^\x00-\x7f{_ALONE}]))?[^\x00-\x7f{_ALONE}]+")
_FIRST_VOWEL = "\u09be"  # the first that is no mark and makes one with what is before it
# An a in a circle is an at sign, where it is no letter of a word in circles.
_CIRCLED_A = "\u24b6\u24d0"
_ALONE_IN_CIRCLE = re.compile(r"(?<![\u24b6-\u24e9]).(?![\u24b6-\u24e9])")
_CLUSTER = 8  # characters that make one at most
_ANY = re.compile(".", re.DOTALL)
_FEW = 64  # kinds of characters that are looked for one by one


def find_pieces(text: str) -> Iterator[Piece]:
    """Yield the pieces of a text that mean something else, in no order."""
    few = _find_telling(text)
    if not few:
        return
    for at, each in _find_places(text, WIDE, few):
        meant = unicodedata.normalize("NFKC", each).replace("\u3002", ".")
        if each in _CIRCLED_A and _ALONE_IN_CIRCLE.match(text, at) is not None:
            meant = "(at)"
        yield at, at + 1, meant
    yield from ((*run, "") for run in _find_runs(text, INVISIBLE, few))
    if _has_marks(text, few):
        for start, run in _iter_marked(text, few):
            if not unicodedata.is_normalized("NFC", run):
                yield from _iter_clusters(run, start)


def holds_composed(text: str) -> bool:
    """Return, cheaply, whether a text has characters that stand for others, or for none."""
    few = _find_telling(text)
    return bool(few) and _holds_composed(text, few)


def _holds_composed(text: str, few: str) -> bool:
    wide = WIDE.search(few) is not None or INVISIBLE.search(few) is not None
    return wide or _has_marks(text, few)


def show_composed(text: str) -> tuple[str, bool]:
    """Show the characters beyond ASCII that stand for some in ASCII, or for none, as they mean.

    What several characters make together stays as it is: none of that is in ASCII.

    Args:
        text: the text.

    Returns:
        The text without such characters, and what `holds_composed` tells of it.
    """
    few = _find_telling(text)
    if not few:
        return text, False
    shown = text
    kinds = {*WIDE.findall(few), *INVISIBLE.findall(few), *_ASCII_ALONE.findall(few)}
    if len(kinds) <= _FEW:
        for each in kinds:
            shown = shown.replace(each, _mean_alone(each))
    else:
        for pattern in (WIDE, INVISIBLE, _ASCII_ALONE):
            shown = pattern.sub(lambda found: _mean_alone(found[0]), shown)
    return shown, _holds_composed(text, few)


def _mean_alone(character: str) -> str:
    if INVISIBLE.match(character) is not None:
        return ""
    return unicodedata.normalize("NFKC", character).replace("\u3002", ".")


def _find_places(text: str, pattern: re.Pattern[str], few: str) -> Iterator[tuple[int, str]]:
    """Yield the places of a pattern's characters in a text, and these, in no order.

    Args:
        text: the text.
        pattern: matches one character.
        few: the characters beyond ASCII in the text, each once.
    """
    kinds = pattern.findall(few)
    if len(kinds) > _FEW:
        yield from ((match.start(), match[0]) for match in pattern.finditer(text))
        return
    for each in kinds:  # one by one, they are found at many times the speed
        at = text.find(each)
        while at >= 0:
            yield at, each
            at = text.find(each, at + 1)


def _find_runs(text: str, pattern: re.Pattern[str], few: str) -> Iterator[tuple[int, int]]:
    """Yield the spans in which a pattern's characters stand side by side; arguments as above."""
    start = end = -1
    for at in sorted(at for at, _ in _find_places(text, pattern, few)):
        if at != end:
            if end > 0:
                yield start, end
            start = at
        end = at + 1
    if end > 0:
        yield start, end


def _iter_marked(text: str, few: str) -> Iterator[tuple[int, str]]:
    """Yield the runs of characters that may make others together, and where each begins.

    A mark may stand behind a letter in ASCII.
    """
    later = "".join(filter(_may_be_later, few))
    if len(later) > _FEW:
        yield from ((match.start(), match[0]) for match in _RUN.finditer(text))
        return
    for start, end in _find_runs(text, _ANY, later):
        yield max(0, start - 1), text[max(0, start - 1) : end]


def _may_be_later(character: str) -> bool:
    """Return whether a character is another one, or may make one with what is before it."""
    later = character >= _FIRST_VOWEL or unicodedata.combining(character) != 0
    return later or not unicodedata.is_normalized("NFC", character)


def _find_telling(text: str) -> str:
    """Return, each once, the characters in a text that may stand for others, or for none."""
    return "" if text.isascii() else _PLAIN.sub("", "".join(set(keep_non_ascii(text))))


def _has_marks(text: str, few: str) -> bool:
    """Return whether characters beyond ASCII make others together with those before them.

    Args:
        text: the text.
        few: those of its characters that may, each once.
    """
    if any(map(unicodedata.combining, few)):
        return True
    return not unicodedata.is_normalized("NFC", keep_non_ascii(text))


def _iter_clusters(run: str, at: int) -> Iterator[Piece]:
    """Yield the characters in a run that several make."""
    start = 0
    for place in range(1, len(run) + 1):
        inside = (
            place < len(run)
            and place - start < _CLUSTER
            and _continues_cluster(run[place - 1 : place + 1])
        )
        if inside:
            continue
        if place - start > 1:
            whole = run[start:place]
            meant = unicodedata.normalize("NFC", whole)
            if meant != whole:
                yield at + start, at + place, meant
        start = place


def _continues_cluster(pair: str) -> bool:
    return unicodedata.combining(pair[1]) != 0 or len(unicodedata.normalize("NFC", pair)) == 1
