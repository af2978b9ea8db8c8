"""Makes the collected changes in Postfix's configuration, and can take all of them back.

Everything goes through postconf. What is set in main.cf is written in one step, once all is there
that it names: Postfix's daemons read it whenever they start, so no half of it may ever be seen.
"""

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from conversation_tracker.postfix.changes import Changes
from conversation_tracker.postfix.settings import Unreadable, find_tool, run_tool

_MODE = 0o644


class EditFailed(Exception):
    """A change could not be made; the message says which."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A file as it was: its contents and what stat said, None if it was not there."""

    path: Path
    data: bytes | None
    found: os.stat_result | None

    def restore(self) -> None:
        """Put the file back as it was, in one step."""
        _make_name(self.path).unlink(missing_ok=True)
        if self.data is None or self.found is None:
            self.path.unlink(missing_ok=True)
        else:
            replace_file(self.path, self.data, self.found)


def copy(path: Path) -> Copy:
    """Remember a file; one that is not there is remembered as such."""
    if not path.exists():
        return Copy(path, None, None)
    return Copy(path, path.read_bytes(), path.stat())


def replace_file(path: Path, data: bytes, like: os.stat_result | None = None) -> None:
    """Put contents into a file, all at once.

    Args:
        path: the file.
        data: its new contents.
        like: whose mode, owner and times it gets; None: everybody may read it.
    """
    new = _make_name(path)
    new.write_bytes(data)
    new.chmod(stat.S_IMODE(like.st_mode) if like else _MODE)
    if like:
        with suppress(PermissionError):
            os.chown(new, like.st_uid, like.st_gid)
        os.utime(new, ns=(like.st_atime_ns, like.st_mtime_ns))
    new.replace(path)


def _make_name(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def carry_out(changes: Changes, environ: Mapping[str, str]) -> None:
    """Make all changes; what was made before a failure stays, and is the caller's to take back.

    Args:
        changes: them.
        environ: as `settings.read` takes it.

    Raises:
        EditFailed: something could not be changed.
    """
    postconf = _make_editor(environ, changes.settings.get_value("config_directory"))
    try:
        for path, text in changes.files.items():
            replace_file(path, text.encode())
        postconf("-M", [f"{name}={line}" for name, line in changes.added.items()])
        postconf("-P", [f"{s}/{name}={value}" for (s, name), value in changes.options.items()])
        postconf("-e", [f"{name}={value}" for name, value in changes.main.items()])
        postconf("-X", changes.unset)
        # Last: from here on nothing in main.cf names these services. And where a run is killed
        # before, the listener tells the next one that there is something to take out.
        postconf("-MX", changes.removed)
        for path in changes.unlinked:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise EditFailed(f"{error.filename} cannot be written ({error.strerror})") from None


def _make_editor(environ: Mapping[str, str], directory: str) -> Callable[[str, list[str]], None]:
    tool = find_tool("postconf", environ)

    def edit(mode: str, arguments: list[str]) -> None:
        if not arguments:
            return
        try:
            done = run_tool([*tool, mode, *arguments])
        except Unreadable as error:
            raise EditFailed(str(error)) from None
        if done.returncode != 0:
            said = done.stderr.strip().rpartition("\n")[2]
            raise EditFailed(f"postconf {mode} failed in {directory}" + (said and f": {said}"))

    return edit
