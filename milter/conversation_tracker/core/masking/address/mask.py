"""Known addresses in running text, found in decoded form and replaced.

An address ends where no more of a local part or a domain can follow, so `xjohn@doe.example` and
`john@doe.example.org` are other people than `john@doe.example`; `address_forms` knows the
boundaries and the ways an address is written. Transfer encodings, charsets, encoded words and
markup are not known here: the text is decoded already.

Nothing here raises, except the constructor, with ValueError, for a key without `@`.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Protocol

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.base.limits import UNLIMITED, Limits, no_limit
from conversation_tracker.core.base.lower_case import lower_case
from conversation_tracker.core.masking.address import short_addresses
from conversation_tracker.core.masking.address.address_forms import Domain, Hit, is_near
from conversation_tracker.core.masking.address.encoded_needles import Needles
from conversation_tracker.core.masking.address.endings import (
    Endings,
    find_dotted_endings,
    find_endings,
    find_labels,
)
from conversation_tracker.core.masking.address.invisible import INVISIBLE, may_show
from conversation_tracker.core.masking.address.names import Runs, keep_shortest, split_names
from conversation_tracker.core.masking.address.spellings import domain_spellings, spellings_of
from conversation_tracker.core.masking.address.unmask import Unmasker
from conversation_tracker.core.model.part_cache import CleanParts
from conversation_tracker.core.syntax.addr_spec import Address
from conversation_tracker.core.syntax.charset import keep_non_ascii

_TURNS = 3  # in which all is found that overlaps
_PAIR = re.compile(r"\\(.)", re.DOTALL)


class Mask(Protocol):
    """What replaces addresses in a text, and what is known of it so that work can be skipped.

    Everything but the call has a default, for a mask of which nothing is known.

    Attributes:
        limits: what masking may use.
        unmasker: what shows the reader their own address where they read it, if anything does.
        clean_parts: what is known to hold nobody's address, if that is remembered.
        thorough: the final scan found somebody: what tells cheaply that nobody is there is wrong.
    """

    limits: Limits = UNLIMITED
    unmasker: Unmasker | None = None
    clean_parts: CleanParts | None = None
    thorough: bool = False

    def __call__(self, text: str, /) -> str:
        """Return the text with addresses replaced; the same object where nothing changes."""

    def possible(self, _data: bytes, /) -> bool:
        """Return, cheaply, whether masking could change what these bytes say in ASCII."""
        return True

    def may_name(self, _low: bytes, _bare: bytes, /) -> bool:
        """Return, cheaply, whether masking could change ASCII text in which nothing is escaped.

        The text is in lower case; and once more without what may part a word in it.
        """
        return True

    def may_change(self, _octets: bytes, /) -> bool:
        """Return, cheaply, whether masking could change what octets say, decoded as UTF-8.

        What of them is no UTF-8 may be anything.
        """
        return True

    @property
    def finder(self) -> "Masker | None":
        """What finds addresses in other readings of a text; None: nothing looks there."""
        return None

    @property
    def amid(self) -> "Mask":
        """What masks a text that may be made of random octets: without what chance writes."""
        return self

    @property
    def attendee_goes(self) -> Callable[[Address], bool] | None:
        """What tells whether an attendee is removed; None: nobody is."""
        return None

    def identifiers(self, value: bytes) -> bytes:
        """Return the identifiers in a field of a part, masked; the same object where they stay."""
        return value

    def calendar_id(self, value: str) -> str:
        """Return what stands for an identifier of an invitation; the same object where it stays."""
        return value

    def blind(self) -> "Mask":
        """Return a mask for text in which the reader's own alias stays."""
        return self


class FunctionMask(Mask):
    """A mask that a function of a text makes, of which nothing else is known."""

    def __init__(self, change: Callable[[str], str]) -> None:
        """Make a mask.

        Args:
            change: gives a text with addresses replaced; the same object where nothing changes.
        """
        self._change = change

    def __call__(self, text: str, /) -> str:
        """Return what the function makes of the text."""
        return self._change(text)


