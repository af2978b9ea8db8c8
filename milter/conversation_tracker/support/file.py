"""How a file is written so that it is whole or absent."""

import errno
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def write_file(path: Path, written: Iterable[str]) -> None:
    """Write a file that only its owner may read; it appears whole, or not at all.

    What is no regular file (a pipe, a terminal, /dev/null) is written to as it stands, and so is
    an open descriptor's name (/dev/stdout, /dev/fd/3), whatever it leads to. What is there stays.

    Args:
        path: the file; a former one is replaced.
        written: its pieces, as text.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    if path.exists() and not path.is_dir() and (not path.is_file() or _names_descriptor(path)):
        with path.open("a", encoding="utf-8", errors="replace") as existing:
            existing.writelines(written)
        return
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    number, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(written)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _names_descriptor(path: Path) -> bool:
    """Whether a path that exists is a link to an open descriptor, as /dev/stdout is."""
    while path.is_symlink():
        if path.parent.resolve().is_relative_to("/proc"):
            return True
        path = path.parent / path.readlink()
    return False
