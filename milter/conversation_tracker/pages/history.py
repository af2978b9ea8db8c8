"""Where a text repeats what was written before: what a page folds.

People answer above or below what they answer, and their programs repeat it in many ways: quoted
(`>`), behind a line that says who wrote when, behind a line of dashes, or behind a block of header
fields. All is a guess; so nothing is left out, and the pieces put together are the text, letter by
letter. Every line is looked at once, and of a long one its beginning and its end only.
"""

import re
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from conversation_tracker.pages import history_words as words

Kind = Literal["text", "quote", "history", "forwarded", "signature"]

MAX_PIECES = 200
"""What comes after so many pieces is one more, whatever it is."""

MAX_LINES = 5_000
"""What comes after so many lines is not looked at: it belongs to the last piece."""

_LONG_LINE = 300  # characters; a longer one introduces nothing
_LONG = 20_000  # characters
_SHORT_QUOTE = 6  # lines; a quote that is answered below it stays
_SHORT_SIGNATURE = 12  # lines
_GAP = 2  # blank lines between a quote and its introduction, or within it
_INTRODUCTION = 3  # lines of who wrote when
_BLOCK = 8  # lines in which the fields of a header block stand

_QUOTED = re.compile(r"[ \t]{0,3}[>\uff1e]")
_WORD = re.compile(r"[^\W\d_]+")
_YEAR_OR_TIME = re.compile(r"\d{4}|\d[:.h]\d\d")
_RULERS = "-\u2013\u2014_="
_AROUND = " \t\u00a0>*"
_COLONS = (":", "\uff1a")


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of a text.

    Attributes:
        kind: "text" is what the writer says; a "quote" stays, since an answer follows; "history",
            what is "forwarded" and a "signature" are folded.
        text: as it stands there, with its line ends.
    """

    kind: Kind
    text: str

    @property
    def lines(self) -> int:
        """Return how many lines it has, without blank ones around them."""
        return self.text.strip("\n").count("\n") + 1

    @property
    def is_long(self) -> bool:
        """Whether it is too long to be shown unless somebody asks for it."""
        return len(self.text) > _LONG

    @property
    def shown(self) -> str:
        """Return it without blank lines around it."""
        return self.text.strip("\n")


def fold(text: str) -> list[TextPiece]:
    """Divide a text into what is new and what is repeated.

    Args:
        text: with LF; lines of `format=flowed` are joined.

    Returns:
        The pieces in their order, none of them empty; together they are the text.
    """
    *lines, last = text.split("\n", MAX_LINES)
    beyond = "\n" + last if len(lines) == MAX_LINES else ""
    lines = lines if beyond else [*lines, last]
    pieces = [TextPiece(kind, "\n".join(lines[a:b])) for kind, a, b in _divide(lines)]
    # Each line end belongs to the piece before it.
    whole = [TextPiece(each.kind, each.text + "\n") for each in pieces[:-1]]
    whole += [TextPiece(each.kind, each.text + beyond) for each in pieces[-1:]]
    return [each for each in whole if each.text]


def _divide(lines: list[str]) -> list[tuple[Kind, int, int]]:
    """Return kind, first line and line behind the last of each piece."""
    rest, rest_kind = _find_rest(lines)
    signature = _find_signature(lines, rest)
    last = _find_last_said(lines, min(rest, signature))
    found: list[tuple[Kind, int, int]] = []
    done, at = 0, 0
    kind: Kind
    while at < rest and len(found) < MAX_PIECES:
        if at == signature:
            end = next((n for n in range(at, rest) if _is_quoted(lines[n])), rest)
            kind, begin = "signature", at
        elif _is_quoted(lines[at]):
            begin, end = _introduce(lines, done, at), _end_quote(lines, at, rest)
            short = end - at <= _SHORT_QUOTE and at < last
            kind = "quote" if short else "history"
        else:
            at += 1
            continue
        found += _cut(lines, done, begin, end, kind)
        done = at = found[-1][2]
    if at >= rest and rest < len(lines):
        return found + _cut(lines, done, rest, len(lines), rest_kind)
    return [*found, ("text", done, len(lines))] if done < len(lines) else found


def _cut(
    lines: list[str], done: int, begin: int, end: int, kind: Kind
) -> list[tuple[Kind, int, int]]:
    """Return the text before a piece, if any, and the piece with the blank lines around it."""
    while begin > done and not lines[begin - 1].strip():
        begin -= 1
    while end < len(lines) and not lines[end].strip():
        end += 1
    before: list[tuple[Kind, int, int]] = [("text", done, begin)] if begin > done else []
    return [*before, (kind, begin, end)]


def _find_rest(lines: list[str]) -> tuple[int, Kind]:
    """Return the line from which on all is repeated, and what it is; behind the last if none."""
    for at, line in enumerate(lines):
        kind = _read_ruler(line) if line and len(line) <= _LONG_LINE else None
        if kind is None and _begins_rest(lines, at):
            kind = "history"
        if kind is not None:
            return _widen(lines, at), kind
    return len(lines), "history"


def _read_ruler(line: str) -> Kind | None:
    """Read a line such as `-----Original Message-----`, or `Begin forwarded message:`."""
    bare = line.strip(_AROUND)
    said = bare.strip(_RULERS)
    ruled = bare[:2].strip(_RULERS) == "" and bare[-2:].strip(_RULERS) == "" and len(said) > 2
    if _is_quoted(line) or not (ruled or bare.endswith(_COLONS)) or len(said) > 80:
        return None
    said = said.lower()
    if any(each in said for each in words.FORWARDED) and (ruled or len(said.split()) <= 6):
        return "forwarded"
    return "history" if ruled and any(each in said for each in words.ORIGINAL) else None


def _begins_rest(lines: list[str], at: int) -> bool:
    line = lines[at]
    if ":" not in line and "\uff1a" not in line:
        return False
    if _read_field(line) in words.FROM and _is_apart(lines, at):
        names = {_read_field(each) for each in lines[at + 1 : at + 1 + _BLOCK]}
        return bool(names & words.SUBJECT) and bool(names & words.OTHER_FIELDS)
    if not line.rstrip(_AROUND).endswith(_COLONS) or _is_quoted(line):
        return False
    begin = _begin_introduction(lines, 0, at)
    said = " ".join(lines[begin : at + 1])
    return (
        _says_wrote(said)
        and bool(_YEAR_OR_TIME.search(said))
        and (_opens(lines[begin]) or "<" in said or "@" in said)
        and not _is_quoted(_next_said(lines, at + 1))
    )


def _read_field(line: str) -> str:
    """Return the name of the header field that a line may be, in lower case, "" if it is none."""
    head = line[:60].replace("\uff1a", ":")
    name, colon, _value = head.partition(":")
    return name.strip(_AROUND).lower() if colon else ""


def _is_apart(lines: list[str], at: int) -> bool:
    """Whether a line is the first, or stands behind a blank one or a ruler."""
    return at == 0 or not lines[at - 1].strip() or _is_ruler(lines[at - 1])


def _is_ruler(line: str) -> bool:
    bare = line.strip(_AROUND)
    return len(bare) > 4 and len(line) <= _LONG_LINE and not bare.strip(_RULERS)


def _widen(lines: list[str], at: int) -> int:
    """Return the first line of what introduces the rest: a ruler above it, or who wrote when."""
    begin = at
    if lines[at].rstrip(_AROUND).endswith(_COLONS) and _read_ruler(lines[at]) is None:
        begin = _begin_introduction(lines, 0, at)
    above = begin - 1
    while above > max(begin - 1 - _GAP, 0) and not lines[above].strip():
        above -= 1
    return above if above >= 0 and _is_ruler(lines[above]) else begin


def _find_signature(lines: list[str], end: int) -> int:
    """Return the line that begins the signature; behind the last if there is none."""
    for at in range(end):
        line = lines[at]
        if line.startswith("--") and len(line) <= 3 and line.rstrip(" \u00a0") == "--":
            below = takewhile(lambda each: not _is_quoted(each), lines[at : at + 99])
            if len(line) > 2 or sum(1 for each in below if each.strip()) <= _SHORT_SIGNATURE:
                return at
    return len(lines)


def _find_last_said(lines: list[str], end: int) -> int:
    """Return the last line that is not blank and not quoted, -1 if there is none."""
    said = (n for n in range(end - 1, -1, -1) if lines[n].strip() and not _is_quoted(lines[n]))
    return next(said, -1)


def _is_quoted(line: str) -> bool:
    return _QUOTED.match(line) is not None


def _end_quote(lines: list[str], at: int, rest: int) -> int:
    """Return the line behind a quote, which may have blank lines in it."""
    end, gap = at, 0
    for number in range(at, rest):
        if _is_quoted(lines[number]):
            end, gap = number + 1, 0
        elif lines[number].strip() or gap == _GAP:
            break
        else:
            gap += 1
    return end


def _introduce(lines: list[str], done: int, at: int) -> int:
    """Return the first line of what says who wrote a quote, the quote's own if nothing does."""
    above = at - 1
    while above >= max(done, at - _GAP) and not lines[above].strip():
        above -= 1
    if above < done or not lines[above].rstrip(_AROUND).endswith(_COLONS):
        return at
    begin = _begin_introduction(lines, done, above)
    said = " ".join(lines[begin : above + 1])
    if len(said) > _LONG_LINE * _INTRODUCTION:
        return at
    named = bool(_YEAR_OR_TIME.search(said)) and ("<" in said or "@" in said)
    return begin if named or _says_wrote(said) else at


def _begin_introduction(lines: list[str], done: int, last: int) -> int:
    """Return the line above with which an introduction begins: its last one if none does."""
    for begin in range(last, max(done - 1, last - _INTRODUCTION), -1):
        if not lines[begin].strip() or _is_quoted(lines[begin]):
            break
        if _opens(lines[begin]):
            return begin
    return last


def _opens(line: str) -> bool:
    bare = line[:40].lstrip(_AROUND)
    first = _WORD.match(bare)
    return bare[:1].isdigit() or (first is not None and first[0].lower() in words.OPENERS)


def _says_wrote(said: str) -> bool:
    if len(said) > _LONG_LINE * _INTRODUCTION:
        return False
    found = {each.lower() for each in _WORD.findall(said)}
    return bool(found & words.WROTE) or any(each in said for each in words.WROTE_UNSPACED)


def _next_said(lines: list[str], at: int) -> str:
    return next((each for each in lines[at : at + _GAP + 1] if each.strip()), "")
