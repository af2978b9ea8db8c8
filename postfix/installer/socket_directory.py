"""The directory of a milter's socket: by its group Postfix may use the socket, which is 0660."""

import grp
import pwd
import stat
from pathlib import Path

from installer.machine import Failed, Machine

GROUP = "postfix"
MODE = 0o2750


def check(directory: Path, user: str) -> None:
    """See that a directory is the user's, or empty, or not there: `make` changes whose it is.

    Raises:
        Failed: it is somebody else's, such as /run; nothing was done.
    """
    if not directory.exists():
        return
    try:
        owner = pwd.getpwuid(directory.stat().st_uid).pw_name
    except KeyError:
        owner = ""
    if owner != user and any(directory.iterdir()):
        raise Failed(
            f"the socket's directory {directory} is not {user}'s own: give it another; nothing was"
            " done"
        )


def is_right(directory: Path, user: str) -> bool:
    """Return whether a directory is there, the user's, and as `make` makes it."""
    try:
        found = directory.stat()
        names = (pwd.getpwuid(found.st_uid).pw_name, grp.getgrgid(found.st_gid).gr_name)
    except (OSError, KeyError):
        return False
    return (stat.S_IMODE(found.st_mode), *names) == (MODE, user, GROUP)


def make(machine: Machine, directory: Path, user: str) -> None:
    """Make the directory the user's, with the socket for Postfix's group."""
    if is_right(directory, user):
        machine.say(f"{directory}: as it should be")
    else:
        machine.run("install", "-d", "-m", f"{MODE:o}", "-o", user, "-g", GROUP, directory)
