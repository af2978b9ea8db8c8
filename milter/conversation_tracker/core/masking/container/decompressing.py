"""Compressed octets, taken out step by step: never more than is asked for, broken ones as well.

A check sum is found to be wrong when the octets before it are out, and a decompressor then gives
nothing of that step. So steps are small, or done again in small ones. Nothing here raises.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from conversation_tracker.core.base.octets import LARGE, Octets, iter_windows

BROKEN: tuple[type[Exception], ...] = (
    *(zlib.error, lzma.LZMAError, EOFError, OSError, ValueError),
    *(MemoryError, OverflowError),
)
"""What decompressors raise over octets of another format, or that need too much memory."""

MAX_WINDOW = 64 * 1024 * 1024
"""Octets that may be referred to backwards, which a decompressor keeps in memory."""

_CHUNK = 64 * 1024
_STEP, _FIRST_STEP = 4096, 64
_MEMORY = MAX_WINDOW + 16 * 1024 * 1024


class Tool(Protocol):
    """A decompressor as those of the standard library are."""

    @property
    def eof(self) -> bool:
        """Whether the end was reached."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing comes out before more goes in."""

    @property
    def unused_data(self) -> bytes:
        """What stands behind the end."""

    def decompress(self, data: bytes, max_length: int = ...) -> bytes:
        """Take octets in, and at most so many out."""


class Packed:
    """A span of compressed octets on its way out; iterate it once.

    Args:
        data: where it stands.
        start: where it begins.
        end: where it ends at the latest.
        limit: octets that may come out.
        tool: what decompresses it.

    Attributes:
        end: where the compressed octets end, as far as is known.
    """

    def __init__(self, data: Octets, start: int, end: int, limit: int, tool: Tool) -> None:
        self._chunks = iter(iter_windows(data, start, end, _CHUNK))
        self._tool = tool
        self._limit = limit
        self.end = start

    def __iter__(self) -> Iterator[bytes]:
        """Yield what comes out."""
        tool, out = self._tool, 0
        while out < self._limit and not tool.eof:
            packed = next(self._chunks, b"") if tool.needs_input else b""
            if not packed and tool.needs_input:
                return
            self.end += len(packed)
            try:
                piece = tool.decompress(packed, min(self._limit - out, self._step(out)))
            except BROKEN:
                return
            out += len(piece)
            if piece:
                yield piece
        self.end -= len(tool.unused_data)

    def _step(self, out: int) -> int:
        if isinstance(self._tool, Deflated):  # it takes care of this itself
            return LARGE
        return _FIRST_STEP if out < _CHUNK else _STEP


class Deflated:
    """Takes deflated octets out (RFC 1951), without the check sum that may stand behind them."""

    def __init__(self) -> None:
        self._tool = zlib.decompressobj(-zlib.MAX_WBITS)
        self._left = b""
        self._broken: Any = None

    @property
    def eof(self) -> bool:
        """Whether the end was reached."""
        return self._tool.eof

    @property
    def needs_input(self) -> bool:
        """Whether there is nothing left to decompress."""
        return not self._left and self._broken is None

    @property
    def unused_data(self) -> bytes:
        """What stands behind the end."""
        return self._tool.unused_data

    def decompress(self, data: bytes, max_length: int = LARGE) -> bytes:
        """Take octets in, and at most so many out; raises zlib.error where they are broken."""
        if self._broken is not None:
            piece = self._broken.decompress(self._left, _FIRST_STEP)
            self._left = self._broken.unconsumed_tail
            if not piece:
                raise zlib.error("nothing more comes out")
            return bytes(piece)
        spare = self._tool.copy()
        data = self._left + data
        try:
            piece = self._tool.decompress(data, max_length)
        except zlib.error:
            self._broken, self._left = spare, data
            return b""
        self._left = self._tool.unconsumed_tail
        return piece


