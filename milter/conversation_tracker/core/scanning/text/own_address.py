"""The reader's own address where it stands in clear in a large text, for the final scan.

A shop's log or mailbox has it in each line of its reader's copy, and there it is no secret. Each
place of it would be read in every way for others. So it is told at one look, and the text is read
with letters in its place that mean nobody: as many, with all its signs and digits where they are,
so that whatever is around is read as before. Written apart from the masking code. Nothing here
raises.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.scanning.text.munged_words import AT_WORDS, DOT_WORDS

LEAST = 64 * 1024
"""Characters of a text in which it is worth it."""

_OFTEN = 64  # places of the address
_PLAIN = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*@[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)+")
_LETTER = re.compile(r"[a-z]")
_NOBODY = "z"
_WORD = re.compile(r"[^\W_]+")
_SIGNS = frozenset((*AT_WORDS, *DOT_WORDS))
# No escape goes on behind one of these, and none of them is of base64.
_BESIDE = re.escape(" \t\r\n<>()[]{}|,:;\"'*`~!?.") + (
    "\u00ab\u00b7\u00bb\u2010-\u201f\u2022\u2026\u2039\u203a"
)
_END = rf"[{_BESIDE}\\]"
_BEGINS = (f"[{_BESIDE}]", r"\\[nrt]")  # a line end or tab may be written out
# With one of these an escape may begin, of scripts, styles or links, and go on in the address; and
# with a backslash a word of RTF, which bears on what follows.
_ESCAPING = "\\%"
_IN_ESCAPE = re.compile(r"[ux]?[0-9a-f]{1,8}|[nrtux]")
_RICH_WORD = re.compile(
    r"(?:v|bin|uc|u|x|tab|row|rtf|par|pard|plain|line|page|sect|cell|tc|xe)[0-9]*"
)


@dataclass(frozen=True)
class OwnAddress:
    """An address that nobody else's can share anything with, however the two are read.

    Attributes:
        instead: what is written in its place.
        label: the first label of its domain there.
    """

    _clear: re.Pattern[str]
    instead: str
    _behind_escaping: str

    @classmethod
    def of(cls, address: str, others: Iterable[str]) -> "OwnAddress | None":
        """Prepare to look for an address.

        Args:
            address: the reader's own, in lower case.
            others: all others that are looked for, in lower case, as they may be spelled.

        Returns:
            None where it may be read together with what is around it.
        """
        if _PLAIN.fullmatch(address) is None or not _SIGNS.isdisjoint(_WORD.findall(address)):
            return None
        instead = _LETTER.sub(_NOBODY, address)
        # A text may be read from its end, too.
        both = [_take_ends(each) for each in (address, address[::-1], instead, instead[::-1])]
        for other in others:
            for known in dict.fromkeys((other, _leave_out_dots(other))):
                if any(_may_touch(*ends, known) for ends in both):
                    return None
        literal = re.escape(address)
        # What an escape may take of it stays, and all escapes are what they were.
        word = _WORD.findall(address)[0]
        taken = _IN_ESCAPE.match(word)
        kept = taken.end() if taken is not None else 0
        rest = word[kept:]
        signs = [*_BEGINS]
        if _RICH_WORD.fullmatch(word) is None and not (rest and _ends_in(rest, others)):
            signs.append(f"[{re.escape(_ESCAPING)}]")
        begins = "|".join(f"(?<={each}{literal})" for each in signs)
        clear = re.compile(rf"{literal}(?={_END})(?:{begins})")
        return cls(clear, instead, address[:kept] + instead[kept:])

    @property
    def label(self) -> str:
        """Return the first label of the domain in what is written instead."""
        return self.instead.partition("@")[2].partition(".")[0]

    def leave_out(self, text: str) -> str:
        """Return a text with other letters where the address stands in clear, in any letter case.

        The same object where it does not, or not often.
        """
        low = lower_case(text)
        if len(low) != len(text):
            return text
        places = [found.start() for found in self._clear.finditer(low)]
        return text if len(places) < _OFTEN else "".join(self._replace(text, places))

    def _replace(self, text: str, places: list[int]) -> Iterator[str]:
        done = 0
        for at in places:
            yield text[done:at]
            yield self._behind_escaping if text[at - 1 : at] in _ESCAPING else self.instead
            done = at + len(self.instead)
        yield text[done:]


def _ends_in(rest: str, others: Iterable[str]) -> bool:
    """Return whether another address ends as the first word of one does, behind an escape."""
    return any(other.endswith(rest) or rest in other.rpartition("@")[2] for other in others)


def _leave_out_dots(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local.replace('.', '')}@{domain}"


def _take_ends(address: str) -> tuple[str, str, str]:
    """Return the first word of an address, the first one of its domain, and its last one."""
    local, _, domain = address.partition("@")
    return _WORD.findall(local)[0], _WORD.findall(domain)[0], _WORD.findall(domain)[-1]


def _may_touch(first: str, host: str, last: str, other: str) -> bool:
    """Return whether another address may begin before one and end in it, or the other way round.

    What goes on in it from before has its first word; what begins in it has its at sign, and so a
    domain that begins as its own, or goes on behind it with its last word in the local part.
    """
    local, _, domain = other.rpartition("@")
    return first in other or last in local or domain.startswith(host)
