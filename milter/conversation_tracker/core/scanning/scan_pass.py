"""One scan on its way through a message: its header fields, its parts, and the parts inside them.

What is looked for in the content of each is in `content_scan`. Nothing here raises.
"""

import hashlib
import re
from collections.abc import Hashable, Sequence
from dataclasses import replace

from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.model.message import Header
from conversation_tracker.core.scanning import hidden_text, kinds, windows
from conversation_tracker.core.scanning.content_scan import SHORT, ContentScan, ScanContext
from conversation_tracker.core.scanning.parts import (
    MOST,
    Declared,
    Entity,
    begins_with_field,
    end_in_mailbox,
    find_delimiters,
    is_message,
    strip_line_end,
)
from conversation_tracker.core.scanning.text import charsets, content_lines, decodings

_DEPTH = 30
_BEGINNING = 8192  # octets that tell whether a message is one
MOST_HITS = 100
"""Hits after which no more are looked for."""

_ATTACHED = "attached message, "
# Behind each field: without the comma a last "=" or "dot" would go on in the next one, and without
# the question mark an encoded word.
_END = b",?\n"
# RTF may hide what follows, in the next fields, too.
_RICH = re.compile(rb"\\[A-Za-z*]")
_ENCODED = re.compile(rb"[=%+]4|[%&\\*]|=\?|\n[ \t]")  # what may hide an address


