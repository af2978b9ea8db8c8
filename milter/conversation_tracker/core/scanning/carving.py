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

import zstandard

from conversation_tracker.core.base.limits import Limits
from conversation_tracker.core.base.octets import Octets
from conversation_tracker.core.scanning import (
    back_references,
    documents,
    packets,
    page_fonts,
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
)

_MOST = 64 * 1024 * 1024  # octets that come out of one part
_RATIO, _SLACK = 200, 64 * 1024  # for one octet in
_MOST_FINDS = 2_000
_LAYERS = 8
_TEXT = documents.MOST
_WINDOW = 64 * 1024 * 1024
_MEMORY = 80 * 1024 * 1024
_CHUNK = 64 * 1024
_STEP = 4096
_LEAST = 64  # octets of the first step
_ERRORS = (
    zlib.error,
    lzma.LZMAError,
    zstandard.ZstdError,
    EOFError,
    OSError,
    ValueError,
    MemoryError,
)

_LZIP_TAIL = 20  # octets behind a member
_DIGITS = re.compile(rb"[0-9a-fA-F\s]++>\s*")
_ZLIB = re.compile(rb"\0\x78[\x01\x5e\x9c\xda]")
_CHUNK_BEGIN = 132_000
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
        elif data.startswith(b"\0") and back_references.holds_chunks(data[:_CHUNK_BEGIN]):
            yield self._unpack(data, back_references.unpack_chunks)
        if (at := data.find(tables.CABINET)) >= 0:
            yield self._limits.store(tables.inflate_blocks(data, at, self._octets))
        if b"%PDF-" in data[:1024]:
            yield documents.read_page(self._take_objects(data, 0))
        head = data[:2]
        if is_deflated(data):
            yield self._decompress(data, 2, lambda: zlib.decompressobj(-15))
        elif head[:1] == b"\x5d":
            yield self._decompress(data, 13, lambda: _make_lzma1_filter(data[:5]))
        elif head == LZIP[:2] and data.startswith(LZIP):
            self._end = -_LZIP_TAIL
            while self._finds > 0 and data.startswith(LZIP, begin := self._end + _LZIP_TAIL):
                self._finds -= 1
                yield self._decompress(data, begin + 6, lambda: _make_lzma1_filter(b"\x5d"))
        elif data.startswith(PNG):
            yield from self._chunks(data)
        method, packet = packets.unpack(data)
        if method:
            yield self._decompress(packet, 2 * method - 2, lambda: zlib.decompressobj(-15))
        if COMPRESSED_DATA in data[:64]:
            at = max(data.find(b"\x78", 30), 0)
            yield self._decompress(data, at + 2, lambda: zlib.decompressobj(-15))
        fonts = page_fonts.PageFonts()
        for beginning in BEGINNINGS:
            at = data.find(beginning)
            while at >= 0 and self._finds > 0 and self._octets > 0:
                self._finds -= 1
                self._limits.check()
                self._end = at
                yield from self._carve_at(data, at, beginning, fonts)
                at = data.find(beginning, max(self._end, at + len(beginning)))
        yield from fonts.iter_texts()

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
                yield self._decompress(data, start + 9, lambda: _make_lzma1_filter(properties))
        elif beginning == STREAM:
            start = at + len(STREAM)
            if data[max(0, at - 3) : at] == b"end":
                yield documents.read_page(self._take_objects(data, start))
                return
            start += 2 if data[start : start + 2] == b"\r\n" else 1
            for stream in self._carve_stream(data, start):
                is_page = documents.is_page(stream)
                fonts.note(stream, is_page=is_page)
                yield documents.read_page(stream) if is_page else stream
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
            make = partial(lzma.LZMADecompressor, memlimit=_MEMORY)
            yield self._decompress_joined(data, at, beginning, make)

    def _carve_stream(self, data: Octets, start: int) -> Iterator[Octets]:
        """Yield a stream of a PDF file, as it is where it is not compressed."""
        inflated = self._decompress(data, start + 2, lambda: zlib.decompressobj(-15))
        if len(inflated):
            yield inflated
            return
        end = data.find(b"endstream", start)
        plain = data[start : min(end if end >= 0 else len(data), start + _TEXT)]
        behind = min(self._end, start + len(plain))  # decompressed already
        if plain.rstrip().endswith(b"~>"):
            plain = documents.decode_ascii85(plain)
        elif _DIGITS.fullmatch(plain):
            plain = documents.from_digits(plain)
        self._octets -= len(plain)
        found = self._decompress(plain, 2, lambda: zlib.decompressobj(-15)) or plain
        self._end = behind
        yield found

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
            yield self._decompress(data, begin, lambda: _make_raw(lzma.FILTER_LZMA2))
            yield self._decompress(data, begin, lambda: _make_lzma1_filter(b"\x5d\0\0\0\4"))
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
        way = _Way(data, start)
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
            way = _Way(data, _skip_gzip_header(data, at) if gzipped else at)
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
        way = _Way(data, start)
        limit = min(self._octets, (len(data) - start) * _RATIO + _SLACK)
        kept = self._limits.store(way.decompress_frames(limit))
        self._octets -= len(kept)
        self._end = way.at
        return kept


