"""How the demonstration shows a message: what was sent above what was received.

Lines that the tracker changed begin with `-` where they were sent and with `+` where they were
received; all others begin with `|`. On a terminal the changed words are coloured as well, unless
NO_COLOR says no. Nothing here knows what the messages mean.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from private.sink import Mail

_WORDS = re.compile(r"([\s<>]+)")


@dataclass(frozen=True, slots=True)
class Style:
    """How text stands out: escape sequences on a terminal, nothing elsewhere."""

    bold: str = ""
    gone: str = ""
    come: str = ""
    plain: str = ""


COLOURS = Style("\033[1m", "\033[31m", "\033[32m", "\033[0m")


def style(stream: TextIO, environ: Mapping[str, str]) -> Style:
    """Choose colours for a terminal that wants them (no-color.org), none for all else."""
    dull = environ.get("NO_COLOR") or environ.get("TERM") == "dumb"
    return COLOURS if stream.isatty() and not dull else Style()


def written(sender: str, recipients: Sequence[str], text: str) -> list[str]:
    """Return a message's lines, its envelope first."""
    envelope = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients)]
    return [*envelope, "", *text.splitlines()]


def arrived(mail: Mail) -> list[str]:
    """Return the lines of a message as it left for its recipient, its envelope first."""
    return written(mail.sender.address, mail.addresses, mail.data.decode("utf-8", "replace"))


class Display:
    """Writes to one stream; every method returns once its lines are written."""

    def __init__(self, stream: TextIO, style: Style) -> None:
        self._stream, self._style = stream, style

    def title(self, text: str) -> None:
        """Write a heading."""
        self.line(f"{self._style.bold}{text}{self._style.plain}")
        self.line()

    def line(self, text: str = "") -> None:
        """Write one line."""
        print(text, file=self._stream, flush=True)

    def lines(self, text: str) -> None:
        """Write a paragraph, and an empty line after it."""
        for line in text.strip("\n").splitlines():
            self.line(line)
        self.line()

    def sent(self, who: str, lines: Sequence[str], received: Sequence[str]) -> None:
        """Show what somebody sent, with all that was not `received` like this standing out."""
        self.line(f"  Sent by {who}:")
        self._block(_marked(lines, received, "-"), lines, received, self._style.gone)

    def received(self, who: str, lines: Sequence[str], sent: Sequence[str]) -> None:
        """Show what somebody received, with all that was not `sent` like this standing out."""
        self.line(f"  Received by {who}:")
        self._block(_marked(lines, sent, "+"), lines, sent, self._style.come)

    def _block(
        self, marks: Sequence[str], lines: Sequence[str], others: Sequence[str], colour: str
    ) -> None:
        known = {word for line in others for word in _WORDS.split(line)}
        for mark, line in zip(marks, lines, strict=True):
            shown = line if mark == "|" else "".join(self._words(line, known, colour))
            self.line(f"  {mark} {shown}".rstrip())
        self.line()

    def _words(self, line: str, known: set[str], colour: str) -> Iterator[str]:
        """Go through a line's words; those that are new are coloured, or all if none is."""
        words = _WORDS.split(line)
        if not any(word not in known for word in words):
            known = set()
        for word in words:
            new = colour and word not in known
            yield f"{colour}{word}{self._style.plain}" if new else word


def _marked(lines: Sequence[str], others: Sequence[str], mark: str) -> list[str]:
    """Mark the lines that the others do not have in the same order."""
    marks = [mark] * len(lines)
    matcher = difflib.SequenceMatcher(None, lines, others, autojunk=False)
    for block in matcher.get_matching_blocks():
        marks[block.a : block.a + block.size] = ["|"] * block.size
    return marks
