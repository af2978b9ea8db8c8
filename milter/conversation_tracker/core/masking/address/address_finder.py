"""The people of an order whose addresses somebody must not see, and whether data holds one.

This is for what cannot be masked, such as certificates and office documents: it looks, and writes
over what may be written over. Bytes have no words, so an address may begin behind a byte that tells
its length, and end before any byte that cannot go on a domain. A soft alias is no hit, and neither
is an address so short that chance writes it (`short_addresses`). Nothing here raises, except the
constructor, with ValueError, for a key without `@`.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from conversation_tracker.core.base.cached import cached_property
from conversation_tracker.core.base.limits import UNLIMITED
from conversation_tracker.core.masking.address import short_addresses
from conversation_tracker.core.masking.address.address_forms import (
    NEAR_OCTETS,
    is_plain,
)
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.address.spellings import domain_spellings

_BEFORE = 128  # bytes looked at before a domain, and few behind it
_AFTER = 80
# In binary data a capital letter or digit behind a domain is most often the next field's first
# byte; a small letter, a further label or the rest of a soft alias is not.
_EXTENSION = (
    rb"\.(?:asc|csv|docx?|eml|gif|html?|ics|jpe?g|json|key|od[st]|p7[ms]|pdf|pem|pgp|png|sig|txt|vcf"
    rb"|xlsx?|xml|zip)(?!(?-i:[a-z])|\.[a-z])"
)
_GOES_ON = re.compile(
    rb"(?!%s)(?:[a-z]|-[0-9]{12}b(?![a-z0-9])|[a-z0-9\-]*\.[a-z])" % _EXTENSION, re.IGNORECASE
)
_STRING_TAGS = (0x0C, 0x13, 0x16, 0x1A, 0x81)  # of ASN.1: those that hold addresses
_FEW = 64  # addresses whose words are looked for one by one
_NON_ASCII = bytes(range(128, 256))
_ASCII_ALONE = bytes(n if n < 128 else 32 for n in range(256))
_LOWERED = ("\u212a".encode(), "\u0130".encode())  # letters that are ASCII in lower case
_FAR_LETTERS = re.compile("[^\0-\xff]")
_FIELD = re.compile(rb"[A-Z0-9](?![A-Za-z0-9\-]*\.[A-Za-z])")


class People:
    """Some people's addresses, to be looked for.

    Args:
        keys: the identity of each (`Address.key`).
        kept: identities of whom it is no matter to find, whose variants are not looked for either.
        check: raises when the time for looking is over.
    """

    def __init__(
        self,
        keys: Iterable[str],
        kept: Iterable[str] = (),
        check: Callable[[], None] = UNLIMITED.check,
    ) -> None:
        self._check = check
        self._everybody = tuple(dict.fromkeys(keys))
        for key in self._everybody:
            if "@" not in key:
                raise ValueError("a key is no address")
        self._kept = tuple(kept)

    # Most messages hold nothing to look for anybody in, so what that needs is made at first use.

    @cached_property
    def _known(self) -> dict[str, str]:
        return {key: "" for key in self._everybody if short_addresses.is_long_enough(key)}

    @cached_property
    def mask(self) -> Masker:
        """What masks them in a text, by taking their addresses out."""
        return Masker(self._known, self._kept)

    @cached_property
    def _needles(self) -> list[tuple[str, int]]:
        """What is looked for, and how far behind its begin the domain stands."""
        known: dict[str, list[str]] = {}
        for key in self._known:
            local, _, domain = key.rpartition("@")
            for spelled in domain_spellings(domain):
                known.setdefault(spelled, []).append(local)
        return sorted(
            each
            for spelled in known
            for each in short_addresses.find_plain_needles(spelled, known[spelled])
        )

    @cached_property
    def _spellings(self) -> list[tuple[bytes, bytes]]:
        return sorted(_iter_spellings(self._known), key=lambda each: -len(each[0]))

    @cached_property
    def _plain(self) -> list[tuple[bytes, int]]:
        return [(each.encode(), len(each[:ahead].encode())) for each, ahead in self._needles]

    @cached_property
    def _wide(self) -> list[tuple[bytes, int]]:
        # The first byte of UTF-16-BE and the last of UTF-16-LE are left out: one form finds both.
        return [
            (each.encode("utf-16-le")[: -1 if each.isascii() else None], len(each))
            for each, _ in self._needles
        ]

    @cached_property
    def _wide_bare(self) -> list[bytes]:
        """The same without null bytes."""
        return [name.replace(b"\0", b"") for name, _ in self._wide]

    @cached_property
    def _usual(self) -> bool:
        """Whether each address is found at its own domain, and never only before another one."""
        return all(key.isascii() and '"' not in key for key in self._known)

    @cached_property
    def _words(self) -> list[bytes]:
        """Of which one stands before each address, as it is; nothing if that is not sure."""
        if len(self._known) > _FEW or not all(map(is_plain, self._known)):
            return []
        return [each.encode() for each in self.mask.endings]

    def __bool__(self) -> bool:
        """Return whether there is anybody to look for."""
        return bool(self._everybody)

    def in_text(self, text: str) -> bool:
        """Return whether readable text holds one of the addresses, however it is spelled."""
        self._check()
        return self.mask(text) != text

    def in_bytes(self, data: bytes) -> bool:
        """Return whether bytes of any kind hold one of the addresses, in ASCII, UTF-8 or UTF-16."""
        self._check()
        low = data.lower()
        if any(self._narrow(data, low, *each) for each in self._plain):
            return True
        # Among many null bytes, as in pictures, what has some itself is looked for slowly.
        thin = low.translate(None, b"\0") if b"\0" in low else low
        return any(
            self._broad(data, low, *each)
            for each, bare in zip(self._wide, self._wide_bare, strict=True)
            if bare in thin
        )

    def overwrite(self, data: bytes) -> bytes:
        """Write `x` over each address that stands whole, as it is, in ASCII, UTF-8 or UTF-16.

        Args:
            data: bytes of any kind.

        Returns:
            As many bytes; the same object if there is none.
        """
        low = data.lower()
        new: bytearray | None = None
        for written, over in self._spellings:
            for at in _find_places(low, written):
                if self._whole(data, at, at + len(written)):
                    new = new or bytearray(data)
                    new[at : at + len(over)] = over
        return bytes(new) if new is not None else data

    def _whole(self, data: bytes, start: int, end: int) -> bool:
        """Return whether what stands here is an address, and no piece of somebody else's."""
        self._check()
        width = 2 if b"\0" in data[start:end] else 1
        before = data[max(0, start - _BEFORE) : start]
        around = (
            before[len(before) % width :].replace(b"@", b" "),
            data[start:end],
            data[end : end + _AFTER].replace(b"@", b" "),
        )
        if width == 1:
            near, name = b"".join(around), around[1].rpartition(b"@")[2].lower()
            return self._narrow(near, near.lower(), name, 0)
        # The first byte of the address tells the order.
        codec = "utf-16-be" if data[start : start + 1] == b"\0" else "utf-16-le"
        shown = [each.decode(codec, "replace").replace("\0", " ") for each in around]
        return self.in_text("".join(shown))

    def _narrow(self, data: bytes, low: bytes, name: bytes, ahead: int) -> bool:
        for place in _find_places(low, name):
            at, end = place + ahead, place + len(name)
            last = low[at - 1 : at]
            escaped = last in (b"=", b"%") or low[end : end + 1] in (b"=", b"!")
            if self._usual and not escaped and last not in NEAR_OCTETS:
                continue
            first = max(0, at - _BEFORE)
            if not self._may_name(low[first : end + _AFTER if escaped else at]):
                continue
            ends = not _GOES_ON.match(data, end) or _FIELD.match(data, end)
            candidates = _iter_candidates(data, at, end) if ends else _iter_strings(data, at, end)
            if any(self._search_bytes(each) for each in candidates):
                return True
            # Percent escapes, SRS, UUCP and whatever else needs what stands behind.
            if escaped and self._search_bytes(data[first : end + _AFTER]):
                return True
        return False

    def _may_name(self, low: bytes) -> bool:
        """Return, cheaply, whether what stands around a domain may name somebody there."""
        if not self._words:
            return True
        if not low.isascii():
            if any(each in low for each in _LOWERED):
                return True
            low = low.translate(None, _NON_ASCII)  # what has no width may be among them
        return any(word in low for word in self._words)

    def _broad(self, data: bytes, low: bytes, name: bytes, length: int) -> bool:
        for at in _find_places(low, name):
            start = at - 2 * min(_BEFORE, at // 2)
            text = data[start : at + 2 * (length + _AFTER)]
            if self._search_wide(text, "utf-16-le"):
                return True
            before = data[start - 1 : start] if start else b"\0"
            big = before + text[: len(text) - (len(text) + 1) % 2]
            if self._search_wide(big, "utf-16-be"):
                return True
        return False

    def _search_wide(self, data: bytes, codec: str) -> bool:
        text = data.decode(codec, "replace").replace("\0", " ")
        if not self._may_name(text.lower().encode("ascii", "ignore")):
            return False
        # What stands before it, as two octets that tell its length, may be one letter by chance.
        return self.in_text(text) or self.in_text(_FAR_LETTERS.sub(" ", text))

    def _search_bytes(self, data: bytes) -> bool:
        if data.isascii():
            return self.in_text(data.decode("ascii"))
        if self.in_text(data.decode("utf-8", "replace")) or self.in_text(data.decode("latin-1")):
            return True
        # What is no letter before it may be one by chance.
        return self.in_text(data.translate(_ASCII_ALONE).decode("ascii"))


def _iter_spellings(keys: Iterable[str]) -> Iterator[tuple[bytes, bytes]]:
    """Yield each address as it may be written in bytes, and as many letters in the same code."""
    for key in keys:
        local, _, domain = key.rpartition("@")
        for name in domain_spellings(domain):
            address = f"{local}@{name}"
            yield address.encode("utf-8"), b"x" * len(address.encode("utf-8"))
            for codec in ("utf-16-le", "utf-16-be"):
                wide = address.encode(codec)
                yield wide, "x".encode(codec) * (len(wide) // 2)


def _find_places(low: bytes, name: bytes) -> Iterator[int]:
    at = low.find(name)
    while at >= 0:
        yield at
        at = low.find(name, at + 1)


def _iter_candidates(data: bytes, at: int, end: int) -> Iterator[bytes]:
    """Yield what may be the address that ends here: all before, or from a byte that counts it."""
    first = max(0, at - _BEFORE)
    yield data[first:end]
    for start in range(max(first, 1), at):
        if data[start - 1] == end - start:
            yield data[start:end]


def _iter_strings(data: bytes, at: int, end: int) -> Iterator[bytes]:
    """Yield what ends here and is a string of a certificate, behind its type and its length."""
    first = max(2, at - _BEFORE)
    for start in range(first, at):
        if data[start - 1] == end - start and data[start - 2] in _STRING_TAGS:
            yield data[start:end]