class Scan(ContentScan):
    """One scan, with what it has found so far."""

    def __init__(self, known: ScanContext, own: str | None) -> None:
        super().__init__(known, own)
        self._body = known.body
        self._declared = known.declared
        self._count = 0

    def look_at_headers(self, headers: Sequence[Header]) -> None:
        """Look at header fields: at all of them at once, and one by one if there is a hit."""
        nobody, own = self._nobody, self._own
        # A field is known to show nobody, or only the reader where they read it.
        fields = [
            (each, field)
            for each in headers
            if (field := each.name + b": " + each.value) not in nobody
            and (own, field) not in nobody
        ]
        if not fields:
            return
        only_own = not self._counts and self._shows_only_own(fields)
        self._text.without_rare = False
        if only_own:
            return
        for header, field in fields:
            channel = f"header {header.name.decode('ascii', 'replace')}"
            if self._matcher.has_domain(header.name.decode("latin-1").lower()):
                channel = "header name"
            self._look_header(channel, field)

    def _shows_only_own(self, fields: Sequence[tuple[Header, bytes]]) -> bool:
        """Return cheaply that fields show nobody but the reader, and where they read it."""
        groups: tuple[list[bytes], list[bytes]] = ([], [])
        for header, field in fields:
            groups[header.key in hidden_text.SHOWN].append(field)
        rest, read = (_END.join(group) for group in groups)
        whole = rest + _END + read
        if not whole.isascii() or _RICH.search(whole) is not None:
            return False
        self._text.rare_seen = False
        owners = set(self._text.find_in_header(whole))
        # Where no rare spelling is in the fields together, none is in a single field.
        self._text.without_rare = not self._text.rare_seen
        if not owners:
            self._nobody.update([field for _, field in fields if len(field) < SHORT])
            return True
        if owners != {self._own}:
            return False
        low = rest.decode().lower()
        plain = _ENCODED.search(rest) is None and not self._matcher.has_domain(low)
        hidden = not plain or any(self._tokens.decode_in_bytes(rest))
        hidden = hidden or (bool(self._matcher.for_short) and b"://" in rest)
        if hidden and any(self._text.find_in_header(rest)):
            return False
        shown_fields = b"\n".join(groups[True]).decode("ascii")
        links = hidden_text.extract_from_fields(shown_fields, self._local)
        if links and any(self._text.find(links)):
            return False
        self._nobody.update((self._own, field) for _, field in fields if len(field) < SHORT)
        return True

    def walk(self, headers: Sequence[Header], body: Octets) -> None:
        """Look at the parts of a body, and at those inside them."""
        fields = tuple([(h.key, h.value) for h in headers if h.key.startswith(b"content-")])
        if body is self._body and fields in self._nobody:
            return
        if (declared := self._declared.get(fields)) is None:
            declared = self._declared[fields] = Declared(fields, "text/plain")
        waiting = [Entity(body, 0, len(body), declared=declared)]
        self._met = False
        while waiting and len(self.hits) < MOST_HITS:
            waiting += reversed(self._split(waiting.pop()))
        if body is self._body and not (self._met or waiting):
            self._nobody.add(fields)

    def _split(self, part: Entity) -> list[Entity]:
        """Look at a part; return the parts inside it, and the next message of its mailbox."""
        self._limits.check()
        self._count += 1
        part = end_in_mailbox(whole := part)
        found = self._split_one(part)
        if part.end < whole.end and not (self._is_over(part) and part.seen_as):
            found.append(replace(whole, start=part.end, depth=part.depth + 1))
        return found

    def _is_over(self, part: Entity) -> bool:
        return self._count > MOST or part.depth > _DEPTH

    def _split_one(self, part: Entity) -> list[Entity]:
        declared, start = part.declared, part.start
        if declared is None:
            start = part.content
            block = part.data[part.start : start]
            self._look_header(part.inside + "part header", block)
            declared = self._declared.get((block, part.default))
            if declared is None:
                declared = Declared.of(block, part.default)
                if len(block) < SHORT:
                    self._declared[block, part.default] = declared
        if self._is_over(part):
            self._look_at(f"{part.inside}part beyond the limits", declared, part, start)
            return []
        if declared.type.startswith("multipart/"):
            return self._split_parts(part, declared, start)
        if declared.is_message and not _is_file(declared, part, start):
            return [self._open_message(part, declared, start)]
        name = f"{part.inside}part {self._count} {declared.type}"
        declared = declared.as_octets() if declared.is_message else declared
        found = self._look_at(name, declared, part, start)
        if found is None:
            return []
        text = declared.type in ("text/plain", "text/html")
        inside = f"{name}, " if text else _ATTACHED
        return [replace(found, depth=part.depth + 1, inside=inside, told=part.told + 1)]

    def _open_message(self, part: Entity, declared: Declared, start: int) -> Entity:
        """Return the message inside a part."""
        if declared.encoding in (b"base64", b"quoted-printable"):
            self._look_raw(
                f"{part.inside}part {self._count} {declared.type}", declared, part, start
            )
            found = windows.decode(part.data, start, part.end, declared.encoding)
            data = self._limits.store(found)
            return Entity(data, 0, len(data), depth=part.depth + 1, inside=_ATTACHED)
        return Entity(part.data, start, part.end, depth=part.depth + 1, inside=_ATTACHED)

    def _split_parts(self, part: Entity, declared: Declared, start: int) -> list[Entity]:
        """Return the parts of a multipart, and look at what stands before and after them."""
        lines = find_delimiters(part, declared.boundary, start)
        found: list[Entity] = []
        if not lines:
            return self._look_for_parts(part, declared, start)
        self._look_between(part.inside + "preamble", part.data, start, lines[0][0])
        default = "message/rfc822" if declared.type == "multipart/digest" else "text/plain"
        ends = [line[0] for line in lines[1:]] + [part.end]
        for (_, first, closing), end in zip(lines, ends, strict=True):
            if closing:
                self._look_between(part.inside + "epilogue", part.data, first, part.end)
                break
            end = strip_line_end(part.data, first, end)
            found.append(Entity(part.data, first, end, default, part.depth + 1, part.inside))
        return found

    def _look_for_parts(self, part: Entity, declared: Declared, start: int) -> list[Entity]:
        """Look at a multipart in which no part stands; give it decoded, if there are some then."""
        name = f"{part.inside}part {self._count} {declared.type}"
        if windows.is_encoded(declared.encoding):
            decoded = windows.decode(part.data, start, part.end, declared.encoding)
            data = self._limits.store(decoded)
            inside = Entity(data, 0, len(data), depth=part.depth + 1, inside=part.inside)
            if find_delimiters(inside, declared.boundary, 0):
                self._look_raw(name, declared, part, start)
                return [replace(inside, declared=declared.decoded())]
        elif not _is_file(declared, part, start):
            self._look_at(name, declared, part, start)
            return []
        found = self._look_at(name, declared.as_octets(), part, start)
        if found is None:
            return []
        return [replace(found, depth=part.depth + 1, inside=_ATTACHED, told=part.told + 1)]

    def _look_at(self, channel: str, declared: Declared, part: Entity, start: int) -> Entity | None:
        """Look at a part's content; give it, without its encoding, if it may be a message.

        What named nobody in the record is known, and not looked at again in a copy.
        """
        if self._saw(declared, part, start):
            again = is_message(part.data, start, part.end)
            return Entity(part.data, start, part.end, seen_as=part.seen_as) if again else None
        content = _identify(part.data, start, part.end)
        known = (declared.type, declared.value, declared.markup, declared.encoding, content)
        if known in self._nobody:
            return None
        self._noted = False
        large = part.end - start > windows.LARGE
        look = self._look_at_large if large else self._look_at_small
        found = look(channel, declared, part, start)
        if found is None and not self._noted:
            self._nobody.add(known)
        return found

    def _saw(self, declared: Declared, part: Entity, start: int) -> bool:
        """Return whether content was looked at in the same way as the end of what is around it.

        So it is with all messages of a mailbox but the first: each is the end of the one before,
        and the text of all of them would be gone through as often as there are any.
        """
        if not part.seen_as or windows.is_encoded(declared.encoding):
            return False
        first = part.data[start : min(part.end, start + windows.LARGE)]
        file = kinds.is_file(declared, first)
        folds = content_lines.is_content_lines(declared.type, first)
        names = _name_readings(declared, file=file, folds=folds)
        if names and kinds.name_charset(declared) in part.seen_as:
            return True
        return not names.isdisjoint(part.seen_as)

    def _look_at_small(
        self, channel: str, declared: Declared, part: Entity, start: int
    ) -> Entity | None:
        raw = part.data[start : part.end]
        data = windows.decode_transfer(raw, declared.encoding)
        file = kinds.is_file(declared, data)
        charsets = self._look_content(channel, declared, data, file=file)
        if file:
            self._look_inside(channel, data)
        if data is not raw:
            self._look_raw(channel, declared, part, start, file=file)
        if not is_message(data):
            return None
        folds = content_lines.is_content_lines(declared.type, data)
        seen_as = _name_readings(declared, file=file, folds=folds) | charsets
        if data is raw:
            return _open(part, part.data, start, part.end, seen_as)
        return _open(part, data, 0, len(data), seen_as)

    def _look_at_large(
        self, channel: str, declared: Declared, part: Entity, start: int
    ) -> Entity | None:
        """Look at a part's content stretch by stretch."""
        data, span = part.data, (start, part.end)
        if windows.is_encoded(declared.encoding):  # decoded once, however often it is gone through
            data = self._limits.store(windows.decode(data, *span, declared.encoding))
            span = (0, len(data))
        first, file, folds, charsets = b"", False, False, kinds.CHARSETS
        for each, again in windows.split_apart(windows.decode(data, *span, b"")):
            if not first:
                first, file = each, kinds.is_file(declared, each)
                folds = content_lines.is_content_lines(declared.type, each)
            charsets &= self._look_content(
                channel, declared, each, file=file, folds=folds, again=again
            )
        if file:
            stands = data is part.data
            whole = self._limits.store(windows.decode(data, *span, b"")) if stands else data
            self._look_inside(channel, whole)
        self._look_raw(channel, declared, part, start, file=file)
        if not is_message(data, *span):
            return None
        seen_as = _name_readings(declared, file=file, folds=folds) | charsets
        return _open(part, data, *span, seen_as)

    def _look_raw(
        self, channel: str, declared: Declared, part: Entity, start: int, *, file: bool = False
    ) -> None:
        """Look at encoded content as programs show it that decode none of it, or not all."""
        self._binary = file and declared.encoding == b"quoted-printable"
        self._look_undecoded(channel, declared, part, start)
        self._binary = False

    def _look_undecoded(self, channel: str, declared: Declared, part: Entity, start: int) -> None:
        span = (part.data, start, part.end)
        based = declared.encoding == b"base64"
        # No encoding is allowed for a message/*, so many look for none there.
        quoted = declared.encoding == b"quoted-printable" and declared.type.startswith("message/")
        for raw in windows.split(windows.decode(*span, b"")) if based or quoted else ():
            if quoted:
                self._look_header(channel, windows.join_soft_breaks(raw))
            elif windows.has_strays(raw):
                # What stands in clear beside base64 is shown by some, and moves its groups.
                self._look(channel, raw.decode("latin-1"))
        if declared.encoding in windows.UUENCODED:
            for raw in windows.split(windows.decode(*span, b"")):
                self._look(channel, raw.decode("latin-1"))
        if based and (end := decodings.find_base64_end(*span)) >= 0:
            for raw in windows.split(windows.decode(part.data, end, part.end, b"")):
                self._look(channel, raw.decode("latin-1"))
            shown = windows.decode(part.data, start, end, declared.encoding)
            for data in windows.split(shown):
                self._look_content(channel, declared, data, file=kinds.is_file(declared, data))


