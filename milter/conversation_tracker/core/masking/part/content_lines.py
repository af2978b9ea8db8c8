r"""Content lines of calendar objects: unfolded, parsed, and the people they name.

A line may be folded anywhere, inside a character of UTF-8 too (RFC 5545 section 3.1). What names
somebody is an address with `mailto:` before it, or without, or in angle brackets behind a name
(vCalendar 1.0). Broken lines are read as far as they can be. Nothing here raises.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from urllib.parse import unquote

from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.address.reading import Reading, apply_edits
from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.syntax import charset, transfer

PEOPLE = frozenset({"ORGANIZER", "ATTENDEE", "CALENDAR-ADDRESS"})
"""The properties that say who takes part, the last in RFC 9073."""
THEIRS = frozenset({"SENT-BY", "DELEGATED-FROM", "DELEGATED-TO", "MEMBER", "EMAIL"})
"""The parameters of these that name more people, or the same ones again."""
IDENTIFIERS = frozenset({"UID", "RELATED-TO"})
"""The properties whose values name an object in all programs (RFC 5545 section 3.8.4)."""

_MOST_BROKEN = 100  # addresses read in a line that cannot be parsed
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_END = re.compile(r"\n(?![ \t])")  # of a line that no other continues
_ESCAPED = re.compile(r"\\([;,])")
_EITHER = re.compile(r"\\([;,])|[;,]")
_PLAIN_SIGNS = {";": "\ufdd0", ",": "\ufdd1"}  # no characters, so in no text
_NO_TEXT = frozenset(_PLAIN_SIGNS.values())
_WRITTEN = str.maketrans(
    {**{each: f"\\{each}" for each in _PLAIN_SIGNS}, **{v: k for k, v in _PLAIN_SIGNS.items()}}
)
_CARETS = {"^n": "\n", "^N": "\n", "^'": '"', "^^": "^"}
_CARET = re.compile(r"\^[nN'^]")
_FOLD = re.compile(r"(?:\r\r\n|\r\n|\n)[ \t]")  # some programs write the line end twice
_CARET_OR_FOLD = re.compile(rf"{_CARET.pattern}|{_FOLD.pattern}")
_SOFT = re.compile(r"=\r{0,2}\n[ \t]*")
_INSIDE = re.compile(rb"(?<=[\x80-\xff])\r{0,2}\n[ \t](?=[\x80-\xbf])")
PROPERTY = re.compile(
    r"(?P<name>[A-Za-z0-9.\-]+)(?P<parameters>(?>(?:;(?>(?:[^\":;]++|\"[^\"]*+\")*))*)):"
    r"(?P<value>.*)",
    re.DOTALL,
)
"""A content line without folds: name, parameters with their semicolons, value."""
PARAMETER = re.compile(r";([A-Za-z0-9\-]+)=((?>(?:[^\":;]++|\"[^\"]*+\")*))")
"""One parameter: its name and its value, which may be a list."""
# Where no colon comes, none is looked for behind each semicolon.
QUOTED = re.compile(
    r"(?=[^:\n]*+:)[^:\n]*;\s*+(?:ENCODING=\"?)?QUOTED-PRINTABLE[^:\n]*+:", re.IGNORECASE
)
"""What stands before a quoted-printable value (vCalendar 1.0, vCard 2.1)."""
_VALUES = re.compile(r"\"[^\"]*+\"|[^,\"]++")
# `smtp:` is what some programs of Exchange wrote.
_ADDRESS = re.compile(r"[\s\"']*+(?>(?:(?:mailto|smtp):\s*+)*)([^?>\"\s]*)", re.IGNORECASE)
_LINKED = re.compile(r"(?:mailto|smtp):\s*+([^\s\"'<>,;:?]++)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9.\-]{1,80}(?=[;:])")
_METHOD = re.compile(r"METHOD(?:;[^:]*+)?:\s*\S", re.IGNORECASE)
_BEGIN = re.compile(r"BEGIN:\s*VCALENDAR\s*", re.IGNORECASE)
_ROLE = re.compile(r";ROLE=\"?(?:ORGANIZER|OWNER)(?![\w\-])", re.IGNORECASE)


def iter_lines(text: str) -> Iterator[str]:
    """Yield content lines, each with its folds and its end."""
    if "=" not in text or "quoted-printable" not in text.lower():
        start = 0
        for match in _END.finditer(text):
            yield text[start : match.end()]
            start = match.end()
        if start < len(text):
            yield text[start:]
        return
    pieces: list[str] = []
    soft = quoted = False
    for match in _LINE.finditer(text):
        line = match[0]
        if pieces and not line.startswith((" ", "\t")) and not soft:
            yield "".join(pieces)
            pieces = []
        if not pieces:
            quoted = QUOTED.match(line) is not None
        soft = quoted and line.rstrip("\r\n").endswith("=")
        pieces.append(line)
    if pieces:
        yield "".join(pieces)


def unfold(line: str) -> str:
    """Take the folds out of a content line, and its end."""
    line = line.rstrip("\r\n")
    if "=" in line and "\n" in line and QUOTED.match(line) is not None:
        line = _SOFT.sub("", line)
    return _FOLD.sub("", line)


def show(text: str) -> str:
    """Take the folds out of content lines, and the escapes from what programs show."""
    return _ESCAPED.sub(r"\1", _FOLD.sub("", text)) if "\\" in text else _FOLD.sub("", text)


def change_shown(line: str, change: Callable[[str], str]) -> str:
    """Change an unfolded line as programs show it: references to characters end in semicolons.

    Args:
        line: the line, in which semicolons and commas of a text are escaped (RFC 5545 section
            3.3.11).
        change: gives what a text becomes.

    Returns:
        The line; the same object if nothing changed.
    """
    if _ESCAPED.search(line) is None or not _NO_TEXT.isdisjoint(line):
        return line
    old = _EITHER.sub(lambda found: found[1] or _PLAIN_SIGNS[found[0]], line)
    new = change(old)
    return line if new == old else new.translate(_WRITTEN)


def mask_carets(text: str, finder: Masker | None) -> str:
    """Mask addresses that only show where the parameters of content lines are unescaped.

    Args:
        text: the lines, in which `^n`, `^'` and `^^` stand for a line end, a quotation mark and a
            caret (RFC 6868 section 3).
        finder: finds addresses.

    Returns:
        The text; the same object if nothing changed.
    """
    if finder is None or _CARET.search(text) is None:
        return text
    pieces = [(*each.span(), _CARETS.get(each[0], "")) for each in _CARET_OR_FOLD.finditer(text)]
    reading = Reading(text, pieces)
    found = finder.hits(reading.text)
    return apply_edits(text, [(*reading.span(start, end), new) for start, end, new in found])


def mend(data: bytes) -> bytes:
    """Take the folds out that stand inside a character of several octets.

    Args:
        data: content lines, without their transfer encoding.

    Returns:
        The content; the same object if there is no such fold.
    """
    if data.isascii() or b"\0" in data:
        return data
    mended = _INSIDE.sub(b"", data)
    return data if len(mended) == len(data) else mended


def read_address(value: str) -> Address | None:
    """Read the address that a value names; None if it names none."""
    if "<" in value:  # vCalendar 1.0: a name, and the address behind it
        value = value.rpartition("<")[2]
    found = _ADDRESS.match(value)
    written = found[1] if found else ""
    if value.lstrip().startswith("'"):
        written = written.removesuffix("'")
    with suppress(AddressError):
        return Address.parse(unquote(written))
    return None


def read_addresses(value: str) -> Iterator[Address]:
    """Yield the addresses of one value: some programs write all of a list in one pair of quotes."""
    links = [each[1] for each in islice(_LINKED.finditer(value), _MOST_BROKEN)]
    addresses = map(read_address, links if len(links) > 1 else (value,))
    yield from (address for address in addresses if address is not None)


def read_name(line: str) -> str:
    """Return an unfolded line's property, in upper case; "" if it is none."""
    found = _NAME.match(line)
    return found[0].rpartition(".")[2].upper() if found else ""


