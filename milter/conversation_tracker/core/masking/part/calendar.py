r"""Calendar objects and vCards: content lines, unfolded, masked, and folded again if they changed.

A content line may be folded anywhere, inside an address too (RFC 5545 section 3.1, RFC 6350
section 3.2). vCard 2.1 also has quoted-printable values, whose soft line breaks are not indented.
Every line that holds nothing to mask stays byte for byte. Which properties there are does not
matter: an address is masked wherever it stands. Nothing here raises.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from conversation_tracker.core.masking.address.mask import FunctionMask, Mask, Masker
from conversation_tracker.core.masking.address.reading import Reading, apply_edits
from conversation_tracker.core.masking.address.unmask import Unmasker
from conversation_tracker.core.masking.part import content_lines
from conversation_tracker.core.masking.part.content_lines import (
    IDENTIFIERS,
    PARAMETER,
    PEOPLE,
    PROPERTY,
    QUOTED,
    THEIRS,
)
from conversation_tracker.core.masking.text import absence, obfuscated
from conversation_tracker.core.model.address import Address
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

_BEGINNING = 512  # octets in which an object of any kind has begun
_LONG = 200  # characters of a line that is asked by itself: most have a link in it, or an escape
_OCTETS = 75  # RFC 5545 section 3.1, the line end not counted
_FOLD = re.compile(r"(?:\r\r\n|\r\n|\n)[ \t]")
_SOFT = re.compile(r"=\r{0,2}\n[ \t]*")
_SOFT_BREAK = re.compile(r"=[ \t]{0,8}\r{0,2}\n")
_SOFT_FOLD = re.compile(r"=\r{0,2}\n[ \t]")
# What follows a soft break may be read as it stands, or as folded.
_BREAK_OR_FOLD = re.compile(r"=[ \t]{0,8}\r{0,2}\n|\r{0,2}\n[ \t]")
_FOLD_OR_BREAK = re.compile(r"(?:=[ \t]{0,8})?\r{0,2}\n[ \t]|=[ \t]{0,8}\r{0,2}\n")
_RAW_FOLD = re.compile(rb"(?:\r\r\n|\r\n|\n)[ \t]|=(?:\r\r\n|\r\n|\n)")
_IN_FOLDS = b"=\r\n \t"
_BETWEEN = absence.BETWEEN.decode("ascii")
_PEOPLE_LINE = re.compile(r"(?:ATTENDEE|ORGANIZER|CALENDAR-ADDRESS)[:;]", re.IGNORECASE)
_OBJECT = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,20}BEGIN:V(?:CALENDAR|CARD)\b", re.IGNORECASE)
_CALENDAR = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,20}BEGIN:VCALENDAR\b", re.IGNORECASE)
_NAME = "CN"
_VALUES = re.compile(r"\"[^\"]*+\"|[^,\"]++")
_MAILTO = re.compile(r"[\s\"']*+(?:mailto|smtp):", re.IGNORECASE)
_ITEM = re.compile(r"((?>(?:[^\",]++|\"[^\"]*+\")+))")
_CHARSET = re.compile(r";\s*+CHARSET=\"?([^\s;:\"]{1,40})", re.IGNORECASE)


def has_content_lines(data: bytes) -> bool:
    """Return whether content begins as a calendar object or vCard does, whatever its type says."""
    return _OBJECT.match(_narrow(data)) is not None


def mask_calendar(
    data: bytes, label: str, mask: Mask, *, method: bool = False
) -> tuple[bytes, str]:
    """Mask content lines.

    Args:
        data: the content, without its transfer encoding.
        label: the declared charset, "" if there is none.
        mask: gives the text with addresses replaced; asked first if it has `possible`. If it has
            `calendar_id`, as `View` has, this gives what a UID becomes.
        method: the part declares a method; else each object says whether it has one.

    Returns:
        The content, the same object if nothing changed, and the charset it is in.
    """
    whole = content_lines.mend(data)
    new, new_label = _change(whole, label, mask, method=method)
    return (data, label) if new is whole else (new, new_label)


def _change(data: bytes, label: str, mask: Mask, *, method: bool) -> tuple[bytes, str]:
    goes = mask.attendee_goes
    if goes is not None:
        data, label = charset.change_text(data, label, partial(_remove_attendees, goes=goes))
    if _may_identify(data, label, method=method):
        identify = partial(_identify, change=mask.calendar_id, method=method)
        data, label = charset.change_text(data, label, identify)
    if _is_clean(data, label, mask):
        return data, label
    return charset.change_text(data, label, partial(_mask_text, mask=mask))


def is_calendar(data: bytes) -> bool:
    """Return whether content begins as a calendar object does, whatever its type says."""
    return _CALENDAR.match(_narrow(data)) is not None


def _narrow(data: bytes) -> bytes:
    """Return how data begins, as ASCII if that is UTF-16 or UTF-32."""
    head = data[:_BEGINNING]
    return head.replace(b"\0", b"").lstrip(b"\xff\xfe") if b"\0" in head else head


def show_reader(text: str, unmasker: Unmasker) -> str:
    """Show a calendar's reader their own address where it says who takes part.

    Args:
        text: content lines.
        unmasker: the reader's.

    Returns:
        The text, with their address as organiser and attendee and in what is said of these
        (RFC 5545 section 3.2, RFC 7986 section 6.2); nowhere else, and in no other link.
    """
    return "".join([_show_line(line, unmasker) for line in content_lines.iter_lines(text)])


def _show_line(line: str, unmasker: Unmasker) -> str:
    end = line[len(line.rstrip("\r\n")) :]
    whole = _FOLD.sub("", line[: len(line) - len(end)])
    found = PROPERTY.fullmatch(whole)
    if found is None:
        return line
    people = found["name"].rpartition(".")[2].upper() in PEOPLE
    head = PARAMETER.sub(
        lambda one: f";{one[1]}={_show_parameter(one[1].upper(), one[2], unmasker, people=people)}",
        found["parameters"],
    )
    head, value = f"{found['name']}{head}:", found["value"]
    quoted = QUOTED.match(whole) is not None
    if quoted and people:
        new = _change_quoted_value(head, value, partial(_show_address, unmasker=unmasker))
    else:
        new = _show_address(value, unmasker) if people else value
    if head + new == whole:
        return line
    return head + new + end if quoted else _fold(head + new, end or "\r\n") + end


def _show_parameter(name: str, value: str, unmasker: Unmasker, *, people: bool) -> str:
    if '"' in unmasker.own:  # which no parameter may hold (RFC 5545 section 3.2)
        return value
    if name in THEIRS:
        items = _ITEM.split(value)
        return "".join(
            [_show_address(each, unmasker) if n % 2 else each for n, each in enumerate(items)]
        )
    return unmasker(value) if people and name == _NAME else value


def _show_address(text: str, unmasker: Unmasker) -> str:
    """Show what names one by their address: with `mailto:` before it, or without."""
    found = _MAILTO.match(text)
    at = found.end() if found else 0
    new = unmasker(text[at:])
    if "%40" in new and new == text[at:]:
        # Nothing else of it is decoded: a line end in a link would begin a line.
        plain = new.replace("%40", "@", 1)
        shown = unmasker(plain)
        return text if shown == plain else text[:at] + shown
    return text[:at] + new


def has_method(data: bytes, label: str) -> bool:
    """Return whether a calendar object in the content has a method."""
    return content_lines.has_method(charset.decode_text(content_lines.mend(data), label))


def _may_identify(data: bytes, label: str, *, method: bool) -> bool:
    """Return, cheaply, whether a UID, or what relates to one, may stand in an invitation."""
    if not charset.is_transparent(data, label):
        return True
    upper = data.translate(None, _IN_FOLDS).upper()
    invites = method or b"METHOD" in upper
    return invites and (b"UID" in upper or b"RELATED-TO" in upper)


def _identify(text: str, change: Callable[[str], str], *, method: bool) -> str:
    """Change the identifiers of objects that have a method; the same text if none changes."""
    found = {
        number: whole
        for each in content_lines.iter_invitations(text, method=method)
        for whole, number in each
        if content_lines.read_name(whole) in IDENTIFIERS
    }
    if not found:
        return text
    return "".join(
        [
            _identify_line(line, found[number], change) if number in found else line
            for number, line in enumerate(content_lines.iter_lines(text))
        ]
    )


def _identify_line(line: str, whole: str, change: Callable[[str], str]) -> str:
    parts = PROPERTY.fullmatch(whole)
    if parts is None or QUOTED.match(whole) is not None:
        return line
    value = parts["value"]
    new = change(value)
    if new == value:
        return line
    end = line[len(line.rstrip("\r\n")) :]
    return _fold(whole[: parts.start("value")] + new, end or "\r\n") + end


def _remove_attendees(text: str, goes: Callable[[Address], bool]) -> str:
    """Remove the lines of attendees who go, and of other lines the parameters that name them.

    Organisers, too, where a message names more than can join: a program may answer any of them.
    """
    lines = list(content_lines.iter_lines(text))
    left = [_remove_from_line(line, goes) for line in lines]
    return "".join(left) if left != lines else text


def _remove_from_line(line: str, goes: Callable[[Address], bool]) -> str:
    if line[:1] not in "AaCcOo":
        return line
    end = line[len(line.rstrip("\r\n")) :]
    whole = _FOLD.sub("", line[: len(line) - len(end)])
    if _PEOPLE_LINE.match(whole) is None:
        return line
    about = content_lines.find_subject(whole)
    if about is not None and goes(about):
        return ""
    found = PROPERTY.fullmatch(whole)
    if found is None:
        return line
    parameters = PARAMETER.sub(partial(_remove_from_parameter, goes=goes), found["parameters"])
    if parameters == found["parameters"]:
        return line
    new = f"{found['name']}{parameters}:{found['value']}"
    return new + end if QUOTED.match(whole) else _fold(new, end or "\r\n") + end


def _remove_from_parameter(one: re.Match[str], goes: Callable[[Address], bool]) -> str:
    if one[1].upper() not in THEIRS:
        return one[0]
    values = _VALUES.findall(one[2])
    left = [value for value in values if not _is_gone(value, goes)]
    if len(left) == len(values):
        return one[0]
    return f";{one[1]}={','.join(left)}" if left else ""


def _is_gone(value: str, goes: Callable[[Address], bool]) -> bool:
    return any(map(goes, content_lines.read_addresses(value)))


def _is_clean(data: bytes, label: str, mask: Mask) -> bool:
    if not charset.is_transparent(data, label):
        return False
    if b"://" in data or b"=?" in data or b"quoted-printable" in data.lower():
        return False
    whole = _RAW_FOLD.sub(b"", data).replace(b"\\;", b";").replace(b"\\,", b",")
    return not mask.possible(whole) and not obfuscated.possible(whole, mask)


def _mask_text(text: str, mask: Mask) -> str:
    hides = "=?" in text
    hides = hides or obfuscated.possible(content_lines.show(text).encode("utf-8", "replace"), mask)
    change = FunctionMask(partial(_mask_readings, mask=mask)) if hides else mask
    if mask.thorough:  # of what is only called a calendar, an address may stand in two lines
        text = change(text)
    lines = list(content_lines.iter_lines(text))
    plain = _find_plain(lines, mask) if hides else set[int]()
    new = "".join(
        [line if n in plain else _mask_line(line, change) for n, line in enumerate(lines)]
    )
    new = _mask_soft_breaks(new, mask) if _SOFT_BREAK.search(new) is not None else new
    return content_lines.mask_carets(new, mask.finder) if "^" in new else new


def _mask_soft_breaks(text: str, mask: Mask) -> str:
    """Mask what soft line breaks cut in properties that do not declare quoted-printable."""
    finder = mask.finder
    if finder is None or not _may_cross_breaks(text, finder):
        return text
    for breaks in (_BREAK_OR_FOLD, _FOLD_OR_BREAK):
        reading = Reading(text, [(*match.span(), "") for match in breaks.finditer(text)])
        found = finder.hits(reading.text)
        text = apply_edits(text, [(*reading.span(start, end), new) for start, end, new in found])
    return text


def _may_cross_breaks(text: str, finder: Masker) -> bool:
    """Return, cheaply, whether a domain may stand in a text without its breaks and folds."""
    return finder.may_change(text.encode("utf-8", "surrogatepass").translate(None, _IN_FOLDS))


def _mask_readings(text: str, mask: Mask) -> str:
    """Mask what stands in clear, and what does not."""
    return obfuscated.mask_words(obfuscated.mask_obfuscations(mask(text), mask), mask)


def _find_plain(lines: Sequence[str], mask: Mask) -> set[int]:
    """Return the numbers of lines that surely name nobody, as most do in a calendar that may."""
    some = [
        number
        for number, line in enumerate(lines)
        if QUOTED.match(line) is None and not mask.possible(line.encode("utf-8", "surrogatepass"))
    ]
    short = [number for number in some if len(lines[number]) < _LONG]
    long = (number for number in some if len(lines[number]) >= _LONG)
    return {
        *_iter_plain(short, lines, mask),
        *(
            number
            for number in long
            if absence.text_names_nobody(content_lines.show(lines[number]), mask)
        ),
    }


def _iter_plain(some: list[int], lines: Sequence[str], mask: Mask) -> Iterator[int]:
    """Yield those of some lines that surely name nobody: they are asked together, then in halves.

    To ask of two costs little more than of one.
    """
    joined = _BETWEEN.join([lines[number] for number in some])
    if absence.text_names_nobody(content_lines.show(joined), mask):
        yield from some
    elif len(some) > 1:
        half = len(some) // 2
        yield from _iter_plain(some[:half], lines, mask)
        yield from _iter_plain(some[half:], lines, mask)


def _mask_line(line: str, mask: Mask) -> str:
    end = line[len(line.rstrip("\r\n")) :]
    content = line[: len(line) - len(end)]
    head = QUOTED.match(content)
    if head is not None:
        return _mask_quoted_value(head[0], content[head.end() :], mask) + end
    whole = _FOLD.sub("", content)
    new = mask(whole)
    new = content_lines.change_shown(new, mask)
    return line if new == whole else _fold(new, end or "\r\n") + end


def _mask_quoted_value(head: str, value: str, mask: Mask) -> str:
    """Mask a quoted-printable property of vCard 2.1."""
    return mask(head) + _change_quoted_value(head, value, mask)


def _change_quoted_value(head: str, value: str, change: Callable[[str], str]) -> str:
    """Change a quoted-printable value; its parameters say in which charset it is.

    vCard writers fold even here, with blanks before what follows a soft break, that others read.
    """
    new = _change_quoted_reading(head, value, change, _SOFT_BREAK)
    return _change_quoted_reading(head, new, change, _SOFT) if _SOFT_FOLD.search(new) else new


def _change_quoted_reading(
    head: str, value: str, change: Callable[[str], str], soft: re.Pattern[str]
) -> str:
    declared = _CHARSET.search(head)
    raw = _FOLD.sub("", soft.sub("", value)).encode("utf-8", "surrogatepass")
    old = transfer.decode(raw, transfer.QUOTED_PRINTABLE)
    new, _ = charset.change_text(old, declared[1].lower() if declared else "", change)
    line_end = "\r\n" if "\r\n" in value else "\n"
    if new == old:
        return value
    written = transfer.encode(raw, old, new, transfer.QUOTED_PRINTABLE)
    text = written.decode("utf-8", "surrogatepass").replace("\r\n", "\n")
    return text.replace("\n", line_end)


def _fold(content: str, line_end: str) -> str:
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
