"""What of a header field may leave in which the final scan finds an address that masking did not.

The two are written apart, so each may know a reading that the other does not. That is no reason to
refuse a message: the field is written anew so that nobody reads it otherwise, or is cut. Fields of
parts as well, and what stands before and behind these. Nothing here raises but what limits raise.
"""

import re
from collections.abc import Collection, Iterator, Sequence

from conversation_tracker.core.base.header_names import ADDRESS_HEADERS, IDENTIFYING
from conversation_tracker.core.base.limits import Limits, replace_spans
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.model.address import find_mailboxes
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning.scan import Scanner
from conversation_tracker.core.syntax import folding, parameters
from conversation_tracker.core.syntax.encoded_words import decode_words, encode_words
from conversation_tracker.core.syntax.fields import FIELD, iter_field_spans
from conversation_tracker.core.syntax.mime import Part
from conversation_tracker.core.syntax.splicing import splice

_WITH_PARAMETERS = (b"content-type", b"content-disposition")
_NEEDED = (*_WITH_PARAMETERS, b"content-transfer-encoding")  # to read the part
_NEVER_CUT = (b"from", b"content-type")  # without these a message is another one
_LENGTHS = (75, 72, 68, 63, 57, 48)  # of encoded words: one of them parts no address
_FEW = 8192  # octets of lines that are no fields
_IDENTIFIER = re.compile(rb"<[^<>\s]*>")
_FIRST_WORD = re.compile(rb"[ \t\r\n]*([\w./:+-]+)")


class LeakingFields:
    """Cuts out of a copy's fields what shows anybody but its reader.

    Args:
        scanner: looks for everybody who takes part.
        own: token of whose address may be shown: the reader's, None if nobody's.
    """

    def __init__(self, scanner: Scanner, own: str | None) -> None:
        self._scanner = scanner
        self._own = own

    def cut_fields(
        self, headers: Sequence[Header], values: Sequence[bytes | None]
    ) -> list[bytes | None]:
        """Return the values that may leave.

        Args:
            headers: the message's header fields.
            values: what they have become; None is one that goes.
        """
        return [
            None if value is None else self._cut(header.name, value)
            for header, value in zip(headers, values, strict=True)
        ]

    def cut_parts(self, part: Part, body: Octets, limits: Limits) -> Octets:
        """Return a body whose parts' fields may leave, and what is beside the parts.

        Args:
            part: the structure of the body.
            body: the body, masked.
            limits: what looking may use, and where to keep a large body.
        """
        edits: list[tuple[int, int, Octets]] = []
        for each in part.walk():
            limits.check()
            edits += self._cut_block(body, *each.header)
            if each.is_multipart and each.children:
                edits += self._cut_beside(body, each)
        return replace_spans(body, sorted(edits, key=lambda edit: edit[:2]), limits)

    def _shows(self, name: bytes, value: bytes) -> bool:
        self._scanner.limits.check()
        return bool(self._scanner.scan([Header(name, value)], b"", self._own))

    def _cut(self, name: bytes, value: bytes) -> bytes | None:
        """Return what of a value may leave; the same object if all of it, None if nothing."""
        if not self._shows(name, value):
            return value
        key = name.lower()
        for each in self._write_anew(key, value):
            written = folding.fold_header(name, folding.make_safe(each))
            if written.strip() and not self._shows(name, written):
                return written
        return value if key in _NEVER_CUT else None

    def _write_anew(self, key: bytes, value: bytes) -> Iterator[bytes]:
        """Yield other ways to write a value, that which keeps most first."""
        if key in ADDRESS_HEADERS:
            yield b",\n ".join(self._write_mailboxes(value))
        elif key in _WITH_PARAMETERS:
            yield b";\n ".join(self._write_parameters(value))
        elif key in IDENTIFYING:
            found = _IDENTIFIER.findall(value)
            yield b"\n ".join(each for each in found if not self._shows(key, each))
        elif key in folding.TEXTS or key.startswith(b"x-"):
            text = decode_words(value)
            if not self._names(text):
                yield from (encode_words(text, longest) for longest in _LENGTHS)
        elif (word := _FIRST_WORD.match(value)) is not None:
            yield word[1]

    def _write_mailboxes(self, value: bytes) -> Iterator[bytes]:
        for box in find_mailboxes(value):
            if box.address is None:
                continue
            bare = b"<" + str(box.address).encode() + b">"
            called = box.name and not self._names(box.name)
            named = encode_words(box.name) + b" " + bare if called else bare
            kept = next((each for each in (named, bare) if not self._shows(b"to", each)), None)
            if kept is not None:
                yield kept

    def _names(self, text: str) -> bool:
        """Return whether an address stands in a text, as part of a longer one, too.

        What is not seen before it may be lost where a text is written anew.
        """
        low = text.lower()
        people = self._scanner.forbidden.items()
        return any(key in low for key, token in people if token != self._own)

    def _write_parameters(self, value: bytes) -> Iterator[bytes]:
        main, found = parameters.parse(value)
        yield main.encode("utf-8", "replace")
        for each in found:
            written = parameters.render(each.name, each.value)
            if each.name == "boundary":
                written = b'boundary="' + each.raw + b'"'
            if not self._shows(b"content-type", b"text/plain; " + written):
                yield written

    def _cut_block(self, body: Octets, start: int, end: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield the edits of a part's header block; what only shows over lines goes with them."""
        if start == end:
            return
        block = body[start : _find_block_end(body, start, end)]
        if not self._shows(b"", block):
            return
        edits = list(self._cut_lines(block))
        if self._shows(b"", splice(block, edits)):
            edits = list(self._cut_lines(block, needed=_NEEDED))
        yield from ((start + first, start + last, new) for first, last, new in edits)

    def _cut_lines(
        self, block: bytes, needed: Collection[bytes] = ()
    ) -> Iterator[tuple[int, int, bytes]]:
        """Yield the edits of a block's lines, each by itself; no field but those `needed` stays."""
        for first, last in iter_field_spans(block):
            line = block[first:last]
            match = FIELD.fullmatch(line)
            if match is None:
                if line.strip() and (needed or self._shows(b"", line)):
                    yield first, last, b""
                continue
            value = match[3].replace(b"\r\n", b"\n")
            goes = bool(needed) and match[1].lower() not in needed
            kept = None if goes else self._cut(match[1], value)
            if kept is None or self._shows(b"", match[1]):
                yield first, last, b""
            elif kept is not value:
                new = kept.replace(b"\n", folding.find_line_end(block))
                yield match.start(3) + first, match.end(3) + first, new

    def _cut_beside(self, body: Octets, part: Part) -> Iterator[tuple[int, int, bytes]]:
        """Yield the edits of what stands before the first part of a multipart, and behind all."""
        start, end = part.content
        before = body[start : part.children[0].header[0]]
        at = before.rfind(b"\n--") + 1
        if at and self._shows(b"", before[:at]):
            yield start, start + at, b""
        last = part.children[-1].content[1]
        behind = body[last:end]
        closing = behind.find(b"\n", behind.find(b"--"))
        if closing >= 0 and self._shows(b"", behind[closing:]):
            yield last + closing + 1, end, b""


def _find_block_end(body: Octets, start: int, end: int) -> int:
    """Find where a header block ends for who passes over lines in it that are no fields."""
    ended = any(body.endswith(empty, start, end) for empty in (b"\n\n", b"\n\r\n"))
    if ended or not body[start:end].strip():
        return end
    found = [at for empty in (b"\n\n", b"\n\r\n") if (at := body.find(empty, end, end + _FEW)) >= 0]
    return min(found) + 1 if found else end