def names_organizer(line: str) -> bool:
    """Return whether an unfolded line about somebody says that they organise it."""
    return read_name(line) == "ORGANIZER" or _ROLE.search(line) is not None


def find_subject(line: str) -> Address | None:
    """Return the address that an unfolded line is about (RFC 5545 sections 3.8.4.1 and 3.8.4.3)."""
    found = PROPERTY.fullmatch(line)
    address = read_address(_read_value(line, found["value"])) if found is not None else None
    return next(_find_loose(line), None) if address is None and _is_broken(found) else address


def find_others(line: str) -> Iterator[Address]:
    """Yield who else is named there: who sends it, delegates, or is a member."""
    found = PROPERTY.fullmatch(line)
    if _is_broken(found):
        yield from _find_loose(line)
    for name, value in PARAMETER.findall(found["parameters"]) if found is not None else ():
        if name.upper() in THEIRS:
            for item in _VALUES.findall(value):
                yield from read_addresses(item)


def _is_broken(found: re.Match[str] | None) -> bool:
    """Return whether a line is none, its value begins inside a parameter, or names several."""
    if found is None or found["parameters"].lower().endswith(("=mailto", "=smtp")):
        return True
    links = list(islice(_LINKED.finditer(found["value"]), 2))
    before = found["value"][: links[0].start()] if links else ""
    return len(links) > 1 or bool(before.strip("\"' <"))


def _find_loose(line: str) -> Iterator[Address]:
    """Yield the addresses of a line that is not as it should be, the last one first.

    A colon stands unquoted in a parameter, a quotation mark is missing, or there are two values.
    """
    values = [each[1] for each in islice(_LINKED.finditer(line), _MOST_BROKEN)]
    addresses = map(read_address, reversed(values))
    yield from (address for address in addresses if address is not None)


def iter_invitations(text: str, *, method: bool) -> Iterator[list[tuple[str, int]]]:
    """Yield the calendar objects that have a method (RFC 5546 section 1.4).

    Args:
        text: content lines of one or more objects.
        method: one is declared for all of them (RFC 6047 section 2.4).

    Returns:
        Of each its lines that name people or identify something, unfolded, each with its number
        among all lines of the text, from 0.
    """
    if not method and "method" not in _FOLD.sub("", text).lower():
        return
    found: list[tuple[str, int]] = []
    invites = method
    for number, line in enumerate(iter_lines(text)):
        whole = unfold(line)
        name = read_name(whole)
        if name in PEOPLE or name in IDENTIFIERS:
            found.append((whole, number))
        elif name == "METHOD":
            invites = invites or _METHOD.match(whole) is not None
        elif name == "BEGIN" and _BEGIN.fullmatch(whole):
            if invites and found:
                yield found
            found, invites = [], method
    if invites and found:
        yield found


def has_method(text: str) -> bool:
    """Return whether one of the objects has a method."""
    return "method" in _FOLD.sub("", text).lower() and any(
        _METHOD.match(whole) is not None
        for whole in map(unfold, iter_lines(text))
        if whole[:1] in "Mm"
    )


def _read_value(line: str, value: str) -> str:
    """Return a line's value, decoded where it is quoted-printable."""
    if QUOTED.match(line) is None:
        return value
    raw = value.encode("utf-8", "surrogatepass")
    return charset.decode_text(transfer.decode(raw, transfer.QUOTED_PRINTABLE), "")
