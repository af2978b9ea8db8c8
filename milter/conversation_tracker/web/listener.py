"""The socket that the web page is served on, made as the milter's is."""

import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from conversation_tracker.base.failure import TEMPORARY, USAGE, Failure
from conversation_tracker.config.socket import Socket

_MODE = 0o660
_BACKLOG = 128


class Listener:
    """A listening socket; `close` takes a unix socket's name away, if it is still this one's."""

    def __init__(self, where: Socket) -> None:
        """Listen; a unix socket that nobody answers at is replaced.

        Args:
            where: the address.

        Raises:
            Failure: it cannot be listened on.
        """
        self.where = where
        self._known: tuple[int, int] | None = None
        try:
            self.handle = self._open_unix() if where.kind == "unix" else self._open_inet()
        except OSError as error:
            lasting = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.EADDRNOTAVAIL)
            raise Failure(
                USAGE if lasting else TEMPORARY,
                f"cannot listen on {where}: {error.strerror or error}",
            ) from None

    def close(self) -> None:
        """Listen no longer."""
        self.handle.close()
        if self._known is not None:
            with suppress(OSError):
                found = os.lstat(self.where.path)
                if (found.st_dev, found.st_ino) == self._known:
                    Path(self.where.path).unlink()

    def _open_inet(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self.where.host else socket.AF_INET
        return socket.create_server(
            (self.where.host, self.where.port), family=family, backlog=_BACKLOG
        )

    def _open_unix(self) -> socket.socket:
        path = Path(self.where.path)
        if not path.parent.is_dir():
            raise Failure(
                USAGE, f"cannot listen on {self.where}: there is no directory {path.parent}"
            )
        self._check_stale(path)
        new = Path(f"{path}.tmp")
        with suppress(FileNotFoundError):
            new.unlink()
        handle = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            before = os.umask(0o777 & ~_MODE)
            try:
                handle.bind(str(new))
            finally:
                os.umask(before)
            new.chmod(_MODE)
            handle.listen(_BACKLOG)
            found = os.lstat(new)
            self._known = (found.st_dev, found.st_ino)
            new.rename(path)
        except BaseException:
            handle.close()
            raise
        return handle

    def _check_stale(self, path: Path) -> None:
        """See that what has the name may be replaced."""
        try:
            mode = os.lstat(path).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise Failure(USAGE, f"cannot listen on {self.where}: {path} is there and no socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            if probe.connect_ex(str(path)) in (0, errno.EAGAIN, errno.EINPROGRESS):
                raise Failure(
                    TEMPORARY,
                    f"cannot listen on {self.where}: another process does; give each instance a"
                    " listen of its own",
                )
