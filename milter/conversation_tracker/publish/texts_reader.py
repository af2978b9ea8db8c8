"""Reads messages in a process of its own, started when it is needed, and anew when it dies."""

import json
import os
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
        """
        for _ in range(2):
            ends = time.monotonic() + timeouts.get().text_seconds
            connection = self._connection or self._start(ends)
            pieces: list[Any] = []
            try:
                connection.settimeout(timeouts.get().text_seconds)
                send_frame(connection, raw)
                self._receive(connection, pieces, ends)
            except (OSError, EOFError, ValueError, KeyError):
                self.close()
            if pieces:
                return _assemble(*pieces)
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
        """Receive what was read, piece by piece: text and files first, and then the page."""
        text = json.loads(receive_frame(connection, ends))
        contents = [receive_frame(connection, ends) for _ in range(int(text["contents"]))]
        pieces += text, contents
        pieces.append(json.loads(receive_frame(connection, ends)))


def _assemble(
    text: dict[str, Any], contents: list[bytes], page: dict[str, Any] | None = None
) -> ReadMessage:
    """Put together what came; without a page that was begun, it is one not to be shown."""
    if text.get("unreadable"):
        return UNREADABLE
    shown = page or {"html": None, "lost": True}
    marks = (["cut"] if text["cut"] else []) + (["no html"] if shown["lost"] else [])
    return ReadMessage(text["body"], shown["html"], text["files"], contents, marks)
