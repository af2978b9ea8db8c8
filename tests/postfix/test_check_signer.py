"""`check` asks the milters behind the tracker what they add: a real OpenDKIM, and others."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conversation_tracker.checks import dialogue, signer
from conversation_tracker.config.socket import Socket
from conversation_tracker.postfix.names import list_authors

from .signer import Signer
from .stage import DOMAIN

HARD, SOFT = list_authors(DOMAIN)


def judge(*found: dict[str, str]) -> list[tuple[str, str]]:
    """Return verdict and text of what is added to mail of a hard alias and of a soft one."""
    return [(line.verdict, line.text) for line in signer._judge("unix:signer", *found)]


def test_a_signer_set_up_as_documented_adds_its_signature_and_nothing_else() -> None:
    with Signer(DOMAIN) as opendkim:
        place = Socket("unix", path=opendkim.socket.removeprefix("unix:"))
        found = [dialogue.ask(place, author) for author in (HARD, SOFT)]
        elsewhere = dialogue.ask(place, "somebody@elsewhere.example")
    assert [set(each) for each in found] == [{"DKIM-Signature"}] * 2
    assert f"d={DOMAIN}" in found[0]["DKIM-Signature"]
    assert elsewhere == {}
    assert [verdict for verdict, _ in judge(*found)] == ["ok"]


SIGNED = {"DKIM-Signature": "v=1"}
RESULTS = {"Authentication-Results": f"mx; spf=none smtp.mailfrom={dialogue.SENDER}"}


@pytest.mark.parametrize(
    ("hard", "soft", "verdicts", "words"),
    [
        (SIGNED | RESULTS, SIGNED, ["WRONG"], "writes real addresses into copies"),
        (SIGNED, SIGNED | {"X-Rcpt": dialogue.RECIPIENT.upper()}, ["WRONG"], "(X-Rcpt)"),
        (RESULTS, RESULTS, ["WRONG", "note"], "writes real addresses into copies"),
        (SIGNED, {}, ["WRONG"], "signs no mail with a soft alias"),
        ({}, {}, ["note"], "signs no copies of mail from outside"),
        (SIGNED | {"X-Virus-Scanned": "yes"}, SIGNED, ["ok"], "adds no address"),
    ],
)
def test_what_is_added_is_judged(
    hard: dict[str, str], soft: dict[str, str], verdicts: list[str], words: str
) -> None:
    found = judge(hard, soft)
    assert [verdict for verdict, _ in found] == verdicts
    assert words in found[0][1]


def packet(letter: bytes, data: bytes = b"") -> bytes:
    """Make a packet of the protocol."""
    return struct.pack("!I", len(data) + 1) + letter + data


@contextmanager
def answering(path: Path, *answers: bytes) -> Iterator[Socket]:
    """Run what gives these answers, one to each of the first events, and hangs up then."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as file:
            for answer in answers:
                while True:
                    head = file.read(4)
                    letter = file.read(struct.unpack("!I", head)[0])[:1] if head else b""
                    if letter != b"D":
                        break
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Socket("unix", path=str(path))
    finally:
        listener.close()
        thread.join(10)


# Nothing but the end is sent: all events are unwanted.
AGREED = packet(b"O", struct.pack("!III", 6, 0x1FF, 0x37F))


def test_each_way_to_add_a_field_is_read(tmp_path: Path) -> None:
    ended = b"".join(
        [
            packet(b"p"),
            packet(b"h", b"X-One\0a\0"),
            packet(b"i", struct.pack("!I", 0) + b"X-Two\0b\0"),
            packet(b"m", struct.pack("!I", 1) + b"Subject\0c\0"),
            packet(b"b", b"body"),
            packet(b"c"),
        ]
    )
    with answering(tmp_path / "s", AGREED, ended) as place:
        assert dialogue.ask(place, HARD) == {"X-One": "a", "X-Two": "b", "Subject": "c"}


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (packet(b"c"),),
        (packet(b"O", b"short"),),
        (b"\xff\xff\xff\xff",),
        (b"\0\0\0\0",),
        (AGREED,),
        (AGREED, packet(b"r")),
        (AGREED, packet(b"t")),
        (packet(b"O", struct.pack("!III", 6, 0x1FF, 0)), packet(b"r")),
    ],
)
def test_what_is_no_signer_is_no_answer(tmp_path: Path, answers: tuple[bytes, ...]) -> None:
    with (
        answering(tmp_path / "s", *answers) as place,
        pytest.raises((dialogue.NoMilterError, OSError)),
    ):
        dialogue.ask(place, HARD)


def test_nobody_there_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        dialogue.ask(Socket("unix", path=str(tmp_path / "none")), HARD)
