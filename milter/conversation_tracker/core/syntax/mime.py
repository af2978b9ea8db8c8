"""The MIME structure of a message, as spans into its raw body; nothing is copied or written.

What decides the structure is read as most mail programs read it (RFC 2045, 2046): a header block
ends at an empty line or before a line that is no field; a delimiter counts to the innermost
multipart that is inside all others with that boundary; a closing delimiter may be missing. A
message/rfc822 part has the message inside as its one child.

`read_structure` raises `TooComplex`, and nothing else, on any input. Its time is linear in the
body's size, times the depth.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from conversation_tracker.core.base.limits import UNLIMITED, Limits
from conversation_tracker.core.base.octets import LARGE, Octets
from conversation_tracker.core.syntax import charset, transfer
from conversation_tracker.core.syntax.contents import Contents
from conversation_tracker.core.syntax.delimiters import Span, find_delimiters, strip_line_end
from conversation_tracker.core.syntax.fields import iter_fields
from conversation_tracker.core.syntax.parameters import Parameter, get_value, parse

MAX_DEPTH = 20
"""Multiparts and messages inside each other."""
MAX_PARTS = 1_000
"""Parts of a message, those inside attached messages included."""
MAX_HEADER = 64 * 1024
"""Octets of one part's header block."""
MAX_DECODED = 64 * 1024 * 1024
"""Octets of messages inside that are transfer-encoded, once decoded, together."""
MAX_CONTENT_TYPE = 16 * 1024
"""Octets of a Content-Type value."""

MESSAGE_TYPES = frozenset({"message/rfc822", "message/global", "message/news"})
"""Types whose content is a message (RFC 2046 section 5.2.1, RFC 6532)."""

_OCTETS = "application/octet-stream"
_PDF = b"%PDF-"  # the one kind of file that may begin as text
_IDENTITY = frozenset({"", "7bit", "8bit", "binary"})
_TYPE = re.compile(r"[^\s/]+/[^\s/]+")
_TWO_SLASHES = re.compile(rb"[^;\"(]*/[^;\"(]*/")
_FIELD_LINE = re.compile(rb"[!-9;-~]{1,998}[ \t]*:")
_LIKELY_FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9\-]{0,75}:\s")
_LETTER = 8192  # octets looked at for the fields of a message
_LETTER_FIELD = re.compile(
    rb"^(from|to|cc|sender|reply-to|received|date|subject|message-id|mime-version|return-path"
    rb"|content-type|content-transfer-encoding|delivered-to):",
    re.MULTILINE | re.IGNORECASE,
)
_MAILBOX_LINE = re.compile(rb">?From ")
_ENCODING = re.compile(r"[\s\"]*([\w\-]+)")
_PAGE = re.compile(rb"html?\b", re.IGNORECASE)
_CLEAR = re.compile(r"[\w.+!#$&^\-]+/[\w.+!#$&^\-]+", re.ASCII)
_CODED = re.compile(rb"base64|uue", re.IGNORECASE)
_TELLING = (b"content-type", b"content-disposition")


