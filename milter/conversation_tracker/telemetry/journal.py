"""The journal's priorities: whether a stream leads to it, and what then stands before a line.

systemd names the device and inode of the stream that it gave a service (JOURNAL_STREAM, see
systemd.exec(5)). Only where standard error is still that stream does a line begin with its
priority, `<3>` for an error (sd-daemon(3)). The journal takes it off, so that a line is JSON there
as it is anywhere else. Nothing here fails.
"""

import os
from collections.abc import Mapping
from typing import TextIO

PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""What syslog(3) calls each level."""


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a stream is the one that systemd connected to the journal.

    Args:
        stream: what is written to.
        environ: where systemd says which it is.
    """
    named = environ.get("JOURNAL_STREAM")
    if not named:
        return False
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{status.st_dev}:{status.st_ino}"


def choose_prefix(level: str, stream: TextIO | None, environ: Mapping[str, str]) -> str:
    """Return what stands before a line of a level: its priority for the journal, else nothing."""
    if stream is None or not is_journal(stream, environ):
        return ""
    return f"<{PRIORITIES[level]}>"
