"""Whether a file holds an address: in it as it stands, and in all that it was packed or cut into.

What is compressed or lies in sectors shows nothing as bytes. Nothing is written: a hit can only be
reported, or the whole file removed. Each format is a module beside this one; here is the table of
them, and the way down. What nobody can open, as an encrypted archive, shows nothing and is no hit.
Nothing here raises but what asking for the time raises.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from conversation_tracker.core.base.means import Octets, windows
from conversation_tracker.core.masking.container import (
    compound,
    compressed,
    embedded,
    letter,
    openpgp,
    outlook,
    pdf,
    png,
    readings,
    seven_zip,
    tar,
    tnef,
    zip_file,
)
from conversation_tracker.core.masking.container.budget import (
    MAX_DEPTH,
    MAX_LAYERS,
    MAX_TEXT,
    Unpacking,
)
from conversation_tracker.core.masking.text import obfuscated
from conversation_tracker.core.masking.text.address_finder import People

_OVERLAP = 4096  # octets seen twice, so that nothing is hidden by where a window ends
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_HEAD = 1024

# How files begin that no text does; others are known by more than that.
_BEGINNINGS = (
    *zip_file.MAGIC,
    compressed.GZIP,
    b"BZh",
    compressed.XZ,
    compressed.LZIP,
    b"\x28\xb5\x2f\xfd",
    seven_zip.MAGIC,
    compound.MAGIC,
    b"%PDF-",
    tar.AR,
    readings.SQLITE,
    b"\x5d\0",
)


@dataclass(frozen=True, slots=True)
class _Format:
    """How a file is opened.

    Attributes:
        is_one: whether data is such a file.
        open: gives what is in it.
        nests: it counts as one of the archives that may lie inside each other.
        pages: what is in it are pages, and no files.
    """

    is_one: Callable[[Octets], bool]
    open: Callable[[Octets, Unpacking], Iterator[Octets]]
    nests: bool = True
    pages: bool = False


def _begins(magic: bytes | tuple[bytes, ...]) -> Callable[[Octets], bool]:
    return lambda data: data.startswith(magic)


_FORMATS = (
    _Format(zip_file.is_zip, zip_file.open_zip),
    _Format(pdf.is_pdf, pdf.open_pdf, pages=True),
    _Format(_begins(compressed.GZIP), compressed.open_gzip, nests=False),
    _Format(
        lambda data: compressed.BZIP2.match(data) is not None, compressed.open_bzip2, nests=False
    ),
    _Format(_begins(compressed.XZ), compressed.open_xz, nests=False),
    _Format(
        lambda data: compressed.ZSTANDARD.match(data) is not None,
        compressed.open_zstandard,
        nests=False,
    ),
    _Format(compressed.is_lzma, compressed.open_lzma, nests=False),
    _Format(_begins(compressed.LZIP), compressed.open_lzip, nests=False),
    _Format(tar.is_tar, tar.open_tar),
    _Format(_begins(tar.AR), tar.open_ar),
    _Format(_begins(seven_zip.MAGIC), seven_zip.open_7z),
    _Format(_begins(compound.MAGIC), compound.open_compound),
)
"""Files that are known for sure by their octets, whatever their type and name say."""

_INNER = (
    _Format(_begins(tnef.MAGIC), tnef.open_tnef),
    _Format(outlook.is_compressed_rtf, outlook.open_compressed_rtf, nests=False),
    _Format(compressed.is_zlib, compressed.open_zlib, nests=False),
    _Format(letter.is_letter, letter.open_letter),
    _Format(_begins(png.MAGIC), png.open_png, nests=False),
    _Format(openpgp.is_message, openpgp.open_message, nests=False),
)
"""Those that text or octets of any kind may look like: it does no harm to try."""

_OTHER = _Format(lambda data: not is_container(data), embedded.open_embedded)
"""What is no archive may have one in its midst."""


def is_container(data: Octets) -> bool:
    """Whether data is a file that holds others, or text in a form of its own, by any name.

    Args:
        data: the content of a part, without its transfer encoding.
    """
    return data.startswith(readings.SQLITE) or any(each.is_one(data) for each in _FORMATS)


def is_no_text(data: Octets) -> bool:
    """Whether data that is said to be text is such a file; told cheaply of what is text."""
    begins = data.startswith(_BEGINNINGS) or b"\0" in data[:512]
    return begins and is_container(data)


def holds_address(data: Octets, people: People, unpacking: Unpacking | None = None) -> bool:
    """Whether a file of any kind holds one of the people's addresses.

    Args:
        data: the file.
        people: whom to look for.
        unpacking: what may be unpacked, which gets less; None if this is the only file.
    """
    return _Search(people, unpacking or Unpacking()).file(data, 0, 0)


class _Search:
    """One way through a file and all inside it."""

    def __init__(self, people: People, unpacking: Unpacking) -> None:
        self._people = people
        self._unpacking = unpacking

    def file(self, data: Octets, depth: int, layers: int) -> bool:
        """Whether a file holds an address; `depth` archives and `layers` files are around it."""
        return self._sees(data) or self._reads(data) or self._opens(data, depth, layers)

    def _opens(self, data: Octets, depth: int, layers: int) -> bool:
        if layers >= MAX_LAYERS:
            return False
        for form in (*_FORMATS, *_INNER, _OTHER):
            if (form.nests and depth >= MAX_DEPTH) or not form.is_one(data):
                continue
            for content in form.open(data, self._unpacking):
                self._unpacking.means.check()
                if form.pages:
                    if self._page(content):
                        return True
                elif self.file(content, depth + form.nests, layers + 1):
                    return True
        return False

    def _page(self, content: Octets) -> bool:
        if self._sees(content):
            return True
        if not self._unpacking.allows_text(len(content)) or not pdf.shows_text(content):
            return False
        return any(map(self._people.found, pdf.read_page(content[:MAX_TEXT])))

    def _reads(self, data: Octets) -> bool:
        """Whether a document's text holds an address, that stands in the file in pieces."""
        people, unpacking = self._people, self._unpacking
        if (codec := readings.find_wide(data)) is not None:
            # Of what stands in a piece, nothing is looked for here.
            if not unpacking.allows_text(len(data)):
                return False
            text = data[:MAX_TEXT].decode(codec, "replace")
            return self._reads(text.replace("\0", " ").encode("utf-8", "replace"))
        if readings.is_markup(data):
            if not unpacking.allows_text(len(data)):
                return False
            texts = (text for each in _overlapped(data) for text in readings.read_markup(each))
            return any(map(people.found, texts)) or self._hides(data)
        if data.startswith(readings.RTF):
            return unpacking.allows_text(len(data)) and people.found(
                readings.read_rtf(data[:MAX_TEXT])
            )
        if data.startswith(readings.SHEET):
            if not unpacking.allows_text(len(data)):
                return False
            return people.found(b"".join(readings.read_sheet(data[:MAX_TEXT])))
        if data.startswith(readings.SQLITE):
            return self._sees(unpacking.means.store(readings.read_pages(data)))
        if _BINARY.search(data[:_HEAD]) is not None or not unpacking.allows_text(len(data)):
            return False
        return self._hides(data)

    def _hides(self, data: Octets) -> bool:
        """Whether text holds an address behind escapes, in links or in tokens."""
        mask = self._people.mask
        for each in _overlapped(data):
            whole = readings.unfold(each)
            if whole is not each and self._people.found(whole):
                return True
            if obfuscated.possible(whole, mask):
                text = whole.decode("utf-8", "replace")
                if obfuscated.masked(text, mask) != text:
                    return True
        return False

    def _sees(self, data: Octets) -> bool:
        return any(map(self._people.found, _overlapped(data)))


def _overlapped(data: Octets) -> Iterable[bytes]:
    """Go through octets in pieces, each beginning with the end of the one before."""
    before = b""
    for piece in windows(data, 0, len(data)):
        yield before + piece
        before = piece[-_OVERLAP:]
