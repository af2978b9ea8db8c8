"""Bodies that are too large for memory: kept in files without a name, mapped and read in slices.

The files are in the directory for large temporary files, on disk, and are gone with their last
reader, whatever happens. What is small stays in memory. A full disk raises OSError.
"""

import mmap
import os
import tempfile
from collections.abc import Iterable
from typing import Any

from conversation_tracker.core.base.octets import Octets

IN_MEMORY = 256 * 1024
"""Octets that are kept in memory at most."""

_RESIDENT = 4 * 1024 * 1024  # octets read before the pages are given back
_DISK = "/var/tmp"  # /tmp is memory on many machines


class Spool(mmap.mmap):
    """Octets in a file; slices are bytes."""

    _read = 0

    def __getitem__(self, index: Any) -> Any:
        """Return a copy of a slice."""
        found = super().__getitem__(index)
        if isinstance(found, bytes):
            self._account(len(found))
        return found

    def find(self, sub: Any, start: Any = None, end: Any = None, /) -> int:
        """Find octets, from the left.

        Python before 3.11.5 reads one octet behind what it searches. Behind a file that fills its
        last page nothing may be mapped, and the process would die. So the end of the file is
        compared, not searched.
        """
        size = len(self)
        at, last = start or 0, size if end is None else min(end, size)
        inside, tail = min(last, size - 1), max(at, last - len(sub))
        while at < inside:
            reach = min(inside, at + _RESIDENT)
            found = super().find(sub, at, reach)
            self._account((found if found >= 0 else reach) - at)
            if found >= 0:
                return found
            if reach == inside:
                break
            at = max(at + 1, reach - len(sub) + 1)
        return tail if super().__getitem__(slice(tail, last)) == sub else -1

    def _account(self, octets: int) -> None:
        """Give pages back now and then: they would count as memory of ours until the end."""
        self._read += octets
        if self._read >= _RESIDENT:
            self._read = 0
            self.madvise(mmap.MADV_DONTNEED)

    def startswith(
        self, prefix: bytes | tuple[bytes, ...], start: Any = None, end: Any = None, /
    ) -> bool:
        """Return whether octets begin here, as of bytes."""
        first, last = start or 0, len(self) if end is None else end
        longest = max(map(len, prefix if isinstance(prefix, tuple) else (prefix,)))
        return bytes(super().__getitem__(slice(first, min(last, first + longest)))).startswith(
            prefix
        )

    def endswith(
        self, suffix: bytes | tuple[bytes, ...], start: Any = None, end: Any = None, /
    ) -> bool:
        """Return whether octets end here, as of bytes."""
        first, last = start or 0, len(self) if end is None else end
        longest = max(map(len, suffix if isinstance(suffix, tuple) else (suffix,)))
        return bytes(super().__getitem__(slice(max(first, last - longest), last))).endswith(suffix)


class Collector:
    """Takes octets piece by piece; what is more than a little goes to a file."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._pieces: list[bytes] = []
        self._held = 0
        self._file: Any = None

    def __del__(self) -> None:
        """Close the file of what nobody asked for."""
        if self._file is not None:
            self._file.close()

    def add(self, piece: bytes) -> None:
        """Take one more piece."""
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > IN_MEMORY:
            if self._file is None:
                where = None if os.environ.get("TMPDIR") else _DISK
                self._file = tempfile.TemporaryFile(buffering=0, dir=where)  # noqa: SIM115
            self._flush()

    def _flush(self) -> None:
        left = memoryview(b"".join(self._pieces))
        while left:
            left = left[self._file.write(left) :]
        self._pieces, self._held = [], 0

    def octets(self) -> Octets:
        """Return all that was taken."""
        if self._file is None:
            return b"".join(self._pieces)
        self._flush()
        with self._file:
            return Spool(self._file.fileno(), 0, access=mmap.ACCESS_READ)


def collect(pieces: Iterable[bytes]) -> Octets:
    """Keep octets that come in pieces.

    Args:
        pieces: they may be many.

    Returns:
        Bytes if they are few, else a file.
    """
    collector = Collector()
    for piece in pieces:
        collector.add(piece)
    return collector.octets()
