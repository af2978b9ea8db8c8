"""The scan of one part's content or header block, in all the ways that programs read it.

Nothing here raises.
"""

import hashlib
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.base.limits import Limits
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.scanning import (
    beginnings,
    hidden_text,
    kinds,
    packed_text,
    packets,
    windows,
)
from conversation_tracker.core.scanning.hits import Hit
from conversation_tracker.core.scanning.parts import Declared
from conversation_tracker.core.scanning.text import (
    charsets,
    content_lines,
    decodings,
    lettered,
    uuencoded,
)
from conversation_tracker.core.scanning.text.known_texts import KnownTexts, Span
from conversation_tracker.core.scanning.text.text_search import SearchContext, TextSearch

if TYPE_CHECKING:
    from conversation_tracker.core.scanning.carving import Carver

SHORT = 4096
"""Octets of a field that is remembered."""

_MOST_TEXT = 16 * 1024 * 1024  # octets in the files of a part that are read as text
_INSIDE = 2  # uuencoded files that lie inside each other
_FILE = " (file)"
_BETWEEN = ("preamble", "epilogue")
_QUOTED = re.compile(r"part \d+ [^,]*, ")
_NUMBER = re.compile(r"part \d+ ")
_NO_CHARSETS: frozenset[str] = frozenset()


class ScanContext(SearchContext, Protocol):
    """What is known before a scan: as `Scanner` has it."""

    nobody: set[Hashable]
    declared: dict[Hashable, Declared]
    body: Octets | None
    texts: KnownTexts

    @property
    def locals(self) -> Mapping[str, str]:
        """Return the local part of each one's address, by the token."""


