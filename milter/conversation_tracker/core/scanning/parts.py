"""The parts of a message, as the final scan walks through them: its own reading of the structure.

It is more lenient than the reading that masks (`syntax.mime`), and shares nothing with it: what one
of the two does not take for a part, the other may. Nothing here raises.
"""

import re
from collections.abc import Hashable, Iterable
from copy import copy
from dataclasses import dataclass, replace

from conversation_tracker.core.base.octets import Octets

MOST = 3_000
"""Parts of a message that are read as such."""

_HEADER = 256 * 1024
_HEADER_END = re.compile(rb"\n\r?\n")
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)", re.MULTILINE)
_PARAMETER = rb"%s\*?[ \t]*=[ \t\r\n]*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;\"]+))"
_BOUNDARY = re.compile(_PARAMETER % rb"boundary", re.IGNORECASE)
_CHARSET = re.compile(_PARAMETER % rb"charset", re.IGNORECASE)
_DELSP = re.compile(_PARAMETER % rb"delsp", re.IGNORECASE)
_GUESS = re.compile(
    rb"^--(\S(?:[^\r\n]{0,198}?(?:[^ \t\r\n]|[ \t](?=--)))??)(?:--)?(?>[ \t]*)\r?$", re.MULTILINE
)
# In lower case, as ignoring case takes twice as long. Written to begin with the line end before it:
# so it is found at many times the speed.
_KNOWN_FIELD = re.compile(
    rb"\n(?:from|to|cc|sender|re(?:ply-to|ceived|turn-path)|date|subject|m(?:essage-id|ime-version)"
    rb"|content-t(?:ype|ransfer-encoding)|delivered-to):"
)
_NEXT_IN_MAILBOX = re.compile(rb"\nFrom [^\n]*\n(?=[!-9;-~]+[ \t]*:)")
_DELIMITER_END = re.compile(rb"(--)?(?>[ \t\r]*)(?:\Z|(?=\n))")
_MEDIA = re.compile(rb"[\s\"]*([\w.+!#$&^-]+/[\w.+!#$&^-]+)(?!\s*/)")
_MULTIPART = re.compile(rb"[\s\"]*multipart\b", re.IGNORECASE)
_ENCODING = re.compile(rb"[\w-]+")
_PAGE = re.compile(rb"html?\b", re.IGNORECASE)
_TELLING = (b"content-type", b"content-disposition")
_MESSAGES = ("message/rfc822", "message/global", "message/news")


@dataclass(slots=True)  # not frozen: there are many, and that would take several times as long
class Entity:
    """A part still to be looked at: a span of some bytes.

    Attributes:
        data: the bytes.
        start: where the part begins in them.
        end: where it ends.
        default: its type, where it declares none.
        depth: how many parts are around it.
        inside: what the names of places in it begin with.
        declared: what it is declared to be, where that does not stand in its beginning.
        seen_as: as what its content was looked at already, as the end of what is around it.
        told: how many messages around it, itself among them, are known by their beginnings alone.
    """

    data: Octets
    start: int
    end: int
    default: str = "text/plain"
    depth: int = 0
    inside: str = ""
    declared: "Declared | None" = None
    seen_as: frozenset[Hashable] = frozenset()
    told: int = 0

    @property
    def content(self) -> int:
        """Find where its content begins, after its header block."""
        data, start, end = self.data, self.start, min(self.end, self.start + _HEADER)
        if not start or data[start - 1 : start] == b"\n":
            for line in (b"\n", b"\r\n"):
                if data.startswith(line, start, end):
                    return start + len(line)
        found = _HEADER_END.search(data, start, end)
        return found.end() if found is not None else end