class TooComplex(ValueError):
    """The structure is over a limit; the message says which."""


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME part.

    Attributes:
        header: span of its header block with the empty line; empty for the outermost part, whose
            header fields are the message's.
        content: span of its content.
        type: media type in lower case; "text/plain" where none is declared.
        charset: the declared label in lower case, "" if there is none.
        encoding: transfer encoding in lower case, "" if none is declared.
        disposition: "inline", "attachment" or another word in lower case; "" if there is none.
        name: file name as declared, decoded; "" if there is none.
        parameters: of Content-Type.
        children: parts of a multipart, or the one message of a message/rfc822.
        embedded: a message inside that is transfer-encoded (which RFC 6532 section 3.5 allows), or
            that is declared to be any file: its decoded bytes and their structure.
        doubtful: plain text by this reading, or of no type, and HTML by another one.
        contents: what was decoded of the body it stands in; None if nothing is to be kept.
    """

    header: Span
    content: Span
    type: str = "text/plain"
    charset: str = ""
    encoding: str = ""
    disposition: str = ""
    name: str = ""
    parameters: tuple[Parameter, ...] = ()
    children: tuple["Part", ...] = ()
    embedded: "tuple[Octets, Part] | None" = field(default=None, repr=False)
    doubtful: bool = False
    contents: Contents | None = field(default=None, repr=False, compare=False)

    def decode(self, body: Octets) -> bytes:
        """Return the content without its transfer encoding; `body` is what it stands in."""
        if self.contents is None:
            return transfer.decode(body[slice(*self.content)], self.encoding)
        return self.contents.decode(body, self.content, self.encoding)

    def store(self, body: Octets, limits: Limits = UNLIMITED) -> Octets:
        """Return the same of a large part, which is decoded once and stored for as long.

        Args:
            body: what it stands in.
            limits: where to store it, if nothing is to be kept.
        """
        if self.contents is None:
            return limits.store(transfer.decode_pieces(body, *self.content, self.encoding))
        return self.contents.store(body, self.content, self.encoding)

    @property
    def is_multipart(self) -> bool:
        """Whether the type is a multipart, with parts in it or not."""
        return self.type.startswith("multipart/")

    @property
    def is_message(self) -> bool:
        """Whether the content is a message."""
        return self.type in MESSAGE_TYPES

    def walk(self) -> Iterator["Part"]:
        """Yield this part and all inside it, except what is in `embedded`, in order."""
        yield self
        for child in self.children:
            yield from child.walk()

    def walk_leaves(self) -> Iterator["Part"]:
        """Yield the parts that are no multiparts; an attached message is one of them."""
        if self.is_message and (self.name or self.disposition == "attachment" or self.embedded):
            yield self
        elif self.children or self.is_multipart:
            for child in self.children:
                yield from child.walk_leaves()
        else:
            yield self


def read_structure(
    content_headers: Sequence[tuple[bytes, bytes]], body: Octets, limits: Limits = UNLIMITED
) -> Part:
    """Read the structure of a message.

    Args:
        content_headers: name and raw value of the message's header fields; others than Content-*
            are passed over.
        body: the raw body, with LF or CRLF.
        limits: where to keep large messages inside that are encoded.

    Returns:
        The outermost part, whose content is the whole body.

    Raises:
        TooComplex: it is over one of this module's limits.
    """
    return _Reader(body, limits).read_part((0, 0), (0, len(body)), content_headers, "text/plain", 0)


class _Reader:
    """Reads one body; counts its parts together with those of the bodies around it."""

    def __init__(self, body: Octets, limits: Limits, count: int = 0, decoded: int = 0) -> None:
        self.body = body
        self.contents = Contents(body, limits)
        self.limits = limits
        self.decoded = decoded
        self.count = count

    def read_part(
        self,
        header: Span,
        content: Span,
        found: Sequence[tuple[bytes, bytes]],
        default: str,
        depth: int,
    ) -> Part:
        self.limits.check()
        self.count += 1
        if self.count > MAX_PARTS:
            raise TooComplex(f"more than {MAX_PARTS} MIME parts")
        declared = _Declared(found, default)
        if declared.type in MESSAGE_TYPES and self._is_file(content, declared.encoding):
            declared.type = _OCTETS
        multipart = declared.type.startswith("multipart/")
        message = declared.type in MESSAGE_TYPES
        stray = not (multipart or message) and self._is_letter(content, declared)
        if (multipart or message) and depth >= MAX_DEPTH:
            raise TooComplex(f"MIME parts nested deeper than {MAX_DEPTH}")
        children: tuple[Part, ...] = ()
        embedded = None
        if multipart:
            children = tuple(self._read_parts(content, declared, depth + 1))
            if not children and content[0] < content[1]:
                embedded = self._read_encoded_parts(content, found, declared, depth)
                encoded = declared.encoding in transfer.ENCODINGS
                if embedded is None and (encoded or self._is_file(content, declared.encoding)):
                    declared.type = _OCTETS
                    stray = self._is_letter(content, declared)
        if embedded is None and stray and depth < MAX_DEPTH:
            embedded = self._read_letter(content, declared.encoding, depth + 1)
        elif message and declared.encoding in _IDENTITY:
            children = (self._read_with_header(content, "text/plain", depth + 1),)
        elif message:
            embedded = self._read_inner_message(content, declared.encoding, depth + 1)
        return Part(
            header,
            content,
            declared.type,
            get_value(declared.parameters, "charset").strip().lower(),
            declared.encoding,
            declared.disposition,
            declared.name,
            declared.parameters,
            children,
            embedded,
            declared.doubtful,
            self.contents,
        )

    def _read_with_header(self, span: Span, default: str, depth: int) -> Part:
        """Read a part that begins with its own header block."""
        start, end = span
        middle = self._find_header_end(start, end)
        found = [(f.name, f.value) for f in iter_fields(self.body[start:middle])]
        return self.read_part((start, middle), (middle, end), found, default, depth)

    def _is_letter(self, span: Span, declared: "_Declared") -> bool:
        """Return whether a file of no declared type is a message, as those saved to disk are."""
        if declared.type != _OCTETS:
            return False
        start, end = span[0], min(span[1], span[0] + _LETTER)
        data = transfer.decode(self.body[start:end], declared.encoding)
        known = {match[1].lower() for match in _LETTER_FIELD.finditer(data)}
        return len(known) > 1 and _FIELD_LINE.match(data.lstrip()) is not None

    def _is_file(self, span: Span, encoding: str) -> bool:
        """Return whether what should be a message is a file, as some programs attach one.

        It begins with no field, and holds what no text does; no encoding is allowed for it either
        (RFC 2045 section 6.4). What stands in clear before base64 is what many programs show.
        """
        raw = self.body[span[0] : min(span[1], span[0] + _LETTER)]
        data = transfer.decode(raw, encoding)
        bare = data.lstrip()
        if _FIELD_LINE.match(bare) is not None or _MAILBOX_LINE.match(bare) is not None:
            return False
        if not (bare.startswith(_PDF) or charset.is_no_text(data)):
            return False
        clear = next(transfer.find_clear_lines(raw, encoding), None)
        return clear is None or bool(raw[: clear[0]].strip())

    def _read_encoded_parts(
        self,
        span: Span,
        found: Sequence[tuple[bytes, bytes]],
        declared: "_Declared",
        depth: int,
    ) -> tuple[Octets, Part] | None:
        """Read the parts of a multipart that is encoded, which no program should write."""
        if declared.encoding not in transfer.ENCODINGS:
            return None
        fields = [each for each in found if each[0].lower() != b"content-transfer-encoding"]

        def read(inner: "_Reader", whole: Span) -> Part:
            return inner.read_part((0, 0), whole, fields, declared.type, depth + 1)

        before = self.count, self.decoded
        data, part = self._read_inside(span, declared.encoding, read)
        if part.children:
            return data, part
        self.count, self.decoded = before
        return None

    def _read_letter(self, span: Span, encoding: str, depth: int) -> tuple[Octets, Part] | None:
        """Read a file that begins as a message; None where it goes on as none that anybody reads.

        It is text like any other then, as a log that is full of header fields. What may have files
        in it is no such text.
        """
        before = self.count, self.decoded
        try:
            return self._read_inner_message(span, encoding, depth)
        except TooComplex:
            data = self.contents.store(self.body, span, encoding)
            if _CODED.search(data) is not None:
                raise
            self.count, self.decoded = before
            return None

    def _read_inner_message(self, span: Span, encoding: str, depth: int) -> tuple[Octets, Part]:
        def read(inner: "_Reader", whole: Span) -> Part:
            return inner._read_with_header(whole, "text/plain", depth)

        return self._read_inside(span, encoding, read)

    def _read_inside(
        self, span: Span, encoding: str, read: Callable[["_Reader", Span], Part]
    ) -> tuple[Octets, Part]:
        """Read what is encoded, with the parts in it."""
        self.limits.check()
        if span[1] - span[0] > LARGE:
            data = self.contents.store(self.body, span, encoding)
        else:
            data = transfer.decode(self.body[slice(*span)], encoding)
        self.decoded += len(data)
        if self.decoded > MAX_DECODED:
            raise TooComplex(f"messages inside of more than {MAX_DECODED} octets")
        inner = _Reader(data, self.limits, self.count, self.decoded)
        part = read(inner, (0, len(data)))
        self.count, self.decoded = inner.count, inner.decoded
        return data, part

    def _read_parts(self, span: Span, declared: "_Declared", depth: int) -> Iterator[Part]:
        boundary = next((p.raw for p in declared.parameters if p.name == "boundary"), b"")
        delimiters = find_delimiters(self.body, span, boundary.rstrip(), MAX_PARTS, self.limits)
        default = "message/rfc822" if declared.type == "multipart/digest" else "text/plain"
        opened = -1
        for start, end, closing in delimiters:
            if opened >= 0:
                yield self._read_with_header(
                    (opened, strip_line_end(self.body, opened, start)), default, depth
                )
            opened = end
            if closing:
                return
        if 0 <= opened < span[1]:
            yield self._read_with_header((opened, span[1]), default, depth)

    def _find_header_end(self, start: int, end: int) -> int:
        """Find where the content begins after a header block."""
        at = start
        for kind, line, following in self._split_header_lines(start, end):
            if kind == "empty":
                return following
            if kind == "other":
                return self._find_resumption(line, end) if line > start else line
            at = following
        return at

    def _find_resumption(self, start: int, end: int) -> int:
        """Judge a stray line after fields: part of the block if more fields follow it."""
        fields_follow = False
        for kind, line, following in self._split_header_lines(start, min(end, start + MAX_HEADER)):
            if kind == "empty":
                return following if fields_follow else start
            fields_follow = fields_follow or _LIKELY_FIELD.match(self.body, line) is not None
        return start

    def _split_header_lines(self, start: int, end: int) -> Iterator[tuple[str, int, int]]:
        """Yield each line's kind ("field", "empty", "other"), start, and where the next begins."""
        body, at = self.body, start
        while at < end:
            line_end = body.find(b"\n", at, end)
            following = line_end + 1 if line_end >= 0 else end
            folded = at > start and body.startswith((b" ", b"\t"), at)
            mailbox = at == start and _MAILBOX_LINE.match(body, at, end)
            if body.startswith((b"\n", b"\r\n"), at):
                yield "empty", at, min(following, end)
            elif folded or mailbox or _FIELD_LINE.match(body, at, following):
                if following - start > MAX_HEADER:
                    raise TooComplex(f"a part's header over {MAX_HEADER} octets")
                yield "field", at, following
            else:
                yield "other", at, following
            at = following


