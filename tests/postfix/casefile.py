"""Case files: one behaviour of the whole system each, written as the SMTP dialogue that shows it.

A file begins with `#` lines that say what it shows. Then come steps, set apart by empty lines:

    TRACKER option=value              the tracker's configuration; cases with none share one host
    STORE name column=value ...       a store of the case's own; {name} is the domain it sends from
    SET name column=value ...         change a store's row
    ORDER number name=address ...     an order of the store above, those named have aliases already;
                                      `buyer` is the buyer, everybody else a partner
    EXPIRE number | CLOSE number      the order expires, or is closed, now
    SINK address reply                how the world answers RCPT of an address from now on

    SEND from the Internet            or: from the store's network, signed in
    MAIL FROM:<...>
    RCPT TO:<...> => 550 5.1.1        what is refused, and with which words at least
    DATA
    (the message, to a dot on its own line; `. => 554 5.6.0` where it is refused)
    SEND AGAIN                        the same once more; all that comes of it is expected anew

    ARRIVES                           one copy that leaves; `ARRIVES as sent`: byte for byte;
                                      `ARRIVES decoded`: its body without its transfer encoding
                                      `ARRIVES unfolded`: its calendars without their folds
    MAIL FROM:<{bounce}>              {bounce} is any bounce address, {any} anything; behind it,
                                      `SMTPUTF8` is a parameter that is there, `no SMTPUTF8` is not
    RCPT TO:<...>
    Name: value                       these are all the headers of this name, unfolded
    no Name Name ...                  headers that are not there
    never word word ...               what occurs nowhere, however encoded
    (empty line, then the body; a line `...` stands for any lines)
    .

    TIMELINE number                   all rows of tracker.timeline, in order, columns set apart by
    direction  role > role  state  subject                two blanks; (status) may follow the state
    VERDICTS number verdict ...       of the recorded messages
    WRITTEN number by ...             the same: person, automatic, answer (automatic, and an answer)

All that leaves because of a SEND has an ARRIVES after it; what has none must not leave. Nobody's
address may be in a copy for somebody else, nor in what is recorded: that is looked at always.

`{alias:who}` is somebody's alias, `{hard:who}` and `{soft:who}` the form named, `{ALIAS:who}` the
alias in capitals, `{bounce:who}` the bounce address of the last delivery to them. `{identifier:x}`
is what stands for the Message-ID or UID x. `who` is a name from ORDER or an address; ` of number`
behind it names another order than the case's first.
`{repeat:40 text}` is that text forty times.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_WORDS = ("TRACKER", "STORE", "SET", "ORDER", "EXPIRE", "CLOSE", "SINK", "VERDICTS", "WRITTEN")
_HOW = ("as sent", "decoded", "unfolded")
_REPLY = re.compile(r"(.*?)\s+=>\s+(.*)")


class BadCaseError(ValueError):
    """A case file that says something else than its format allows; the text names the line."""


@dataclass(frozen=True)
class Plain:
    """A step of one line: its first word and the others."""

    word: str
    arguments: tuple[str, ...]


@dataclass
class Send:
    """A message that is handed in, with the replies that must be given."""

    origin: str
    sender: str = ""
    recipients: list[tuple[str, str]] = field(default_factory=list)
    data: list[str] | None = None
    final: str = ""


@dataclass(frozen=True)
class Again:
    """The last message, handed in once more."""


@dataclass
class Arrives:
    """A copy that leaves. `body` is None where anything will do."""

    as_sent: bool
    decoded: bool = False
    unfolded: bool = False
    sender: str = ""
    smtputf8: bool | None = None
    recipients: list[str] = field(default_factory=list)
    headers: list[tuple[str, str]] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    never: list[str] = field(default_factory=list)
    body: list[str] | None = None


@dataclass
class Timeline:
    """Rows of an order's timeline."""

    order: str
    rows: list[str] = field(default_factory=list)


Step = Plain | Send | Again | Arrives | Timeline


@dataclass(frozen=True)
class Case:
    """One file: what it shows, and its steps."""

    path: Path
    title: str
    steps: tuple[Step, ...]

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """Configuration of the tracker that the case needs."""
        plain = [step for step in self.steps if isinstance(step, Plain) and step.word == "TRACKER"]
        return tuple(pair for step in plain for pair in pairs(step.arguments))


def pairs(arguments: tuple[str, ...]) -> list[tuple[str, str]]:
    """Split `name=value` words."""
    return [(name, value) for name, _, value in (word.partition("=") for word in arguments)]


def read(path: Path) -> Case:
    """Read a case file; BadCaseError when it is none."""
    lines = path.read_text().split("\n")
    title = []
    while lines and lines[0].startswith("#"):
        title.append(lines.pop(0).removeprefix("#").strip())
    steps: list[Step] = []
    left = iter(lines)
    for line in left:
        if line.strip():
            steps.append(_step(line, left))
    if not title or not steps:
        raise BadCaseError(f"{path.name}: no title or no steps")
    return Case(path, " ".join(title), tuple(steps))


def _step(line: str, left: Iterator[str]) -> Step:
    word, _, rest = line.partition(" ")
    if word in _WORDS:
        return Plain(word, tuple(shlex.split(rest)))
    if line == "SEND AGAIN":
        return Again()
    if word == "SEND":
        return _send(Send(rest), left)
    if line in ("ARRIVES", *(f"ARRIVES {how}" for how in _HOW)):
        return _arrives(Arrives(*(line.endswith(how) for how in _HOW)), left)
    if word == "TIMELINE":
        return Timeline(rest, list(iter(lambda: next(left, "").rstrip(), "")))
    raise BadCaseError(f"what is this? {line}")


def _send(step: Send, left: Iterator[str]) -> Send:
    for line in left:
        if not line.strip():
            return step
        if line == "DATA":
            step.data, step.final = _data(left)
            return step
        text, reply = _split(line)
        if text.startswith("MAIL FROM:<"):
            step.sender = _path(text)
        elif text.startswith("RCPT TO:<"):
            step.recipients.append((_path(text), reply))
        else:
            raise BadCaseError(f"no SMTP command: {line}")
    return step


def _data(left: Iterator[str]) -> tuple[list[str], str]:
    lines: list[str] = []
    for line in left:
        text, reply = _split(line)
        if text == ".":
            return lines, reply
        lines.append(line)
    raise BadCaseError("a message has no end")


def _arrives(step: Arrives, left: Iterator[str]) -> Arrives:
    for line in left:
        word, _, rest = line.partition(" ")
        if step.body is not None and line != ".":
            step.body.append(line)
        elif line == ".":
            return step
        elif not line:
            step.body = []
        elif line.startswith("MAIL FROM:<"):
            step.sender = _path(line)
            if line.endswith("SMTPUTF8"):
                step.smtputf8 = not line.endswith("no SMTPUTF8")
        elif line.startswith("RCPT TO:<"):
            step.recipients.append(_path(line))
        elif word in ("no", "never"):
            (step.absent if word == "no" else step.never).extend(rest.split())
        elif ":" in line:
            name, _, value = line.partition(":")
            step.headers.append((name, value.strip()))
        else:
            raise BadCaseError(f"no header: {line}")
    raise BadCaseError("a copy has no end")


def _split(line: str) -> tuple[str, str]:
    match = _REPLY.fullmatch(line)
    return (match[1], match[2]) if match else (line, "")


def _path(line: str) -> str:
    return line.partition("<")[2].rpartition(">")[0]
