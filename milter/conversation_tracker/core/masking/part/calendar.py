r"""Calendar objects and vCards: content lines, unfolded, masked, and folded again if they changed.

A content line may be folded anywhere, inside an address too (RFC 5545 section 3.1, RFC 6350
section 3.2). vCard 2.1 also has quoted-printable values, whose soft line breaks are not indented.
Every line that holds nothing to mask stays byte for byte. Which properties there are does not
matter: an address is masked wherever it stands. Nothing here raises.
"""

import binascii
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from urllib.parse import unquote

from conversation_tracker.core.masking.text import obfuscated
from conversation_tracker.core.masking.text.eyes import Eyes
from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.syntax import charset, transfer

TYPES = frozenset(
    """
    text/calendar text/x-vcalendar application/ics application/calendar
    text/vcard text/x-vcard text/directory application/vcard
    """.split()
)
"""Media types whose content is content lines."""

CALENDARS = frozenset("text/calendar text/x-vcalendar application/ics application/calendar".split())
"""Those of them that are calendars."""

_OCTETS = 75  # RFC 5545 section 3.1, the line end not counted
_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FOLD = re.compile(r"\r?\n[ \t]")
_RAW_FOLD = re.compile(rb"\r?\n[ \t]|=\r?\n")
_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,20}BEGIN:V(?:CALENDAR|CARD)\b", re.IGNORECASE)
_CALENDAR = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,20}BEGIN:VCALENDAR\b", re.IGNORECASE)
_PROPERTY = re.compile(
    r"(?P<name>[A-Za-z0-9.\-]+)(?P<parameters>(?>(?:;(?>(?:[^\":;]++|\"[^\"]*+\")*))*)):"
    r"(?P<value>.*)",
    re.DOTALL,
)
_PARAMETER = re.compile(r";([A-Za-z0-9\-]+)=((?>(?:[^\":;]++|\"[^\"]*+\")*))")
_PEOPLE = frozenset({"ORGANIZER", "ATTENDEE"})
_THEIRS = frozenset({"SENT-BY", "DELEGATED-FROM", "DELEGATED-TO", "MEMBER", "EMAIL"})
_NAME = "CN"
_VALUES = re.compile(r"\"[^\"]*+\"|[^,\"]++")
_MAILTO = re.compile(r"[\s\"]*+mailto:", re.IGNORECASE)
_ITEM = re.compile(r"((?>(?:[^\",]++|\"[^\"]*+\")+))")
# Where no colon comes, none is looked for behind each semicolon.
_QUOTED = re.compile(
    r"(?=[^:\n]*+:)[^:\n]*;\s*+(?:ENCODING=\"?)?QUOTED-PRINTABLE[^:\n]*+:", re.IGNORECASE
)
_CHARSET = re.compile(r";\s*+CHARSET=\"?([^\s;:\"]{1,40})", re.IGNORECASE)
_VALUE_HEAD = re.compile(
    rb"^[^:;\n]*+(;[^:\n]*+):|:data:[^,\n]{0,200};base64,", re.IGNORECASE | re.MULTILINE
)
# Parameters up to the colon before the value; one may be quoted, with colons inside.
_HEAD = re.compile(r'(?>[^":]*(?:"[^"]*"[^":]*)*):')
_SENT_BY = re.compile(r';[ \t]*SENT-BY=(?:"([^"]*)"|([^";]*))', re.IGNORECASE)
_NAMED = re.compile(r"[ \t<\"]*(?:mailto:)?([^?>\"\s]*)", re.IGNORECASE)
_BASE64 = re.compile(rb";\s*+(?:ENCODING=\"?)?(?:B|BASE64)\b", re.IGNORECASE)
_ENCODED = re.compile(rb"[A-Za-z0-9+/=\s\\]*")

Mask = Callable[[str], str]


def is_one(data: bytes) -> bool:
    """Tell whether content begins as a calendar object or vCard does, whatever its type says."""
    return _OBJECT.match(data) is not None


def masked(data: bytes, label: str, mask: Mask) -> tuple[bytes, str]:
    """Mask content lines.

    Args:
        data: the content, without its transfer encoding.
        label: the declared charset, "" if there is none.
        mask: gives the text with addresses replaced; asked first if it has `possible`.

    Returns:
        The content, the same object if nothing changed, and the charset it is in.
    """
    goes: Callable[[Address], bool] | None = getattr(mask, "attendee_goes", None)
    if goes is not None:
        data, label = charset.changed(data, label, partial(_without, goes=goes))
    if _surely_clean(data, label, mask):
        return data, label
    return charset.changed(data, label, partial(_masked, mask=mask))