class Masker(Mask):
    r"""Replace known addresses wherever they stand in a text.

    Recognised, in any letter case: the bare address; one with a `+tag`, and the address without
    the tag where a key has one; dots in the local part at Gmail; IDN domains as A-labels and
    U-labels; the separator as `%40`, `%2540`, `=40`, `+40` (RFC 3461 section 4), `\u0040`; VERP
    and routed forms (`bounce+john=doe.example@`, `john%doe.example@`) and SRS
    (`doe.example=john@`); a quoted local part; invisible characters inside.

    Args:
        replacements: the identity of each address (`Address.key`, lower case) and what replaces
            it, mostly an alias. A replacement takes on the spelling of `@` that it finds.
        kept: identities of addresses that stay, and all variants with them that are not somebody
            else's exact address.
        watched: other domains that are looked for as well, in lower case.
        notice: called whenever one of the domains is seen as part of an address, whosever.
        used: called with each replacement that is written into a text.
        check: raises `Overdue` when the time is over.
    """

    def __init__(
        self,
        replacements: Mapping[str, str],
        kept: Iterable[str] = (),
        watched: Iterable[str] = (),
        notice: Callable[[], None] = lambda: None,
        used: Callable[[str], None] = lambda _replacement: None,
        check: Callable[[], None] = no_limit,
    ) -> None:
        self.check = check
        self._domains = domains = dict[str, Domain]()
        for key, replacement in replacements.items():
            local, at, domain = key.rpartition("@")
            if not at:
                raise ValueError("a key is no address")
            for spelled in domain_spellings(domain):
                known = domains.get(spelled) or domains.setdefault(spelled, Domain(spelled))
                for each in spellings_of(local):
                    known.locals.setdefault(each, replacement)
                if "\\" in local:  # as in a comment, where pairs have been read already
                    known.locals.setdefault(_PAIR.sub(r"\1", local), replacement)
        kept = tuple(kept)
        for key in kept:
            local, _, domain = key.rpartition("@")
            for spelled in domain_spellings(domain) & domains.keys():
                for each in spellings_of(local):
                    domains[spelled].locals.setdefault(each, None)
        if "+" in "".join((*replacements, *kept)):
            for known in domains.values():
                known.add_without_tag()
        self._watched = frozenset(watched) - domains.keys()
        self._alone, self._together = split_names((*domains, *self._watched))
        self._notice = notice
        self._replacements = replacements
        self._kept = kept
        self._used = used

    def __call__(self, text: str) -> str:
        """Return the text with every known address replaced; the same object if there is none."""
        if self._is_clear(text):
            return text
        # What two addresses share is the first one's; then the other's may stand alone.
        for _ in range(_TURNS):
            text, whole = self._replace_once(text)
            if whole:
                break
        return text

    def _is_clear(self, text: str) -> bool:
        """Return, cheaply, whether a text in ASCII has none of the domains, as most have not."""
        if self._together is not None or not text.isascii():
            return False
        return not any(map(text.lower().__contains__, self._alone))

    def _replace_once(self, text: str) -> tuple[str, bool]:
        """Replace the addresses that do not overlap one before them; say whether these are all."""
        if not (hits := self._find_all(text)):
            return text, True
        pieces: list[str] = []
        done = 0
        whole = True
        for start, end, replacement in sorted(hits):
            if start >= done:
                pieces += text[done:start], replacement
                done = end
            else:
                whole = whole and end <= done
        for each in dict.fromkeys(pieces[1::2]):
            self._used(each)
        return "".join(pieces) + text[done:], whole

    @property
    def finder(self) -> "Masker":
        """What finds addresses in other readings of a text, for `rare_spellings`."""
        return self

    def hits(self, text: str) -> list[Hit]:
        """Return the known addresses in a text, in order: those that share nothing with one before.

        Each counts as used.
        """
        found: list[Hit] = []
        for hit in sorted(self._find_all(text)):
            if not found or hit[0] >= found[-1][1]:
                found.append(hit)
                self._used(hit[2])
        return found

    def lookup(self, local: str, domain: str) -> str | None:
        """Return what replaces an address, given in lower case; None for one that stays."""
        known = self._domains.get(domain)
        new = known.lookup(local) if known is not None else None
        if new is not None:
            self._used(new)
        return new

    @cached_property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """The first labels of the domains that have more than one, with these."""
        return find_labels(self._domains)

    @cached_property
    def endings(self) -> Endings:
        """The last runs of letters and digits in the local parts, tags left out or not."""
        return find_endings(self._domains)

    @cached_property
    def dotted_endings(self) -> Endings:
        """The same, and of local parts at Gmail, which have no dots here, all that may be last."""
        return find_dotted_endings(self._domains)

    def possible(self, data: bytes) -> bool:
        """Return whether raw bytes may hold a known address.

        Args:
            data: text in any charset that leaves ASCII as it is, without a transfer encoding.

        Returns:
            False only where decoding and masking would surely change nothing.
        """
        if not data.isascii():
            return bool(self._domains or self._watched)
        lower = data.lower()
        for name in self._raw:  # in a loop, as this is asked more often than all else
            if name in lower:
                break
        else:
            return False
        return True

    def may_name(self, low: bytes, bare: bytes) -> bool:
        """Return, cheaply, whether one of the domains may stand in ASCII text without escapes."""
        return self._runs.may_stand_in(low, bare)

    def stands_in(self, data: bytes) -> bool:
        """Return, cheaply, whether one of the domains stands in octets of any kind."""
        low = data.lower()
        return any(name in low for name in self._raw) or self.stands_wide_in(low)

    def stands_wide_in(self, data: bytes) -> bool:
        """Return, cheaply, whether one of the domains stands in octets in UTF-16 or UTF-32."""
        if b"\0" not in data:
            return False
        low = data.translate(None, b"\0").lower()
        return any(name in low for name in self._wide)

    def may_change(self, octets: bytes) -> bool:
        """Return, cheaply, whether one of the domains may stand in octets, decoded as UTF-8."""
        low = octets.lower()
        for name in self._raw:
            if name in low:
                return True
        if low.isascii():
            return False
        return not self._in_ascii or may_show(low, self._raw)

    @cached_property
    def _in_ascii(self) -> bool:
        return all(map(str.isascii, self._shortest))

    @property
    def keys(self) -> Collection[str]:
        """The identities of the addresses that are replaced."""
        return self._replacements.keys()

    @property
    def kept(self) -> tuple[str, ...]:
        """The identities of the addresses that stay."""
        return self._kept

    @property
    def amid(self) -> "Masker":
        """What masks a text that may be made of random octets: without what chance writes."""
        return self if self._long_enough is None else self._long_enough

    @cached_property
    def _long_enough(self) -> "Masker | None":
        # None for itself: what holds itself stays until the garbage collector comes.
        if all(map(short_addresses.is_long_enough, self._replacements)):
            return None
        long_enough = {
            key: new
            for key, new in self._replacements.items()
            if short_addresses.is_long_enough(key)
        }
        return Masker(long_enough, self._kept, self._watched, self._notice, self._used, self.check)

    @cached_property
    def needles(self) -> Needles:
        """What the addresses look like in base64 and hexadecimal digits: mostly their domains."""
        words: list[str] = []
        for name in self._shortest:
            known = self._domains.get(name)
            words += short_addresses.find_base64_needles(
                name, known.locals if known is not None else ()
            )
        return Needles(words, self._notice)

    @cached_property
    def _raw(self) -> list[bytes]:
        return [name.encode("utf-8") for name in self._shortest]

    @cached_property
    def _runs(self) -> Runs:
        return Runs(self._domains, self._watched)

    @cached_property
    def _wide(self) -> list[bytes]:
        return [name.encode("utf-16-le").replace(b"\0", b"") for name in self._shortest]

    @cached_property
    def _shortest(self) -> list[str]:
        return keep_shortest(self._domains.keys() | self._watched)

    def _find_all(self, text: str) -> list[Hit]:
        if not text.isascii():
            return self._find_unicode_hits(text)
        return list(self._find_hits(text.lower()))

    def _find_hits(self, low: str) -> Iterator[Hit]:
        """Find the known addresses in a lower-cased text; they may overlap, in no order."""
        for name in self._alone:
            if name not in low:  # which costs half of what `find` does
                continue
            at = low.find(name)
            while at >= 0:
                if (hit := self._find_hit(low, at, name)) is not None:
                    yield hit
                at = low.find(name, at + 1)
        for at, name in self._together.find_places(low) if self._together is not None else ():
            if (hit := self._find_hit(low, at, name)) is not None:
                yield hit

    def _find_hit(self, low: str, at: int, name: str) -> Hit | None:
        """Return the known address whose domain stands in a place, if there is one."""
        if not is_near(low, at, at + len(name)):
            return None
        self._notice()
        domain = self._domains.get(name)
        return domain.hit(low, at) if domain is not None else None

    def _find_unicode_hits(self, text: str) -> list[Hit]:
        """Find them in any text, also those with invisible characters inside."""
        if not self.may_change(text.encode("utf-8", "surrogatepass")):
            return []
        low = lower_case(text)
        hits = list(self._find_hits(low))
        if INVISIBLE.search(keep_non_ascii(low)) is None:
            return hits
        visible = INVISIBLE.sub("", low)
        if not (hidden := list(self._find_hits(visible))):
            return hits
        gone = [match.start() - n for n, match in enumerate(INVISIBLE.finditer(low))]

        def place(at: int) -> int:
            return at + bisect_right(gone, at)

        return hits + [(place(start), place(end - 1) + 1, new) for start, end, new in hidden]
