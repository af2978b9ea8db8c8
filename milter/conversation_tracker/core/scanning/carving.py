"""What is packed inside files, for the final scan: found by its beginnings, wherever these stand.

Written apart from the masking code, and simply: no directory of an archive is believed or read.
Where octets look like the beginning of something compressed they are decompressed, as far as that
goes; what is only stored stands there anyway, with the beginnings of what is in it. The work is
bounded by what comes out. Nothing here raises but what asking for the time raises.
"""

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from conversation_tracker.core.base.limits import Limits
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.scanning import (
    back_references,
    documents,
    packets,
    sectors,
    tables,
)
from conversation_tracker.core.scanning.beginnings import (
    BEGINNINGS,
    COMPRESSED_DATA,
    GZIP,
    LZIP,
    PNG,
    RTF,
    SEVEN,
    STREAM,
    ZIP,
    is_deflated,
    iter_deflated,
)
from conversation_tracker.core.scanning.pdf import page_fonts, pages, unlocking
from conversation_tracker.core.scanning.text import lettered
from conversation_tracker.core.scanning.ways import (
    MEMORY,
    Way,
    make_lzma1,
    make_raw,
    skip_gzip_header,
)

_MOST = 64 * 1024 * 1024  # octets that come out of one part
_RATIO, _SLACK = 200, 64 * 1024  # for one octet in
_MOST_FINDS = 2_000
_LAYERS = 8
_TEXT = documents.MOST
_LZIP_TAIL = 20  # octets behind a member
_DIGITS = re.compile(rb"[0-9a-fA-F\s]++>")
_BEHIND_DEFLATED = 8  # octets of a check sum and a line end, before the end of a stream
_NEAR = 512  # octets before a stream that tell of it
_NEAR_END = 20  # octets, as line ends, behind what is written in letters
_ZLIB = re.compile(rb"\0\x78[\x01\x5e\x9c\xda]")
_BEGIN_OF_CHUNKS = 132_000
_CHUNKS = (b"zTXt", b"iTXt", b"iCCP")
_DEFLATED, _LZMA = 8, 14