def is_calendar(data: bytes) -> bool:
    """Tell whether content begins as a calendar object does, whatever its type says."""
    return _CALENDAR.match(data) is not None


def shown(text: str, eyes: Eyes) -> str:
    """Let the reader of a calendar see their own address where it says who takes part.

    Args:
        text: content lines.
        eyes: the reader's.

    Returns:
        The text, with their address as organiser and attendee and in what is said of these
        (RFC 5545 section 3.2, RFC 7986 section 6.2); nowhere else, and in no other link.
    """
    return "".join([_shown_line(line, eyes) for line in _content_lines(text)])


def _shown_line(line: str, eyes: Eyes) -> str:
    end = line[len(line.rstrip("\r\n")) :]
    whole = _FOLD.sub("", line[: len(line) - len(end)])
    found = _PROPERTY.fullmatch(whole)
    if found is None:
        return line
    people = found["name"].rpartition(".")[2].upper() in _PEOPLE
    head = _PARAMETER.sub(
        lambda one: f";{one[1]}={_shown_parameter(one[1].upper(), one[2], eyes, people=people)}",
        found["parameters"],
    )
    head, value = f"{found['name']}{head}:", found["value"]
    quoted = _QUOTED.match(whole) is not None
    if quoted and people:
        new = _quoted_value(head, value, partial(_shown_address, eyes=eyes))
    else:
        new = _shown_address(value, eyes) if people else value
    if head + new == whole:
        return line
    return head + new + end if quoted else _folded(head + new, end or "\r\n") + end


def _shown_parameter(name: str, value: str, eyes: Eyes, *, people: bool) -> str:
    if name in _THEIRS:
        items = _ITEM.split(value)
        return "".join(
            [_shown_address(each, eyes) if n % 2 else each for n, each in enumerate(items)]
        )
    return eyes(value) if people and name == _NAME else value


def _shown_address(text: str, eyes: Eyes) -> str:
    """Show what names one by their address: with `mailto:` before it, or without."""
    found = _MAILTO.match(text)
    at = found.end() if found else 0
    return text[:at] + eyes(text[at:])


def named(line: str) -> list[Address]:
    """Give whom an ORGANIZER or ATTENDEE line is about, then who sends it for them.

    Args:
        line: one unfolded content line, without its end (RFC 5545 sections 3.8.4.1 and 3.2.18).

    Returns:
        Their addresses; nothing where there is none to be read.
    """
    head = _HEAD.match(line)
    if head is None:
        return []
    values = [line[head.end() :]]
    values += [found[1] or found[2] or "" for found in _SENT_BY.finditer(head[0][:-1])]
    found = []
    for value in values:
        mailto = _NAMED.match(value)
        with suppress(AddressError):
            found.append(Address.parse(unquote(mailto[1] if mailto else "")))
    return found


def unfolded(text: str) -> str:
    """Take the folds out of content lines."""
    return _FOLD.sub("", text)


def _without(text: str, goes: Callable[[Address], bool]) -> str:
    """Leave out the lines of attendees who go, and who goes of whom other such lines name."""
    lines = list(_content_lines(text))
    left = [_left(line, goes) for line in lines]
    return "".join(left) if left != lines else text


def _left(line: str, goes: Callable[[Address], bool]) -> str:
    if line[:1] not in "Aa":
        return line
    end = line[len(line.rstrip("\r\n")) :]
    whole = _FOLD.sub("", line[: len(line) - len(end)])
    if whole[:8].upper() != "ATTENDEE" or whole[8:9] not in (":", ";"):
        return line
    about = named(whole)
    if about and goes(about[0]):
        return ""
    found = _PROPERTY.fullmatch(whole)
    if found is None:
        return line
    parameters = _PARAMETER.sub(partial(_left_parameter, goes=goes), found["parameters"])
    if parameters == found["parameters"]:
        return line
    new = f"{found['name']}{parameters}:{found['value']}"
    return new + end if _QUOTED.match(whole) else _folded(new, end or "\r\n") + end


def _left_parameter(one: re.Match[str], goes: Callable[[Address], bool]) -> str:
    if one[1].upper() not in _THEIRS:
        return one[0]
    values = _VALUES.findall(one[2])
    left = [value for value in values if not _is_gone(value, goes)]
    if len(left) == len(values):
        return one[0]
    return f";{one[1]}={','.join(left)}" if left else ""


def _is_gone(value: str, goes: Callable[[Address], bool]) -> bool:
    mailto = _NAMED.match(value)
    with suppress(AddressError):
        return goes(Address.parse(unquote(mailto[1] if mailto else "")))
    return False


