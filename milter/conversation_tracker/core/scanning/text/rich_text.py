r"""RTF as it reads in programs that show it, for the final scan.

Characters by number (`\'40`, `\u64?`), groups that are not shown, and what stands for a character
elsewhere, left out. Written apart from the masking code. All texts are lower case here. Time is
linear. Nothing here raises.
"""

import re
from collections.abc import Iterator

from conversation_tracker.core.scanning.text import decodings

_IN_RTF = re.compile(
    r"\\'([0-9a-f]{2})|\\u(-?[1-9][0-9]{0,4}) ?\??"
    r"|\\(?:rtf|par|pard|line|tab|cell|row)(?![a-z])-?[0-9]* ?|\\~"
    r"|(\\(?:[a-z]{1,32}(?:-?[0-9]{1,10})? ?|-)|[{}])"
)
_NUMBERED = re.compile(r"\\(?:uc([0-9]{1,2}) ?|u(-?[0-9]{1,5}) ?|bin([0-9]{1,6}) ?|[{}\\])|[{}]")
_FALLBACK = re.compile(
    r"[\r\n]{0,4}(?:\\'[0-9a-f]{2}|\\[a-z]{1,32}(?:-?[0-9]{1,10})? ?|\\[^a-z]|[^\\{}])"
)
_HAS_FALLBACK = re.compile(r"\\(?:uc|bin|u-?[1-9][0-9]{1,4} ?[^\s{}?])")
_RTF = re.compile(r"\\(?:rtf(?<=\{\\rtf)|'[0-9a-f]{2}|u-?[1-9][0-9]{1,4}(?![0-9a-f]))")
_NOT_SHOWN = re.compile(
    r"\s{0,8}\\(?:\*|(?:v|xe|tc|pict|object|info|fonttbl|colortbl|stylesheet|footnote|annotation"
    r"|bkmkstart|bkmkend)(?![a-z0-9]))"
)
_BRACES = re.compile(r"(?<!\\)(?:\\\\)*([{}])")
_UNTIL_SHOWN = re.compile(
    r"\\v(?![a-z0-9])(?>(?:[^{}\\]|\\(?!v(?![a-z])|plain)){0,400})\\(?:v0|plain)(?![a-z0-9]) ?"
)


def is_one(low: str) -> bool:
    """Return, cheaply, whether something in a text is written as in RTF."""
    return _RTF.search(low) is not None


def iter_readings(low: str) -> Iterator[str]:
    """Yield what a text may be read as in RTF."""
    rich = _IN_RTF.sub(_decode_rtf, low)
    if not rich.isascii():
        *_, rich = decodings.iter_readings(rich)
    yield rich
    if "\n" in rich:
        yield _join_lines(rich)
    if _HAS_FALLBACK.search(low):
        rich = _IN_RTF.sub(_decode_rtf, _decode_numbered(low))
        yield rich
        yield _join_lines(rich)
    if (shown := _drop_hidden(low)) != low:
        yield _join_lines(_IN_RTF.sub(_decode_rtf, shown))


def _join_lines(rich: str) -> str:
    return rich.replace("\r", "").replace("\n", "")


def _decode_numbered(low: str) -> str:
    """Decode the characters by number in RTF, and leave out what stands for each elsewhere."""
    pieces: list[str] = []
    counts = [1]
    done = 0
    for word in _NUMBERED.finditer(low):
        at = word.end()
        if word.start() < done:
            continue
        if word[1]:
            counts[-1] = min(int(word[1]), 8)
        elif word[2] or word[3]:
            pieces.append(low[done : word.start()])
            if word[2]:
                pieces.append(make_character(int(word[2]) % 0x10000))
                for _ in range(counts[-1]):
                    if fallback := _FALLBACK.match(low, at):
                        at = fallback.end()
            else:
                at += int(word[3])
            done = at
        elif word[0] == "{":
            counts.append(counts[-1])
        elif word[0] == "}" and len(counts) > 1:
            counts.pop()
    return "".join(pieces) + low[done:]


def _drop_hidden(low: str) -> str:
    """Leave out what RTF does not show: destinations, and hidden groups and runs."""
    pieces: list[str] = []
    nested = hidden = done = 0  # groups around here, and of these the first that is hidden
    for brace in _BRACES.finditer(low):
        at = brace.start(1)
        if brace[1] == "{":
            nested += 1
            if not hidden and _NOT_SHOWN.match(low, at + 1):
                pieces.append(low[done:at])
                hidden = nested
        elif nested:
            if hidden == nested:
                hidden, done = 0, at + 1
            nested -= 1
    return _UNTIL_SHOWN.sub("", "".join(pieces) + (low[done:] if not hidden else ""))


def _decode_rtf(found: re.Match[str]) -> str:
    if found[1]:
        return make_character(int(found[1], 16))
    if found[2]:
        return make_character(int(found[2]) % 0x10000)
    return "" if found[3] else " "


def make_character(number: int) -> str:
    """Make the character of a number, in lower case; a blank where it has none."""
    return chr(number).lower() if number < 0x110000 and not 0xD800 <= number < 0xE000 else " "
