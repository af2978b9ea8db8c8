"""Whether a file holds an address: in it as it stands, and in all that it was packed or cut into.

What is compressed or lies in sectors shows nothing as bytes. Nothing is written: a hit can only be
reported, or the whole file removed. Each format is a module beside this one; here is the table of
them, and the way down. What nobody can open, as an encrypted archive, shows nothing and is no hit.
Nothing here raises but what asking for the time raises.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.address.address_finder import People
from conversation_tracker.core.masking.container import (
    cabinet,
    compound,
    compressed,
    embedded,
    message_file,
    openpgp,
    outlook,
    png,
    readings,
    seven_zip,
    sqlite,
    tar,
    tnef,
    uuencoded,
    written_files,
    zip_file,
)
from conversation_tracker.core.masking.container.budget import (
    MAX_DEPTH,
    MAX_LAYERS,
    MAX_TEXT,
    Unpacking,
)
from conversation_tracker.core.masking.container.document import pdf
from conversation_tracker.core.masking.container.lempel_ziv import lz_blocks, lzw
from conversation_tracker.core.masking.text import obfuscated
from conversation_tracker.core.syntax import charset

_SMALL = 1024 * 1024  # octets of a file that is remembered
_OVERLAP = 4096  # octets seen twice, so that nothing is hidden by where a window ends
_BINARY = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_HEAD = 1024
# Without those that shift between the scripts of a text (ISO 2022).
_CONTROLS = bytes((*range(7), *range(16, 27), *range(28, 32)))
_FEW_CONTROLS, _SHARE = 8, 20

# How binary files begin; no text begins so. Other formats are known by more than that.
_BEGINNINGS = (
    *zip_file.MAGIC,
    compressed.GZIP,
    b"BZh",
    compressed.XZ,
    compressed.LZIP,
    b"\x28\xb5\x2f\xfd",
    lz_blocks.LZ4,
    lz_blocks.LZ4_OLD,
    lzw.COMPRESS,
    seven_zip.MAGIC,
    compound.MAGIC,
    b"%PDF-",
    tar.AR,
    sqlite.MAGIC,
    b"\x5d\0",
    png.MAGIC,
    cabinet.MAGIC,
)


@dataclass(frozen=True, slots=True)
class _Format:
    """How a file is opened.

    Attributes:
        is_one: whether data is such a file.
        open: gives what is in it.
        nests: it counts as one of the archives that may lie inside each other.
        pages: what is in it are pages, and no files.
        magic: how each such file begins, and no other; empty where more than that tells it.
    """

    is_one: Callable[[Octets], bool]
    open: Callable[[Octets, Unpacking], Iterator[Octets]]
    nests: bool = True
    pages: bool = False
    magic: bytes = b""


def _begin_with(
    magic: bytes, open: Callable[[Octets, Unpacking], Iterator[Octets]], *, nests: bool = True
) -> _Format:
    return _Format(lambda data: data.startswith(magic), open, nests, magic=magic)


_FORMATS = (
    _Format(zip_file.is_zip, zip_file.open_zip),
    _Format(pdf.is_pdf, pdf.open_pdf, pages=True),
    _begin_with(compressed.GZIP, compressed.open_gzip, nests=False),
    _Format(
        lambda data: compressed.BZIP2.match(data) is not None, compressed.open_bzip2, nests=False
    ),
    _begin_with(compressed.XZ, compressed.open_xz, nests=False),
    _Format(
        lambda data: compressed.ZSTANDARD.match(data) is not None,
        compressed.open_zstandard,
        nests=False,
    ),
    _Format(lz_blocks.is_lz4, lz_blocks.open_lz4, nests=False),
    _begin_with(lzw.COMPRESS, lzw.open_compress, nests=False),
    _Format(compressed.is_lzma, compressed.open_lzma, nests=False),
    _begin_with(compressed.LZIP, compressed.open_lzip, nests=False),
    _Format(tar.is_tar, tar.open_tar),
    _begin_with(tar.AR, tar.open_ar),
    _begin_with(seven_zip.MAGIC, seven_zip.open_7z),
    _begin_with(compound.MAGIC, compound.open_compound),
    _begin_with(cabinet.MAGIC, cabinet.open_cabinet),
)
"""Files that are known for sure by their octets, whatever their type and name say."""

_MAGIC = (sqlite.MAGIC, *(each.magic for each in _FORMATS if each.magic))
_TOLD_BY_MORE = tuple(each.is_one for each in _FORMATS if not each.magic)

_INNER = (
    _begin_with(tnef.MAGIC, tnef.open_tnef),
    _Format(outlook.is_compressed_rtf, outlook.open_compressed_rtf, nests=False),
    _Format(compressed.is_zlib, compressed.open_zlib, nests=False),
    _Format(lz_blocks.is_snappy, lz_blocks.open_snappy, nests=False),
    _Format(message_file.is_letter, message_file.open_letter),
    _begin_with(png.MAGIC, png.open_png, nests=False),
    _Format(openpgp.is_message, openpgp.open_message, nests=False),
    _Format(uuencoded.holds_file, uuencoded.open_files),
    _Format(written_files.may_stand_in, written_files.open_files),
)
"""Those that text or octets of any kind may look like: it does no harm to try."""

_OTHER = _Format(lambda data: not is_container(data), embedded.open_embedded, nests=False)
"""What is no archive may have one inside."""


def is_container(data: Octets) -> bool:
    """Whether data is a file that holds others, or text in a form of its own, by any name.

    Args:
        data: the content of a part, without its transfer encoding.
    """
    return data.startswith(_MAGIC) or any(is_one(data) for is_one in _TOLD_BY_MORE)


def is_no_text(data: Octets) -> bool:
    """Whether data that is said to be text is such a file; cheap for what is text."""
    if data[:_HEAD].lstrip().startswith(_BEGINNINGS) and (
        is_container(data) or data.startswith(png.MAGIC)
    ):
        return True
    if (b"\0" in data[:_HEAD] and is_container(data)) or openpgp.is_compressed(data):
        return True
    if compressed.is_zlib(data):
        return _BINARY.search(data[:_HEAD]) is not None and compressed.is_surely_zlib(data)
    if data.find(b"\0") >= 0 or (data.find(embedded.BZIP2) >= 0 and _BINARY.search(data[:])):
        found = embedded.is_in(data) or openpgp.is_message(data)
        return found and not charset.is_wide(data[:])
    return False


def is_full_of_controls(data: Octets) -> bool:
    """Whether data begins with more control characters than stand in most texts; asked cheaply."""
    head = data[:_HEAD]
    found = len(head) - len(head.translate(None, _CONTROLS))
    return found > _FEW_CONTROLS and found * _SHARE > len(head)


def holds_address(data: Octets, people: People, unpacking: Unpacking | None = None) -> bool:
    """Whether a file of any kind holds one of the people's addresses.

    Args:
        data: the file.
        people: whom to look for.
        unpacking: what may be unpacked, which gets less; None if this is the only file.
    """
    return _Search(people, unpacking or Unpacking()).search(data, 0, 0)


class _Search:
    """One way through a file and all inside it."""

    def __init__(self, people: People, unpacking: Unpacking) -> None:
        self._people = people
        self._unpacking = unpacking
        self._met: dict[bytes, list[tuple[int, int]]] = {}

    def search(self, data: Octets, depth: int, layers: int) -> bool:
        """Whether a file holds an address; `depth` archives and `layers` files are around it."""
        if not data or self._was_searched(data, depth, layers):
            return False
        return (
            self._search_octets(data)
            or self._search_document(data)
            or self._search_members(data, depth, layers)
        )

    def _was_searched(self, data: Octets, depth: int, layers: int) -> bool:
        """Return whether the same file was met, with no more around it; else note that it is.

        Old office documents hold some of theirs in a stream, and once more as a file in that.
        """
        if len(data) > _SMALL:
            return False
        digest = hashlib.blake2b(data[:], digest_size=32).digest()
        if any(depth >= met[0] and layers >= met[1] for met in self._met.get(digest, ())):
            return True
        self._met.setdefault(digest, []).append((depth, layers))
        return False

    def _search_members(self, data: Octets, depth: int, layers: int) -> bool:
        if layers >= MAX_LAYERS:
            return False
        for form in (*_FORMATS, *_INNER, _OTHER):
            if (form.nests and depth >= MAX_DEPTH) or not form.is_one(data):
                continue
            if form.pages:
                if self._search_pages(form.open(data, self._unpacking)):
                    return True
                continue
            for content in form.open(data, self._unpacking):
                self._unpacking.limits.check()
                if self.search(content, depth + form.nests, layers + 1):
                    return True
        return False

    def _search_pages(self, contents: Iterable[Octets]) -> bool:
        # Few messages need these.
        from conversation_tracker.core.masking.container.document import pdf_fonts, pdf_page

        pages = pdf_fonts.Pages()
        for content in contents:
            self._unpacking.limits.check()
            if self._search_octets(content):
                return True
            is_page = self._unpacking.allows_text(len(content)) and pdf_page.shows_text(content)
            if is_page and any(map(self._people.in_bytes, pdf_page.read_page(content[:MAX_TEXT]))):
                return True
            pages.add(content, is_page=is_page)
        return any(map(self._people.in_bytes, pages.iter_texts(self._unpacking)))

    def _search_document(self, data: Octets) -> bool:
        """Whether a document's text holds an address, that stands in the file in pieces."""
        people, unpacking = self._people, self._unpacking
        if (codec := readings.find_wide(data)) is not None:
            # An address in one piece is found among the octets; here it may be in several.
            if not unpacking.allows_text(len(data)):
                return False
            text = data[:MAX_TEXT].decode(codec, "replace")
            return self._search_document(text.replace("\0", " ").encode("utf-8", "replace"))
        if readings.is_markup(data):
            if not unpacking.allows_text(len(data)):
                return False
            texts = (
                text for each in _iter_overlapping(data) for text in readings.read_markup(each)
            )
            return any(map(people.in_bytes, texts)) or self._search_encoded(data)
        if data.startswith(readings.RTF):
            return unpacking.allows_text(len(data)) and people.in_bytes(
                readings.read_rtf(data[:MAX_TEXT])
            )
        if data.startswith(readings.SHEET):
            if not unpacking.allows_text(len(data)):
                return False
            return people.in_bytes(b"".join(readings.read_sheet(data[:MAX_TEXT])))
        if data.startswith(sqlite.MAGIC):
            found = (sqlite.read_pages(data), sqlite.read_values(data))
            return any(self._search_octets(unpacking.limits.store(each)) for each in found)
        if _BINARY.search(data[:_HEAD]) is not None or not unpacking.allows_text(len(data)):
            return False
        return self._search_encoded(data)

    def _search_encoded(self, data: Octets) -> bool:
        """Whether text holds an address behind escapes, in links or in tokens."""
        mask = self._people.mask
        for each in _iter_overlapping(data):
            whole = readings.unfold(each)
            if whole is not each and self._people.in_bytes(whole):
                return True
            if obfuscated.possible(whole, mask):
                text = whole.decode("utf-8", "replace")
                if obfuscated.mask_obfuscations(text, mask) != text:
                    return True
        return False

    def _search_octets(self, data: Octets) -> bool:
        return any(map(self._people.in_bytes, _iter_overlapping(data)))


def _iter_overlapping(data: Octets) -> Iterable[bytes]:
    """Yield octets in pieces, each beginning with the end of the one before."""
    before = b""
    for piece in iter_windows(data, 0, len(data)):
        yield before + piece
        before = piece[-_OVERLAP:]