class _Way:
    """One way through compressed octets; `at` is how far they were read."""

    def __init__(self, data: Octets, start: int) -> None:
        self._data = data
        self.at = start

    def decompress(self, limit: int, make: Callable[[], Any]) -> Iterator[bytes]:
        """Yield what comes out, of what is broken as far as it goes."""
        try:
            tool = make()
            if hasattr(tool, "unconsumed_tail"):
                yield from self._inflate(limit, tool)
                return
            left, out = b"", 0
            while out < limit and not tool.eof:
                if not left and tool.needs_input and not (left := self.read(_CHUNK)):
                    return
                # In small steps: what is broken gives nothing of its last one.
                piece = tool.decompress(left, min(limit - out, _LEAST if out < _CHUNK else _STEP))
                left = b""
                out += len(piece)
                yield piece
            self.at -= len(tool.unused_data)
        except _ERRORS:
            return

    def _inflate(self, limit: int, tool: Any) -> Iterator[bytes]:
        """Yield what comes out of Deflate: in large steps, and where one fails, in smaller ones.

        So at most the last octet is lost before a break.
        """
        left, out, size, most = b"", 0, _LEAST, _CHUNK
        while out < limit and not tool.eof:
            if not left and not (left := self.read(4 * _STEP)):
                return
            before = tool.copy() if out else None
            try:
                piece = tool.decompress(left, min(limit - out, size))
            except zlib.error:
                if before is None or size == 1:
                    return
                tool, size = before, size // 2
                most = size  # it is broken right behind
                continue
            left = tool.unconsumed_tail
            size = min(most, 2 * size)
            out += len(piece)
            yield piece
        # What stands behind the end may be told as a rest too.
        self.at -= len(tool.unused_data if tool.eof else left)

    def decompress_frames(self, limit: int) -> Iterator[bytes]:
        """Yield what comes out of frames of Zstandard that follow each other."""
        try:
            tool = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
            reader = tool.stream_reader(self, read_size=_CHUNK, read_across_frames=True)  # type: ignore[arg-type]
            # Not read(): it gives nothing where what follows is no frame.
            while limit > 0 and (piece := reader.read1(min(limit, _STEP))):
                limit -= len(piece)
                yield piece
        except _ERRORS:
            return

    def read(self, size: int = -1) -> bytes:
        """Read on, as from a file."""
        piece = self._data[self.at : self.at + max(0, size)]
        self.at += len(piece)
        return piece


def _make_lzma1_filter(properties: bytes) -> Any:
    first = properties[0] if properties else 255
    return _make_raw(lzma.FILTER_LZMA1, lc=first % 9, lp=first // 9 % 5, pb=first // 45)


def _make_raw(filter_: int, **more: int) -> Any:
    wanted = [{"id": filter_, "dict_size": _WINDOW, **more}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=wanted)


def _read_number(octets: bytes) -> int:
    """Read a number as 7z writes it."""
    first = octets[0] if octets else 0
    more = next((n for n in range(8) if not first & 0x80 >> n), 8)
    high = (first & (0x7F >> more)) << 8 * more
    return high | int.from_bytes(octets[1 : 1 + more], "little")


def _skip_gzip_header(data: Octets, at: int) -> int:
    head = data[at : at + 12]
    flags, place = (head[3] if len(head) > 3 else 0), at + 10
    if flags & 4:
        place += 2 + int.from_bytes(head[10:12], "little")
    for flag in (8, 16):
        if flags & flag:
            place = (data.find(b"\0", place) + 1) or len(data)
    return place + (2 if flags & 2 else 0)
