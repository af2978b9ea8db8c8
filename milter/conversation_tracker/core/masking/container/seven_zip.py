"""7z files (7zFormat.txt of the LZMA SDK): their packed streams, decompressed, and their names.

Read are LZMA, LZMA2, Deflate, bzip2, Zstandard and what is only stored; filters for programs
(BCJ) change no text and are passed over. PPMd and what is encrypted stay closed. Nothing here
raises.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from conversation_tracker.core.base.octets import Octets, iter_windows
from conversation_tracker.core.masking.container import decompressing
from conversation_tracker.core.masking.container.budget import Unpacking

MAGIC = b"7z\xbc\xaf\x27\x1c"

_HEAD = 32
_MAX_HEADER = 4 * 1024 * 1024
_END, _HEADER, _STREAMS, _FILES, _PACK, _FOLDERS, _SUBSTREAMS, _SIZES, _DIGESTS = (
    *(0x00, 0x01, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0A),
)
_FOLDER, _UNPACKED, _COUNTS, _ENCODED = 0x0B, 0x0C, 0x0D, 0x17
_COPY, _DELTA, _LZMA, _LZMA2 = b"\x00", b"\x03", b"\x03\x01\x01", b"\x21"
_OPENERS: dict[bytes, decompressing.Opener] = {
    b"\x04\x01\x08": decompressing.open_deflate,
    b"\x04\x02\x02": decompressing.open_bzip2,
    b"\x04\xf7\x11\x01": decompressing.open_zstandard,
}
_AES = b"\x06\xf1\x07\x01"
_MOST_CODERS = 32
_MOST_FOLDERS = 100_000  # that a header may tell of: more cost more memory than they are worth


class _NoneError(ValueError):
    """It is no header of a 7z file."""


@dataclass(slots=True)
class _Folder:
    """What was compressed together.

    Attributes:
        coders: method and properties of each.
        streams: how many packed streams it has.
        outputs: how many sizes it has.
        files: octets of each file in it; none where they are not given.
    """

    coders: list[tuple[bytes, bytes]] = field(default_factory=list)
    streams: int = 1
    outputs: int = 1
    size: int = 0
    files: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Streams:
    """Where the packed streams stand, and what was made of them."""

    at: int = 0
    sizes: list[int] = field(default_factory=list)
    folders: list[_Folder] = field(default_factory=list)


def open_7z(data: Octets, unpacking: Unpacking) -> Iterator[Octets]:
    """Unpack a 7z file: its header, which has the names, and its files."""
    offset, size = (int.from_bytes(data[at : at + 8], "little") for at in (12, 20))
    header = data[_HEAD + offset : _HEAD + offset + min(size, _MAX_HEADER)]
    for _ in range(3):  # a header is packed once, or twice at most
        try:
            streams = _read(header)
        except (_NoneError, IndexError):
            return
        if streams is None:
            return
        packed = header[:1] == bytes((_ENCODED,))
        for content in _iter_files(data, streams, unpacking):
            yield content
            if packed:
                header = content[:_MAX_HEADER]
        if not packed:
            return


def _iter_files(data: Octets, streams: _Streams, unpacking: Unpacking) -> Iterator[Octets]:
    """Decompress the streams, and part each into its files."""
    at, number = _HEAD + streams.at, 0
    for folder in streams.folders:
        if number >= len(streams.sizes) or not unpacking.allows_another():
            return
        size = streams.sizes[number]
        end = min(at + size, len(data))
        content = _decompress(data, at, end, folder, unpacking)
        at += sum(streams.sizes[number : number + folder.streams])
        number += folder.streams
        if content is not None:
            yield from _split_files(content, folder, unpacking)


def _decompress(
    data: Octets, start: int, end: int, folder: _Folder, unpacking: Unpacking
) -> Octets | None:
    limit = min(unpacking.limit_for(end - start), folder.size or unpacking.octets)
    packed = None
    if start >= end or any(method == _AES for method, _ in folder.coders):
        return None
    step = next((properties[:1] for method, properties in folder.coders if method == _DELTA), b"")
    for method, properties in folder.coders:
        if method == _LZMA:
            packed = decompressing.open_lzma(data, start, end, limit, properties, step)
        elif method == _LZMA2:
            packed = decompressing.open_lzma2(data, start, end, limit, properties, step)
        elif method in _OPENERS:
            packed = _OPENERS[method](data, start, end, limit)
        if packed is not None:
            return unpacking.keep(packed)
    if [method for method, _ in folder.coders] == [_COPY]:
        return unpacking.limits.store(iter_windows(data, start, end))
    return None


def _split_files(content: Octets, folder: _Folder, unpacking: Unpacking) -> Iterator[Octets]:
    if len(folder.files) < 2:
        yield content
        return
    at = 0
    for size in folder.files:
        if at >= len(content) or not unpacking.allows_another():
            return
        end = min(at + size, len(content))
        yield unpacking.limits.store(iter_windows(content, at, end))
        at = end


class _Cursor:
    """Reads a header from front to back; raises `_NoneError` where it ends too soon."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read_octet(self) -> int:
        if self._at >= len(self._data):
            raise _NoneError
        self._at += 1
        return self._data[self._at - 1]

    def read_octets(self, size: int) -> bytes:
        if size > len(self._data) - self._at:
            raise _NoneError
        self._at += size
        return self._data[self._at - size : self._at]

    def read_number(self) -> int:
        """Read a number of one to nine octets: the first tells how many follow."""
        first = self.read_octet()
        value, mask = 0, 0x80
        for place in range(8):
            if not first & mask:
                return value | (first & (mask - 1)) << 8 * place
            value |= self.read_octet() << 8 * place
            mask >>= 1
        return value

    def read_count(self) -> int:
        """Read how many things follow, each of which takes an octet at least."""
        number = self.read_number()
        if number > len(self._data):
            raise _NoneError
        return number

    def read_bits(self, count: int) -> list[bool]:
        """Read which of so many things are there."""
        if self.read_octet():
            return [True] * count
        packed = self.read_octets(-(-count // 8))
        return [bool(packed[n // 8] & 0x80 >> n % 8) for n in range(count)]

    def skip_digests(self, count: int) -> list[bool]:
        """Pass over check sums, and tell which are there."""
        found = self.read_bits(count)
        self.read_octets(4 * sum(found))
        return found


def _read(header: bytes) -> _Streams | None:
    """Read what a header says of packed streams; None where it has none."""
    cursor = _Cursor(header)
    kind = cursor.read_octet()
    if kind == _ENCODED:
        return _read_streams(cursor)
    if kind != _HEADER:
        raise _NoneError
    return _read_streams(cursor) if cursor.read_octet() == _STREAMS else None


def _read_streams(cursor: _Cursor) -> _Streams:
    streams = _Streams()
    while (kind := cursor.read_octet()) != _END:
        if kind == _PACK:
            _read_packed(cursor, streams)
        elif kind == _FOLDERS:
            _read_folders(cursor, streams)
        elif kind == _SUBSTREAMS:
            try:
                _read_files(cursor, streams)
            except _NoneError:
                for folder in streams.folders:
                    folder.files = []
            return streams
        else:
            raise _NoneError
    return streams


def _read_packed(cursor: _Cursor, streams: _Streams) -> None:
    streams.at = cursor.read_number()
    count = cursor.read_count()
    while (kind := cursor.read_octet()) != _END:
        if kind == _SIZES:
            streams.sizes = [cursor.read_number() for _ in range(count)]
        elif kind == _DIGESTS:
            cursor.skip_digests(count)
        else:
            raise _NoneError


def _read_folders(cursor: _Cursor, streams: _Streams) -> None:
    if cursor.read_octet() != _FOLDER:
        raise _NoneError
    count = cursor.read_count()
    if count > _MOST_FOLDERS or cursor.read_octet():  # told elsewhere
        raise _NoneError
    streams.folders = [_read_folder(cursor) for _ in range(count)]
    while (kind := cursor.read_octet()) != _END:
        if kind == _UNPACKED:
            for folder in streams.folders:
                folder.size = max(cursor.read_number() for _ in range(folder.outputs))
        elif kind == _DIGESTS:
            cursor.skip_digests(count)
        else:
            raise _NoneError


def _read_folder(cursor: _Cursor) -> _Folder:
    folder = _Folder()
    inputs = outputs = 0
    count = cursor.read_number()
    if not 0 < count <= _MOST_CODERS:
        raise _NoneError
    for _ in range(count):
        flags = cursor.read_octet()
        method = cursor.read_octets(flags & 0x0F)
        inputs += cursor.read_number() if flags & 0x10 else 1
        outputs += cursor.read_number() if flags & 0x10 else 1
        properties = cursor.read_octets(cursor.read_number()) if flags & 0x20 else b""
        folder.coders.append((method, properties))
    if not 0 < outputs <= inputs <= _MOST_CODERS:
        raise _NoneError
    for _ in range(2 * (outputs - 1)):  # which output goes into which input
        cursor.read_number()
    folder.outputs = outputs
    folder.streams = inputs - (outputs - 1)
    if folder.streams > 1:
        for _ in range(folder.streams):
            cursor.read_number()
    return folder


def _read_files(cursor: _Cursor, streams: _Streams) -> None:
    """Read how many files each folder has, and the sizes of all but the last of each."""
    counts = [1] * len(streams.folders)
    while (kind := cursor.read_octet()) not in (_END, _SIZES, _DIGESTS):
        if kind != _COUNTS:
            raise _NoneError
        counts = [cursor.read_count() for _ in streams.folders]
    if kind != _SIZES:
        return
    for folder, count in zip(streams.folders, counts, strict=True):
        sizes = [cursor.read_number() for _ in range(count - 1)]
        folder.files = [*sizes, max(0, folder.size - sum(sizes))] if count else []
