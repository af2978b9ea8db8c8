"""How a file is written so that it is whole or absent."""

import errno
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

_PART = 50  # characters of a name that another begins with: of four octets each, of 255 at most


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
    with open_beside(path) as file:
        for piece in written:
            file.write(piece.encode("utf-8", "replace"))


@contextmanager
def open_beside(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file, which takes the place of another when the block ends without an error.

    Only its owner may read it.

    Args:
        path: the file; a former one is replaced.

    Raises:
        OSError: it cannot be written; nothing is left behind, however the process ends.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    descriptor, name = _open_new(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if name is None:
                name = _link_beside(path, descriptor)
        name.replace(path)
    except BaseException:
        if name is not None:
            with suppress(OSError):
                name.unlink()
        raise


def _open_new(path: Path) -> tuple[int, Path | None]:
    """Open a file beside another: without a name, so that nothing is left however the process ends.

    Where the file system knows none such, it has a name, which is returned too.
    """
    try:
        return os.open(path.parent, os.O_TMPFILE | os.O_WRONLY, 0o600), None
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            raise
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:_PART]}.", dir=path.parent)
    return descriptor, Path(name)


def _link_beside(path: Path, descriptor: int) -> Path:
    """Give a file without a name one beside another that nobody can have guessed; return it."""
    name = path.parent / f".{path.name[:_PART]}.{secrets.token_hex(16)}"
    # Of an absolute path the folder says nothing; without one Python follows no link.
    source = f"/proc/self/fd/{descriptor}"
    os.link(source, name, src_dir_fd=descriptor, follow_symlinks=True)
    return name


def _names_descriptor(path: Path) -> bool:
    """Whether a path that exists is a link to an open descriptor, as /dev/stdout is."""
    while path.is_symlink():
        if path.parent.resolve().is_relative_to("/proc"):
            return True
        path = path.parent / path.readlink()
    return False
