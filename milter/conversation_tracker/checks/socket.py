"""What `check` finds out about the milter's socket: whether it is there, for whom, and who answers.

`look` asks the file system, `greet` the socket; the rest judges what they saw. Nothing is raised;
what cannot be seen is a finding.
"""

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix.greeting import greet

_MODE = 0o660
_START = "start it: systemctl start conversation-tracker"


@dataclass(frozen=True, slots=True)
class User:
    """Whom Postfix's daemons run as."""

    name: str
    uid: int
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class PathEntry:
    """One file or directory on the way to the socket, the socket itself the last."""

    path: str
    mode: int
    uid: int
    gid: int

    def lets(self, user: User, wanted: int) -> bool:
        """Return whether its mode gives `find_user` the rights `wanted`, from 0 to 7."""
        others = 3 if self.gid in user.groups else 0
        shift = 6 if self.uid == user.uid else others
        return (self.mode >> shift) & wanted == wanted


def look(path: str) -> list[PathEntry] | CheckLine:
    """Look at all directories down to `path` and at itself, or state why that cannot be done."""
    seen = []
    for each in (*reversed(Path(path).parents), Path(path)):
        try:
            found = each.stat()
        except PermissionError:
            return note(f"{each} is not for this user to see: run check as root")
        except OSError as error:
            return wrong(f"there is no socket {path} ({each}: {error.strerror})", _START)
        seen.append(PathEntry(str(each), found.st_mode, found.st_uid, found.st_gid))
    return seen


def find_user(name: str) -> User | None:
    """Look a user up, with all groups; None if there is no such user."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return None
    return User(name, found.pw_uid, frozenset(os.getgrouplist(name, found.pw_gid)))


def check(socket: Socket, postfix: User | None) -> Iterator[CheckLine]:
    """Judge the socket.

    Args:
        socket: where the milter is to listen.
        postfix: whom Postfix runs as, None where that is not known.
    """
    if socket.kind == "unix":
        found = look(socket.path)
        if isinstance(found, CheckLine):
            yield found
            return
        yield from check_file(found, postfix)
        if not stat.S_ISSOCK(found[-1].mode):
            return
    else:
        yield note(
            f"{socket} is no unix socket: every message stalls for some 40 ms, and any local user"
            " can ask for addresses"
        )
    yield check_answer(socket, greet(socket))


def check_file(entries: list[PathEntry], postfix: User | None) -> Iterator[CheckLine]:
    """Judge the socket's file, and the directories it is in."""
    *directories, file = entries
    if not stat.S_ISSOCK(file.mode):
        yield wrong(f"{file.path} is no socket", f"take it away and {_START}")
        return
    mode = stat.S_IMODE(file.mode)
    if mode == _MODE:
        yield ok(f"the socket {file.path} has mode 0660")
    else:
        yield wrong(f"the socket {file.path} has mode {mode:04o}, not 0660", "restart the service")
    if postfix is None:
        return
    closed = [entry.path for entry in directories if not entry.lets(postfix, 0o1)]
    if closed:
        yield wrong(
            f"the user {postfix.name} cannot get into {closed[0]}, where the socket is",
            f"chmod o+x {closed[0]}, or give it the group {postfix.name}",
        )
    elif file.lets(postfix, 0o6):
        yield ok(f"the user {postfix.name} may use the socket")
    else:
        yield wrong(
            f"the user {postfix.name} may not use the socket,"
            f" whose group is {_group_name(file.gid)}",
            f"give the group {postfix.name} to its directory, set the group id bit there"
            f" (chmod g+s {directories[-1].path}), and restart the service",
        )


def check_answer(socket: Socket, trouble: str | PermissionError | None) -> CheckLine:
    """Judge what `greet` met with."""
    if trouble is None:
        return ok(f"a milter answers on {socket}")
    if isinstance(trouble, PermissionError):
        return note(f"{socket} is not for this user to ask: run check as root")
    return wrong(f"no milter answers on {socket} ({trouble})", _START)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
