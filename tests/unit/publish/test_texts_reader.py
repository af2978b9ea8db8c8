"""Messages are read in a process of its own, which has walls, and knows nothing but the message."""

import json
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from conversation_tracker.base import timeouts
from conversation_tracker.publish.texts_child import MEMORY
from conversation_tracker.publish.texts_frames import receive_frame, send_frame
from conversation_tracker.publish.texts_reader import (
    UNREADABLE,
    MessageReader,
    ReaderKilled,
    ReadMessage,
)

HTML = b"Content-Type: text/html\r\n\r\n"


@pytest.fixture(scope="module")
def reader() -> Iterator[MessageReader]:
    found = MessageReader()
    yield found
    found.close()


@pytest.fixture
def patient() -> Iterator[None]:
    """Give a busy machine time."""
    before = timeouts.use(replace(timeouts.get(), text_seconds=200.0))
    yield
    timeouts.use(before)


def number(reader: MessageReader) -> int:
    reader.read(b"Subject: x\r\n\r\nHello")
    assert reader._process is not None
    return reader._process.pid


def processor_seconds(process: int) -> float:
    """Return what a process has used of the processor, in user and system mode."""
    after_its_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(after_its_name[11]) + int(after_its_name[12])) / os.sysconf("SC_CLK_TCK")


def test_the_process_has_walls(reader: MessageReader) -> None:
    process = number(reader)
    assert resource.prlimit(process, resource.RLIMIT_DATA) == (MEMORY, MEMORY)
    assert resource.prlimit(process, resource.RLIMIT_CORE) == (0, 0)
    assert 0 < resource.prlimit(process, resource.RLIMIT_CPU)[0] < 100
    assert Path(f"/proc/{process}/oom_score_adj").read_text() == "1000\n"


def test_the_process_knows_no_password_and_has_no_file_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    reader = MessageReader()
    try:
        process = number(reader)
        assert b"hunter2" not in Path(f"/proc/{process}/environ").read_bytes()
        open_ = {str(each.readlink()) for each in Path(f"/proc/{process}/fd").iterdir()}
        assert len({each for each in open_ if each.startswith("socket:")}) == 1
        assert {each for each in open_ if not each.startswith("socket:")} == {"/dev/null"}
    finally:
        reader.close()


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("raw", "text", "marks"),
    [
        (HTML + b"<" * 500_000, "<" * 500_000, ["no html"]),
        (HTML + b"<b>" * 5000 + b"x", "x", ["no html"]),
        (HTML + b"<p " + b"".join(b"a%d=1 " % n for n in range(5000)) + b">x", "x", []),
        (HTML + b'<p style="color:' + b"rgb(1" * 40_000 + b'">x', "x", []),
        (HTML + b"<script>" * 20_000 + b"x", "", []),
        (HTML + b"<!--" * 50_000 + b"x", "", []),
        (b"\r\n" * 100_000, "", []),
        (b"", "", []),
        (b"\0" * 1000, "", []),
    ],
    ids="signs elements attributes styles scripts comments lines nothing nulls".split(),
)
def test_what_is_hostile_costs_little_and_the_process_stays(
    reader: MessageReader, raw: bytes, text: str, marks: list[str]
) -> None:
    before = number(reader)
    used = processor_seconds(before)
    found = reader.read(raw)
    assert ((found.body or "").strip(), found.marks) == (text, marks)
    assert number(reader) == before
    assert processor_seconds(before) - used < 10.0


def test_a_message_that_takes_too_much_memory_is_marked_and_the_next_is_read(
    reader: MessageReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have a tenth of what it has else; it ends the process twice."""
    reader.close()
    begin = reader._start
    started: list[int] = []

    def start(ends: float) -> socket.socket:
        connection = begin(ends)
        assert reader._process is not None
        started.append(reader._process.pid)
        resource.prlimit(started[-1], resource.RLIMIT_DATA, (MEMORY // 10, MEMORY))
        return connection

    monkeypatch.setattr(reader, "_start", start)
    part = b"Content-Disposition: attachment\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    head = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part
    assert reader.read(head + b"=41" * 20_000_000) == UNREADABLE
    assert reader.read(b"Subject: x\r\n\r\nHello").body == "Hello"
    assert len(started) == 3


def test_a_process_that_the_system_kills_says_nothing_of_the_message(
    reader: MessageReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory may be short just now: it is told, and the message is not called unreadable."""
    reader.close()
    begin = reader._start

    def start(ends: float) -> socket.socket:
        connection = begin(ends)
        assert reader._process is not None
        reader._process.send_signal(signal.SIGKILL)
        return connection

    with monkeypatch.context() as short:
        short.setattr(reader, "_start", start)
        with pytest.raises(ReaderKilled):
            reader.read(b"Subject: x\r\n\r\nHello")
    assert reader.read(b"Subject: x\r\n\r\nHello").body == "Hello"


TEXT = {"body": "Hello", "cut": False, "files": [], "contents": 0}
PAGE = {"html": "<p>Hello</p>", "lost": False}
FAULTY = ReadMessage("Hello", None, [], [], ["no html"])


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([TEXT, PAGE], ReadMessage("Hello", "<p>Hello</p>", [], [], [])),
        ([TEXT, None], FAULTY),
        ([{"unreadable": True, "contents": 0}, None], UNREADABLE),
        *(
            ([answer, PAGE], UNREADABLE)
            for answer in (
                None, 1, "x", [], [TEXT], {}, {"unreadable": True},
                TEXT | {"contents": None}, TEXT | {"contents": "1"}, TEXT | {"contents": [1]},
                TEXT | {"body": 1}, TEXT | {"body": None}, TEXT | {"cut": "no"},
                TEXT | {"files": {}}, TEXT | {"files": [1]}, TEXT | {"more": 1},
                TEXT | {"contents": 2**60},
            )
        ),
        *(
            ([TEXT, answer], FAULTY)
            for answer in (
                1, "x", [], {}, PAGE | {"html": 1}, PAGE | {"lost": None}, PAGE | {"more": 1},
            )
        ),
    ],
)  # fmt: skip
def test_whatever_the_process_answers_it_is_taken_for_no_more_than_it_is(
    answers: list[object], found: ReadMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever took it over may answer anything."""
    reader = MessageReader()
    sides: list[socket.socket] = []

    def start(_ends: float) -> socket.socket:
        ours, theirs = socket.socketpair()
        for answer in answers:
            send_frame(theirs, json.dumps(answer).encode())
        theirs.shutdown(socket.SHUT_WR)
        sides.append(theirs)
        reader._connection = ours
        return ours

    monkeypatch.setattr(reader, "_start", start)
    assert reader.read(b"x") == found
    reader.close()
    for side in sides:
        side.close()


def test_a_message_and_a_turn_take_no_longer_than_a_step_of_the_publisher() -> None:
    """Else the publisher would lose its connection, and begin with the same message again."""
    limits = timeouts.get()
    assert limits.text_turn_seconds + 2 * limits.text_seconds < limits.publish_step_seconds


def test_a_process_that_answers_in_drops_is_ended_all_the_same() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ends = time.monotonic() + 0.3
        theirs.sendall((10**6).to_bytes(8))
        drip = threading.Thread(target=_drip, args=(theirs, ends + 30))
        drip.start()
        with pytest.raises(OSError, match="timed out"):
            receive_frame(ours, ends)
        assert time.monotonic() < ends + 20
        ours.close()
        drip.join()


def _drip(connection: socket.socket, ends: float) -> None:
    with suppress(OSError):
        while time.monotonic() < ends:
            connection.sendall(b"x")
            time.sleep(0.02)
