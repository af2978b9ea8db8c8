"""`check` asks other milters, whatever they answer: it comes to an end, and says why."""

import itertools
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from conversation_tracker.checks.dialogue import NoMilterError, ask
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix.greeting import greet

NEGOTIATED = b"O" + struct.pack("!III", 6, 0x1FF, 0)
CONTINUE, PROGRESS = b"c", b"p"


def pack(*packets: bytes) -> bytes:
    return b"".join(struct.pack("!I", len(each)) + each for each in packets)


def slowly(answers: Iterable[bytes], seconds: float = 6.0) -> Iterator[bytes]:
    """Yield octet by octet, for so many seconds."""
    end = time.monotonic() + seconds
    for octet in itertools.chain.from_iterable(answers):
        if time.monotonic() > end:
            return
        time.sleep(0.02)
        yield bytes([octet])


@contextmanager
def milter(path: Path, answers: Iterable[bytes]) -> Iterator[Socket]:
    """Answer one connection so, whatever is asked."""
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                for answer in answers:
                    connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1000):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield Socket("unix", path=str(path))
        thread.join(20)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    "answers",
    [
        slowly([pack(NEGOTIATED), *[pack(CONTINUE)] * 1000]),
        slowly(itertools.chain([pack(NEGOTIATED)], itertools.repeat(pack(PROGRESS)))),
    ],
)
def test_a_milter_that_comes_to_no_end_is_left(
    tmp_path: Path, change_timeouts: Callable[..., object], answers: Iterator[bytes]
) -> None:
    """Each octet comes in time, and all of them do not."""
    change_timeouts(check_milter_seconds=0.5)
    with milter(tmp_path / "m", answers) as place, pytest.raises(TimeoutError):
        ask(place, "a@b.example")


def test_a_greeting_that_comes_to_no_end_is_silence(
    tmp_path: Path, change_timeouts: Callable[..., object]
) -> None:
    change_timeouts(check_socket_seconds=0.5)
    with milter(tmp_path / "m", slowly([pack(NEGOTIATED + bytes(60_000))])) as place:
        assert greet(place) == "silence for 0 s"


@pytest.mark.parametrize(
    "answers",
    [
        [b"\xff\xff\xff\xff"],
        [b"\0\0\0\0"],
        [pack(b"O")],
        [pack(NEGOTIATED, b"r")],
        [pack(NEGOTIATED), b"\0\0"],
        # Without an end: fields, each with a name of its own.
        [
            pack(NEGOTIATED, *[CONTINUE] * 12),
            *(pack(b"h%d\0%s\0" % (number, b"x" * 1000)) for number in range(5_000)),
            pack(CONTINUE),
        ],
    ],
)
def test_what_is_no_answer_is_no_milter(tmp_path: Path, answers: list[bytes]) -> None:
    with milter(tmp_path / "m", answers) as place, pytest.raises(NoMilterError):
        ask(place, "a@b.example")


def test_what_it_adds_is_told(tmp_path: Path) -> None:
    answers = [pack(NEGOTIATED, *[CONTINUE] * 12, PROGRESS, b"hDKIM-Signature\0v=1\0", CONTINUE)]
    with milter(tmp_path / "m", answers) as place:
        assert ask(place, "a@b.example") == {"DKIM-Signature": "v=1"}
