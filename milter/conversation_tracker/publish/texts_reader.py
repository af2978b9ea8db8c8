"""Reads messages in a process of its own, started when it is needed, and anew when it dies."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import conversation_tracker
from conversation_tracker.base import timeouts
from conversation_tracker.publish.texts_frames import receive_frame, send_frame

_MOST_CONTENT = 256 * 1024 * 1024  # octets of all files that the database cannot decode itself
_ROOT = Path(conversation_tracker.__file__).parents[1]


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """What was read of a message.

    Attributes:
        body: its text; None where it could not be read.
        html: its page, sanitised; None if there is none.
        files: an object for each file, as `texts.attachments` has them.
        contents: contents of files, those that `stored` counts.
        marks: what could not be read: unreadable, cut, no html.
    """

    body: str | None
    html: str | None
    files: list[dict[str, Any]]
    contents: list[bytes]
    marks: list[str]


UNREADABLE = ReadMessage(None, None, [], [], ["unreadable"])
"""Of what cannot be read, for whatever reason."""


class ReaderKilled(Exception):
    """The system ended the process, for want of memory most often: the message may be sound."""


class MessageReader:
    """The process, and the connection to it."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def read(self, raw: bytes) -> ReadMessage:
        """Read a message; one that ends the process is tried once more in a new one.

        Args:
            raw: the recorded message.

        Raises:
            OSError: the process cannot be started.
            ReaderKilled: the process was killed each time, and not by us.
        """
        killed = 0
        for _ in range(2):
            ends = time.monotonic() + timeouts.get().text_seconds
            connection = self._connection or self._start(ends)
            pieces: list[Any] = []
            try:
                connection.settimeout(timeouts.get().text_seconds)
                send_frame(connection, raw)
                self._receive(connection, pieces, ends)
            except (OSError, EOFError, ValueError, RecursionError):
                killed += self._was_killed()
                self.close()
            if pieces:
                return _assemble(*pieces)
        if killed == 2:
            raise ReaderKilled
        return UNREADABLE

    def close(self) -> None:
        """End the process."""
        connection, self._connection = self._connection, None
        process, self._process = self._process, None
        if connection is not None:
            connection.close()
        if process is not None:
            process.kill()
            process.wait()

    def _was_killed(self) -> bool:
        """Return whether somebody else has killed the process; it may be about to end."""
        if self._process is None:
            return False
        try:
            return self._process.wait(timeouts.get().text_end_seconds) == -signal.SIGKILL
        except subprocess.TimeoutExpired:
            return False

    def _start(self, ends: float) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            # Not what else may be in ours: a password of the database's, for one.
            paths = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
            environment = {"PYTHONPATH": paths, "PYTHONSAFEPATH": "1", "LC_ALL": "C.UTF-8"}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "conversation_tracker.publish.texts_child",
                 str(theirs.fileno())],
                pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        self._connection = ours
        try:
            receive_frame(ours, ends)
        except (OSError, EOFError) as error:
            self.close()
            raise ChildProcessError("the process that reads messages does not start") from error
        return ours

    def _receive(self, connection: socket.socket, pieces: list[Any], ends: float) -> None:
        """Receive what was read, piece by piece: text and files first, and then the page.

        Whoever took the process over may answer anything.

        Raises:
            ValueError: it is none of what the process answers.
        """
        text = _check(json.loads(receive_frame(connection, ends)), _TEXT, or_else=_NO_TEXT)
        contents, room = [], _MOST_CONTENT
        for _ in range(text["contents"]):
            contents.append(receive_frame(connection, ends))
            room -= 1 + len(contents[-1])
            if room < 0:
                raise ValueError
        pieces += text, contents
        page = json.loads(receive_frame(connection, ends))
        pieces.append(None if page is None else _check(page, _PAGE))


_TEXT = {"body": str, "cut": bool, "files": list, "contents": int}
_NO_TEXT = {"unreadable": bool, "contents": int}
_PAGE = {"html": str | None, "lost": bool}


def _check(found: Any, wanted: dict[str, Any], or_else: dict[str, Any] | None = None) -> Any:
    """Return an object that has what is wanted, of the types wanted, and nothing else."""
    if or_else is not None and isinstance(found, dict) and found.keys() == or_else.keys():
        wanted = or_else
    if not isinstance(found, dict) or found.keys() != wanted.keys():
        raise ValueError
    if not all(isinstance(found[key], kind) for key, kind in wanted.items()):
        raise ValueError
    if not all(isinstance(each, dict) for each in found.get("files", ())):
        raise ValueError
    return found


def _assemble(
    text: dict[str, Any], contents: list[bytes], page: dict[str, Any] | None = None
) -> ReadMessage:
    """Put together what came; without a page that was begun, it is one not to be shown."""
    if "unreadable" in text:
        return UNREADABLE
    shown = page or {"html": None, "lost": True}
    marks = (["cut"] if text["cut"] else []) + (["no html"] if shown["lost"] else [])
    return ReadMessage(text["body"], shown["html"], text["files"], contents, marks)
