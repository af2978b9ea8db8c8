"""What `configure` takes for safe: the client is told 4xx wherever a milter dies."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from conversation_tracker.postfix.milters import SAFE_ACTIONS
from private.postfix import Postfix
from private.sink import Sink

# It may edit, and wants to be asked about everything.
ABLE = struct.pack("!IcIII", 13, b"O", 6, 0x1FF, 0)
CONTINUE = struct.pack("!Ic", 1, b"c")
EDIT = struct.pack("!Ic", 1 + 4 + 10, b"m") + struct.pack("!I", 1) + b"Subject\0x\0"
MAIL = b"From: a@store.example\r\nTo: b@carrier.example\r\nSubject: Parcel\r\n\r\nOn its way.\r\n"
RCPT = b"RCPT TO:<b@carrier.example>"
UNTOLD = b"DA"  # macros and an end of message that nobody waits for


def talk(connection: socket.socket, deadly: bytes) -> None:
    """Answer Postfix until the command `deadly`, at the message's end with half of the edits."""
    file = connection.makefile("rb")
    while size := file.read(4):
        packet = file.read(struct.unpack("!I", size)[0])
        if packet[:1] == deadly:
            connection.sendall(EDIT if deadly == b"E" else b"")
            return
        if packet[:1] == b"O":
            connection.sendall(ABLE)
        elif packet[:1] not in UNTOLD:
            connection.sendall(CONTINUE)


@contextmanager
def dying(path: Path, deadly: bytes) -> Iterator[None]:
    """Have a milter at a path that dies of one command."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    path.chmod(0o666)
    server.listen()

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, suppress(ConnectionError):
                    talk(connection, deadly)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        server.close()
        path.unlink()


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as found:
        yield found


@pytest.fixture(scope="module")
def postfix(sink: Sink) -> Iterator[Postfix]:
    with Postfix(sink.port, relay_domains="carrier.example") as found:
        yield found


def hand_in(postfix: Postfix, action: str, deadly: bytes) -> bytes:
    """Hand a message in while the milter dies of `deadly`; return the reply that decides."""
    own = {"smtpd_milters": "unix:milter.sock", "milter_default_action": action}
    postfix.edit_master(postfix.submission, own)
    postfix.restart()
    with dying(postfix.directory / "queue" / "milter.sock", deadly):
        return speak(postfix.submission_port)


def speak(port: int) -> bytes:
    """Send a message, until something is refused."""
    with socket.create_connection(("127.0.0.1", port), 30) as client, client.makefile("rb") as file:
        for line in (b"", b"EHLO a", b"MAIL FROM:<a@a.example>", RCPT, b"DATA", MAIL + b"."):
            client.sendall(line + b"\r\n" if line else b"")
            while (said := file.readline())[3:4] == b"-":
                pass
            if said[:1] not in (b"2", b"3"):
                break
    return said


@pytest.mark.parametrize("deadly", [b"O", b"C", b"M", b"R", b"L", b"B", b"E"])
@pytest.mark.parametrize("action", SAFE_ACTIONS)
def test_mail_waits_wherever_a_milter_dies(postfix: Postfix, action: str, deadly: bytes) -> None:
    assert hand_in(postfix, action, deadly)[:1] == b"4"
    assert not postfix.holds_mail()


def test_another_action_lets_out_what_is_half_edited(postfix: Postfix, sink: Sink) -> None:
    assert hand_in(postfix, "accept", b"E")[:3] == b"250"
    [mail] = sink.wait_for(1, 20.0)
    assert mail.header("To") == [b"b@carrier.example"]
