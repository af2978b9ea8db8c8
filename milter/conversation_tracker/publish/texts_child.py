"""The process that reads messages for the publisher, one after another.

Whatever a message is, it ends at most this process: its time and memory are bounded by the system.
It knows no database and no configuration, and says nothing but what it read.
"""

import json
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from conversation_tracker.base import timeouts
from conversation_tracker.core.model import message
from conversation_tracker.core.reading import files, text
from conversation_tracker.core.syntax.mime import Part, TooComplex, read_structure
from conversation_tracker.publish.texts_frames import receive_frame, send_frame
from conversation_tracker.publish.texts_page import MAX_PAGE, PageCleaner, TooMuch

MEMORY = 512 * 1024 * 1024
"""Octets that it may ask for."""
_MAX_SHOWN = 2 * 1024 * 1024  # characters of a page, sanitised


class _Overdue(Exception):
    """The time for a step is over."""


def run(connection: socket.socket) -> None:
    """Read messages until the publisher is gone."""
    _limit()
    cleaner = PageCleaner()
    send_frame(connection, b"{}")
    while True:
        try:
            raw = receive_frame(connection)
            _answer(connection, raw, cleaner)
        except (EOFError, OSError):
            return


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    with suppress(OSError):  # where memory is short all the same, it goes rather than the publisher
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    signal.signal(signal.SIGVTALRM, _end_step)
    for quiet in (signal.SIGINT, signal.SIGHUP):
        signal.signal(quiet, signal.SIG_IGN)  # the publisher says when it ends


def _answer(connection: socket.socket, raw: bytes, cleaner: PageCleaner) -> None:
    """Answer with text and files, and then with the page: whatever that does, those are out."""
    _allow_message()
    headers, body = message.parse(raw)
    contents: list[bytes] = []
    part: Part | None = None
    found: dict[str, object] = {"unreadable": True}
    listed: list[files.AttachedFile] = []
    try:
        with _within(timeouts.get().text_processor_seconds):
            content = [(h.name, h.value) for h in headers if h.key.startswith(b"content-")]
            part = read_structure(content, body)
            read = text.read_text(part, body)
            listed = files.list_files(part, body)
            found = {"body": read.body, "cut": read.cut, "files": _write_files(listed, contents)}
    except (TooComplex, _Overdue, MemoryError, RecursionError, ValueError):
        part, contents = None, []
        found = {"unreadable": True}
    send_frame(connection, json.dumps({**found, "contents": len(contents)}).encode("ascii"))
    for each in contents:
        send_frame(connection, each)
    page = None if part is None else _read_page(part, body, listed, cleaner)
    send_frame(connection, json.dumps(page).encode("ascii"))


def _write_files(
    listed: list[files.AttachedFile], contents: list[bytes]
) -> list[dict[str, object]]:
    """Return what the database keeps of each file; contents that it could not decode are added."""
    written = []
    for each in listed:
        entry: dict[str, object] = {
            "number": each.number, "name": each.name, "type": each.type, "size": each.size,
        }  # fmt: skip
        if each.content is None:
            entry |= {"encoding": each.encoding, "from_end": each.from_end, "length": each.length}
        else:
            contents.append(each.content)
            entry["stored"] = len(contents)
        written.append(entry)
    return written


def _read_page(
    part: Part, body: bytes, listed: list[files.AttachedFile], cleaner: PageCleaner
) -> dict[str, object]:
    """Return the page, sanitised, None if there is none; and whether one is not to be shown."""
    shown = text.find_pages(part)
    if not shown:
        return {"html": None, "lost": False}
    numbers = {each.content_id: each.number for each in reversed(listed) if each.content_id}
    try:
        with _within(timeouts.get().page_processor_seconds):
            # No line ends inside of tags are lost by joining; each is a document of its own.
            sources = [text.read_source(each, body) for each in shown]
            if sum(map(len, sources)) > 8 * MAX_PAGE:
                raise TooMuch
            pages = [cleaner.clean(source, numbers) for source in sources]
            html = "\n<hr>\n".join(filter(None, pages))
    except (_Overdue, TooMuch, MemoryError, RecursionError, ValueError, LookupError, TypeError):
        return {"html": None, "lost": True}
    except Exception:
        # A fault of the library's: of html that no browser shows it asserts this and that.
        return {"html": None, "lost": True}
    return {"html": None, "lost": True} if len(html) > _MAX_SHOWN else {"html": html, "lost": False}


def _allow_message() -> None:
    """Let the system end this process if one message takes much longer than it may."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limits = timeouts.get()
    spare = 2 * (limits.text_processor_seconds + limits.page_processor_seconds)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    until = int(used.ru_utime + used.ru_stime + spare) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """End the block by _Overdue after so much of the processor's time."""
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)


def _end_step(_signal: int, _frame: FrameType | None) -> None:
    raise _Overdue


if __name__ == "__main__":
    run(socket.socket(fileno=int(sys.argv[1])))
