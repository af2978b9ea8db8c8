"""Lines of a masked body that SMTP does not carry: their parts are encoded anew.

An alias is often longer than the address whose place it takes. A line that passes 998 octets so
would be cut by Postfix, perhaps inside an alias, and after the signer. What a part
decodes to stays; but a message/* must not be encoded, so its fields are folded.
"""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

from conversation_tracker.core.base.limits import Limits, check_each, replace_spans
from conversation_tracker.core.base.octets import LARGE, Octets, iter_windows
from conversation_tracker.core.syntax import folding, transfer
from conversation_tracker.core.syntax.delimiters import Span
from conversation_tracker.core.syntax.fields import FIELD, iter_field_spans, iter_fields
from conversation_tracker.core.syntax.mime import Part, TooComplex, read_structure
from conversation_tracker.core.syntax.splicing import splice

ENCODING = b"Content-Transfer-Encoding"
"""The header field that tells how content is encoded."""

Edit = tuple[int, int, Octets]

_ALIAS = 320  # octets of an address at most
_WORD = re.compile(rb"[\s<>(),;:\"'=&?/]")


def shorten_lines(
    content_headers: Sequence[tuple[bytes, bytes]],
    body: Octets,
    before: Octets,
    alias_domain: str,
    limits: Limits,
) -> tuple[Octets, bytes | None]:
    """Encode the parts anew in which masking made a line too long.

    Args:
        content_headers: name and raw value of the message's header fields; others than Content-*
            are passed over.
        body: the masked body.
        before: the body as it came.
        alias_domain: the domain of the aliases that stand in it.
        limits: what looking may use, and where to keep a large body.

    Returns:
        The body, the same object where no line is too long; and the transfer encoding that the
        message itself must declare now, None where it stays.
    """
    spans = list(_find_long(body, limits.check))
    if not spans:
        return body, None
    known = {_digest(before, span) for span in _find_long(before, limits.check)}
    domain = re.compile(re.escape(alias_domain.encode("ascii")), re.IGNORECASE)
    ours = [span for span in check_each(spans, limits.check) if _digest(body, span) not in known]
    mine = frozenset(ours)
    wanted = [span for span in spans if span in mine or _cuts_alias(body, span, domain)]
    if not wanted:
        return body, None
    try:
        part = read_structure(content_headers, body, limits)
    except TooComplex:  # nobody reads so many parts; Postfix parts the line
        return body, None
    edits, encoding = _Shortening(body, limits, ours).edit_content(part, _LongLines(wanted))
    return replace_spans(body, edits, limits), encoding.encode("ascii") if encoding else None


class _LongLines:
    """Lines that are too long, as ascending spans without their ends."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self._starts = [start for start, _ in spans]

    def within(self, start: int, end: int) -> Sequence[Span]:
        """Return those that begin in a span."""
        return self._spans[bisect_left(self._starts, start) : bisect_left(self._starts, end)]


class _Shortening:
    """One body, and which of its lines masking made."""

    def __init__(self, body: Octets, limits: Limits, ours: Sequence[Span]) -> None:
        self._body = body
        self._limits = limits
        self._ours = _LongLines(ours)
        self._line_end = folding.find_line_end(body[:LARGE])

    def edit_content(self, part: Part, lines: _LongLines) -> tuple[list[Edit], str | None]:
        """Return the edits of a part's content, and its encoding then, None where that stays."""
        start, end = part.content
        if part.type == "multipart/signed":
            lines = self._ours
        if part.children or part.is_multipart:
            return list(self._edit_inside(part, lines)), None
        if not (long := lines.within(start, end)):
            return [], None
        if part.encoding in transfer.ARMOURS:
            return self._break_lines(long), None
        identity = part.encoding not in transfer.ENCODINGS
        if identity and part.type.startswith("message/"):
            # Nothing of that type may be encoded (RFC 2046 section 5.2); it is made of fields.
            return [(start, end, _fold(self._body[start:end]))], None
        if end - start > LARGE:
            data = transfer.decode_pieces(self._body, start, end, part.encoding)
            written = transfer.encode_base64(data, self._line_end, self._line_end)
            return [(start, end, self._limits.store(written))], transfer.BASE64
        new, encoding = transfer.encode_anew(transfer.decode(self._body[start:end], part.encoding))
        return [(start, end, new)], encoding

    def _edit_inside(self, part: Part, lines: _LongLines) -> Iterator[Edit]:
        at = part.content[0]
        for child in part.children:
            self._limits.check()
            yield from self._break_lines(lines.within(at, child.header[0]))
            yield from self._edit_part(child, lines)
            at = child.content[1]
        yield from self._break_lines(lines.within(at, part.content[1]))

    def _edit_part(self, part: Part, lines: _LongLines) -> Iterator[Edit]:
        """Yield the edits of a part, header and content."""
        start, end = part.header
        edits, encoding = self.edit_content(part, lines)
        old = self._body[start:end]
        new = _fold(old) if lines.within(start, end) else old
        if encoding is not None:
            new = _declare(new, encoding, self._line_end)
        if new is not old:
            yield start, end, new
        yield from edits

    def _break_lines(self, long: Sequence[Span]) -> list[Edit]:
        """Break lines that no reader sees, or where a line's end means nothing; no delimiters."""
        return [
            (start, end, folding.break_line(self._body[start:end], self._line_end))
            for start, end in long
            if not self._body.startswith(b"--", start)
        ]


