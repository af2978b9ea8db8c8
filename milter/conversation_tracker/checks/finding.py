"""One thing that `check` found out: it holds, it is wrong, or it is worth knowing.

A fact is one line of text. What a person wrote into a configuration may stand in it, an address may
not: whatever looks like one is left out.
"""

import re
from dataclasses import dataclass
from typing import Literal

from conversation_tracker.base.failure import one_line

_ADDRESS = re.compile(r"(?<![^\s<>@])[^\s<>@]++@[^\s<>]++")


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of `check`; `str` is its text."""

    verdict: Literal["ok", "WRONG", "note"]
    text: str

    def __str__(self) -> str:
        """Return the line: the verdict, and what was found."""
        return f"{self.verdict:8}{_ADDRESS.sub('(address)', one_line(self.text))}"


def ok(text: str) -> CheckLine:
    """State what holds."""
    return CheckLine("ok", text)


def wrong(text: str, mend: str) -> CheckLine:
    """State what is wrong, and what mends it."""
    return CheckLine("WRONG", f"{text}: {mend}")


def note(text: str) -> CheckLine:
    """State what is worth knowing, though it need not be wrong."""
    return CheckLine("note", text)
