"""`check` greets whatever listens on the socket, and sees who may use it."""

import os
import pwd
import socket
import stat
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from conversation_tracker.base import timeouts
from conversation_tracker.checks import socket as check_socket
from conversation_tracker.checks.finding import CheckLine
from conversation_tracker.checks.socket import PathEntry, User
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix import greeting
from conversation_tracker.postfix.greeting import FAREWELL, NEGOTIATION

ANSWER = struct.pack("!IcIII", 13, b"O", 6, 0x3F, 0x7F)
POSTFIX = User("postfix", 101, frozenset({101, 110}))
SOCKET_MODE = stat.S_IFSOCK | 0o660
OPEN = PathEntry("/run/d", stat.S_IFDIR | 0o755, 0, 0)


@contextmanager
def listening(path: Path, reply: bytes) -> Iterator[list[bytes]]:
    """Answer one connection with `reply`; yield what was said, complete once the block is left."""
    heard: list[bytes] = []
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))
        path.chmod(0o660)
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection, suppress(ConnectionResetError):
                heard.append(connection.recv(17, socket.MSG_WAITALL))
                connection.sendall(reply)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(100):
                    heard.append(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        yield heard
        thread.join(10)


def unix(path: Path) -> Socket:
    return Socket("unix", path=str(path))


def me() -> User:
    entry = pwd.getpwuid(os.geteuid())
    return User(entry.pw_name, entry.pw_uid, frozenset(os.getgroups()) | {entry.pw_gid})


def test_it_negotiates_as_postfix_does_and_says_farewell(tmp_path: Path) -> None:
    """Thirteen octets with version 6 of the protocol, then QUIT; no connection is left hanging."""
    path = tmp_path / "s"
    with listening(path, ANSWER) as heard:
        facts = list(check_socket.check(unix(path), me()))
    assert heard == [NEGOTIATION, FAREWELL]
    assert NEGOTIATION == b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"
    assert [fact.verdict for fact in facts] == ["ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (ANSWER, None),
        (struct.pack("!IcIII", 23, b"O", 6, 0, 0) + b"0123456789", None),
        (struct.pack("!IcIII", 13, b"O", 7, 0, 0), "version 7"),
        (b"220 mail.example.com ESMTP\r\n", "no milter"),
        (struct.pack("!Ic", 1, b"r"), "no milter"),
        (ANSWER[:9], "no milter"),
        (b"", "no milter"),
    ],
)
def test_only_a_milter_will_do(tmp_path: Path, reply: bytes, trouble: str | None) -> None:
    path = tmp_path / "s"
    with listening(path, reply):
        found = greeting.greet(unix(path))
    if trouble is None:
        assert found is None
    else:
        assert isinstance(found, str)
        assert trouble in found


def test_silence_is_waited_for_only_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "_current", timeouts.Timeouts(check_socket_seconds=0.1))
    path = tmp_path / "s"
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))
        server.listen()
        assert "silence" in str(greeting.greet(unix(path)))


def test_a_socket_that_nobody_listens_on_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with closing(socket.socket(socket.AF_UNIX)) as server:
        server.bind(str(path))
    path.chmod(0o660)
    facts = list(check_socket.check(unix(path), me()))
    assert facts[-1].verdict == "WRONG"
    assert "no milter answers" in facts[-1].text


def test_no_socket_at_all_is_wrong(tmp_path: Path) -> None:
    [fact] = check_socket.check(unix(tmp_path / "none" / "s"), me())
    assert fact.verdict == "WRONG"
    assert "there is no socket" in fact.text


def test_a_file_in_the_sockets_place_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("")
    [fact] = check_socket.check(unix(tmp_path / "s"), me())
    assert fact.verdict == "WRONG"
    assert "is no socket" in fact.text


def test_a_tcp_socket_is_greeted_too_and_noted() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(17, socket.MSG_WAITALL)
                connection.sendall(ANSWER)
                connection.recv(5, socket.MSG_WAITALL)

        thread = threading.Thread(target=serve)
        thread.start()
        facts = list(check_socket.check(Socket("inet", host="127.0.0.1", port=port), None))
        thread.join(10)
    assert [fact.verdict for fact in facts] == ["note", "ok"]


def judged(
    mode: int = SOCKET_MODE,
    uid: int = 998,
    gid: int = 110,
    directory: PathEntry = OPEN,
) -> list[CheckLine]:
    """Judge a socket in a directory."""
    return list(
        check_socket.check_file([directory, PathEntry("/run/d/s", mode, uid, gid)], POSTFIX)
    )


def test_a_socket_of_mode_0660_and_a_group_of_postfix_is_right() -> None:
    assert [fact.verdict for fact in judged()] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        (judged(mode=stat.S_IFSOCK | 0o666), "mode 0666, not 0660"),
        (judged(mode=stat.S_IFSOCK | 0o600), "may not use the socket"),
        (judged(gid=998), "may not use the socket"),
        (
            judged(directory=PathEntry("/run/d", stat.S_IFDIR | 0o700, 0, 0)),
            "cannot get into /run/d",
        ),
        (judged(directory=PathEntry("/run/d", stat.S_IFDIR | 0o2750, 998, 998)), "cannot get into"),
    ],
)
def test_a_socket_that_postfix_may_not_use_or_anybody_may_is_wrong(
    facts: list[CheckLine], says: str
) -> None:
    assert [fact for fact in facts if fact.verdict == "WRONG" and says in fact.text]


@pytest.mark.parametrize(
    ("entry", "wanted", "allowed"),
    [
        (PathEntry("/d", 0o750, 101, 0), 0o1, True),
        (PathEntry("/d", 0o2750, 998, 110), 0o1, True),
        (PathEntry("/d", 0o750, 998, 998), 0o1, False),
        (PathEntry("/d", 0o751, 998, 998), 0o1, True),
        (PathEntry("/d", 0o077, 101, 110), 0o6, False),
        (PathEntry("/d", 0o707, 998, 110), 0o6, False),
    ],
)
def test_a_mode_is_read_for_the_one_class_a_user_is_in(
    entry: PathEntry, wanted: int, allowed: bool
) -> None:
    assert entry.lets(POSTFIX, wanted) is allowed


def test_what_this_user_may_not_see_is_no_fault() -> None:
    socket = Socket("unix", path="/run/d/s")
    assert check_socket.check_answer(socket, PermissionError()).verdict == "note"
