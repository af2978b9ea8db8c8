"""systemd's journal as a log: what Postfix said there, from where reading stopped.

`journalctl` reads it, as a child that follows; its end is raised as OSError with what it said last,
and the next call starts it again after the last entry. Entries come as lines as a syslog daemon
would write them, without time and host. Nothing here waits but for a journalctl that ends.
"""

import errno
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from conversation_tracker.base import timeouts

_CHUNK = 1 << 20  # octets
_KEPT = 4_096  # octets of what journalctl says of itself
_SAID = 200  # characters of that which are shown
_FIELDS = "MESSAGE,SYSLOG_IDENTIFIER"
_MACHINE = Path("/etc/machine-id")
# Postfix's facility, and its units where it has another one. `--unit` would fail where no unit of
# that name has logged yet.
_POSTFIX = (
    "SYSLOG_FACILITY=2",
    "_SYSTEMD_UNIT=postfix.service",
    "_SYSTEMD_UNIT=postfix@-.service",
)


class Journal:
    """The journal, read as it grows; `cursor` names the last entry read, "" stands for none."""

    def __init__(self, cursor: str | None = None) -> None:
        """Prepare to read; nothing is started yet.

        Args:
            cursor: the entry after which to go on; None begins at the journal's end.
        """
        self._cursor = cursor
        self._child: subprocess.Popen[bytes] | None = None
        self._since = 0.0
        self._rest = b""
        self._said = b""

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
            self._cursor = _find_last_cursor()
        behind = [f"--after-cursor={self._cursor}"] if self._cursor else []
        command = [*_make_command(), "--follow", "--no-tail", *behind, *_make_matches()]
        self._rest = self._said = b""
        self._child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._since = time.monotonic()
        for pipe in (self._child.stdout, self._child.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)

    @property
    def is_open(self) -> bool:
        """Whether it is being read."""
        return self._child is not None

    @property
    def is_steady(self) -> bool:
        """Whether it has been read for so long that nothing can be in the way."""
        return (
            self._child is not None
            and time.monotonic() - self._since > timeouts.get().journal_steady_seconds
        )

    def lines(self) -> list[str]:
        """Return the next entries, none if there are none yet.

        Raises:
            OSError: there is no journalctl, or it ended; strerror is what it said.
        """
        self.open()
        assert self._child is not None
        # Read even if all is well: else journalctl would block.
        self._said = (self._said + (_read_pipe(self._child.stderr) or b""))[-_KEPT:]
        data = _read_pipe(self._child.stdout)
        if data is None:
            return []
        if not data:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(
                    timeouts.get().journal_end_seconds
                )  # closed before its end, it would report our signal
            raise _make_error(self.close(), self._said)
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [line for entry in whole if (line := self._line(entry))]

    def close(self) -> int:
        """Stop following; the next call of `lines` goes on after the last entry."""
        if self._child is None:
            return 0
        child, self._child = self._child, None
        child.terminate()
        code = child.wait()
        self._said += _read_pipe(child.stderr) or b""
        for pipe in (child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
        return code

    def _line(self, entry: bytes) -> str:
        """Note an entry's cursor and give it as a line; "" for what is no entry."""
        fields = _read_fields(entry)
        cursor, message = fields.get("__CURSOR"), fields.get("MESSAGE")
        if isinstance(cursor, str):
            self._cursor = cursor
        if isinstance(message, list):  # octets, where it is no text
            octets = bytes(n for n in message if isinstance(n, int) and 0 <= n < 256)
            message = octets.decode("utf-8", "replace")
        if not isinstance(message, str):
            return ""
        return f"{fields.get('SYSLOG_IDENTIFIER')}[0]: {message}"


def _find_last_cursor() -> str:
    """Return the cursor of the last entry there is, "" if there is none."""
    try:
        done = subprocess.run(
            [*_make_command(), "--lines=1", *_make_matches()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeouts.get().journal_answer_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(errno.ETIMEDOUT, "journalctl does not answer") from None
    if done.returncode != 0:
        raise _make_error(done.returncode, done.stderr)
    entries = done.stdout.splitlines()
    cursor = _read_fields(entries[-1]).get("__CURSOR") if entries else None
    return cursor if isinstance(cursor, str) else ""


def _read_pipe(pipe: IO[bytes] | None) -> bytes | None:
    """Read what a pipe has: nothing at its end, None if there is nothing yet."""
    assert pipe is not None
    try:
        return os.read(pipe.fileno(), _CHUNK)
    except BlockingIOError:
        return None


def _make_error(code: int, said: bytes) -> OSError:
    """Return the error for a journalctl that ended: its code, and the last thing it said."""
    lines = said.decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    text = "".join(each if each.isprintable() else " " for each in last)[:_SAID]
    return OSError(errno.EIO, ": ".join(filter(None, (f"journalctl ended with code {code}", text))))


def _make_command() -> list[str]:
    if shutil.which("journalctl") is None:
        raise FileNotFoundError(errno.ENOENT, "there is no journalctl here")
    # --follow alone reads what this boot has said and no more: what came between the last look and
    # a reboot would be lost. It also asks for the boot's number, which /proc may not show. --merge
    # does neither; other hosts' journals, should there be any here, are kept out by the machine's
    # number.
    options = ["--quiet", "--output=json", f"--output-fields={_FIELDS}", "--all", "--merge"]
    return ["journalctl", *options]


def _make_matches() -> Iterator[str]:
    """Yield the matches for what Postfix says on this host."""
    try:
        machine = [f"_MACHINE_ID={number}"] if (number := _MACHINE.read_text().strip()) else []
    except OSError:
        machine = []
    for place, match in enumerate(_POSTFIX):
        yield from (["+"] if place else [])
        yield from (match, *machine)


def _read_fields(entry: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(entry)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
