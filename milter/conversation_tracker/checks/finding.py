"""One thing that `check` found out: it holds, it is wrong, or it is worth knowing.

A fact is one line of text. What a person wrote into a configuration may stand in it, an address may
not: whatever looks like one is left out.
"""

import re
from dataclasses import dataclass
from typing import Literal

from conversation_tracker.base.failure import one_line

# Longer than any local part, and no longer: from each quotation mark of a run it would read on.
_QUOTED_LOCAL = re.compile(r'"(?:[^"\\]|\\.){0,320}"(?:@|%40)[^\s<>]*+', re.DOTALL)
_WORD = re.compile(r"[^\s<>]++")
_INSIDE = re.compile(r"\S(?:@|%40)\S")
_HIDDEN = "(address)"
_LEVELS = {"ok": "ok", "WRONG": "wrong", "note": "note"}


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One line of `check`; `str` is its text.

    Attributes:
        verdict: whether it holds.
        what: what was found.
        advice: what mends it, or "".
    """

    verdict: Literal["ok", "WRONG", "note"]
    what: str
    advice: str = ""

    @property
    def text(self) -> str:
        """What was found, and what mends it."""
        return f"{self.what}: {self.advice}" if self.advice else self.what

    def __str__(self) -> str:
        """Return the line: the verdict, and what was found."""
        return f"{self.verdict:8}{_clean(self.text)}"

    def describe(self, subject: str) -> dict[str, str]:
        """Return it as `check --json` shows it.

        Args:
            subject: what it is about.
        """
        return {
            "subject": subject,
            "level": _LEVELS[self.verdict],
            "text": _clean(self.what),
            "advice": _clean(self.advice),
        }


def _clean(text: str) -> str:
    """Return it as one line without addresses; of one that is cut first no @ may be left."""
    if "@" in text or "%40" in text:
        text = _QUOTED_LOCAL.sub(_HIDDEN, text)
        text = _WORD.sub(lambda word: _HIDDEN if _INSIDE.search(word[0]) else word[0], text)
    return one_line(text)


def ok(text: str) -> CheckLine:
    """State what holds."""
    return CheckLine("ok", text)


def wrong(text: str, mend: str) -> CheckLine:
    """State what is wrong, and what mends it."""
    return CheckLine("WRONG", text, mend)


def note(text: str, mend: str = "") -> CheckLine:
    """State what is worth knowing, though it need not be wrong, and what may be done about it."""
    return CheckLine("note", text, mend)
