"""Why a command could not do what it was asked: one line for a person, and the exit code.

What the driver raises becomes a `Failure` in database/faults.py. The exit codes mean:

    1   the answer is no: no such store, order or alias; an order or alias that has expired; an
        order that has as many participants as its store allows
    2   usage or configuration: a bad address, role, number or reason; a database role that may not
    75  temporary: the database is out of reach, busy, read-only, or not migrated

Nothing here prints. No line holds the password of the configuration.
"""

import os

NO = 1
USAGE = 2
TEMPORARY = os.EX_TEMPFAIL

_LONGEST = 500  # characters of a line


class Failure(Exception):
    """What keeps a command from its end: `code` is the exit code, `str` the line to show."""

    def __init__(self, code: int, text: str) -> None:
        """Take the exit code, and a text that becomes one line without control characters."""
        self.code = code
        super().__init__(one_line(text))


def one_line(text: str) -> str:
    """Return a text as one line that no terminal can be led by, cut where it is very long."""
    words = " ".join(text.split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def hide_addresses(text: str) -> str:
    """Return a text as an error may show it, however it was mixed up: no word with an at sign.

    `tracker.shown` says the same of a name.
    """
    return " ".join("[with an at sign]" if "@" in word else word for word in text.split())
