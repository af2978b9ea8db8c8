"""A log file that grows: its lines from where reading stopped, through every kind of rotation.

The file may be renamed and made anew, copied and cut short, or absent for a while. It is known by
device and inode, and by a digest of its beginning, since an inode is used again and a copy has
another. What was not read before a rotation is read afterwards from the file that has it now, as
long as that is beside the log and not compressed; otherwise `lost` counts one more.

Nothing is written and nothing waits. What the system says of a file that cannot be read is raised
as OSError; the next call tries again.
"""

import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from conversation_tracker.base import timeouts

_CHUNK = 1 << 20  # octets read at once; a longer line is no line
_HEAD = 1024  # octets by which a file is known
_ROTATED = re.compile(r"[.-][0-9][0-9.-]*")


@dataclass(frozen=True, slots=True)
class Place:
    """How far a log was read; the default stands for nothing of a file that did not exist.

    Attributes:
        file: device and inode.
        offset: octets read.
        head: digest of the first of them.
    """

    file: str = ""
    offset: int = 0
    head: str = ""


class LogFile:
    """One log, read as it grows; `place` is how far, `lost` how often lines went missing."""

    def __init__(self, path: Path, place: Place | None = None) -> None:
        """Prepare to read; nothing is opened yet.

        Args:
            path: the log.
            place: where to go on; None begins at its end, or with the first line if there is none.
        """
        self.path = path
        self.lost = 0
        self._wanted = place
        self._file: BinaryIO | None = None
        self._offset = 0
        self._head = ""

    @property
    def place(self) -> Place:
        """How far it was read."""
        if self._file is None:
            return self._wanted or Place()
        return Place(_identify(os.fstat(self._file.fileno())), self._offset, self._head)

    def open(self) -> None:
        """Open the file that holds the place, or else the log from its beginning, if it is there.

        Raises:
            OSError: the log is there but cannot be read.
        """
        wanted = self._wanted
        if self._file is not None:
            return
        if wanted is None:
            self._begin(self.path, at_end=True)
        elif not wanted.file:
            self._begin(self.path)
        elif (found := self._find_holder(wanted)) is not None:
            self._begin(found, wanted.offset)
        elif self._begin(self.path):
            self.lost += 1

    @property
    def is_open(self) -> bool:
        """Whether it is being read."""
        return self._file is not None

    @property
    def is_steady(self) -> bool:
        """Whether nothing can be in the way of reading it."""
        return self.is_open

    def lines(self) -> list[str]:
        """Return the next whole lines, none if there are none yet.

        Raises:
            OSError: the log is there but cannot be read.
        """
        if self._file is not None and not _holds(self._file, self.place):
            self.close()  # cut short
        self.open()
        if self._file is None:
            return []
        lines = self._read_next()
        if not lines and self._open_successor():
            lines = self._read_next()
        return lines

    def close(self) -> None:
        """Close the file; the next call of `lines` goes on in the same place."""
        if self._file is not None:
            self._wanted = self.place
            self._file.close()
            self._file = None

    def _read_next(self) -> list[str]:
        assert self._file is not None
        data = os.pread(self._file.fileno(), _CHUNK, self._offset)
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) == _CHUNK:
            end = _CHUNK
        if end:
            self._move(self._offset + end)
        return data[:end].decode("utf-8", "replace").split("\n")[:-1]

    def _move(self, offset: int) -> None:
        assert self._file is not None
        if offset < _HEAD or self._offset < _HEAD:
            self._head = _hash_beginning(self._file, offset)
        self._offset = offset

    def _begin(self, path: Path, offset: int = 0, *, at_end: bool = False) -> bool:
        """Open a file; tell whether it is there."""
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise OSError(errno.EINVAL, "not a regular file")  # a pipe would keep us waiting
            file = path.open("rb", buffering=0)
        except FileNotFoundError:
            self._wanted = self._wanted or Place()
            return False
        self.close()
        self._file, self._offset, self._head = file, 0, _hash_beginning(file, 0)
        self._move(_find_end(file) if at_end else offset)
        return True

    def _find_holder(self, place: Place) -> Path | None:
        """Find the file that holds a place: the same one, or a copy of it."""
        copy = None
        for path in (
            self.path,
            *(each for _, each in sorted(self._find_rotations(), reverse=True)),
        ):
            try:
                with path.open("rb", buffering=0) as file:
                    if not _holds(file, place):
                        continue
                    if _identify(os.fstat(file.fileno())) == place.file:
                        return path
            except FileNotFoundError:
                continue
            # Every file begins with nothing.
            if place.offset and copy is None:
                copy = path
        return copy

    def _open_successor(self) -> bool:
        """Open the file that came after this one, if there is one by now and this is done."""
        assert self._file is not None
        own = os.fstat(self._file.fileno())
        try:
            log = self.path.stat()
        except FileNotFoundError:
            return False
        same = _identify(log) == _identify(own)
        if (
            same
            or log.st_size == 0
            or time.time() - own.st_mtime < timeouts.get().log_quiet_seconds
        ):
            return False
        between = [each for at, each in sorted(self._find_rotations()) if at > own.st_mtime_ns]
        return self._begin(between[0] if between else self.path)

    def _find_rotations(self) -> Iterator[tuple[int, Path]]:
        """Yield what rotation left beside the log, with the time of its last line."""
        for path in self.path.parent.iterdir():
            name = path.name
            if name.startswith(self.path.name) and _ROTATED.fullmatch(name[len(self.path.name) :]):
                try:
                    found = path.stat()
                except FileNotFoundError:
                    continue
                if stat.S_ISREG(found.st_mode):
                    yield found.st_mtime_ns, path


def _identify(found: os.stat_result) -> str:
    return f"{found.st_dev}:{found.st_ino}"


def _hash_beginning(file: BinaryIO, offset: int) -> str:
    """Digest what a file begins with, as far as it was read."""
    return hashlib.sha256(os.pread(file.fileno(), min(offset, _HEAD), 0)).hexdigest()


def _holds(file: BinaryIO, place: Place) -> bool:
    """Return whether a file has all that was read of a place, and begins the same."""
    size = os.fstat(file.fileno()).st_size
    return size >= place.offset and _hash_beginning(file, place.offset) == place.head


def _find_end(file: BinaryIO) -> int:
    """Return the offset behind a file's last whole line."""
    size = os.fstat(file.fileno()).st_size
    start = max(0, size - _CHUNK)
    end = os.pread(file.fileno(), size - start, start).rfind(b"\n") + 1
    return start + end if end else size if start else 0
