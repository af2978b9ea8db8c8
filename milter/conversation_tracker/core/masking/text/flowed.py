"""Text in the format "flowed" (RFC 3676): addresses that a soft line break cuts.

A line that ends with a blank goes on in the next one, whose quote depth should be the same, and in
badly quoted mail is not; with DelSp the blank is no part of the text. Programs that break long
words do it inside addresses too. What stands whole in one line is masked as any text is; here the
words are looked at that two or more lines share. Nothing here raises.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from conversation_tracker.core.masking.address.mask import Mask

SOFT_BREAK = re.compile(rb" \r?\n(?>(?:> ?)*) ?")
"""A soft line break with the quote marks and stuffing behind it, in text as bytes."""

_LINE = re.compile(r"((?:> ?(?=>))*>?)( ?)([^\n]*?)( ?)(\r?\n|\Z)")
_SIGNATURE = "--"
_MOST_LINES = 100  # no address of usual length is broken by more
_MOST_TRIES = 50_000  # for texts made of nothing but soft line breaks


@dataclass(slots=True)
class _Line:
    """One line: quote marks, space-stuffing, text, the blank of a soft break, line end."""

    quotes: str
    stuffing: str
    text: str
    soft: str
    end: str

    @property
    def flows(self) -> bool:
        """Whether the next line belongs to this one."""
        return bool(self.soft and self.end) and self.text != _SIGNATURE

    @property
    def last_word(self) -> str:
        """Return the word at the end, which may go on in the next line."""
        return "" if self.text[-1:].isspace() else self.text.split(" ")[-1].split("\t")[-1]

    @property
    def first_word(self) -> str:
        """Return the word at the beginning, which may have begun in a line before."""
        return self.text.split(" ", 1)[0].split("\t", 1)[0]

    def __str__(self) -> str:
        return self.quotes + self.stuffing + self.text + self.soft + self.end


def mask_soft_breaks(text: str, mask: Mask, *, delsp: bool = False) -> str:
    """Mask words that soft line breaks cut.

    Args:
        text: decoded text, in which what stands whole in a line is masked already.
        mask: gives the text with addresses replaced.
        delsp: whether DelSp=yes is declared: else a blank stays where lines are joined.

    Returns:
        The text; the same object if nothing changed. Of the lines that share an address, the
        first has all of its replacement, and lines left empty are gone.
    """
    if " \n" not in text and " \r\n" not in text:
        return text
    lines = [_Line(*match.groups()) for match in _LINE.finditer(text) if match[0]]
    result: list[_Line] = []
    changed = False
    at, tries = 0, 0
    while at < len(lines) and tries < _MOST_TRIES:
        new = None
        for last in _following_lines(lines, at):
            tries += 1
            new = _mask_joint_word(lines[at : last + 1], mask, delsp)
            if new:
                # The last of the new lines may share its own last word with those behind it.
                lines[at : last + 1] = new
                changed = True
                break
        if not new or len(new) > 1:
            result.append(lines[at])
            at += 1
    return "".join(map(str, result + lines[at:])) if changed else text


def _following_lines(lines: list[_Line], at: int) -> Iterator[int]:
    """Yield the lines that may hold the end of the last word of a line, nearest first."""
    if not lines[at].last_word:
        return
    for last in range(at + 1, min(len(lines), at + _MOST_LINES)):
        line = lines[last]
        if not lines[last - 1].flows or not line.first_word:
            return
        yield last
        if line.first_word != line.text:
            return


def _mask_joint_word(lines: list[_Line], mask: Mask, delsp: bool) -> list[_Line] | None:
    """Mask the word that lines share; None if it holds nothing to mask."""
    first, last = lines[0], lines[-1]
    word = first.last_word + "".join(line.text for line in lines[1:-1]) + last.first_word
    new = mask(word)
    if new == word:
        return None
    text = first.text.removesuffix(first.last_word) + new
    rest = last.text.removeprefix(last.first_word)
    if not rest:
        return [_Line(first.quotes, first.stuffing, text, last.soft, last.end)]
    rest = rest if delsp else rest[1:]
    # What begins with one of these needs a blank before it (RFC 3676 section 4.4).
    stuffing = last.stuffing or (" " if rest.startswith((" ", ">", "From ")) else "")
    return [
        _Line(first.quotes, first.stuffing, text, first.soft, first.end),
        _Line(last.quotes, stuffing, rest, last.soft, last.end),
    ]