class ContentScan:
    """What one scan has found so far, and how it looks at content.

    Attributes:
        hits: where somebody's address was found, each once.
        unread: how often the reader's own address stands where nobody reads it, by its place.
        counts_own: it is asked for.
    """

    def __init__(self, known: ScanContext, own: str | None) -> None:
        self._limits = known.limits
        self._nobody = known.nobody
        self._own = own
        self._known = known
        self._noted = self._met = self._own_noted = self._binary = self._counts = False
        self._text = TextSearch(known, own)
        self._texts = known.texts
        self._parted: tuple[str, list[Span]] = ("", [])  # a text, and all of it that was looked at
        self._matcher = known.matcher
        self._tokens = known.tokens
        self.hits: dict[Hit, None] = {}
        self.unread: dict[str, int] = {}
        self.counts_own = True

    @cached_property
    def _local(self) -> str:
        """The local part of the reader's address."""
        return self._known.locals.get(self._own or "", "")

    @cached_property
    def _packed(self) -> "Carver":
        """What is packed in blocks and files of a text, within one bound for all of it."""
        return _make_carver(self._limits)

    def forget_what_is_found(self) -> None:
        """Look for no rare spellings, and remember nothing for other scans.

        Where one may have told that the reader's own address is there, it is counted all the same.
        """
        self._nobody = set(self._nobody)
        self._text.never_rare = self._counts = True

    def _look_content(
        self,
        channel: str,
        declared: Declared,
        data: bytes,
        *,
        file: bool,
        folds: bool = False,
        again: int = 0,
    ) -> frozenset[str]:
        """Look at content; name as text in which charsets that was, whatever its type says."""
        self._own_noted, self._text.own_coded = False, 0
        head = data[:again]  # looked at already
        self._binary, charsets = file, _NO_CHARSETS
        # Of content lines, a fold hides that a domain goes on; no program shows one.
        folds = not file and (folds or content_lines.is_content_lines(declared.type, data))
        data = content_lines.mend(data) if folds else data
        if file and beginnings.is_file(data):
            self._look_octets(channel + _FILE, data)
        elif file:
            self._look_bytes(channel + " (bytes)", data, folds=False)
        elif kinds.is_textual(declared):
            self._look_text(channel, declared, data, folds=folds)
        else:
            charsets = self._look_bytes(channel + " (bytes)", data, folds=folds)
        self._binary = False
        if self.counts_own and (self._own_noted or (self._counts and not file)):
            rest, counted = (self._extract_hidden(declared, each) for each in (data, head))
            self._note_hidden_text(channel, rest, counted)
        return charsets

    def _extract_hidden(self, declared: Declared, data: bytes) -> str:
        """Return what nobody reads of content."""
        if not data:
            return ""
        text = next(charsets.read_texts(data, declared.charset))
        if declared.type == "text/html" and text == self._parted[0]:
            rest = hidden_text.extract_from_pieces(*self._parted, self._local)
            if rest is not None:
                return rest
        doubtful = declared.markup and declared.type == "text/plain"
        return text if doubtful else hidden_text.extract(declared.type, text, self._local)

    def _look_text(self, channel: str, declared: Declared, data: bytes, *, folds: bool) -> None:
        for text in charsets.read_texts(data, declared.charset):
            whole = content_lines.unfold(text) if folds else text
            self._look(channel, whole, markup=declared.markup)
            for each in content_lines.read_otherwise(text) if folds else ():
                self._look(channel, each)
            if declared.type.startswith(("message/", "text/rfc822")):
                for each in decodings.iter_header_readings(text):
                    self._look(channel, each)
            elif "=?" in text:
                self._look(channel, decodings.decode_encoded_words(text))
            if declared.delsp:
                self._look(channel, decodings.unflow(text))
        self._look_blocks(channel, data)
        self._look_files(channel, data, markup=declared.markup)

    def _look_files(self, channel: str, data: bytes, *, markup: bool = False) -> None:
        """Look at files that are written in text, and into what they pack."""
        for file in chain(uuencoded.decode_files(data, markup=markup), lettered.decode_files(data)):
            self._note(channel, self._text.find_in_octets(file))
            self._look_at_contents(channel, [file])
            if beginnings.may_hold_more(file):
                self._look_at_contents(channel, self._packed.iter_contents(file))

    def _look_blocks(self, channel: str, data: bytes) -> None:
        """Look at base64 in text, and into what OpenPGP packs there and does not encrypt."""
        for block in decodings.decode_blocks(data):
            self._note(channel, self._text.find_in_octets(block))
            if packets.unpack(block)[0]:
                self._look_at_contents(channel, self._packed.iter_contents(block))

    def _look_bytes(self, channel: str, data: bytes, *, folds: bool) -> frozenset[str]:
        """Look at octets; name the charsets of text for which the same would be done."""
        binary = charsets.is_no_text(data)
        if binary:
            self._look_octets(channel, data)
        for each in charsets.read_texts(data, "") if not binary or decodings.is_text(data) else ():
            text = content_lines.unfold(each) if folds else each
            for whole in (text, *(content_lines.read_otherwise(each) if folds else ())):
                self._look(channel, whole, attached=True)
            if "=?" in text:
                self._look(channel, decodings.decode_encoded_words(text), attached=True)
        self._look_blocks(channel, data)
        if not binary:
            self._look_files(channel, data)
        # Of text, links are looked at, too.
        links = bool(self._matcher.for_short) and (b"://" in data or b"=?" in data)
        if binary or folds or links:
            return frozenset()
        return kinds.CHARSETS if data.isascii() else frozenset({kinds.UTF_8})

    def _look_octets(self, channel: str, data: bytes) -> None:
        self._note(channel, self._matcher.find_in_bytes(data))
        self._note(channel, self._text.find_in_tokens(self._tokens.decode_in_bytes(data)))

    def _look_inside(self, channel: str, data: Octets) -> None:
        """Look at what is packed in a file."""
        if not beginnings.may_hold_more(data):
            return
        self._look_at_contents(channel + _FILE, _make_carver(self._limits).iter_contents(data))

    def _look_at_contents(
        self, channel: str, contents: Iterable[Octets], inside: int = _INSIDE
    ) -> None:
        left = _MOST_TEXT
        seen: set[bytes] = set()
        for content in contents:
            for each in windows.split(windows.decode(content, 0, len(content), b"")):
                digest = hashlib.blake2b(each, digest_size=32).digest()
                if digest in seen:
                    continue
                seen.add(digest)
                self._note(channel, self._matcher.find_in_bytes(each))
                if left > 0 and packed_text.begins_as_text(each):
                    left -= len(each)
                    # Pages and sheets are much alike: to compare them costs more than to look.
                    for text in packed_text.read_texts(each):
                        self._note(channel, self._find(text, markup=False, attached=False))
                    files = uuencoded.decode_files(each) if inside else ()
                    self._look_at_contents(channel, files, inside - 1)

    def _look_between(self, channel: str, data: Octets, start: int, end: int) -> None:
        if start >= end:
            return
        for each in windows.split(windows.decode(data, start, end, b"")):
            if not each.isspace() and each:
                self._look_header(channel, each)

    def _look_header(self, channel: str, field: bytes) -> None:
        if field in self._nobody:
            return
        noted, self._noted = self._noted, False
        self._own_noted, self._text.own_coded = False, 0
        self._note(channel, self._text.find_in_header(field))
        if not self._noted and len(field) < SHORT:
            self._nobody.add(field)
        self._noted = self._noted or noted
        if self.counts_own and (self._own_noted or self._counts):
            between = channel.endswith(_BETWEEN)
            text = next(charsets.read_texts(field, ""))
            rest = text if between else hidden_text.extract_from_fields(text, self._local)
            if self._text.own_coded and not between:
                self._text.recount_coded(hidden_text.undo_read_words(text))
            self._note_hidden_text(channel, rest)

    def _note_hidden_text(self, channel: str, rest: str, counted: str = "") -> None:
        """Count the reader's own address in what nobody reads of a text, and in its tokens.

        Args:
            channel: where the text stands.
            rest: what nobody reads of it.
            counted: how that begins, where it was counted in the window before.
        """
        if _QUOTED.match(channel):  # what reads like a message is text all the same
            return
        times = max(0, self._count_own(rest) - self._count_own(counted)) + self._text.own_coded
        if times:
            place = _NUMBER.sub("part ", channel)
            self.unread[place] = self.unread.get(place, 0) + times

    def _count_own(self, rest: str) -> int:
        """Count the reader's own address in a text, in the reading that shows it most often."""
        return max(
            sum(token == self._own for token in self._matcher.find(low))
            for low in decodings.iter_readings(rest, markup=True)
        )

    def _look(
        self, channel: str, text: str, *, markup: bool = False, attached: bool = False
    ) -> None:
        if self._counts:
            self._note(channel, self._find(text, markup=markup, attached=attached))
            return
        owners = self._find_in_differences(text, markup=markup, attached=attached)
        if owners is None:
            owners = dict.fromkeys(self._find(text, markup=markup, attached=attached))
            # Of what is attached, links are not looked at.
            whole = not (attached and self._matcher.for_short)
            if whole and not (owners or self._text.bears_far):
                self._texts.remember(text, markup=markup)
        self._note(channel, owners)

    def _find(self, text: str, *, markup: bool, attached: bool) -> Iterator[str]:
        yield from self._text.find(text, markup=markup)
        if not attached and "://" in text:
            yield from self._text.find_in_links(text)

    def _find_in_differences(
        self, text: str, *, markup: bool, attached: bool
    ) -> dict[str, None] | None:
        """Return whom a text shows that is much like one that shows nobody: the reader, or nobody.

        None where it may be somebody else, or where it is like none.
        """
        spans = self._texts.find_differences(text, markup=markup)
        if spans is None:
            return None
        coded = self._text.own_coded
        owners: dict[str, None] = {}
        for start, end in spans:
            piece = self._find(text[start:end], markup=markup, attached=attached)
            owners |= dict.fromkeys(piece)
        if owners.keys() <= {self._own}:
            self._parted = text, spans
            return owners
        self._text.own_coded = coded
        return None

    def _note(self, channel: str, tokens: Iterable[str]) -> None:
        for token in dict.fromkeys(tokens):  # there may be thousands of the same
            self._noted = self._met = True
            if token == self._own:
                self._own_noted = True
            else:
                self.hits.setdefault(Hit(channel, token, self._binary))


def _make_carver(limits: Limits) -> "Carver":
    from conversation_tracker.core.scanning.carving import Carver  # few messages need it

    return Carver(limits)
