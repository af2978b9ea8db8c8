r"""Clear-signed text (OpenPGP, RFC 9580 section 7): what it loses when it is changed.

A text in clear stands between two armour lines, followed by its signature. If it had to be masked,
the signature is wrong, and readers would be warned of it: it is replaced by a note, and the lines
around the text and the dashes before its lines go, too. Such texts are found in quoted text and in
HTML as well, and inside each other. What is encrypted is no such text.
Nothing here raises.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

from conversation_tracker.core.syntax import charset

NOTE = "[The signature of this text was removed: it, or the text, held an address.]"
"""What stands in its place."""

_DEEPEST = 4  # texts inside one another
_LONGEST_SIGNATURE = 10_000  # octets
_LONGEST_QUOTE = 100  # characters before a line that is quoted

_BLANK = r"(?:[ \xa0]|&nbsp;|&#160;)"
_MARK = re.compile(
    rf"-----(?:(?P<text>BEGIN{_BLANK}PGP{_BLANK}SIGNED{_BLANK}MESSAGE)"
    rf"|(?P<code>BEGIN{_BLANK}PGP{_BLANK}SIGNATURE)|END{_BLANK}PGP{_BLANK}SIGNATURE)-----"
)
# Nothing here goes on behind the next armour line: else each would go through all behind it.
_IN_TAG = r"(?>(?:[^<>-]|-(?!----[BE])){0,200})"
_IN_FIELD = r"(?>(?:[^\r\n<-]|-(?!----[BE]))*)"
# What may stand between the lines of HTML and quoted text.
_BETWEEN = rf"(?>(?:[\s>|]|<{_IN_TAG}>|&(?:nbsp|gt|#160|#62);)*)"
_NEXT_LINE = rf"(?:[ \t]*\r{{0,2}}\n[>| \t]*|(?=(?:\s|&nbsp;|&#160;)*<){_BETWEEN})"
_SIGNED_FIELDS = re.compile(
    rf"(?>(?:{_NEXT_LINE}(?:Hash|Charset|MessageID|NotDashEscaped):{_IN_FIELD})*)"
)
_FIELDS = re.compile(rf"(?>(?:{_BETWEEN}[A-Za-z]{{4,20}}: {_IN_FIELD})*)")
_LINE_END = re.compile(r"[ \t]*\r{0,2}\n")
_QUOTE = re.compile(r"[>| \t]*")
_ARMOUR = re.compile(
    rf"(?>(?:{_BETWEEN}(?:[A-Za-z0-9+/]{{24,}}+={{0,2}}|[A-Za-z0-9+/]++={{1,2}}|=[A-Za-z0-9+/]{{4}})"
    r"(?=[\s<]|\Z))*)"
)
_DASHED = re.compile(
    r"(?:^[>| \t]*|<(?:br|div|p|pre)\b[^<>]{0,200}>\s{0,9})(?=- (?:-|From ))",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Signed:
    """A clear-signed text: where it stands in the text around it.

    Attributes:
        start: where the armour line before it begins.
        text: where the signed text begins.
        end: where it ends: the armour line of its signature begins there.
        code: where what is signed with begins, behind the fields of the armour.
        stop: where the armour line after it ends.
    """

    start: int
    text: int
    end: int
    code: int
    stop: int


def may_hold(data: bytes, label: str) -> bool:
    """Whether content may hold a clear-signed text; asked cheaply.

    Args:
        data: the content, without its transfer encoding.
        label: the declared charset, "" if there is none.
    """
    return not charset.is_transparent(data, label) or (b"-----BEGIN" in data and b"SIGNED" in data)


def unsign(old: tuple[bytes, str], new: tuple[bytes, str]) -> bytes:
    """Take the signatures off what was signed and changed.

    Args:
        old: content without its transfer encoding, and its charset label.
        new: the same, masked.

    Returns:
        The old content, still to be masked; the same object where no signed text changed.
    """
    before, after = charset.decode_text(*old), charset.decode_text(*new)
    found, now = find(before), find(after)
    if len(found) == len(now):
        moved = old[1] != new[1]
        pairs = zip(found, now, strict=True)
        found = [one for one, two in pairs if _differ(before, one, after, two, moved=moved)]
    if not found:
        return old[0]
    return charset.rewrite_text(*old, lambda text: _without(text, found))[0]


def _differ(before: str, one: Signed, after: str, two: Signed, *, moved: bool) -> bool:
    text = before[one.text : one.end]
    if text != after[two.text : two.end] or (moved and not text.isascii()):
        return True
    return before[one.code : one.stop].split() != after[two.code : two.stop].split()


def holds_one(data: bytes, label: str) -> bool:
    """Whether a piece of a text holds the beginning of a clear-signed text, or of a signature."""
    if not may_hold(data, label) and b"SIGNATURE" not in data:
        return False
    return _MARK.search(charset.decode_text(data, label)) is not None


def strip(data: bytes, label: str) -> bytes:
    """Take off all signatures of a piece of a text; what is signed may begin or end elsewhere."""

    def change(text: str) -> str:
        found, begun, codes = _pair(text)
        edits = [(start, end, "") for start, end in begun]
        edits += ((start, end, NOTE) for start, end in codes)
        return _without(text, found, edits)

    return charset.rewrite_text(data, label, change)[0]


def end_before_signature(text: bytes) -> bytes:
    """Return the beginning of a piece of a text, without a signature that goes on behind it."""
    place = text.rfind(b"-----BEGIN PGP SIGNATURE-----", max(0, len(text) - _LONGEST_SIGNATURE))
    cut = place > 0 and text.find(b"-----END PGP SIGNATURE-----", place) < 0
    return text[:place] if cut else text


def find(text: str) -> list[Signed]:
    """Find the clear-signed texts, also inside each other, by where they end.

    One without a signature is none; a signature that is cut off ends with its last whole line.
    """
    return _pair(text)[0]


Span = tuple[int, int]


def _without(text: str, signed: list[Signed], edits: Iterable[tuple[int, int, str]] = ()) -> str:
    """Take off signatures, with the lines around what they sign and the dashes inside."""
    edits = list(edits)
    dashed: Counter[int] = Counter()
    for each in signed:
        edits += (each.start, each.text, ""), (each.end, each.stop, NOTE)
        dashed.update({found.end() for found in _DASHED.finditer(text, each.text, each.end)})
    for start, times in dashed.items():
        end = start
        while times and text.startswith("- ", end):
            times, end = times - 1, end + 2
        edits.append((start, end, ""))
    pieces: list[str] = []
    done = 0
    for start, end, new in sorted(edits):
        if start >= done:  # else it stands in what is gone
            pieces += text[done:start], new
            done = end
    return "".join([*pieces, text[done:]])


def _pair(text: str) -> tuple[list[Signed], list[Span], list[Span]]:
    """Find signed texts, then beginnings without a signature, then signatures without a text."""
    found: list[Signed] = []
    begun: list[Span] = []
    alone: list[Span] = []
    codes: list[Span] = []
    code = fields = -1
    marks = list(_MARK.finditer(text))
    for mark, follows in zip_longest(marks, marks[1:]):
        if mark["text"]:
            begun.append((mark.start(), _begin(text, mark)))
            if len(begun) > _DEEPEST:
                alone.append(begun.pop(0))
            continue
        stop = mark.end()
        if mark["code"]:
            code, fields = mark.start(), _end(_FIELDS, text, mark.end())
            if follows is not None and not (follows["text"] or follows["code"]):
                continue
            stop = _end(_ARMOUR, text, fields)
        if code >= 0 and begun:
            found.append(Signed(*begun.pop(), code, fields, stop))
        elif code >= 0:
            codes.append((code, stop))
        code = -1
    return found, alone + begun, codes


def _begin(text: str, mark: re.Match[str]) -> int:
    """Find where a signed text begins: behind the fields, their line end and an empty line."""
    end = _end(_SIGNED_FIELDS, text, mark.end())
    line = text.rfind("\n", max(0, mark.start() - _LONGEST_QUOTE), mark.start()) + 1
    line = max(line, mark.start() - _LONGEST_QUOTE)
    quote = text[line : mark.start()] if _QUOTE.fullmatch(text, line, mark.start()) else ""
    for _ in range(2):
        ends = _LINE_END.match(text, end)
        if ends is None or not text.startswith(quote.rstrip(), ends.end()):
            break
        end = ends.end() + len(quote if text.startswith(quote, ends.end()) else quote.rstrip())
    return end


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found is not None else at
