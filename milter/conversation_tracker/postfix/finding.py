"""What a requirement finds: that it holds, or what is so instead and what to do about it.

`check` prints every finding; `configure` refuses or warns by some of them. Whatever `configure`
refuses is WRONG to `check`: there is no other way to write it.
"""

from dataclasses import dataclass
from typing import Literal

from conversation_tracker.postfix.settings import TableError


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    Attributes:
        verdict: what `check` says.
        heed: what `configure` does.
        text: what is so.
        mend: what an administrator does about it.
    """

    verdict: Literal["ok", "WRONG", "note"]
    heed: Literal["nothing", "warn", "refuse"]
    text: str
    mend: str = ""

    def __str__(self) -> str:
        """Return it on one line."""
        return f"{self.text}: {self.mend}" if self.mend else self.text


def ok(text: str) -> Finding:
    """State what holds."""
    return Finding("ok", "nothing", text)


def note(text: str) -> Finding:
    """State what is worth knowing."""
    return Finding("note", "nothing", text)


def doubt(text: str) -> Finding:
    """State what may be right or not: only who set it knows."""
    return Finding("note", "warn", text)


def fault(text: str, mend: str) -> Finding:
    """State what is wrong, though no mail passes unmasked by it."""
    return Finding("WRONG", "warn", text, mend)


def refusal(text: str, mend: str) -> Finding:
    """State by what mail would pass unmasked, or not at all."""
    return Finding("WRONG", "refuse", text, mend)


def unasked(error: TableError, text: str) -> Finding:
    """State that a table could not be asked: wrong, but where only root may.

    Args:
        error: why.
        text: what was to be asked.
    """
    if error.denied:
        return note(f"{text}: run check as root")
    return refusal(text, error.mend)