def _find_long(data: Octets, check: Callable[[], None]) -> Iterator[Span]:
    """Yield the lines that are too long."""
    at, size = 0, len(data)
    while size - at > folding.LONGEST:
        check()
        last = data.rfind(b"\n", at, at + folding.LONGEST + 1)
        if last < 0:
            after = data.find(b"\n", at)
            last = after if after >= 0 else size
            end = last - data.endswith(b"\r", at, last)
            if end - at > folding.LONGEST:
                yield at, end
        at = last + 1


def _cuts_alias(data: Octets, span: Span, domain: re.Pattern[bytes]) -> bool:
    """Return whether Postfix would part a line within an alias.

    It puts a blank before what follows, which counts (smtp_line_length_limit).
    """
    for match in domain.finditer(data, *span):
        before = data[max(span[0], match.start() - _ALIAS) : match.start()]
        start = match.start() - len(_WORD.split(before)[-1]) - span[0]
        # The first cut behind where it begins: at 998, and each 997 further on.
        cut = max(folding.LONGEST, start + 1 + -start % (folding.LONGEST - 1))
        if cut < match.end() - span[0]:
            return True
    return False


def _digest(data: Octets, span: Span) -> bytes:
    """Identify a line, however long it is."""
    state = hashlib.blake2b(digest_size=16)
    for piece in iter_windows(data, *span):
        state.update(piece)
    return state.digest()


def _fold(block: bytes) -> bytes:
    """Fold the fields of a header block, and part whatever else stands there."""
    return b"".join(_fold_field(block[start:end]) for start, end in iter_field_spans(block))


def _fold_field(field: bytes) -> bytes:
    lines = [line.removesuffix(b"\r") for line in field.split(b"\n")]
    if max(map(len, lines)) <= folding.LONGEST:
        return field
    line_end = folding.find_line_end(field)
    match = FIELD.fullmatch(field)
    if match is None:
        return line_end.join(folding.break_line(line, line_end) for line in lines)
    value = folding.fold_header(match[1], match[3].replace(b"\r\n", b"\n"))
    return match[1] + match[2] + value.replace(b"\n", line_end) + (match[4] or b"")


def _declare(block: bytes, encoding: str, line_end: bytes) -> bytes:
    """Declare a transfer encoding in a part's header block."""
    value = encoding.encode("ascii")
    edits: list[tuple[int, int, bytes]] = []
    for field in iter_fields(block):
        match = FIELD.fullmatch(block, field.start, field.end)
        if match is not None and field.name == ENCODING.lower():
            edits.append((*match.span(3), value))
    new = splice(block, edits) if edits else ENCODING + b": " + value + line_end + block
    # What was no field so far might look like one.
    ended = (block and not block.strip()) or block.endswith((b"\n\n", b"\n\r\n"))
    return new if ended else new + line_end