def _is_file(declared: Declared, part: Entity, start: int) -> bool:
    """Return whether what should be a message, or parts, is a file, as its beginning tells."""
    raw = part.data[start : min(part.end, start + _BEGINNING)]
    data = windows.decode_transfer(raw, declared.encoding)
    if begins_with_field(data):
        return False
    if not (data.lstrip().startswith(b"%PDF-") or charsets.is_no_text(data)):
        return False
    # What stands in clear before base64 is what many programs show.
    return declared.encoding != b"base64" or not windows.has_strays(raw.lstrip().split(b"\n")[0])


def _identify(data: Octets, start: int, end: int) -> bytes:
    """Return what tells content from any other: itself where it is short, or its digest."""
    if end - start <= SHORT:
        return data[start:end]
    state = hashlib.blake2b(digest_size=32)
    for at in range(start, end, windows.LARGE):
        state.update(data[at : min(at + windows.LARGE, end)])
    return state.digest()


def _name_readings(declared: Declared, *, file: bool, folds: bool) -> frozenset[Hashable]:
    """Name how content is looked at; nothing where that depends on where it begins."""
    return frozenset(() if file or folds else ((declared.type, declared.value, declared.markup),))


def _open(part: Entity, data: Octets, start: int, end: int, seen_as: frozenset[Hashable]) -> Entity:
    """Return the message that a part's content is."""
    return Entity(
        data, start, end, seen_as=seen_as | part.seen_as if data is part.data else seen_as
    )