class _Framed:
    """Takes frames of Zstandard out (RFC 8878), all that follow each other."""

    def __init__(self, data: Octets, start: int, end: int) -> None:
        # Half a megabyte of each worker: few messages have such a file.
        from zstandard import ZstdDecompressor, ZstdError

        self._data, self._at, self._end = data, start, end
        self._error = ZstdError
        tool = ZstdDecompressor(max_window_size=MAX_WINDOW)
        self._reader = tool.stream_reader(self, read_size=_CHUNK, read_across_frames=True)  # type: ignore[arg-type]
        self._over = False
        self.unused_data = b""
        self.needs_input = False

    @property
    def eof(self) -> bool:
        """Whether nothing more comes out."""
        return self._over

    def read(self, size: int = -1) -> bytes:
        """Return the next compressed octets, as a file does."""
        end = min(self._end, self._at + max(0, size))
        piece = self._data[self._at : end]
        self._at = end
        return piece

    def decompress(self, data: bytes, max_length: int = _CHUNK) -> bytes:
        """Take at most so many octets out; raises ValueError where they are broken."""
        try:
            piece = self._reader.read1(max_length)  # not read(): what follows may be no frame
        except self._error as error:
            raise ValueError("no frame") from error
        self._over = not piece
        return piece


def open_deflate(data: Octets, start: int, end: int, limit: int) -> Packed:
    """Decompress deflated octets; arguments as of `Packed`."""
    return Packed(data, start, end, limit, Deflated())


def open_zstandard(data: Octets, start: int, end: int, limit: int) -> Packed:
    """Decompress frames of Zstandard; arguments as of `Packed`."""
    return Packed(data, start, end, limit, _Framed(data, start, end))


def open_lzma(
    data: Octets, start: int, end: int, limit: int, properties: bytes, step: bytes = b""
) -> Packed | None:
    """Decompress LZMA without a header; arguments as of `Packed`.

    Args:
        properties: the five octets of its properties.
        step: the octet of properties of a delta filter, if there is one.

    Returns:
        What comes out; None if the properties are none.
    """
    if len(properties) < 5 or properties[0] >= 225:
        return None
    rest, context = divmod(properties[0], 9)
    bits, position = divmod(rest, 5)[::-1]
    # What comes out refers to nothing before it, so more is never needed.
    window = min(max(4096, int.from_bytes(properties[1:5], "little")), MAX_WINDOW)
    filter_ = {
        "id": lzma.FILTER_LZMA1,
        "dict_size": window,
        **{"lc": context, "lp": bits, "pb": position},
    }
    return _open_raw(data, start, end, limit, filter_, step)


def open_lzma2(
    data: Octets, start: int, end: int, limit: int, properties: bytes, step: bytes = b""
) -> Packed | None:
    """Decompress LZMA2; arguments and result as of `open_lzma`, but of one octet of properties."""
    if not properties or properties[0] > 40:
        return None
    window = (2 | properties[0] & 1) << properties[0] // 2 + 11
    filter_ = {"id": lzma.FILTER_LZMA2, "dict_size": min(window, MAX_WINDOW)}
    return _open_raw(data, start, end, limit, filter_, step)


def _open_raw(
    data: Octets, start: int, end: int, limit: int, filter_: dict[str, int], step: bytes
) -> Packed | None:
    filters = [filter_]
    if step:
        filters.insert(0, {"id": lzma.FILTER_DELTA, "dist": step[0] + 1})
    try:
        tool = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    except BROKEN:
        return None
    return Packed(data, start, end, limit, tool)


def open_xz(data: Octets, start: int, end: int, limit: int) -> Packed:
    """Decompress one stream of xz; arguments as of `Packed`."""
    return Packed(data, start, end, limit, lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY))


def open_bzip2(data: Octets, start: int, end: int, limit: int) -> Packed:
    """Decompress one stream of bzip2; arguments as of `Packed`."""
    return Packed(data, start, end, limit, bz2.BZ2Decompressor())


Opener = Callable[[Octets, int, int, int], Packed]
"""Decompresses a span; arguments as of `Packed`."""