def binaries(data: bytes) -> Iterator[bytes]:
    """Give the decoded values in base64: keys, certificates, pictures, attached files."""
    if b"base64" not in data.lower() and b"=b" not in data.lower():
        return
    whole = re.sub(rb"\r?\n[ \t]", b"", data)
    at = 0
    while (head := _VALUE_HEAD.search(whole, at)) is not None:
        if head[1] is not None and _BASE64.search(head[1]) is None:
            at = head.end() - 1  # its value may begin there with "data:"
            continue
        value = _value(whole, head.end())
        at = max(head.end() + len(value), head.end())
        try:
            yield transfer.decoded(value, transfer.BASE64)
        except binascii.Error:
            continue


def _value(whole: bytes, start: int) -> bytes:
    """Take a base64 value; vCard 2.1 lets it go on over lines without a colon."""
    found = _ENCODED.match(whole, start)
    value = whole[start : found.end()] if found else b""
    follows = whole.find(b"\n", start + len(value))
    rest = whole[start + len(value) : follows if follows >= 0 else None]
    if rest.strip():  # what matched last is the name of the next property
        value = value[: value.rfind(b"\n") + 1] or value
    return value


def _surely_clean(data: bytes, label: str, mask: Mask) -> bool:
    possible = getattr(mask, "possible", None)
    if possible is None or not charset.transparent(data, label):
        return False
    if b"://" in data or b"quoted-printable" in data.lower():
        return False
    whole = _RAW_FOLD.sub(b"", data)
    return not possible(whole) and not obfuscated.possible(whole, mask)


def _masked(text: str, mask: Mask) -> str:
    lines = list(_content_lines(text))
    hides = obfuscated.possible(_FOLD.sub("", text).encode("utf-8", "replace"), mask)
    change = partial(_uncovered, mask=mask) if hides else mask
    return "".join([_masked_line(line, change) for line in lines])


def _uncovered(text: str, mask: Mask) -> str:
    """Mask what stands in clear, and what does not."""
    return obfuscated.masked(mask(text), mask)


def _content_lines(text: str) -> Iterator[str]:
    """Give each content line with its folds and its end."""
    pieces: list[str] = []
    soft = quoted = False
    for match in _LINE.finditer(text):
        line = match[0]
        if pieces and not line.startswith((" ", "\t")) and not soft:
            yield "".join(pieces)
            pieces = []
        if not pieces:
            quoted = _QUOTED.match(line) is not None
        soft = quoted and line.rstrip("\r\n").endswith("=")
        pieces.append(line)
    if pieces:
        yield "".join(pieces)


def _masked_line(line: str, mask: Mask) -> str:
    end = line[len(line.rstrip("\r\n")) :]
    content = line[: len(line) - len(end)]
    head = _QUOTED.match(content)
    if head is not None:
        return _masked_quoted(head[0], content[head.end() :], mask) + end
    whole = _FOLD.sub("", content)
    new = mask(whole)
    return line if new == whole else _folded(new, end or "\r\n") + end


def _masked_quoted(head: str, value: str, mask: Mask) -> str:
    """Mask a quoted-printable property of vCard 2.1."""
    return mask(head) + _quoted_value(head, value, mask)


def _quoted_value(head: str, value: str, change: Mask) -> str:
    """Change a quoted-printable value; the head tells its charset."""
    declared = _CHARSET.search(head)
    # vCard writers fold even here, with blanks before what follows a soft break.
    raw = re.sub(r"=\r?\n[ \t]*", "", _FOLD.sub("", value)).encode("utf-8", "surrogatepass")
    old = transfer.decoded(raw, transfer.QUOTED_PRINTABLE)
    new, _ = charset.changed(old, declared[1].lower() if declared else "", change)
    line_end = "\r\n" if "\r\n" in value else "\n"
    if new == old:
        return value
    written = transfer.encoded(raw, old, new, transfer.QUOTED_PRINTABLE)
    text = written.decode("utf-8", "surrogatepass").replace("\r\n", "\n")
    return text.replace("\n", line_end)


def _folded(content: str, line_end: str) -> str:
    """Fold a content line to 75 octets, never inside a character."""
    if content.isascii():
        first, rest = content[:_OCTETS], content[_OCTETS:]
        step = _OCTETS - 1
        lines = [first, *(rest[i : i + step] for i in range(0, len(rest), step))]
        return f"{line_end} ".join(lines)
    lines, start, size = [], 0, 0
    for at, character in enumerate(content):
        octets = len(character.encode("utf-8", "surrogatepass"))
        if size + octets > _OCTETS:
            lines.append(content[start:at])
            start, size = at, 1
        size += octets
    return f"{line_end} ".join([*lines, content[start:]])