class Carver:
    """Goes through what is packed in one part; its limits are for all of that together.

    Args:
        limits: where to keep what comes out, and the time for it.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._octets = _MOST
        self._finds = _MOST_FINDS
        self._text = 2 * _TEXT
        self._pages = 4 * _TEXT
        self._end = 0  # of what was decompressed last

    def iter_contents(self, data: Octets, layer: int = 0) -> Iterator[Octets]:
        """Yield all that is packed in octets, and through the texts that these are read as.

        Args:
            data: the octets.
            layer: how many others are around them.
        """
        if self._text > 0 and documents.is_document(data):
            self._text -= len(data)
            yield from documents.iter_texts(data)
        if layer >= _LAYERS:
            return
        for found in self._carve(data, layer):
            end = self._end
            yield found
            yield from self.iter_contents(found, layer + 1)
            self._end = end  # in these octets, whatever was decompressed of what was found

    def _carve(self, data: Octets, layer: int) -> Iterator[Octets]:
        if self._text > 0 and any(data.find(mark) >= 0 for mark in lettered.MARKS):
            self._text -= len(data)
            yield from lettered.decode_files(data[:_TEXT])
        if data.startswith(sectors.MAGIC):
            for chain in sectors.iter_chains(data):
                self._limits.check()
                yield chain
                yield documents.read_records(chain)
        if data.startswith(tables.SQLITE):
            yield b"".join(page[4:] for page in tables.find_pages(data))
            yield b"".join(tables.find_cells(data))
        if data[257:262] == tables.TAR:
            yield b"\n".join(tables.find_names(data))
        if data.startswith((back_references.LZ4, back_references.LZ4_LEGACY)):
            yield self._unpack(data, back_references.unpack_lz4)
        elif data.startswith(back_references.COMPRESS):
            yield self._unpack(data, back_references.unpack_compress)
        elif data.startswith(b"\0") and back_references.holds_chunks(data[:_BEGIN_OF_CHUNKS]):
            yield self._unpack(data, back_references.unpack_chunks)
        if (at := data.find(tables.CABINET)) >= 0:
            yield self._limits.store(tables.inflate_blocks(data, at, self._octets))
        if b"%PDF-" in data[:1024]:
            unlocked = unlocking.unlock(data, self._limits.check)
            data = data if unlocked is None else self._limits.store(unlocked)
            yield pages.read_page(self._take_objects(data, data.find(b"%PDF-") + 5))
        head = data[:2]
        if is_deflated(data):
            yield self._decompress(data, 2, lambda: zlib.decompressobj(-15))
        elif head[:1] == b"\x5d":
            yield self._decompress(data, 13, lambda: make_lzma1(data[:5]))
        elif head == LZIP[:2] and data.startswith(LZIP):
            self._end = -_LZIP_TAIL
            while self._finds > 0 and data.startswith(LZIP, begin := self._end + _LZIP_TAIL):
                self._finds -= 1
                yield self._decompress(data, begin + 6, lambda: make_lzma1(b"\x5d"))
        elif data.startswith(PNG):
            yield from self._chunks(data)
        method, packet = packets.unpack(data)
        if method:
            yield self._decompress(packet, 2 * method - 2, lambda: zlib.decompressobj(-15))
        if COMPRESSED_DATA in data[:64]:
            at = max(data.find(b"\x78", 30), 0)
            yield self._decompress(data, at + 2, lambda: zlib.decompressobj(-15))
        fonts = page_fonts.PageFonts(self._limits.check)
        for beginning in BEGINNINGS:
            at = data.find(beginning)
            while at >= 0 and self._finds > 0 and self._octets > 0:
                self._finds -= 1
                self._limits.check()
                self._end = at
                yield from self._carve_at(data, at, beginning, fonts)
                at = data.find(beginning, max(self._end, at + len(beginning)))
        yield from fonts.iter_texts()
        self._end = 0
        for at in iter_deflated(data):
            if at >= self._end and self._finds > 0:
                self._finds -= 1
                yield self._decompress(data, at + 2, lambda: zlib.decompressobj(-15))

    def _chunks(self, data: Octets) -> Iterator[Octets]:
        """Yield what is compressed in a picture's texts and profiles."""
        for kind in _CHUNKS:
            at = data.find(kind)
            while at >= 0 and self._finds > 0 and self._octets > 0:
                self._finds -= 1
                begin = _ZLIB.search(data[at + 5 : at + 400])
                if begin is not None:
                    yield self._decompress(
                        data, at + 5 + begin.end(), lambda: zlib.decompressobj(-15)
                    )
                at = data.find(kind, at + 4)

    def _carve_at(
        self, data: Octets, at: int, beginning: bytes, fonts: page_fonts.PageFonts
    ) -> Iterator[Octets]:
        """Yield what comes out of what begins here."""
        if beginning == ZIP:
            head = data[at : at + 30]
            method, name, extra = (int.from_bytes(head[i : i + 2], "little") for i in (8, 26, 28))
            start = at + 30 + name + extra
            if method == 0:
                packed = int.from_bytes(data[at + 18 : at + 22], "little")
                size = min(packed, self._octets, len(data))
                self._octets -= size
                yield data[start : start + size]
            elif method == _DEFLATED:
                yield self._decompress(data, start, lambda: zlib.decompressobj(-15))
            elif method == _LZMA:
                properties = data[start + 4 : start + 9]
                yield self._decompress(data, start + 9, lambda: make_lzma1(properties))
        elif beginning == STREAM:
            start = at + len(STREAM)
            if data[max(0, at - 3) : at] == b"end":
                yield pages.read_page(self._take_objects(data, start))
                return
            start = pages.skip_line_end(data, start)
            told = pages.read_names(data[max(0, at - _NEAR) : at].rpartition(b"obj")[2])
            for stream in self._carve_stream(data, start, told):
                is_page = self._pages > 0 and pages.is_page(stream)
                self._pages -= len(stream) if is_page else 0
                fonts.note(stream, is_page=is_page)
                yield pages.read_page(stream) if is_page else stream
        elif beginning == SEVEN:
            yield from self._carve_7z(data, at)
        elif beginning == RTF:
            text = documents.read_rich_text(
                data[at + 8 : at + 8 + _TEXT], min(_TEXT, max(0, self._text))
            )
            self._text -= len(text)
            yield text
        elif beginning == GZIP:
            yield self._decompress_joined(data, at, beginning, lambda: zlib.decompressobj(-15))
        elif beginning == b"BZh":
            yield self._decompress_joined(data, at, beginning, bz2.BZ2Decompressor)
        elif beginning == b"\x28\xb5\x2f\xfd":
            yield self._decompress_zstandard(data, at)
        else:
            make = partial(lzma.LZMADecompressor, memlimit=MEMORY)
            yield self._decompress_joined(data, at, beginning, make)

    def _carve_stream(self, data: Octets, start: int, told: bytes) -> Iterator[Octets]:
        """Yield a stream of a PDF file, as it is where it is not compressed."""
        inflated = self._decompress(data, start + 2, lambda: zlib.decompressobj(-15))
        if len(inflated):
            yield inflated
        end = data.find(b"endstream", start)
        filters = pages.find_filters(told)
        if len(filters) > 1 and not (len(filters) == 2 and filters[0] != b"Fl" == filters[1]):
            stretch = data[start : min(end if end >= 0 else len(data), start + _TEXT)]
            behind = self._end
            yield self._undo_filters(stretch, filters, late=b"/EarlyChange 0" in told)
            self._end = behind
        # Of what other filters write, or none, one in fifty gives a few octets, too.
        whole = 0 <= end - self._end <= _BEHIND_DEFLATED
        sure = len(inflated) > 0 and (whole or b"Fl" in filters)
        if sure and not set(filters) - {b"Fl"}:
            return
        plain = data[start : min(end if end >= 0 else len(data), start + _TEXT)]
        behind = min(self._end, start + len(plain))  # decompressed already
        if (last := plain.rfind(b"~>", max(0, len(plain) - _NEAR_END))) >= 0:
            plain = pages.decode_ascii85(plain[:last])
        elif (digits := _DIGITS.match(plain)) and len(plain) - digits.end() < _NEAR_END:
            plain = pages.from_digits(plain)
        if b"LZW" in filters and b"/Image" not in told:
            late = b"/EarlyChange 0" in told
            plain = self._unpack(plain, partial(back_references.unpack_lzw, late=late))
        elif not {b"RL", b"RunLength"}.isdisjoint(filters):
            plain = self._unpack(plain, pages.repeat_runs)
        self._octets -= len(plain)
        inflated = self._decompress(plain, 2, lambda: zlib.decompressobj(-15))
        self._end = behind
        if len(inflated):
            yield inflated
        if not len(inflated) or b"Fl" not in filters:
            yield plain

    def _undo_filters(self, plain: bytes, filters: list[bytes], *, late: bool) -> bytes:
        """Undo the filters of a stream one after the other, as far as that goes."""
        for name in filters:
            self._limits.check()
            if name in (b"A85", b"ASCII85"):
                plain = pages.decode_ascii85(plain)
            elif name in (b"AHx", b"ASCIIHex"):
                digits = _DIGITS.match(plain)
                plain = pages.from_digits(digits[0]) if digits is not None else b""
            elif name == b"LZW":
                plain = self._unpack(plain, partial(back_references.unpack_lzw, late=late))
            elif name == b"Fl":
                plain = self._decompress(plain, 2, lambda: zlib.decompressobj(-15))[:_TEXT]
            else:
                plain = self._unpack(plain, pages.repeat_runs)
        return plain

    def _take_objects(self, data: Octets, start: int) -> bytes:
        """Take what stands behind a stream of a PDF file, up to the next one."""
        end = data.find(STREAM, start)
        plain = data[start : min(end if end >= 0 else len(data), start + _TEXT)]
        self._octets -= len(plain)
        self._end = start + len(plain)
        return plain

    def _carve_7z(self, data: Octets, at: int) -> Iterator[Octets]:
        """Try what most 7z files are packed with; their names are packed behind all else."""
        begin = at + 32
        for _ in range(2):
            yield self._decompress(data, begin, lambda: make_raw(lzma.FILTER_LZMA2))
            yield self._decompress(data, begin, lambda: make_lzma1(b"\x5d\0\0\0\4"))
            yield self._decompress(data, begin, lambda: zlib.decompressobj(-15))
            offset = int.from_bytes(data[at + 12 : at + 20], "little")
            field = data[at + 32 + offset : at + 32 + offset + 12]
            self._end = at  # what is only stored stands there
            if field[:2] != b"\x17\6":
                return
            begin = at + 32 + _read_number(field[2:])

    def _unpack(self, data: Octets, unpack: Callable[[bytes, Callable[[], None]], bytes]) -> bytes:
        if self._octets <= 0:
            return b""
        plain = unpack(data[: back_references.MOST], self._limits.check)
        self._octets -= len(plain)
        return plain

    def _decompress(self, data: Octets, start: int, make: Callable[[], Any]) -> Octets:
        """Decompress from a place on, as far as that goes; nothing may come out."""
        way = Way(data, start)
        limit = min(self._octets, max(0, len(data) - start) * _RATIO + _SLACK)
        kept = self._limits.store(way.decompress(limit, make))
        self._octets -= len(kept)
        self._end = way.at
        return kept

    def _decompress_streams(
        self, data: Octets, at: int, beginning: bytes, make: Callable[[], Any]
    ) -> Iterator[bytes]:
        """Decompress streams that follow each other, as one."""
        left = min(self._octets, (len(data) - at) * _RATIO + _SLACK)
        gzipped = beginning == GZIP
        while left > 0 and self._finds > 0 and data.startswith(beginning, at):
            self._finds -= 1
            way = Way(data, skip_gzip_header(data, at) if gzipped else at)
            for piece in way.decompress(left, make):
                left -= len(piece)
                yield piece
            if way.at <= at:
                break
            at = way.at + 8 * gzipped
            while data[at : at + 4] == bytes(4):
                at += 4
        self._end = at

    def _decompress_joined(
        self, data: Octets, at: int, beginning: bytes, make: Callable[[], Any]
    ) -> Octets:
        kept = self._limits.store(self._decompress_streams(data, at, beginning, make))
        self._octets -= len(kept)
        return kept

    def _decompress_zstandard(self, data: Octets, start: int) -> Octets:
        way = Way(data, start)
        limit = min(self._octets, (len(data) - start) * _RATIO + _SLACK)
        kept = self._limits.store(way.decompress_frames(limit))
        self._octets -= len(kept)
        self._end = way.at
        return kept


def _read_number(octets: bytes) -> int:
    """Read a number as 7z writes it."""
    first = octets[0] if octets else 0
    more = next((n for n in range(8) if not first & 0x80 >> n), 8)
    high = (first & (0x7F >> more)) << 8 * more
    return high | int.from_bytes(octets[1 : 1 + more], "little")