class _Declared:
    """What a part's Content-* fields say; the first of each name counts."""

    def __init__(self, found: Sequence[tuple[bytes, bytes]], default: str) -> None:
        first: dict[bytes, bytes] = {}
        for name, value in found:
            first.setdefault(name.lower(), value)
        written = first.get(b"content-type")
        self.type, self.parameters = (
            (default, ()) if written is None else _read_content_type(written)
        )
        encoding = first.get(b"content-transfer-encoding", b"").decode("latin-1")
        match = _ENCODING.match(encoding)
        self.encoding = match[1].lower() if match else ""
        self.disposition, disposed = parse(first.get(b"content-disposition", b""))
        self.name = get_value(disposed, "filename") or get_value(self.parameters, "name")
        # A comment before the type, a second field or a second name: programs choose otherwise.
        plain = self.type == "text/plain" or _CLEAR.fullmatch(self.type) is None
        self.doubtful = plain and any(
            _PAGE.search(value) for name, value in found if name.lower() in _TELLING
        )


def _read_content_type(value: bytes) -> tuple[str, tuple[Parameter, ...]]:
    if len(value) > MAX_CONTENT_TYPE:
        raise TooComplex(f"a Content-Type over {MAX_CONTENT_TYPE} octets")
    media, found = parse(value)
    if _TYPE.fullmatch(media) and not _TWO_SLASHES.match(value):
        return media, found
    # Programs that ask for the first half only take the parts apart all the same.
    return ("multipart/mixed" if media.partition("/")[0] == "multipart" else "text/plain"), found
