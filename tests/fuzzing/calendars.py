"""Calendars with a method from choices, as programs write them and as none does.

Text with LF, folded anywhere. Nothing here knows how a calendar is read.
"""

import re

from choices import Choices
from spelling import address, spelled, text

_JOINED = re.compile(r"[\w.+-]x|x[\w.+-]")
_METHODS = (
    "METHOD:REQUEST", "METHOD:REPLY", "method:CANCEL", "METHOD;X-A=b:COUNTER", "METHOD:PUBLISH",
    "METHOD:", "VERSION:2.0", "VERSION:1.0",
)  # fmt: skip
_COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM", "VTIMEZONE", "X-OTHER")
_NAMES = ("ATTENDEE", "ORGANIZER", "attendee", "ATTENDEE;ROLE=ORGANIZER", "a.ATTENDEE")
_THEIRS = ("SENT-BY", "DELEGATED-TO", "DELEGATED-FROM", "MEMBER", "EMAIL", "X-A", "DIR", "CN")
_SCHEMES = ("mailto:", "MAILTO:", "", "mailto: ", "Ann <", "urn:x:")
_TEXTS = (
    "SUMMARY", "DESCRIPTION", "LOCATION", "CONTACT", "COMMENT", "X-ALT-DESC;FMTTYPE=text/html",
    "X-MS-OLK-SENDER", "X-WR-CALNAME", "URL", "ATTACH", "X-GOOGLE-CONFERENCE", "X-CALENDARSERVER-X",
    "DESCRIPTION;ENCODING=QUOTED-PRINTABLE",
)  # fmt: skip


def invitation(choices: Choices) -> str:
    """Write one or two calendar objects; whoever is invited joins the order."""
    return "".join(_object(choices) for _ in range(1 + choices.chance(6)))


def _object(choices: Choices) -> str:
    lines = ["BEGIN:VCALENDAR", choices.of(_METHODS)]
    for _ in range(1 + choices.number(3)):
        component = choices.of(_COMPONENTS)
        lines.append(f"BEGIN:{component}")
        lines += [_line(choices) for _ in range(1 + choices.number(5))]
        lines.append(f"END:{component}")
    lines.append("END:VCALENDAR")
    return "".join(_folded(choices, line) + "\n" for line in lines)


def _line(choices: Choices) -> str:
    kind = choices.number(3)
    if kind == 0:
        return f"{choices.of(_TEXTS)}:{_flat(text(choices, most=3))}"
    if kind == 1:
        name = choices.of(("UID", "RELATED-TO", "uid", "UID;X-A=b", "RECURRENCE-ID"))
        # Under somebody's domain it is replaced, whoever is named in it.
        where = "x@elsewhere.example" if choices.strangers_only else address(choices)
        return f"{name}:{choices.of((where, f'7.{where}', f'7@{where[-11:]}', '7', f'<{where}>'))}"
    return _person(choices)


def _person(choices: Choices) -> str:
    parameters = ""
    for _ in range(choices.number(3)):
        name = choices.of(_THEIRS)
        quote = choices.of(('"', '"', "", "'"))
        if choices.strangers_only:  # else a colon in it begins the value, and somebody joins
            quote = '"'
        parameters += (
            f";{name}={quote}{_whom(choices, joins=name not in ('X-A', 'DIR', 'CN'))}{quote}"
        )
    return f"{choices.of(_NAMES)}{parameters}:{_whom(choices, joins=True)}"


def _whom(choices: Choices, *, joins: bool) -> str:
    if choices.strangers_only and joins:
        return "urn:x"
    scheme = choices.of(_SCHEMES)
    return f"{scheme}{_flat(spelled(choices))}{'>' if scheme.endswith('<') else ''}"


def _flat(shown: str) -> str:
    return shown.replace("\r", "").replace("\n", "\\n")


def _folded(choices: Choices, line: str) -> str:
    """Fold a line up to three times."""
    for _ in range(choices.number(3)):
        at = choices.number(max(1, len(line)))
        if not _shows_another(choices, line[:at], line[at:]):
            line = line[:at] + "\n" + choices.of((" ", "\t")) + line[at:]
    return line


def _shows_another(choices: Choices, before: str, behind: str) -> bool:
    """Return whether a fold makes somebody's address a piece of what is none, to who sees folds."""
    goes_on = _JOINED.search(before[-1:] + "x" + behind[:1]) is not None
    for key in choices.people:
        local, _, domain = key.rpartition("@")
        if goes_on and (behind.lower().startswith(local) or before.lower().endswith(domain)):
            return True
    return False
