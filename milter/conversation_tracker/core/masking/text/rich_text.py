r"""How RTF writes characters (`\'40`, `\u64?`), and what it does not show: groups, control words.

Each family gives the pieces of a text that mean something else, as those in `escape_syntaxes` do.
Time is linear. Nothing here raises.
"""

import re
from collections.abc import Iterator

from conversation_tracker.core.masking.address.reading import Piece
from conversation_tracker.core.masking.text.escape_syntaxes import (
    PERCENTS,
    REFERENCES,
    EscapeSyntax,
    Family,
    make_character,
)

_ANY_FLAGS = re.IGNORECASE
_RICH = re.compile(
    r"\\'([0-9a-f]{2})|\\u(-?[1-9][0-9]{0,4}) ?(?:\?|\\'[0-9a-f]{2}|(?<=u64)@|(?<=u64 )@)?"
    r"|\\([~_\-])|\\(rtf|par|pard|line|tab|cell|row|sect|page)(?:-?[0-9]{1,10})?(?![a-z]) ?"
    r"|\\[a-z]{1,32}(?:-?[0-9]{1,10})? ?|[{}]",
    _ANY_FLAGS,
)
# What stands for a character in RTF for programs that know no \u, one of as many as \uc says.
_INSTEAD = re.compile(
    r"[\r\n]{0,4}(?:\\'[0-9a-f]{2}|\\[a-z]{1,32}(?:-?[0-9]{1,10})? ?|\\[^a-z\r\n]|[^\\{}\r\n])",
    _ANY_FLAGS,
)
_COUNTED = re.compile(
    r"\\(?:uc([0-9]{1,2})(?![0-9]) ?|u(-?[0-9]{1,5})(?![0-9]) ?|bin([0-9]{1,6})(?![0-9]) ?"
    r"|[{}\\])|[{}]",
    _ANY_FLAGS,
)
_MOST_INSTEAD = 8
_INSTEAD_BEHIND = re.compile(r"\\u-?[1-9][0-9]{1,4} ?[^\s\\{}?]")
# Of RTF's groups, those that are not shown: destinations, hidden text.
_HIDDEN = re.compile(
    r"\{[ \r\n]{0,8}\\(?:\*|(?:v|xe|tc|pict|object|info|fonttbl|colortbl|stylesheet|footnote"
    r"|annotation|bkmkstart|bkmkend)(?![a-z0-9]))",
    _ANY_FLAGS,
)
_BRACE = re.compile(r"\\[{}\\]|[{}]")
_HIDDEN_RUN = re.compile(
    r"\\v(?![a-z0-9])(?>(?:\\(?!v(?![a-z])|plain(?![a-z]))[a-z]{1,32}-?[0-9]{0,10}|[^\\{}]){0,400})"
    r"\\(?:v0|plain)(?![a-z0-9]) ?",
    _ANY_FLAGS,
)
_RICH_LINE = re.compile(r"\r?\n")
_RICH_SIGNS = {"~": " ", "_": "-", "-": ""}


class _Hidden(EscapeSyntax):
    """Groups of RTF that are not shown, with all inside; one that is never closed hides nothing."""

    def __init__(self) -> None:
        super().__init__(("{\\",), _HIDDEN, lambda _match: "")

    def find(self, text: str) -> Iterator[Piece]:
        """Go through the pieces of a text that are not shown."""
        opened: list[tuple[int, bool]] = []  # the groups around, and whether each is hidden
        for brace in _BRACE.finditer(text):
            if brace[0] == "{":
                opened.append((brace.start(), _HIDDEN.match(text, brace.start()) is not None))
            elif brace[0] == "}" and opened:
                start, hidden = opened.pop()
                if hidden:
                    yield start, brace.end(), ""
        for run in _HIDDEN_RUN.finditer(text):
            yield *run.span(), ""


class _Counted(EscapeSyntax):
    r"""Characters of RTF by number, with as many behind them as stand for each (`\uc`).

    Few writers keep to it, so this is a reading of its own.
    """

    def __init__(self) -> None:
        super().__init__(("\\",), _COUNTED, lambda _match: "")

    def find(self, text: str) -> Iterator[Piece]:
        """Go through the pieces of a text that mean something else."""
        around: list[int] = []
        count, done = 1, 0
        for found in _COUNTED.finditer(text):
            if found.start() < done:
                continue
            if found[0] == "{":
                around.append(count)
            elif found[0] == "}":
                count = around.pop() if around else 1
            elif found[1]:
                count = min(int(found[1]), _MOST_INSTEAD)
            elif found[2]:
                done = _skip_instead(text, found.end(), count)
                yield found.start(), done, make_character(int(found[2]) % 0x10000)
            elif found[3]:
                done = found.end() + int(found[3])
                yield found.start(), done, ""


def _skip_instead(text: str, at: int, count: int) -> int:
    for _ in range(count):
        if (one := _INSTEAD.match(text, at)) is None:
            break
        at = one.end()
    return at


def counts_instead(low: str) -> bool:
    """Return, cheaply, whether RTF has other characters beside its numbered ones than `?`."""
    return "\\uc" in low or "\\bin" in low or _INSTEAD_BEHIND.search(low) is not None


def holds_hidden(text: str) -> bool:
    """Return whether RTF has groups or runs that are not shown."""
    return _HIDDEN.search(text) is not None or _HIDDEN_RUN.search(text) is not None


def _decode_rtf(match: re.Match[str]) -> str:
    if match[1]:
        return bytes.fromhex(match[1]).decode("cp1252", "replace")
    if match[2]:
        return make_character(int(match[2]) % 0x10000)
    if match[4]:
        return " "
    return _RICH_SIGNS[match[3]] if match[3] else ""


RICH: Family = (EscapeSyntax(("\\", "{", "}"), _RICH, _decode_rtf), REFERENCES, PERCENTS)
"""Those of RTF, whose groups and control words are not seen."""
RICH_LINES: Family = (*RICH, EscapeSyntax(("\n",), _RICH_LINE, lambda _: ""))
"""The same with line ends, which mean nothing in RTF, but around it."""
RICH_SHOWN: tuple[Family, ...] = ((_Hidden(), *RICH), (_Hidden(), *RICH_LINES))
"""Both without what is not shown."""
RICH_COUNTED: tuple[Family, ...] = ((_Counted(), *RICH), (_Counted(), *RICH_LINES))
"""Both with what stands for a character left out, as many as are said."""
