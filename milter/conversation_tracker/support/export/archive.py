"""A ZIP archive, written piece by piece, for its owner alone; it appears whole or not at all.

`open_archive` makes a `Failure` of what the system says.
"""

import errno
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from conversation_tracker.base.failure import TEMPORARY, USAGE, Failure
from conversation_tracker.support.file import open_beside

_PIECE = 65_536  # octets
_OLDEST, _NEWEST = 1980, 2107  # years that a ZIP archive can tell
_MODE = 0o600 << 16
# What may be over by the next try.
_TEMPORARY = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EINTR, errno.EMFILE, errno.ENFILE)


class ExportArchive:
    """An archive that is being written."""

    def __init__(self, file: IO[bytes]) -> None:
        """Write to a file."""
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True)

    def add_octets(self, name: str, content: bytes, at: datetime) -> None:
        """Add a file.

        Args:
            name: with "/" between folders.
            content: what is in it.
            at: what the archive tells as its time.
        """
        entry = _make_entry(name, at)
        entry.file_size = len(content)
        with self._zip.open(entry, "w") as file, memoryview(content) as view:
            for place in range(0, len(view), _PIECE):
                file.write(view[place : place + _PIECE])

    def add_text(self, name: str, pieces: Iterable[str], at: datetime) -> None:
        """Add a file of text in UTF-8, of whatever length.

        Args:
            name: with "/" between folders.
            pieces: the text.
            at: what the archive tells as its time.
        """
        with self._zip.open(_make_entry(name, at), "w", force_zip64=True) as file:
            for piece in pieces:
                file.write(piece.encode("utf-8", "replace"))

    def close(self) -> None:
        """Write the archive's end."""
        self._zip.close()

    def discard(self) -> None:
        """Be done with it, whatever of it can be written."""
        with suppress(OSError, ValueError):
            self._zip.close()


def _make_entry(name: str, at: datetime) -> zipfile.ZipInfo:
    local = at.astimezone(UTC)
    year = min(max(local.year, _OLDEST), _NEWEST)
    entry = zipfile.ZipInfo(name, (year, *local.timetuple()[1:6]))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = _MODE
    entry.create_system = 3  # so that the mode counts
    return entry


@contextmanager
def open_archive(path: Path) -> Iterator[ExportArchive]:
    """Open an archive, which is there when the block ends without an error.

    Args:
        path: the file; a former one is replaced.

    Raises:
        Failure: it cannot be written; nothing is left behind.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise OSError(errno.EINVAL, "is no regular file")
        with open_beside(path) as file:
            archive = ExportArchive(file)
            try:
                yield archive
                archive.close()
            finally:
                archive.discard()
    except OSError as error:
        code = TEMPORARY if error.errno in _TEMPORARY else USAGE
        raise Failure(code, f"{path}: {error.strerror or error}") from None
