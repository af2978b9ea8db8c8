"""Ways through compressed octets, for the final scan: as far as they go, and where they end.

Written apart from the masking code. Nothing here raises.
"""

import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from conversation_tracker.core.base.octets import Octets

MEMORY = 80 * 1024 * 1024
"""Octets that a decompressor may take."""

_WINDOW = 64 * 1024 * 1024
_CHUNK = 64 * 1024
_STEP = 4096
_LEAST = 64  # octets of the first step
_ERRORS = (
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    MemoryError,
)


class Way:
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
        # Few messages have such a file, and each worker would keep half a megabyte for it.
        from zstandard import ZstdDecompressor, ZstdError

        try:
            tool = ZstdDecompressor(max_window_size=_WINDOW)
            reader = tool.stream_reader(self, read_size=_CHUNK, read_across_frames=True)  # type: ignore[arg-type]
            # Not read(): it gives nothing where what follows is no frame.
            while limit > 0 and (piece := reader.read1(min(limit, _STEP))):
                limit -= len(piece)
                yield piece
        except (ZstdError, *_ERRORS):
            return

    def read(self, size: int = -1) -> bytes:
        """Read on, as from a file."""
        piece = self._data[self.at : self.at + max(0, size)]
        self.at += len(piece)
        return piece


def make_lzma1(properties: bytes) -> Any:
    """Make what decompresses LZMA without a header, by the octet of its properties."""
    first = properties[0] if properties else 255
    return make_raw(lzma.FILTER_LZMA1, lc=first % 9, lp=first // 9 % 5, pb=first // 45)


def make_raw(filter_: int, **more: int) -> Any:
    """Make what decompresses one filter of lzma without a header."""
    wanted = [{"id": filter_, "dict_size": _WINDOW, **more}]
    return lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=wanted)


def skip_gzip_header(data: Octets, at: int) -> int:
    """Return where the octets begin that a member of a gzip file packs."""
    head = data[at : at + 12]
    flags, place = (head[3] if len(head) > 3 else 0), at + 10
    if flags & 4:
        place += 2 + int.from_bytes(head[10:12], "little")
    for flag in (8, 16):
        if flags & flag:
            place = (data.find(b"\0", place) + 1) or len(data)
    return place + (2 if flags & 2 else 0)
