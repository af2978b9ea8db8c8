"""systemd's journal as a log: what Postfix said there, from where reading stopped.

`journalctl` reads it, as a child that follows; its end is told as OSError, and the next call starts
it again behind the last entry. Entries come as lines as a syslog daemon would write them, without
time and host. Nothing here waits.
"""

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

_CHUNK = 1 << 20  # octets
_WAIT = 30.0  # seconds
_FIELDS = "MESSAGE,SYSLOG_IDENTIFIER"
# Postfix's facility, and its units where it has another one. `--unit` would fail where no unit of
# that name has logged yet.
_POSTFIX = (
    "SYSLOG_FACILITY=2",
    "+",
    "_SYSTEMD_UNIT=postfix.service",
    "+",
    "_SYSTEMD_UNIT=postfix@-.service",
)


class Journal:
    """The journal, read as it grows; `cursor` names the last entry read, "" stands for none."""

    def __init__(self, cursor: str | None = None) -> None:
        """Prepare to read; nothing is started yet.

        Args:
            cursor: the entry to go on behind; None begins at the journal's end.
        """
        self._cursor = cursor
        self._child: subprocess.Popen[bytes] | None = None
        self._rest = b""

    @property
    def cursor(self) -> str:
        """The last entry that was read."""
        return self._cursor or ""

    def open(self) -> None:
        """Begin to follow.

        Raises:
            OSError: there is no journalctl, or it fails.
        """
        if self._child is not None:
            return
        if self._cursor is None:
            self._cursor = _last()
        behind = [f"--after-cursor={self._cursor}"] if self._cursor else []
        command = [*_command(), "--follow", "--no-tail", *behind, *_POSTFIX]
        self._rest = b""
        self._child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._child.stdout is not None
        os.set_blocking(self._child.stdout.fileno(), False)

    @property
    def is_open(self) -> bool:
        """Tell whether it is being read."""
        return self._child is not None

    def lines(self) -> list[str]:
        """Give the next entries, none if there are none yet.

        Raises:
            OSError: there is no journalctl, or it ended.
        """
        self.open()
        assert self._child is not None
        assert self._child.stdout is not None
        try:
            data = os.read(self._child.stdout.fileno(), _CHUNK)
        except BlockingIOError:
            return []
        if not data:
            code = self.close()
            raise OSError(errno.EIO, f"journalctl ended with code {code}")
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [line for entry in whole if (line := self._line(entry))]

    def close(self) -> int:
        """Stop to follow; the next call of `lines` goes on behind the last entry."""
        if self._child is None:
            return 0
        child, self._child = self._child, None
        child.terminate()
        if child.stdout is not None:
            child.stdout.close()
        return child.wait()

    def _line(self, entry: bytes) -> str:
        """Note an entry's cursor and give it as a line; "" for what is no entry."""
        fields = _fields(entry)
        cursor, message = fields.get("__CURSOR"), fields.get("MESSAGE")
        if isinstance(cursor, str):
            self._cursor = cursor
        if isinstance(message, list):  # octets, where it is no text
            octets = bytes(n for n in message if isinstance(n, int) and 0 <= n < 256)
            message = octets.decode("utf-8", "replace")
        if not isinstance(message, str):
            return ""
        return f"{fields.get('SYSLOG_IDENTIFIER')}[0]: {message}"


def _last() -> str:
    """Give the cursor of the last entry there is, "" if there is none."""
    try:
        said = subprocess.run(
            [*_command(), "--lines=1", *_POSTFIX],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_WAIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(errno.ETIMEDOUT, "journalctl does not answer") from None
    if said.returncode != 0:
        raise OSError(errno.EIO, f"journalctl ended with code {said.returncode}")
    entries = said.stdout.splitlines()
    cursor = _fields(entries[-1]).get("__CURSOR") if entries else None
    return cursor if isinstance(cursor, str) else ""


def _command() -> list[str]:
    if shutil.which("journalctl") is None:
        raise FileNotFoundError(errno.ENOENT, "there is no journalctl here")
    return ["journalctl", "--quiet", "--output=json", f"--output-fields={_FIELDS}", "--all"]


def _fields(entry: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(entry)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
