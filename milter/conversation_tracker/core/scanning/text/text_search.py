"""The search for addresses in texts, in all their readings, for the final scan.

Nothing here raises, but what the time for a message raises.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.base.limits import Limits
from conversation_tracker.core.scanning.text import (
    characters,
    charsets,
    decodings,
    deep_scan,
    known_texts,
    own_address,
    quotation,
    rare_spellings,
    tokens,
)
from conversation_tracker.core.scanning.text.address_matcher import AddressMatcher

_SHORT = 4096
_SIGN = re.compile(r"%(?:25)?40|\\u0040")  # as links and JSON have it, which tokens hold


class SearchContext(Protocol):
    """What is known before a search.

    Attributes:
        limits: what it may use.
        matcher: knows whom to look for.
        tokens: decodes base64 and digits that may hold them.
        plain: short texts that name nobody in rare spellings, and whether they are HTML.
    """

    limits: Limits
    matcher: AddressMatcher
    tokens: tokens.Tokens
    plain: set[tuple[str, bool]]


class TextSearch:
    """Finds the tokens of those whose address a text shows.

    Attributes:
        own_coded: how often the reader's own address was found in base64 or digits.
        rare_seen: an address was found in a rare spelling.
        without_rare: rare spellings are not looked for.
        never_rare: nor are they in anything that follows.
        bears_far: one place of the last text may bear on how others far away from it are read, or
            it was not read in all ways; whether it does is not asked of one too short or too large.
    """

    def __init__(self, known: SearchContext, own: str | None) -> None:
        self._limits = known.limits
        self._matcher = known.matcher
        self._tokens = known.tokens
        self._plain = known.plain
        self._own = own
        self.own_coded = 0
        self.rare_seen = self.without_rare = self.never_rare = False
        self.bears_far = True

    @cached_property
    def _in_clear(self) -> own_address.OwnAddress | None:
        return self._matcher.choose_own(self._own)

    def find(self, text: str, *, markup: bool = False, rare: bool = True) -> Iterator[str]:
        """Yield the tokens of those whose address a text shows.

        Args:
            text: the text.
            markup: it is HTML.
            rare: whether rare spellings are looked for, too.
        """
        whole = text
        near: tuple[str, ...] = ()
        if self._own is not None and len(text) >= own_address.LEAST and self._in_clear is not None:
            text = self._in_clear.leave_out(whole)
            if text is not whole:
                near = (self._in_clear.label,)
                yield self._own
        if deep_scan.shows_nothing(text, self._matcher, markup=markup, near=near):
            self._limits.check()
            self.bears_far = False
            if decoded := self._tokens.decode(whole):
                yield from self.find_in_tokens(decoded)
            return
        self.bears_far = True
        stands = deep_scan.reads_as_it_stands(text, self._matcher, markup=markup, near=near)
        first = source = ""
        for source in (text.lower(),) if stands else decodings.iter_readings(text):
            self._limits.check()
            first = first or source
            yield from self._matcher.find(source)
        low = decodings.drop_tags(source) if markup else source
        if low != source:
            yield from self._matcher.find(low)
        rare = rare and not (self.without_rare or self.never_rare)
        if rare and (text, markup) not in self._plain:
            if stands:
                spelled = quotation.find_owners(low, self._matcher, self._limits.check)
            else:
                # What stands inside tags is read as what stands between them is.
                reads = (low,) if low == source else (low, source)
                spelled = self._find_deep(text, first, reads, markup=markup, near=near)
            for token in spelled:
                self.rare_seen = True
                yield token
            self.bears_far = self.bears_far and not stands
            if not self.rare_seen and len(text) < _SHORT:
                self._plain.add((text, markup))
        if decoded := self._tokens.decode(whole, first if whole is text else ""):
            yield from self.find_in_tokens(decoded)

    def _find_deep(
        self, text: str, low: str, reads: tuple[str, ...], *, markup: bool, near: tuple[str, ...]
    ) -> Iterator[str]:
        """Yield the tokens of those whose address a text shows so, and note how far a place bears.

        Arguments as of `deep_scan.find_owners`.
        """
        seen: dict[str, None] = {}
        matcher, check = self._matcher, self._limits.check
        yield from deep_scan.find_owners(
            text, low, reads, matcher, check, markup=markup, seen=seen, near=near
        )
        # Of a text that nobody remembers, it is not asked.
        if known_texts.LEAST <= len(text) <= known_texts.MOST:
            self.bears_far = rare_spellings.bears_far(seen, markup=markup)

    def find_in_header(self, field: bytes) -> Iterator[str]:
        """Yield the tokens of those whose address header fields show."""
        for text in charsets.read_texts(field, ""):
            more = "=?" in text or "*" in text or "\\" in text
            for number, each in enumerate(decodings.iter_header_readings(text)):
                yield from self.find(each, rare=more or not number)
                if "://" in each:
                    yield from self.find_in_links(each)

    def recount_coded(self, text: str) -> None:
        """Count anew how often header fields show the reader's own address in base64 or digits."""
        self.own_coded = 0
        for _ in self.find_in_header(text.encode("utf-8", "replace")):
            pass

    def find_in_tokens(self, decoded: Iterable[str]) -> Iterator[str]:
        """Yield the tokens of those whose address stands in what base64 or digits hold."""
        for text in decoded:
            self._limits.check()
            for token in self.find_in_octets(text.encode("latin-1")):
                self.own_coded += token == self._own
                yield token

    def find_in_octets(self, data: bytes) -> Iterator[str]:
        """Yield the tokens of those whose address stands in decoded octets, text or not."""
        shown = decodings.read_octets(data)
        text = data.decode("latin-1") if shown is None else shown
        low = text.lower()
        found = list(self._matcher.for_binary.find(low))
        yield from found
        if shown is not None and _SIGN.search(low) is not None:
            more = self._matcher.for_binary.find(_SIGN.sub("@", low))
            yield from (each for each in more if each not in found)
        if shown is not None and not low.isascii():
            more = self._matcher.for_binary.find(characters.drop_invisible(low))
            yield from (each for each in more if each not in found)
        if shown is None:
            yield from (each for each in self._matcher.find_in_bytes(data) if each not in found)
        elif not found:
            yield from self._find_spelled(shown, low)

    def _find_spelled(self, text: str, low: str) -> Iterator[str]:
        """Yield the tokens of those whose address a decoded text shows in other ways."""
        matcher = self._matcher.for_binary
        if self.without_rare or self.never_rare or (text, False) in self._plain:
            return
        if not any(word in low for word in matcher.endings):
            return
        if deep_scan.shows_nothing(text, matcher):
            return
        named, read = False, low
        for read in decodings.iter_readings(text):
            for token in matcher.find(read):
                named = True
                yield token
        check = self._limits.check
        for token in deep_scan.find_owners(text, low, (read,), matcher, check):
            self.rare_seen = named = True
            yield token
        if not named and len(text) < _SHORT:
            self._plain.add((text, False))

    def find_in_links(self, text: str) -> Iterator[str]:
        """Yield the tokens of whose address is too short to be looked for in all tokens."""
        for each in tokens.decode_in_links(text) if self._matcher.for_short else ():
            self._limits.check()
            for token in self._matcher.for_short.find(each.lower()):
                self.own_coded += token == self._own
                yield token
