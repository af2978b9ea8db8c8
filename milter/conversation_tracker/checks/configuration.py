"""What `check` finds out about the configuration file itself: who may read it, and whom it trusts.

That its text is right was found out when it was read.
"""

import grp
import stat
from collections.abc import Iterator
from pathlib import Path

from conversation_tracker.base.conninfo import has_password
from conversation_tracker.checks.finding import CheckLine, note, ok, wrong
from conversation_tracker.config.config import Config

_GROUPS = ("root", "conversation-tracker")  # who may read what the service reads


def check(config: Config) -> Iterator[CheckLine]:
    """Judge the configuration, and nothing that it names."""
    yield ok(f"the configuration {config.path} is read")
    if has_password(config.database):
        yield from _check_readers(config.path)
    if everybody := [str(each) for each in config.trusted_networks if each.prefixlen == 0]:
        yield wrong(
            f"trusted_networks has {' and '.join(everybody)}: whoever connects is taken for one of"
            " the store's own systems",
            "name the networks of those systems alone",
        )


def list_faults(config: Config) -> list[str]:
    """Return what is wrong with the configuration, each fault with what mends it."""
    return [fact.text for fact in check(config) if fact.verdict == "WRONG"]


def _check_readers(path: Path) -> Iterator[CheckLine]:
    """Judge who can read the password in the file, or come to it."""
    mend = f"chgrp conversation-tracker {path}; chmod 0640 {path}"
    try:
        found = path.stat()
        closed = not all(each.stat().st_mode & stat.S_IXOTH for each in path.resolve().parents)
    except OSError as error:
        yield note(f"who may read the password in {path} cannot be seen ({error.strerror})")
        return
    if found.st_mode & stat.S_IROTH and not closed:
        yield wrong(f"every user of this host can read the database's password in {path}", mend)
    elif found.st_mode & stat.S_IRGRP and (name := _name_group(found.st_gid)) not in _GROUPS:
        yield wrong(f"the group {name} can read the database's password in {path}", mend)
    else:
        yield ok(f"only root and the service can read the database's password in {path}")


def _name_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