class Declared:
    """What the Content-* fields of a part say; the first of each name counts.

    Attributes:
        markup: some program or other may read it as HTML or XML.
    """

    def __init__(self, fields: Iterable[tuple[bytes, bytes]], default: str) -> None:
        first: dict[bytes, bytes] = {}
        page = False  # it calls itself one
        for name, value in fields:
            key = name.lower()
            first.setdefault(key, value)
            page = page or (key in _TELLING and _PAGE.search(value) is not None)
        self.value = first.get(b"content-type", b"")
        media = _MEDIA.match(self.value)
        self.type = media[1].decode("ascii", "replace").lower() if media else default
        if media is None and _MULTIPART.match(self.value):
            self.type = "multipart/mixed"
        self.markup = self.type.endswith(("html", "xml")) or (page and self.type == "text/plain")
        encoding = _ENCODING.search(first.get(b"content-transfer-encoding", b""))
        self.encoding = encoding[0].lower() if encoding else b""

    @classmethod
    def of(cls, block: bytes, default: str) -> "Declared":
        """Read a header block; `default` is the type of a part that declares none."""
        return cls(_FIELD.findall(block), default)

    @property
    def is_message(self) -> bool:
        """Whether the content is a message."""
        return self.type in _MESSAGES

    def as_octets(self) -> "Declared":
        """Return the same as a file of no declared type."""
        told = Declared([], "application/octet-stream")
        told.encoding = self.encoding
        return told

    def decoded(self) -> "Declared":
        """Return the same of content that was decoded."""
        told = copy(self)
        told.encoding = b""
        return told

    @property
    def charset(self) -> str:
        """Return the declared charset, "" if there is none."""
        return self._parameter(_CHARSET).decode("latin-1")

    @property
    def delsp(self) -> bool:
        """Whether blanks at the end of flowed lines are no part of the text (RFC 3676)."""
        return b"delsp" in self.value.lower() and self._parameter(_DELSP).lower() == b"yes"

    @property
    def boundary(self) -> bytes:
        """Return the boundary of a multipart, b"" if it is not declared."""
        return self._parameter(_BOUNDARY).replace(b"\\", b"").rstrip()

    def _parameter(self, wanted: re.Pattern[bytes]) -> bytes:
        match = wanted.search(self.value) if self.value else None
        return (match[1] or match[2] or b"") if match else b""


def is_message(data: Octets, start: int = 0, end: int | None = None) -> bool:
    """Return whether a file, or a span of one, is a message, whatever its type says."""
    beginning = data[start : min(len(data) if end is None else end, start + 8192)]
    return b"\n" in beginning and len(_KNOWN_FIELD.findall(b"\n" + beginning.lower())) > 1


def begins_with_field(data: bytes) -> bool:
    """Return whether what should be a message begins with a header field, or as a mailbox does."""
    begin = data.lstrip()
    return begin.startswith((b"From ", b">From ")) or _FIELD.match(begin) is not None


def end_in_mailbox(part: Entity) -> Entity:
    """End a message where the next one of its mailbox begins; the same object if there is none.

    What its fields say of its content holds to there, as in any program that opens a mailbox (RFC
    4155). One that does not begins with the first message, or with one that a part holds.
    """
    mailbox = part.told > 1 or (part.told and part.data.startswith(b"From ", part.start, part.end))
    found = _NEXT_IN_MAILBOX.search(part.data, part.start, part.end) if mailbox else None
    return replace(part, end=found.start() + 1) if found is not None else part


def find_delimiters(part: Entity, boundary: bytes, start: int) -> list[tuple[int, int, bool]]:
    """Find a multipart's delimiter lines.

    Args:
        part: the multipart.
        boundary: the declared one; where no line has it, the first that looks like a delimiter is
        it.
        start: where its content begins.

    Returns:
        Start and end of each, and whether it is the last one.
    """
    lines = _search_delimiters(part, boundary, start) if boundary else []
    if not lines and (guess := _GUESS.search(part.data, start, part.end)):
        lines = _search_delimiters(part, guess[1], start)
    return lines


def _search_delimiters(part: Entity, boundary: bytes, start: int) -> list[tuple[int, int, bool]]:
    needle = b"--" + boundary
    found: list[tuple[int, int, bool]] = []
    at = 0 if start == 0 and part.data.startswith(needle) else -1
    after = max(0, start - 1)
    while len(found) <= MOST:
        if at < 0:
            at = part.data.find(b"\n" + needle, after, part.end) + 1
            if not at:
                break
        after = at + len(needle)
        if match := _DELIMITER_END.match(part.data, after, part.end):
            closing = match[1] is not None
            found.append((at, min(match.end() + 1, part.end), closing))
            if closing:
                break
        at = -1
    return found


def strip_line_end(data: Octets, first: int, end: int) -> int:
    """Take off the line end that belongs to a delimiter (RFC 2046 section 5.1.1)."""
    for line_end in (b"\r\n", b"\n"):
        if data.endswith(line_end, first, end):
            return end - len(line_end)
    return end
